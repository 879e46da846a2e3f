"""From a project to the files of one target: plan, render, write, validate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.artifact.contracted import artifact_of
from sekisho.contract.loader import load_project
from sekisho.targets.interface import Generator, Plan
from sekisho.targets.parts.files import Outcome, output_folder, write_files
from sekisho.targets.parts.validation import Validation, validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.targets.interface import Setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """What was generated.

    Attributes:
        folder: Where.
        artifact: The digest of the artifact that the files speak for.
        outcome: What happened to each file.
        validations: What the tools said of them.

    """

    folder: Path
    artifact: str
    outcome: Outcome
    validations: tuple[Validation, ...]


def plan_of(project: Path, settings: Iterable[Setting], given: Mapping[str, str | None]) -> Plan:
    """Return the plan for a project: its contract, its artifact (every byte verified), and what the caller has set.

    Args:
        project: The folder that holds ``sekisho.toml``, or the contract itself.
        settings: What the target may be told.
        given: What it was told; what is missing or ``None`` takes its default.

    Raises:
        WrongUse: There is no contract or artifact, or the contract has faults.
        ArtifactError: The artifact cannot be read.

    """
    loaded = load_project(project)
    artifact = artifact_of(loaded)
    said = {setting.name: given.get(setting.name) or setting.default for setting in settings}
    return Plan(project=loaded, artifact=artifact, settings=said)


def generate(generator: Generator, plan: Plan, *, out: Path | None = None, force: bool = False) -> Generation:
    """Render the files of ``generator``, write them, and have them validated.

    Args:
        generator: The target.
        plan: What for.
        out: Where to; the generator's usual folder if not given. It must lie inside the project.
        force: Whether to write over files that were edited by hand.

    Raises:
        WrongUse: A setting is missing or wrong, the folder lies outside the project, or files were edited by hand.
        TargetError: The artifact cannot be deployed this way.
        OSError: The files cannot be written; none is half-written.

    """
    folder = output_folder(plan.project.root, out, generator.folder)
    files = generator.render(plan)
    outcome = write_files(folder, generator.id, plan.artifact.digest, files, force=force)
    if generator.finish is not None:
        generator.finish(plan, folder)
    return Generation(
        folder=folder,
        artifact=plan.artifact.digest,
        outcome=outcome,
        validations=validate(folder, generator.validators),
    )
