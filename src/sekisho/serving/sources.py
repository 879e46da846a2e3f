"""Where the versions of a model come from: a folder, or a registry. Only whoever starts the service says so, never a caller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.keys import TrustedKeys
from sekisho.artifact.registry.names import check_name, looks_like_reference, reference_of
from sekisho.artifact.registry.opening import location_of
from sekisho.artifact.registry.registry import Registry
from sekisho.errors import ServiceError, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.serving.settings import ServingSettings

Given = ModelArtifact | Path | str
"""What may be served: an artifact, its folder, or ``NAME@VERSION`` or ``NAME@ALIAS`` of the registry."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the versions of one model come from.

    Attributes:
        place: A folder, as it was given (what a link there leads to may change), or ``NAME@VERSION`` or ``NAME@ALIAS`` of the registry.
        name: What callers call the model; empty: as the artifact is called.

    """

    place: str
    name: str = ""

    @property
    def reference(self) -> str | None:
        """What is asked of the registry; ``None`` if it is a folder. A folder of that name comes first."""
        return None if Path(self.place).exists() or not looks_like_reference(self.place) else self.place

    def sibling(self, version: str) -> str | None:
        """Return what is asked of the registry for another version or alias of the same model; ``None`` if it is a folder."""
        reference = self.reference
        return None if reference is None else f"{reference_of(reference).name}@{version}"

    def fetch(self, settings: ServingSettings) -> Path:
        """Return the folder that the artifact lies in now.

        Raises:
            SekishoError: The registry does not hold it, or cannot be reached.

        """
        reference = self.reference
        return Path(self.place).resolve() if reference is None else registry_of(settings).fetch(reference)


def sources_of(given: Given | Mapping[str, Given] | list[Given] | tuple[Given, ...]) -> tuple[Source, ...]:
    """Return where everything that is to be served comes from.

    Raises:
        WrongUse: There is nothing, or a name that cannot be one.
        ServiceError: An artifact is in no folder yet.

    """
    if isinstance(given, Mapping):
        sources = tuple(Source(place=_place(one), name=check_name("name", name)) for name, one in given.items())
    else:
        sources = tuple(Source(place=_place(one)) for one in (given if isinstance(given, list | tuple) else (given,)))
    if not sources:
        raise WrongUse(
            Text(en="there is nothing to serve", ja="提供するモデルがありません"),
            Text(en="give at least one artifact", ja="成果物を1つ以上指定してください"),
        )
    return sources


def registry_of(settings: ServingSettings) -> Registry:
    """Return the registry that versions come from."""
    keys = TrustedKeys.read(settings.trusted_keys) if settings.trusted_keys else None
    return Registry(
        location_of(None, settings.registry),
        endpoint=settings.registry_endpoint,
        keys=keys,
        require_signature=settings.require_signature,
    )


def _place(given: Given) -> str:
    if not isinstance(given, ModelArtifact):
        return str(given)
    if given.folder is None:
        raise ServiceError(
            Text(en="this artifact is in no folder yet", ja="この成果物はまだフォルダーに保存されていません"),
            Text(en="save it first: artifact.save(folder)", ja="先に artifact.save(folder) で保存してください"),
        )
    return str(given.folder)
