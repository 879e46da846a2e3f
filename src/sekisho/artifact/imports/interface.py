"""What every place that a model can come from gives: the model, read safely, and what is known of it there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.artifact.signature import Note
    from sekisho.artifact.table import Table


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Found:
    """A model from somewhere else.

    Attributes:
        model: As :func:`sekisho.pack` takes it.
        name, version: What it is called there; ``None`` if it has none.
        metadata: Fields of :class:`~sekisho.artifact.metadata.Metadata`. Figures among them are claims, never evidence.
        training: What ``training`` of :func:`sekisho.pack` takes.
        notes: What is known of its features.
        example: A few rows that were kept with it; ``None`` if there are none.
        remarks: What the user should know of how it was read.

    """

    model: Any
    name: str | None = None
    version: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Note] = field(default_factory=dict)
    example: Table | None = None
    remarks: tuple[Text, ...] = ()


class Importer(ABC):
    """One kind of place."""

    id: str
    """Its name; the first by name that takes a source reads it."""

    @abstractmethod
    def takes(self, source: str) -> bool:
        """Return whether ``source``, as the user gave it, is such a place."""

    @abstractmethod
    def read(self, source: str, *, trust: bool, trusted_types: tuple[str, ...]) -> Found:
        """Return the model.

        Args:
            source: As the user gave it.
            trust: Whether a pickle may be read, which runs its code in a confined process.
            trusted_types: Types that a skops file may hold beyond the curated list.

        Raises:
            NotFound: There is nothing of that name.
            UntrustedFormat: It is a pickle, and nobody has said that it may be read.
            ArtifactError: It cannot be read.
            MissingExtra: A library that reads it is not installed.

        """
