"""Whether the libraries here are those that saved a model. A model of another version may load, and answer otherwise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho.artifact.metadata import installed_version
from sekisho.errors import ArtifactError
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.formats.interface import Format
    from sekisho.artifact.metadata import Metadata

Policy = Literal["refuse", "warn"]

_log: Final = logging.getLogger("sekisho.artifact")


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A library whose version is not the one that saved the model, up to the second number.

    Attributes:
        library: Its distribution.
        saved: The version that saved the model; ``None`` if the artifact does not say.
        here: The version that is installed.

    """

    library: str
    saved: str | None
    here: str

    @property
    def text(self) -> Text:
        """What it is, in a sentence."""
        if self.saved is None:
            return Text(
                en=f"it does not say which version of {self.library} saved it ({self.here} is installed)",
                ja=f"保存時の {self.library} のバージョンが書かれていません（ここには {self.here} が入っています）",
            )
        return Text(
            en=f"it was saved with {self.library} {self.saved}, and {self.here} is installed",
            ja=f"{self.library} {self.saved} で保存されていますが、ここには {self.here} が入っています",
        )


def mismatches(unit: Format, metadata: Metadata) -> tuple[Mismatch, ...]:
    """Return the libraries that a format needs in the version of the one who saved it, and that are here in another.

    An ONNX graph needs none. A library that is not installed is missed when it is imported.
    """
    found = []
    for name in unit.libraries:
        saved, here = metadata.libraries.get(name), installed_version(name)
        if here is not None and (saved is None or saved.split(".")[:2] != here.split(".")[:2]):
            found.append(Mismatch(library=name, saved=saved, here=here))
    for name in unit.companions:
        saved, here = metadata.libraries.get(name), installed_version(name)
        if saved is not None and here is not None and saved.split(".")[:2] != here.split(".")[:2]:
            found.append(Mismatch(library=name, saved=saved, here=here))
    return tuple(found)


def check_libraries(unit: Format, metadata: Metadata, policy: Policy) -> None:
    """Refuse a model whose libraries are here in other versions, or say so in the log.

    Raises:
        ArtifactError: They are, and the policy is to refuse.

    """
    for mismatch in mismatches(unit, metadata):
        if policy == "refuse":
            raise ArtifactError(
                mismatch.text,
                Text(
                    en="install the libraries of requirements.lock, or pack the model again",
                    ja="requirements.lock のライブラリを入れるか、パックし直してください",
                ),
            )
        _log.warning("%s", mismatch.text.en)
