"""Whether the checkpoint has let an artifact through: a signed pass that speaks of its very bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.artifact.keys import TrustedKeys
from sekisho.errors import ArtifactError, SekishoError
from sekisho.gate.passes import FILE, read_pass
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sekisho.serving.settings import ServingSettings

MOST_FILES: Final = 10_000


def check_pass(digest: str, settings: ServingSettings) -> None:
    """Refuse an artifact without a pass, where the settings ask for one.

    Args:
        digest: The artifact.
        settings: How the service runs.

    Raises:
        ArtifactError: No pass that a trusted key has signed lets this artifact through; what is wrong with the nearest one is said.

    """
    if not settings.require_pass:
        return
    keys = TrustedKeys.read(settings.trusted_keys)
    failed = False
    for path in _files(settings.passes):
        try:
            said = read_pass(path, keys, artifact=digest)
        except SekishoError:
            continue  # of another artifact, or of nobody who is trusted
        if said.passed and said.complete:
            return
        failed = True
    if failed:
        raise ArtifactError(
            Text(
                en="the checkpoint did not let this artifact through",
                ja="この成果物は関所の判定で不合格、または未完了です",
            ),
            Text(
                en="see its report, and judge it again: sekisho check --sign",
                ja="レポートを確認し、sekisho check --sign で判定し直してください",
            ),
        )
    raise ArtifactError(
        Text(
            en="there is no pass for this artifact that a trusted key has signed",
            ja="この成果物に対する、信頼された鍵で署名された通行証がありません",
        ),
        Text(
            en="make one with sekisho check --sign, and put it where serving.passes says",
            ja="sekisho check --sign で作成し、serving.passes の場所に置いてください",
        ),
    )


def _files(places: Sequence[Path]) -> Iterator[Path]:
    """Return the files that may be passes: those that are named, and those of that name or ending in or below the folders that are."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        for count, path in enumerate(sorted(place.rglob(f"*{FILE.removeprefix('pass')}"))):
            if count >= MOST_FILES:
                return
            yield path
