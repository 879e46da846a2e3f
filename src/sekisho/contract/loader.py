"""Loading a deployment project: ``sekisho.toml`` read, judged whole, and turned into a typed contract.

Every mistake is reported at once, each with its line, its dotted name, what was expected and what to write instead.
"""

from __future__ import annotations

import codecs
import datetime as dt
import math
import stat
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from sekisho.contract.boxes import BOXES
from sekisho.contract.keys import choices, defaults, expected, is_inside, required_keys, tables
from sekisho.contract.nearest import did_you_mean, nearest
from sekisho.contract.places import Place, dotted, find_places
from sekisho.contract.project import CONTRACT_NAME, Project
from sekisho.contract.rules import Fault, broken_rules, outside
from sekisho.contract.sections import Contract, Section
from sekisho.contract.syntax import read_toml
from sekisho.contract.template import suggestion, toml_value
from sekisho.errors import ContractError, NotFound, WrongUse
from sekisho.text import LANGUAGES, Text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

LARGEST: Final = 128 * 1024
"""Bytes that a contract may have."""
MOST_FAULTS: Final = 100
"""Faults that are reported; there may be more."""


def load_project(path: Path, *, boxes: Collection[str] = BOXES) -> Project:
    """Load a deployment project from its folder, or from its contract.

    Args:
        path: The folder that holds ``sekisho.toml``, or a contract of any name.
        boxes: The ids of the boxes that sign-offs and waivers may name.

    Raises:
        NotFound: There is no contract.
        ContractError: The contract has faults; all of them, each with its place.
        OSError: The file cannot be read.

    """
    file = path / CONTRACT_NAME if path.is_dir() else path
    contract = read_contract(_read(file), str(file), boxes=boxes)
    return Project(root=file.parent.resolve(), contract=contract)


def read_contract(content: bytes, name: str, *, boxes: Collection[str] = BOXES) -> Contract:
    """Return the contract that ``content`` spells: TOML 1.0.0 in UTF-8, with or without a byte order mark.

    Args:
        content: The bytes of the file.
        name: What the file is called in the faults.
        boxes: The ids of the boxes that sign-offs and waivers may name.

    Raises:
        ContractError: It has faults; all of them, each with its place.

    """
    text = _decoded(content, name)
    reading = read_toml(text)
    found = [(fault.line, fault.what, fault.remedy) for fault in reading.faults]
    if reading.data is not None:
        places = find_places(reading.text)
        judged = _Judge(boxes, whole=not reading.faults).section(reading.data, Contract, ())
        found += [(_line(places, fault.place), _named(fault), fault.remedy) for fault in islice(judged, MOST_FAULTS)]
    if found:
        found.sort(key=lambda fault: fault[0])
        raise ContractError([WrongUse(what, remedy, where=f"{name}:{line}") for line, what, remedy in found])
    return msgspec.convert(reading.data, Contract)


def _read(file: Path) -> bytes:
    try:
        state = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            Text(en="there is no contract here", ja="契約ファイルがありません"),
            Text(en="`sekisho init DIR` writes one", ja="`sekisho init DIR` で作成できます"),
            where=file,
        ) from None
    if not stat.S_ISREG(state.st_mode):
        raise WrongUse(
            Text(en="this is not a regular file", ja="通常のファイルではありません"),
            Text(en="name a folder that holds sekisho.toml", ja="sekisho.toml のあるフォルダーを指定してください"),
            where=file,
        )
    with file.open("rb") as opened:
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise WrongUse(
            Text(en=f"a contract has at most {LARGEST:,} bytes", ja=f"契約ファイルは最大 {LARGEST:,} バイトです"),
            Text(en="is this the right file?", ja="指定したファイルを確かめてください"),
            where=file,
        )
    return content


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        fault = WrongUse(
            Text(en="this is not UTF-8", ja="UTF-8 ではありません"),
            Text(en="save the file as UTF-8", ja="UTF-8 で保存し直してください"),
            where=f"{name}:{line}",
        )
        raise ContractError([fault]) from None


