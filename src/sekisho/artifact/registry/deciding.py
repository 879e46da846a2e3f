"""What may be written after a given state, and the errors that say why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sekisho.contract.nearest import nearest
from sekisho.errors import Conflict, NotFound
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.artifact.registry.events import Deeds, Event
    from sekisho.artifact.registry.names import Reference
    from sekisho.artifact.registry.state import Held, State


def to_publish(state: State, deed: Deeds) -> Deeds | None:
    """Return what is to be written so that the version is there with these bytes and signatures."""
    held: Held | None = state.versions.get(deed.version)
    if deed.version in state.aliases:
        raise Conflict(
            Text(
                en=f"{deed.version} is an alias of {state.name}", ja=f"{deed.version} は {state.name} のエイリアスです"
            ),
            Text(en="give the version another number", ja="別のバージョンにしてください"),
        )
    if held is None:
        return deed
    if held.digest != deed.digest:
        raise Conflict(
            Text(
                en=f"{state.name} {deed.version} was published before with other bytes (sha256:{held.digest[:12]}…); it was left as it is",
                ja=f"{state.name} {deed.version} は別の内容で登録済みです（sha256:{held.digest[:12]}…）。登録済みの内容は変わりません",
            ),
            Text(
                en="pack the model with a new version: a version names one set of bytes, for ever",
                ja="新しいバージョンでパックしてください。1つのバージョンの内容は変えられません",
            ),
        )
    if deed.envelope is None or deed.envelope == held.envelope:
        return None
    return msgspec.structs.replace(deed, deed="signed")


def resolved(state: State, asked: Reference) -> str:
    """Return the version that is asked for, by its number or by an alias.

    Raises:
        NotFound: There is none.

    """
    if asked.version in state.versions:
        return asked.version
    if asked.version in state.aliases:
        return state.aliases[asked.version]
    known = [*state.aliases, *state.versions]
    close = nearest(asked.version, known)
    listed = ", ".join(known[-8:])
    raise NotFound(
        Text(
            en=f"{state.name} has neither a version nor an alias {asked.version}",
            ja=f"{state.name} に {asked.version} というバージョンもエイリアスもありません",
        ),
        Text(en=f"did you mean {close}?", ja=f"{close} のことですか?")
        if close
        else Text(en=f"there are: {listed}", ja=f"あるのは: {listed}"),
    )


def stood_for(events: Iterable[Event], alias: str, sequence: int) -> list[str]:
    """Return what an alias stood for, the present last, without what was rolled back."""
    stack: list[str] = []
    for event in events:
        if event.sequence > sequence:
            break
        if event.alias == alias and event.deed == "promoted":
            stack.append(event.version)
        elif event.alias == alias:
            del stack[-1:]
    return stack


def no_model(name: str, known: tuple[str, ...]) -> NotFound:
    """Return the error for a model that nobody has published."""
    close = nearest(name, known)
    return NotFound(
        Text(en=f"there is no model {name}", ja=f"モデル {name} はありません"),
        Text(en=f"did you mean {close}?", ja=f"{close} のことですか?")
        if close
        else Text(
            en="see sekisho registry list, or publish one with sekisho registry push",
            ja="sekisho registry list で確認するか、sekisho registry push で登録してください",
        ),
    )


def no_alias(name: str, alias: str, state: State) -> NotFound:
    """Return the error for an alias that stands for nothing."""
    known = ", ".join(state.aliases) or "-"
    return NotFound(
        Text(en=f"{name} has no alias {alias}", ja=f"{name} にエイリアス {alias} はありません"),
        Text(en=f"its aliases: {known}", ja=f"あるのは: {known}"),
    )


def nothing_before(name: str, alias: str) -> Conflict:
    """Return the error for an alias that cannot go back."""
    return Conflict(
        Text(
            en=f"{alias} of {name} has never stood for anything before", ja=f"{name} の {alias} には戻す先がありません"
        ),
        Text(en="promote a version instead", ja="代わりに promote で別のバージョンを指定してください"),
    )


def taken_by_version(alias: str) -> Conflict:
    """Return the error for an alias that would hide a version."""
    return Conflict(
        Text(en=f"{alias} is a version", ja=f"{alias} はバージョン名です"),
        Text(en="give the alias another name", ja="別のエイリアス名にしてください"),
    )


def moved(alias: str, before: str | None) -> Conflict:
    """Return the error for an alias that somebody has moved meanwhile."""
    return Conflict(
        Text(
            en=f"{alias} stands for {before or 'nothing'} now; it was left there",
            ja=f"{alias} は現在 {before or '未設定'} です。変更していません",
        ),
        Text(en="look at the history, and decide again", ja="履歴を確認して、改めて判断してください"),
    )
