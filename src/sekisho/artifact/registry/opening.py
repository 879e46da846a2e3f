"""Which registry is meant, and what kind of store it lies in.

Paths and ``s3://bucket/prefix`` are understood and nothing else: nobody's address is ever asked for an artifact. What to speak S3 to is said by
the person who runs the command or by AWS's own settings, and never by a project that somebody else may have written.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho import shelf
from sekisho.artifact.stores.interface import Store, StoreKind
from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.contract.project import Project

LOCATION: Final = "SEKISHO_REGISTRY"
ENDPOINT: Final = "SEKISHO_S3_ENDPOINT"
_ADDRESS: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):/|\s*//|\s*\\\\")


def open_store(location: str, endpoint: str | None = None) -> Store:
    """Return the store at ``location``.

    Raises:
        WrongUse: It is neither a path nor the address of a bucket.
        MissingExtra: A library that the store needs is not installed.

    """
    for kind in shelf.units("sekisho.artifact.stores", StoreKind).values():
        if kind.takes(location) and location and "\0" not in location:
            return kind.open(location, endpoint or os.environ.get(ENDPOINT) or None)
    raise WrongUse(
        Text(en="a registry is a folder or a bucket", ja="レジストリに指定できるのはフォルダーかバケットです"),
        Text(en="give a path or s3://bucket/prefix", ja="パスか s3://バケット名/接頭辞 を指定してください"),
        where=ascii(location[:200]),
    )


def location_of(project: Project | None, given: str | None = None) -> str:
    """Return where the registry is: as given, else as the environment says, else as the contract does."""
    stated = given or os.environ.get(LOCATION)
    if stated:
        return stated
    if project is None:
        return "registry"
    location = project.contract.registry.location
    return location if _ADDRESS.match(location) else str(project.path(location))


def local_folder(folder: Path | str) -> Path:
    """Return a local folder; an address is refused before anything is asked of it.

    Raises:
        WrongUse: It is an address, in whatever disguise.

    """
    text = str(folder)
    if _ADDRESS.match(text) or "\0" in text:
        raise WrongUse(
            Text(
                en="an artifact is published from a folder on this machine",
                ja="登録できるのは、このマシンにあるフォルダーだけです",
            ),
            Text(
                en="fetch it yourself, look at it, and give its path",
                ja="ご自身で取得して確認し、そのパスを指定してください",
            ),
            where=ascii(text[:200]),
        )
    return Path(folder)