class _Judge:
    """Walks the document beside the types of the contract and yields what does not fit.

    Args:
        boxes: The ids of the boxes that a statement may name.
        whole: Whether nothing was left out of the document, so that what is not there is missing.

    """

    def __init__(self, boxes: Collection[str], *, whole: bool) -> None:
        self.boxes = boxes
        self.whole = whole

    def section(self, data: dict[str, Any], kind: type[Section], place: Place) -> Iterator[Fault]:
        hints = get_type_hints(kind, include_extras=True)
        sound: dict[str, Any] = {"boxes": self.boxes, **defaults(kind)}
        for name, value in data.items():
            inner: Place = (*place, name)
            faults = self.value(value, hints[name], inner) if name in hints else iter([_unknown(inner, hints)])
            first = next(faults, None)
            sound.pop(name, None)
            if first is None:
                with suppress(msgspec.ValidationError):  # a section that something was left out of
                    sound[name] = msgspec.convert(value, hints[name])
            else:
                yield first
                yield from faults
        if self.whole:
            yield from (_missing((*place, name)) for name in required_keys(kind) if name not in data)
        for fault in broken_rules(kind, sound):
            yield Fault(place=(*place, *fault.place), what=fault.what, remedy=fault.remedy)

    def value(self, value: object, hint: Any, place: Place) -> Iterator[Fault]:
        if isinstance(hint, type) and issubclass(hint, Section) and isinstance(value, dict):
            yield from self.section(value, hint, place)
        elif get_origin(hint) is tuple and isinstance(value, list):
            for index, element in enumerate(value):
                yield from self.value(element, get_args(hint)[0], (*place, index))
        elif not _fits(value, hint):
            yield _does_not_fit(value, inspect.type_info(hint), place)
        elif isinstance(value, str) and is_inside(inspect.type_info(hint)):
            reason = outside(value)
            if reason is not None:
                yield Fault(place=place, what=reason, remedy=_INSIDE)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, int) and not -(2**63) <= value < 2**63:  # what TOML promises, and what JSON can carry
        return False
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


# Faults in words

_INSIDE: Final = Text(
    en="write a path inside the project's folder, such as data/test.parquet",
    ja="プロジェクトのフォルダーを起点とするパスを書いてください (例: data/test.parquet)",
)


def _does_not_fit(value: object, kind: inspect.Type, place: Place) -> Fault:
    wanted = expected(kind)
    what = Text(
        en=f"expected {wanted.en}, not {_shown(value).en}", ja=f"{_shown(value).ja}は使えません。正しくは{wanted.ja}"
    )
    return Fault(place=place, what=what, remedy=_close_choice(value, kind) or _for_example(place))


def _unknown(place: Place, known: Collection[str]) -> Fault:
    """Name the key of the same name in another section, else the nearest in this one, else the nearest anywhere."""
    name = str(place[-1])
    parent = _general(place[:-1])
    everywhere = {key.short_name: key.name for table in reversed(tables()) for key in table.keys}
    close = everywhere.get(name)
    if close is None:
        here, anywhere = nearest(name, known), nearest(name, everywhere)
        close = f"{parent}.{here}".removeprefix(".") if here else everywhere.get(anywhere or "")
    listed = ", ".join(known)
    return Fault(
        place=place,
        what=Text(en="there is no such key", ja="このようなキーはありません")
        if parent
        else Text(en="there is no such section", ja="このようなセクションはありません"),
        remedy=Text(en=f"did you mean {close}?", ja=f"{close} のことですか?")
        if close
        else Text(en=f"known are {listed}", ja=f"使えるのは {listed} です"),
    )


def _missing(place: Place) -> Fault:
    return Fault(place=place, what=Text(en="this is missing", ja="指定されていません"), remedy=_for_example(place))


def _for_example(place: Place) -> Text:
    """Return what could be written at ``place``."""
    name = _general(place)
    for table in tables():
        for key in table.keys:
            if key.name == name:
                english, japanese = (toml_value(suggestion(key, each)) for each in LANGUAGES)
                return Text(
                    en=f"write, for example, {key.short_name} = {english}", ja=f"例: {key.short_name} = {japanese}"
                )
    table = next(table for table in tables() if table.name == name)
    header = f"[[{name}]]" if table.repeated else f"[{name}]"
    return Text(en=f"write a section {header}", ja=f"セクション {header} を書いてください")


def _close_choice(value: object, kind: inspect.Type) -> Text | None:
    return did_you_mean(value, map(str, choices(kind))) if isinstance(value, str) else None


def _named(fault: Fault) -> Text:
    name = _shortened(dotted(fault.place))
    return Text(en=f"{name}: {fault.what.en}", ja=f"{name}: {fault.what.ja}")


def _shown(value: object) -> Text:
    """Return a value as it stands in the file, or what kind of thing it is."""
    match value:
        case dict():
            return Text(en="a table", ja="テーブル")
        case list():
            return Text(en="a list", ja="配列")
        case dt.time():
            return Text(en="a time of day", ja="時刻")
    written = _shortened(toml_value(value))
    return Text(en=written, ja=f"{written} ")


def _shortened(words: str) -> str:
    return words if len(words) <= 80 else f"{words[:77]}…"


def _general(place: Place) -> str:
    """Return the dotted name of the key at ``place``, whichever element of a list it stands in."""
    return ".".join(part for part in place if isinstance(part, str))


def _line(places: dict[Place, int], place: Place) -> int:
    """Return the line of ``place``, or of what it should have stood in."""
    while place and place not in places:
        place = place[:-1]
    return places.get(place, 1)
