"""Target: a container image, built by Docker or any other builder of Dockerfiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.targets.interface import Generator, Validator
from sekisho.targets.parts.image import BASE_IMAGE, image_files
from sekisho.targets.parts.secrets import make_secrets
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan


def _finish(plan: Plan, folder: Path) -> None:
    contract = plan.project.contract
    make_secrets(
        folder,
        authentication=contract.security.authentication != "none",
        dashboard=False,
        ledger_keys=contract.ledger.key_file is not None,
    )


generator = Generator(
    id="docker",
    title=Text(en="A Dockerfile and all that its build needs", ja="Dockerfile と、ビルドに必要なファイル一式"),
    folder="deploy",
    render=image_files,
    following=Text(
        en='docker build --tag model {folder}/docker, and infrastructure.dockerfile = "{folder}/docker/Dockerfile" in sekisho.toml',
        ja='docker build --tag model {folder}/docker を実行し、sekisho.toml に infrastructure.dockerfile = "{folder}/docker/Dockerfile" と書いてください',
    ),
    settings=(BASE_IMAGE,),
    validators=(Validator(tool="hadolint", arguments=("docker/Dockerfile",)),),
    finish=_finish,
)
