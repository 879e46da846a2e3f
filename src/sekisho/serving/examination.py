"""From a wish to the version that it means, and whether that version may take over: the part of a change that can take long.

It runs in a thread of the supervisor, beside everything else, and touches nothing that answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.errors import ArtifactError, NotFound, SekishoError
from sekisho.serving.candidates import served_as, verified
from sekisho.serving.compatibility import check_compatible
from sekisho.serving.sources import registry_of
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.signature import Signature
    from sekisho.serving.candidates import Rehearsals
    from sekisho.serving.layout import Wish
    from sekisho.serving.lineup import Lineup, Served
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.sources import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A version that may take over.

    Attributes:
        served: How it is served.
        signature: What it takes and gives; ``None`` if it is served already.

    """

    served: Served
    signature: Signature | None = None


class Examiner:
    """Finds the versions that are wished for, and looks at them.

    Args:
        settings: How the service runs.
        sources: Where the versions of each model come from, by name.
        rehearsals: Tries models behind a fence.

    Attributes:
        signatures: What every version that is served takes and gives, by digest.

    """

    def __init__(
        self,
        settings: ServingSettings,
        sources: Mapping[str, Source],
        rehearsals: Rehearsals,
        signatures: dict[str, Signature],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._rehearsals = rehearsals
        self.signatures = signatures

    def examine(self, wish: Wish, lineup: Lineup, before: Served | None) -> Candidate:
        """Return the version that is wished for, once it may take over.

        Args:
            wish: What is asked.
            lineup: What is served.
            before: The version of the model that was live before the one of now, if there was one.

        Raises:
            NotFound: There is no such version.
            SekishoError: It must not answer, or cannot be had.

        """
        found = self._known(wish, lineup, before)
        if found is not None:
            if wish.deed != "rollback":
                self._compare(wish, lineup, self.signatures[found.digest])
            return Candidate(served=found)
        artifact = self._open(wish, before)
        served = served_as(artifact, wish.name)
        if served.digest == lineup.live(wish.name).digest:
            return Candidate(served=served)
        for one in lineup.of(wish.name):
            if one.version == served.version and one.digest != served.digest:
                raise _same_version(served.version)
        if wish.deed != "rollback":
            self._compare(wish, lineup, artifact.signature)
        self._rehearsals.try_out(artifact, self._settings)
        return Candidate(served=served, signature=artifact.signature)

    def _known(self, wish: Wish, lineup: Lineup, before: Served | None) -> Served | None:
        """Return the version if it is served already."""
        if wish.deed == "rollback":
            if before is None:
                raise NotFound(
                    Text(en="no version was live before this one", ja="これより前に提供していたバージョンはありません"),
                    Text(en="name a version: activate", ja="activate でバージョンを指定してください"),
                )
            return next((one for one in lineup.of(wish.name) if one.is_same(before)), None)
        if wish.deed == "activate":
            return next((one for one in lineup.of(wish.name) if one.version == wish.version), None)
        return None

    def _open(self, wish: Wish, before: Served | None) -> ModelArtifact:
        if wish.deed == "rollback":
            assert before is not None
            return verified(before.path, self._settings, before.digest)
        return verified(self._fetch(wish), self._settings)

    def _fetch(self, wish: Wish) -> Path:
        source = self._sources[wish.name]
        if wish.deed == "reload":
            return source.fetch(self._settings)
        reference = source.sibling(wish.version)
        if reference is None:
            raise NotFound(
                Text(
                    en="the model comes from a folder, and this version is not served",
                    ja="フォルダーから提供しているモデルで、このバージョンは読み込まれていません",
                ),
                Text(
                    en="serve it from a registry (NAME@ALIAS), or reload the folder",
                    ja="レジストリ (名前@エイリアス) から提供するか、フォルダーを再読み込みしてください",
                ),
            )
        return registry_of(self._settings).fetch(reference)

    def _compare(self, wish: Wish, lineup: Lineup, after: Signature) -> None:
        if not wish.allow_changed_signature:
            check_compatible(self.signatures[lineup.live(wish.name).digest], after)


def reason_of(error: BaseException) -> SekishoError:
    """Return an error as one that may be told."""
    if isinstance(error, SekishoError):
        return error
    return ArtifactError(
        Text(
            en=f"it could not be looked at ({type(error).__name__})",
            ja=f"確認できませんでした（{type(error).__name__}）",
        ),
        Text(en="look at the log, and try again", ja="ログを確認し、もう一度試してください"),
    )


def _same_version(version: str) -> ArtifactError:
    return ArtifactError(
        Text(
            en=f"another artifact is served as version {version} already: an answer could not tell which made it",
            ja=f"バージョン {version} として別の成果物をすでに提供しています。どちらの答えか区別できません",
        ),
        Text(en="pack it with another version", ja="別のバージョンを付けて梱包し直してください"),
    )
