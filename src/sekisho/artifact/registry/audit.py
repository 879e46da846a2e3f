"""Whether a registry is whole: every chain, every digest; and what else lies there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho.artifact.registry.content import CONTENT, content_key, files_of
from sekisho.artifact.registry.history import HISTORY, History, model_names
from sekisho.artifact.registry.layout import ALONE, OURS, PASSING
from sekisho.artifact.registry.state import State, read_state
from sekisho.errors import ArtifactError, SekishoError
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from sekisho.artifact.stores.interface import Store

Kind = Literal["damaged", "missing", "stale index", "orphan", "half upload", "stranger"]
HARM: Final = {"damaged", "missing"}
"""Kinds of findings that mean that something is wrong; the others are only told."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was found: its kind, the key that it is about, and what is the matter."""

    kind: Kind
    key: str
    text: Text


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What :func:`audit` found.

    Attributes:
        models, versions, events: How many there are.
        files, size: How much content was read and digested, and its bytes.
        findings: Everything out of the ordinary.

    """

    models: int
    versions: int
    events: int
    files: int
    size: int
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged or missing."""
        return not any(finding.kind in HARM for finding in self.findings)


def audit(store: Store, listener: Callable[[float], None]) -> Audit:
    """Read everything that a store holds, and compare it with what it must be.

    Raises:
        RegistryError: The store cannot be read.

    """
    findings: list[Finding] = []
    states = {name: _state(store, name, findings) for name in model_names(store)}
    entries = list(store.entries(""))
    content = [entry for entry in entries if entry.key.startswith(CONTENT)]
    total, done, good = sum(entry.size for entry in content), 0, set[str]()
    for entry in content:
        if _is_good(store, entry.key):
            good.add(entry.key)
        else:
            findings.append(
                _damaged(entry.key, Text(en="is not what its digest says", ja="内容がダイジェストと一致しません"))
            )
        done += entry.size
        listener(done / max(total, 1))
    needed = set[str]()
    for state in states.values():
        for version in state.versions:
            needed |= _needed(store, state, version, good, findings)
    doubtful = any(finding.kind in HARM for finding in findings)
    findings += _strays([entry.key for entry in entries], good, needed, doubtful=doubtful)
    return Audit(
        models=sum(state.sequence > 0 for state in states.values()),
        versions=sum(len(state.versions) for state in states.values()),
        events=sum(state.sequence for state in states.values()),
        files=len(content),
        size=total,
        findings=tuple(findings),
    )


def _state(store: Store, name: str, findings: list[Finding]) -> State:
    """Return the state that the events of a model lead to, as far as they are a chain; compare it with the kept one."""
    history = History(store, name)
    state = State(name=name)
    place = f"{HISTORY}{name}"
    try:
        for event in history.events():
            state = state.after([event], where=place)
    except ArtifactError as error:
        findings.append(_damaged((error.where or place).removeprefix(f"{store.location}/"), error.what))
        return state
    data = store.read(history.index_key, most_bytes=2**30)
    try:
        kept = None if data is None else read_state(data, name, where=history.index_key)
    except ArtifactError:
        kept = None
    if kept is None or kept != read_state(state.encoded(), name, where=place):
        findings.append(_index(history.index_key, kept, state))
    return state


def _index(key: str, kept: State | None, state: State) -> Finding:
    if kept is None or kept.sequence < state.sequence:
        words = Text(
            en="is behind the history or damaged; it is made again by itself",
            ja="履歴より古いか壊れています。自動で再作成されます",
        )
        return Finding(kind="stale index", key=key, text=words)
    return _damaged(key, Text(en="does not say what the history says", ja="履歴の内容と一致しません"))


def _needed(store: Store, state: State, version: str, good: set[str], findings: list[Finding]) -> set[str]:
    held = state.versions[version]
    place = f"{state.name}@{version}"
    try:
        keys = {content_key(digest): name for name, (digest, _) in files_of(store, held).items()}
    except SekishoError as error:
        findings.append(Finding(kind="missing", key=content_key(held.digest), text=_of(place, error.what)))
        return {content_key(held.digest)}
    for key, name in keys.items():
        if key not in good:
            words = Text(en=f"{name} is missing or damaged", ja=f"{name} がないか壊れています")
            findings.append(Finding(kind="missing", key=key, text=_of(place, words)))
    return set(keys)


def _strays(keys: list[str], good: set[str], needed: set[str], *, doubtful: bool) -> Iterator[Finding]:
    for key in keys:
        if key.startswith(CONTENT):
            if key in good and key not in needed and not doubtful:
                yield Finding(
                    kind="orphan", key=key, text=Text(en="no version needs it", ja="どのバージョンにも使われていません")
                )
        elif key.startswith(PASSING):
            yield Finding(
                kind="half upload",
                key=key,
                text=Text(en="is being written, or was broken off", ja="書き込み中か、中断された書き込みです"),
            )
        elif not key.startswith(OURS) and key not in ALONE:
            yield Finding(
                kind="stranger",
                key=key,
                text=Text(en="has no place in a registry", ja="レジストリのものではありません"),
            )


def _is_good(store: Store, key: str) -> bool:
    digest = hashlib.sha256()
    for chunk in store.chunks(key) or ():
        digest.update(chunk)
    return key == content_key(digest.hexdigest())


def _damaged(key: str, text: Text) -> Finding:
    return Finding(kind="damaged", key=key, text=text)


def _of(place: str, words: Text) -> Text:
    mark = verbatim(place)
    return Text(en=f"{mark.en}: {words.en}", ja=f"{mark.ja}: {words.ja}")
