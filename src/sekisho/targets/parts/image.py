"""The container image: the artifact, its locked dependencies, and the Sekisho that serves it. Nothing else.

Built in two stages, so that what installs does not ship. The same image answers Amazon SageMaker, which starts a container
with the single word ``serve``, asks it on port 8080 and puts the model into ``/opt/ml/model``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sekisho.artifact import lock
from sekisho.errors import TargetError, WrongUse
from sekisho.targets.interface import GeneratedFile, Setting
from sekisho.targets.parts import secrets
from sekisho.targets.parts.contents import artifact_files
from sekisho.targets.parts.header import header
from sekisho.targets.parts.naming import image_name
from sekisho.targets.parts.shipping import shipped_contract
from sekisho.targets.parts.templates import Comment, fill
from sekisho.targets.parts.wheel import running_wheel
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.contract.sections import Contract
    from sekisho.targets.interface import Plan

FOLDER: Final = "docker"
PORT: Final = 8080
"""The port inside the container: the one that SageMaker asks."""
KEYS_PATH: Final = "/run/secrets/api_keys"
STATE_PATH: Final = "/var/lib/sekisho"
LEDGER_PATH: Final = f"{STATE_PATH}/predictions.sqlite"
EXTRAS_LOCK: Final = "extras.lock"
PROJECT_PATH: Final = "/opt/model"
"""Where the contract lies, and the artifact beside it."""

HEALTH_COMMAND: Final = (
    "python3",
    "-c",
    (
        "import os, urllib.request as http;"
        f" port = os.environ.get('SAGEMAKER_BIND_TO_PORT', '{PORT}');"
        " http.urlopen(f'http://127.0.0.1:{port}/health/ready', timeout=4).close()"
    ),
)
"""Whether the service is ready, without a tool that the image would not need otherwise."""

BASE_IMAGE: Final = Setting(
    name="base-image",
    help=Text(
        en="The image to build on; pin it with @sha256:… for builds that never change",
        ja="土台とするイメージ。@sha256:… で固定すると、常に同じものからビルドできます",
    ),
)

_REFERENCE: Final = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]{0,250}(?:@sha256:[0-9a-f]{64})?")
_PYTHON: Final = re.compile(r"3\.(\d{1,3})\b")


def image_files(plan: Plan) -> tuple[GeneratedFile, ...]:
    """Return the build context: it holds only what goes into the image, so nothing of the project can slip in.

    Raises:
        TargetError: The artifact is not saved, or has no lock.

    """
    wheel = running_wheel()
    top = header(plan, "docker")
    extras = _lock_of_extras(plan)
    more = {EXTRAS_LOCK: f"{top.text}\n\n{extras}"} if extras else {}
    ignored = f"!{EXTRAS_LOCK}\n" if extras else ""
    written = {
        "Dockerfile": _dockerfile(plan, wheel.name, extras=bool(extras)),
        ".dockerignore": f"{top.text}\n\n*\n!artifact\n!sekisho.toml\n!serve\n!sekisho.lock\n{ignored}!{wheel.name}\n",
        "sekisho.toml": f"{top.text}\n\n{shipped_contract(plan)}",
        "sekisho.lock": f"{top.text}\n\n./{wheel.name} --hash=sha256:{wheel.digest}\n",
        **more,
    }
    return (
        GeneratedFile(path=".gitignore", content=f"{top.text}\n\n/.env\n/{secrets.FOLDER}/\n".encode()),
        *(GeneratedFile(path=f"{FOLDER}/{name}", content=text.encode()) for name, text in written.items()),
        GeneratedFile(path=f"{FOLDER}/serve", content=_entry(plan).encode(), mode=0o755),
        GeneratedFile(path=f"{FOLDER}/{wheel.name}", content=wheel.content),
        *(GeneratedFile(path=f"{FOLDER}/artifact/{path.name}", content=path) for path in artifact_files(plan.artifact)),
    )


_ENTRY: Final = Text(
    en="""\
Amazon SageMaker starts the container with this word: it serves the model that was put into /opt/ml/model, else that of the image.
SageMaker itself lets only callers in that AWS has authenticated, so there are no keys here.""",
    ja="""\
Amazon SageMaker はコンテナをこの名前で起動します。/opt/ml/model に置かれたモデルを、なければイメージ内のモデルを提供します。
呼び出し元の認証は SageMaker（AWS）が行うため、ここでは鍵を使いません。""",
)


_SERVE: Final = ("sekisho", "serve", "-C", PROJECT_PATH, "--host", "0.0.0.0", "--ledger", LEDGER_PATH)  # noqa: S104


def serve_command(plan: Plan) -> tuple[str, ...]:
    """Return what the container runs when it is told nothing else."""
    keys = plan.project.contract.security.authentication != "none"
    return (*_SERVE, "--port", str(PORT), *(("--key-file", KEYS_PATH) if keys else ("--open",)))


def _entry(plan: Plan) -> str:
    return fill("serve.sh.j2", header=header(plan, "docker"), how=Comment(_ENTRY), serve=_SERVE)


def extras_of(contract: Contract) -> tuple[str, ...]:
    """Return the extras of Sekisho that a service by a contract needs."""
    serving, security = contract.serving, contract.security
    needed = {
        "jwt": security.authentication == "token",
        "redis": security.rate_limit is not None and security.rate_store is not None,
        "grpc": serving.grpc_port is not None,
    }
    return tuple(name for name, is_needed in needed.items() if is_needed)


def _lock_of_extras(plan: Plan) -> str:
    """Return the lock of what the contract asks for beside the artifact's own lock; empty if that is nothing."""
    artifact = plan.artifact
    if artifact.lock is None or artifact.folder is None:
        raise _without_lock(artifact)
    extras = extras_of(plan.project.contract)
    return lock.write_lock_of_extras(extras, (artifact.folder / lock.NAME).read_bytes()).decode() if extras else ""


def _without_lock(artifact: ModelArtifact) -> TargetError:
    return TargetError(
        Text(
            en="the artifact has no requirements.lock, so nobody knows what to install",
            ja="成果物に requirements.lock がなく、インストールすべきものがわかりません",
        ),
        artifact.metadata.lock_missing
        or Text(
            en="pack it again with the package index in reach",
            ja="パッケージインデックスに接続できる環境で、パックし直してください",
        ),
        where=artifact.folder,
    )


def _dockerfile(plan: Plan, wheel: str, *, extras: bool) -> str:
    artifact = plan.artifact
    return fill(
        "image.dockerfile.j2",
        header=header(plan, "docker"),
        how=Comment(f"docker build --tag {image_name(plan)} {FOLDER}"),
        base_image=_base_image(plan),
        wheel=wheel,
        extras=EXTRAS_LOCK if extras else "",
        name=artifact.name,
        version=artifact.version,
        description=artifact.metadata.description or "",
        digest=artifact.digest,
        health=HEALTH_COMMAND,
        command=serve_command(plan),
    )


def _base_image(plan: Plan) -> str:
    """Return the image to build on: that of the Python that packed the artifact, whose lock fits no other."""
    asked = plan.settings.get(BASE_IMAGE.name)
    if asked is None:
        packed = _PYTHON.match(plan.artifact.metadata.python or "")
        return f"python:3.{packed[1] if packed else 11}-slim"
    if not _REFERENCE.fullmatch(asked):
        raise WrongUse(
            Text(
                en=f"--{BASE_IMAGE.name} is not the name of an image",
                ja=f"--{BASE_IMAGE.name} がイメージ名ではありません",
            ),
            Text(en="give it the form of python:3.11-slim", ja="python:3.11-slim のような形で指定してください"),
        )
    return asked
