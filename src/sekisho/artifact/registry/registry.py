"""The registry: which versions of which models there are, which of them is live, and which was at any moment before.

In a store lie ``content/`` (every file once, by its SHA-256), ``history/`` (what happened, see :mod:`~sekisho.artifact.registry.events`) and
``index/`` (what follows from it). Content is written first and the event last, so that a version is there whole or not at all.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact import folder as folders
from sekisho.artifact import manifest as manifests
from sekisho.artifact.registry.audit import Audit, audit
from sekisho.artifact.registry.cache import bring, cache_folder, cached
from sekisho.artifact.registry.collection import GRACE_SECONDS, Collection, collect
from sekisho.artifact.registry.content import content_key, is_complete
from sekisho.artifact.registry.deciding import (
    moved,
    no_alias,
    no_model,
    nothing_before,
    resolved,
    stood_for,
    taken_by_version,
    to_publish,
)
from sekisho.artifact.registry.events import Deeds, Event, checked_line, user
from sekisho.artifact.registry.history import History, model_names
from sekisho.artifact.registry.layout import check_place, prepare
from sekisho.artifact.registry.names import check_name, reference_of
from sekisho.artifact.registry.opening import local_folder, open_store

if TYPE_CHECKING:
    from sekisho.artifact.manifest import Manifest
    from sekisho.artifact.registry.state import State
    from sekisho.artifact.signing import TrustedKeys

Listener = Callable[[float], None]
"""Told how much is done, from 0 to 1."""

CHAMPION: Final = "champion"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model in the registry.

    Attributes:
        name, version: What it is called.
        digest: The digest of its artifact.
        signed: Whether it carries signatures; whose they are is asked when it is fetched.
        published_at: When: RFC 3339, UTC.
        published_by: By whom.
        aliases: The aliases that stand for it now.

    """

    name: str
    version: str
    digest: str
    signed: bool
    published_at: str
    published_by: str
    aliases: tuple[str, ...] = ()


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What :meth:`Registry.push` did: which version is there now, and whether it was not there before."""

    version: Version
    new: bool


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What an alias stood for at some moment, and since when."""

    alias: str
    version: str
    digest: str
    since: str
    by: str
    reason: str


