"""What a service serves: models by name, of each one version that is live, and perhaps others beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

Role = Literal["live", "beside", "previous"]


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one model.

    Attributes:
        name: What callers call the model.
        version, digest: Those of the artifact.
        folder: Where the artifact lies.
        role: ``live``: the name alone means this version; ``beside``: it was asked for as well, and is reached by its version; ``previous``: it
            was live before, and is kept so that it can be live again at once.
        watched: Whether it knows what it was trained on, so that drift can be seen.

    """

    name: str
    version: str
    digest: str
    folder: str
    role: Role = "live"
    watched: bool = False

    @property
    def key(self) -> str:
        """What its metrics are kept under."""
        return f"model-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}-{self.digest[:24]}"

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    def is_same(self, other: Served) -> bool:
        """Whether this is the same artifact under the same name."""
        return (self.name, self.digest) == (other.name, other.digest)


class Lineup(msgspec.Struct, frozen=True, kw_only=True):
    """All that is served at one moment.

    Attributes:
        number: The change that led to it; 0 before the first.
        default: The model that answers where no name is said.
        models: All versions.

    """

    number: int = 0
    default: str
    models: tuple[Served, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models, in the order in which they were given."""
        return tuple(dict.fromkeys(one.name for one in self.models))

    def live(self, name: str) -> Served:
        """Return the version that a name alone means."""
        return next(one for one in self.models if one.name == name and one.role == "live")

    def of(self, name: str) -> tuple[Served, ...]:
        """Return all versions of one model, the live one first."""
        return tuple(sorted((one for one in self.models if one.name == name), key=lambda one: one.role != "live"))

    def with_live(self, served: Served, *, keep: bool, number: int) -> Lineup:
        """Return what is served once ``served`` is live.

        Args:
            served: The version that takes over.
            keep: Whether the one that is live now stays, as the previous one.
            number: The number of the change.

        """
        return msgspec.structs.replace(self, number=number, models=tuple(self._after(served, keep=keep)))

    def _after(self, served: Served, *, keep: bool) -> Iterator[Served]:
        for one in self.models:
            if one.name != served.name:
                yield one
            elif one.role == "live":
                yield msgspec.structs.replace(served, role="live")
                if keep:
                    yield msgspec.structs.replace(one, role="previous")
            elif one.role == "beside" and not one.is_same(served):
                yield one
