"""What every target gives: files made from a plan, tools that prove them, and, where it can, a deployment.

A target walks the same steps: *plan* (one artifact, one contract, and what the caller has set), *render* (a pure function to
files), *write* (atomic, never over somebody's edits), *validate* (by the tools of the files' own ecosystem), and for
those that can, *deploy* and *remove*::

    generator = Generator(id="docker", title=Text(...), folder="deploy", render=image_files, following=Text(...))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.contract.project import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Something that a target must be told: an option of the command line.

    Attributes:
        name: In the form of an option, without the dashes.
        help: What it is.
        default: What it is when nobody says; ``None`` for none.
        required: Whether the target cannot do without.

    """

    name: str
    help: Text
    default: str | None = None
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be rendered or deployed.

    Attributes:
        project: The folder and its contract.
        artifact: What ships.
        settings: What the caller has set, by :attr:`Setting.name`; a value of ``None`` means that nobody has.

    """

    project: Project
    artifact: ModelArtifact
    settings: Mapping[str, str | None] = field(default_factory=dict)

    def setting(self, name: str) -> str:
        """Return a setting that the target cannot do without.

        Raises:
            WrongUse: Nobody has set it.

        """
        value = self.settings.get(name)
        if not value:
            raise WrongUse(
                Text(en=f"--{name} is not set", ja=f"--{name} が指定されていません"),
                Text(en=f"add --{name} VALUE", ja=f"--{name} 値 を付けてください"),
            )
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedFile:
    """One file that a target is made of.

    Attributes:
        path: Where it goes, relative to the output folder, with ``/`` between names.
        content: Its bytes, or the file that it is a copy of.
        mode: Its permissions.

    """

    path: str
    content: bytes | Path
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True, slots=True)
class Validator:
    """A tool that says whether generated files are right.

    Attributes:
        tool: The name of the program on the search path.
        arguments: What it is given, run in the output folder.

    """

    tool: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Generator:
    """A unit of the shelf: one kind of file set.

    Attributes:
        id: What it is asked for by.
        title: What it makes.
        folder: Where it goes when nobody says, relative to the project.
        render: A pure function from the plan to the files.
        following: What to do next, once they are written.
        settings: What it must be told.
        validators: The tools that prove what was written.
        finish: Makes what must not be rendered, such as secrets; given the plan and the output folder.

    """

    id: str
    title: Text
    folder: str
    render: Callable[[Plan], tuple[GeneratedFile, ...]]
    following: Text
    settings: tuple[Setting, ...] = ()
    validators: tuple[Validator, ...] = ()
    finish: Callable[[Plan, Path], None] | None = None


Listener = Callable[[Text], None]
"""Told of each step of a deployment as it begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One request of a deployment.

    Attributes:
        service: The service that is asked, such as ``s3``.
        operation: What it is asked to do.
        parameters: The request, as the service documents it.

    """

    service: str
    operation: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployer:
    """A unit of the shelf: a target that an artifact can be brought to.

    Attributes:
        id: What it is asked for by.
        title: Where the artifact goes.
        settings: What it must be told.
        plan: The requests that :attr:`deploy` would send, checked against the service's own description but not sent.
        deploy: Brings the artifact there, waits until it answers, and proves that it answers rightly.
        remove: Takes away what :attr:`deploy` made.

    """

    id: str
    title: Text
    settings: tuple[Setting, ...]
    plan: Callable[[Plan], Iterable[Step]]
    deploy: Callable[[Plan, Listener], None]
    remove: Callable[[Plan, Listener], None]