class Registry:
    """Models by name; ``registry = Registry("registry")`` or ``Registry("s3://bucket/prefix")``.

    ::

        registry.push("artifact")
        registry.promote("churn@1.2.0", alias="champion", reason="better on new customers")
        folder = registry.fetch("churn@champion")

    Args:
        location: A folder, which is made when something is first published, or ``s3://bucket/prefix``.
        endpoint: The S3 server to speak to instead of AWS.
        keys: Whose signatures count.
        require_signature: Whether one of them must be there, when a version is published and when it is fetched.
        cache: Where fetched versions lie; ``None``: in the user's cache folder.

    Raises:
        WrongUse: The location is neither a path nor the address of a bucket.

    """

    def __init__(
        self,
        location: Path | str,
        *,
        endpoint: str | None = None,
        keys: TrustedKeys | None = None,
        require_signature: bool = False,
        cache: Path | None = None,
    ) -> None:
        self._store = open_store(str(location), endpoint)
        self._keys, self._required = keys, require_signature
        self._cache = cache

    @property
    def location(self) -> str:
        """Where it lies."""
        return self._store.location

    def push(
        self, folder: Path | str, *, by: str | None = None, reason: str = "", listener: Listener | None = None
    ) -> Published:
        """Publish the artifact in a local folder under its own name and version.

        The same artifact again is no change; it mends content that was damaged, and adds signatures made since.

        Args:
            folder: The artifact; addresses are refused.
            by: Who publishes; the account that runs this, if not given.
            reason: Why, in one line.
            listener: Told of progress.

        Raises:
            Conflict: The version is there already with other bytes, or a name looks too much like another.
            IntegrityError: The artifact is not what its manifest says, or is not signed as it must be.
            RegistryError: The registry cannot be written; nothing was published.

        """
        folder, manifest, deed = self._deed(folder, by=by, reason=reason)
        prepare(self._store, manifest.name)
        history = History(self._store, manifest.name)
        to_publish(history.state(), deed)  # a conflict is found before anything is copied
        files = _files(folder, manifest, deed.envelope)
        with self._store.publishing([content_key(digest) for digest in files]):
            for count, (digest, path) in enumerate(files.items()):
                self._store.keep(content_key(digest), path, digest)
                (listener or _silent)((count + 1) / len(files))
            written = history.append(lambda state: to_publish(state, deed))
        return Published(
            version=self._version(history.state(), manifest.version),
            new=written is not None and written.deed == "published",
        )

    def would_publish(self, folder: Path | str) -> bool:
        """Return whether :meth:`push` would change anything; nothing is written.

        Raises:
            Conflict: The version is there already with other bytes.
            IntegrityError: The artifact is not what its manifest says, or is not signed as it must be.

        """
        _, manifest, deed = self._deed(folder, by=None, reason="")
        return to_publish(History(self._store, manifest.name).state(), deed) is not None

    def names(self) -> tuple[str, ...]:
        """Return the names of all models.

        Raises:
            NotFound: There is no registry.

        """
        check_place(self._store)
        return model_names(self._store)

    def versions(self, name: str | None = None) -> tuple[Version, ...]:
        """Return every version that is there whole, in the order of publication.

        Raises:
            NotFound: There is no registry, or no such model.

        """
        names = self.names() if name is None else (name,)
        found: list[Version] = []
        present = {entry.key for entry in self._store.entries("content/")}
        for each in names:
            state = self._state(each)
            found += (
                self._version(state, version)
                for version, held in sorted(state.versions.items(), key=lambda item: item[1].at)
                if is_complete(self._store, held, present)
            )
        return tuple(found)

    def resolve(self, reference: str) -> Version:
        """Return the version that ``NAME@VERSION`` or ``NAME@ALIAS`` stands for now.

        Raises:
            NotFound: There is none.

        """
        asked = reference_of(reference)
        state = self._state(asked.name)
        return self._version(state, resolved(state, asked))

    def promote(
        self,
        reference: str,
        *,
        alias: str = CHAMPION,
        expected: str | None = None,
        by: str | None = None,
        reason: str = "",
    ) -> Event | None:
        """Let an alias stand for a version. Readers see the one before or this one, and never none.

        Args:
            reference: ``NAME@VERSION``, or another alias in place of the version.
            alias: Which alias.
            expected: What it must stand for now (``none``: nothing), else nothing is changed.
            by: Who decides; the account that runs this, if not given.
            reason: Why, in one line.

        Returns:
            What was written; ``None`` if the alias stands for that version already.

        Raises:
            NotFound: There is no such version.
            Conflict: The alias stands for something other than ``expected``.

        """
        asked = reference_of(reference)
        check_name("alias", alias)
        self._state(asked.name)
        who, why = checked_line(by or user()), checked_line(reason)

        def decide(state: State) -> Deeds | None:
            version, before = resolved(state, asked), state.aliases.get(alias)
            if alias in state.versions:
                raise taken_by_version(alias)
            if expected is not None and expected != (before or "none"):
                raise moved(alias, before)
            if before == version:
                return None
            return Deeds(
                deed="promoted",
                version=version,
                digest=state.versions[version].digest,
                alias=alias,
                before=before,
                by=who,
                reason=why,
            )

        return History(self._store, asked.name).append(decide)

    def rollback(self, name: str, *, alias: str = CHAMPION, by: str | None = None, reason: str = "") -> Event:
        """Let an alias stand again for what it stood for before the last promotion that still holds.

        Raises:
            NotFound: There is no such model or alias.
            Conflict: It has never stood for anything else.

        """
        self._state(check_name("name", name))
        history = History(self._store, name)
        who, why = checked_line(by or user()), checked_line(reason)

        def decide(state: State) -> Deeds:
            stack = stood_for(history.events(), alias, state.sequence)
            if not stack:
                raise no_alias(name, alias, state)
            if len(stack) < 2:
                raise nothing_before(name, alias)
            return Deeds(
                deed="rolled back",
                version=stack[-2],
                digest=state.versions[stack[-2]].digest,
                alias=alias,
                before=stack[-1],
                by=who,
                reason=why,
            )

        written = history.append(decide)
        assert written is not None
        return written

    def history(self, name: str) -> tuple[Event, ...]:
        """Return everything that happened to a model, oldest first; the chain is checked.

        Raises:
            NotFound: There is no such model.
            IntegrityError: The history was changed.

        """
        self._state(check_name("name", name))
        return History(self._store, name).whole()

    def live(self, name: str, at: dt.datetime | None = None) -> tuple[Live, ...]:
        """Return what every alias of a model stood for at a moment, by default now.

        Raises:
            NotFound: There is no such model.
            IntegrityError: The history was changed.

        """
        found: dict[str, Event] = {}
        for event in self.history(name):
            if event.alias is not None and (at is None or event.moment <= at):
                found[event.alias] = event
        return tuple(
            Live(
                alias=alias,
                version=event.version,
                digest=event.digest,
                since=event.at,
                by=event.by,
                reason=event.reason,
            )
            for alias, event in sorted(found.items())
        )

    def fetch(self, reference: str, to: Path | str | None = None, *, listener: Listener | None = None) -> Path:
        """Bring a version onto this machine and return its folder: all of it appears at once, every digest verified.

        Args:
            reference: ``NAME@VERSION`` or ``NAME@ALIAS``.
            to: The folder to make; ``None``: one in the cache, which is used again, after it has been verified again.
            listener: Told of progress.

        Raises:
            NotFound: There is no such version.
            IntegrityError: Content is damaged or missing, or it is not signed as it must be.

        """
        asked = reference_of(reference)
        state = self._state(asked.name)
        held = state.versions[resolved(state, asked)]
        if to is not None:
            return bring(self._store, held, Path(to), check=self._check_signature, listener=listener or _silent)
        return cached(
            self._store, held, self._cache or cache_folder(), check=self._check_signature, listener=listener or _silent
        )

    def verify(self, *, listener: Listener | None = None) -> Audit:
        """Prove that every history is a chain and all content is what its digest says, and tell what else lies there.

        Raises:
            NotFound: There is no registry.

        """
        check_place(self._store)
        return audit(self._store, listener or _silent)

    def collect(self, *, grace_seconds: float = GRACE_SECONDS, dry_run: bool = False) -> Collection:
        """Remove content that no version needs, and what broken-off publications left behind.

        Args:
            grace_seconds: What is younger stays.
            dry_run: Whether only to say what would go.

        Raises:
            NotFound: There is no registry.
            IntegrityError: A history is damaged, so that nobody knows what is needed; nothing was removed.

        """
        check_place(self._store)
        return collect(self._store, grace_seconds=grace_seconds, dry_run=dry_run)

    def _deed(self, folder: Path | str, *, by: str | None, reason: str) -> tuple[Path, Manifest, Deeds]:
        """Return the local folder of an artifact, its manifest, and what is to be written of it, once it may be published."""
        folder = local_folder(folder)
        manifest = folders.verify_folder(folder)
        self._check_signature(folder)
        check_name("name", manifest.name)
        check_name("version", manifest.version)
        envelope = folders.read_envelope(folder, manifest)
        deed = Deeds(
            deed="published",
            version=manifest.version,
            digest=manifest.digest,
            envelope=None if envelope is None else hashlib.sha256(envelope.encoded()).hexdigest(),
            by=checked_line(by or user()),
            reason=checked_line(reason),
        )
        return folder, manifest, deed

    def _state(self, name: str) -> State:
        check_place(self._store)
        state = History(self._store, check_name("name", name)).state()
        if not state.sequence:
            raise no_model(name, self.names())
        return state

    def _version(self, state: State, version: str) -> Version:
        held = state.versions[version]
        return Version(
            name=state.name,
            version=version,
            digest=held.digest,
            signed=held.envelope is not None,
            published_at=held.at,
            published_by=held.by,
            aliases=tuple(sorted(alias for alias, stands_for in state.aliases.items() if stands_for == version)),
        )

    def _check_signature(self, folder: Path) -> None:
        if self._keys is not None or self._required:
            from sekisho.artifact.signing import check_signature

            check_signature(folder, self._keys, required=self._required)


def _files(folder: Path, manifest: Manifest, signatures: str | None) -> dict[str, Path]:
    """Return what is to be kept, by digest; the manifest comes last of all."""
    files = {file.sha256: folder / file.name for file in manifest.files}
    if signatures is not None:
        files[signatures] = folder / manifests.ENVELOPE
    return files | {manifest.digest: folder / manifests.NAME}


def _silent(fraction: float) -> None:
    """Show nothing."""
