"""What the verbs that know registries share: which one is meant, and a version of it as a local folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sekisho.artifact.keys import TrustedKeys
from sekisho.artifact.registry.names import looks_like_reference
from sekisho.artifact.registry.opening import location_of
from sekisho.artifact.registry.registry import Registry
from sekisho.cli.options import progress_bar
from sekisho.contract.loader import load_project
from sekisho.contract.project import CONTRACT_NAME
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.contract.project import Project

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")

LOCATION = Text(
    en="The registry: a folder or s3://bucket/prefix [default: SEKISHO_REGISTRY, else that of the contract]",
    ja="レジストリ。フォルダーまたは s3://バケット名/接頭辞 [既定値: SEKISHO_REGISTRY、なければ契約の指定]",
)
ENDPOINT = Text(
    en="The S3 server to speak to instead of AWS [default: SEKISHO_S3_ENDPOINT]",
    ja="AWS の代わりに使う S3 サーバーのアドレス [既定値: SEKISHO_S3_ENDPOINT]",
)


def registry_options(function: FunctionT) -> FunctionT:
    """Add ``--registry`` and ``--endpoint-url``, passed on under those names."""
    function = click.option("--endpoint-url", metavar="URL", help=str(ENDPOINT))(function)
    return click.option("--registry", metavar="PLACE", help=str(LOCATION))(function)


KEYS = Text(
    en="A public key, or a list of them, that must have signed; may be given several times",
    ja="署名しているはずの公開鍵、またはその一覧。複数指定可",
)


def keys_option(function: FunctionT) -> FunctionT:
    """Add ``--key``, passed on as ``keys``."""
    return click.option(
        "--key", "keys", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help=str(KEYS)
    )(function)


def opened_project(folder: Path) -> Project | None:
    """Return the project in ``folder``, if there is one."""
    contract = folder if folder.is_file() else folder / CONTRACT_NAME
    return load_project(folder) if contract.is_file() else None


def opened_registry(
    project: Project | None, registry: str | None, endpoint_url: str | None, keys: tuple[Path, ...] = ()
) -> Registry:
    """Return the registry that is meant; keys that are given, or that the contract requires, must have signed what goes in and out."""
    required = bool(keys)
    if project is not None:
        security = project.contract.security
        keys = (*keys, *(project.path(name) for name in security.trusted_keys))
        required = required or security.require_signature
    trusted = TrustedKeys.read(keys) if keys else None
    return Registry(location_of(project, registry), endpoint=endpoint_url, keys=trusted, require_signature=required)


def local_artifact(artifact: str, project: Path, registry: str | None, endpoint_url: str | None) -> Path:
    """Return the folder of an artifact: ``artifact`` itself, or the version of a registry that it names, brought here.

    A file or folder of that name comes first.
    """
    if Path(artifact).exists() or not looks_like_reference(artifact):
        return Path(artifact)
    opened = opened_registry(opened_project(project), registry, endpoint_url)
    with progress_bar(Text(en=f"Fetching {artifact}", ja=f"{artifact} を取得しています")) as bar:
        return opened.fetch(artifact, listener=bar)
