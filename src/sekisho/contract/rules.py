"""What a contract must hold beyond the types of its keys: each rule reads one section and yields what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from inspect import signature
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from sekisho.contract import sections
from sekisho.contract.nearest import did_you_mean
from sekisho.contract.places import Place, dotted
from sekisho.contract.sections import (
    Bands,
    Contract,
    FeatureTerms,
    Ledger,
    NotApplicable,
    Rollout,
    Section,
    Security,
    Serving,
    SignOff,
    Waiver,
)
from sekisho.contract.statements import same_person
from sekisho.text import Text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong with a contract.

    Attributes:
        place: Where it is, from the table or document that was looked at.
        what: What is wrong.
        remedy: What to write instead.

    """

    place: Place
    what: Text
    remedy: Text


def broken_rules(kind: type[Section], values: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with one section beyond the types of its keys.

    A rule takes the keys that it speaks of as its parameters, and is asked only when all of them are there.

    Args:
        kind: The section.
        values: Its keys whose values have the right types, and ``boxes``: the ids of the boxes that it may name.

    """
    for rule in _RULES.get(kind, ()):
        needed = signature(rule).parameters
        if needed.keys() <= values.keys():
            yield from rule(**{name: values[name] for name in needed})


def outside(path: str) -> Text | None:
    """Return why ``path`` is not the path of a file inside the project's folder; ``None`` if it is.

    Only the words of the path are looked at; links are the user's own business.
    """
    if "\0" in path or path != path.strip():
        return Text(en="a path has no blank at its ends", ja="パスの前後に空白は置けません")
    if path.startswith("~"):
        return Text(en="~ is not a folder here", ja="~ は展開されません")
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        return Text(en="this path is absolute", ja="絶対パスになっています")
    if ".." in PurePosixPath(path).parts:
        return Text(en="this path leaves the project's folder", ja="プロジェクトのフォルダーの外を指しています")
    return None


def _known_box(box: str, boxes: Collection[str]) -> Iterator[Fault]:
    if box not in boxes:
        yield Fault(
            place=("box",),
            what=Text(en=f"there is no box {_short(box)}", ja=f"{_short(box)} という項目はありません"),
            remedy=did_you_mean(box, boxes)
            or Text(en="`sekisho explain` lists every box", ja="`sekisho explain` で項目の一覧を確認してください"),
        )


def _other_reviewer(author: str, reviewer: str) -> Iterator[Fault]:
    if same_person(author, reviewer):
        yield Fault(
            place=("reviewer",),
            what=Text(en="the reviewer is the author", ja="確認した人が述べた人と同じです"),
            remedy=Text(en="have somebody else check it", ja="別の人に確認してもらってください"),
        )


def _lasting(issued: dt.date, expires: dt.date) -> Iterator[Fault]:
    if expires < issued:
        yield Fault(
            place=("expires",),
            what=Text(
                en=f"it expires on {expires}, before it was issued on {issued}",
                ja=f"期限 {expires} が、述べた日 {issued} より前です",
            ),
            remedy=Text(en="set a later day", ja="後の日付にしてください"),
        )


def _web_address(url: str | None) -> Iterator[Fault]:
    if url is None:
        return
    try:
        address = urlsplit(url)
        fits = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        fits = False
    if not fits:
        yield Fault(
            place=("url",),
            what=Text(en="this is not the address of a web service", ja="Web サービスのアドレスではありません"),
            remedy=Text(en='write, for example, url = "http://127.0.0.1:8000"', ja='例: url = "http://127.0.0.1:8000"'),
        )


def _request_template(request: str) -> Iterator[Fault]:
    try:
        held = set(_texts(json.loads(request)))
    except (ValueError, RecursionError):
        what = Text(en="this is not JSON", ja="JSON ではありません")
    else:
        if held & {"{features}", "{named}"}:
            return
        what = Text(
            en='neither "{features}" nor "{named}" stands in it', ja='"{features}" も "{named}" も含まれていません'
        )
    yield Fault(
        place=("request",),
        what=what,
        remedy=Text(
            en="""write, for example, request = '{"features": "{features}"}'""",
            ja="""例: request = '{"features": "{features}"}'""",
        ),
    )


def _keys_to_check_with(require_signature: bool, trusted_keys: tuple[str, ...]) -> Iterator[Fault]:
    if require_signature and not trusted_keys:
        yield Fault(
            place=("require_signature",),
            what=Text(
                en="a signature is required, and no key is trusted", ja="署名が必須ですが、信頼する鍵がありません"
            ),
            remedy=Text(
                en='write, for example, trusted_keys = ["keys/release.pub"]',
                ja='例: trusted_keys = ["keys/release.pub"]',
            ),
        )


def _keyed_book(
    personal: str, key_file: str | None, subject: str | None, subject_header: str | None
) -> Iterator[Fault]:
    wanting = ["personal"] if personal in {"hash", "encrypt"} else []
    wanting += [name for name, value in (("subject", subject), ("subject_header", subject_header)) if value is not None]
    if wanting and key_file is None:
        yield Fault(
            place=(wanting[0],),
            what=Text(en="this needs a secret key", ja="秘密鍵が必要です"),
            remedy=Text(
                en='make one with sekisho ledger key, and write, for example, key_file = "secrets/ledger.keys"',
                ja='sekisho ledger key で作り、key_file = "secrets/ledger.keys" のように書いてください',
            ),
        )


def _book_without_password(location: str | None) -> Iterator[Fault]:
    if location is None or "://" not in location:
        return
    parts = _split(location)
    if parts is None or parts.scheme not in {"postgresql", "postgres"}:
        yield Fault(
            place=("location",),
            what=Text(en="a book cannot be at this address", ja="予測台帳の場所として使えない URL です"),
            remedy=Text(
                en="name a file, or postgresql://user@host:5432/database",
                ja="ファイルか、postgresql://user@host:5432/database を指定してください",
            ),
        )
    elif parts.password is not None or "password=" in parts.query.lower():
        yield Fault(
            place=("location",),
            what=Text(en="a password stands in the contract", ja="契約にパスワードが書かれています"),
            remedy=Text(
                en="take it out, and put it into SEKISHO_LEDGER_PASSWORD or the file that SEKISHO_LEDGER_PASSWORD_FILE names",
                ja="削除し、環境変数 SEKISHO_LEDGER_PASSWORD か SEKISHO_LEDGER_PASSWORD_FILE のファイルで渡してください",
            ),
        )


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _rising_steps(steps: tuple[float, ...]) -> Iterator[Fault]:
    if not steps or steps[0] <= 0 or steps[-1] != 1 or any(later <= one for one, later in pairwise(steps)):
        yield Fault(
            place=("steps",),
            what=Text(
                en="the steps do not rise from above 0 to 1", ja="0 より大きい値から 1 までの昇順になっていません"
            ),
            remedy=Text(en="write, for example, steps = [0.01, 0.1, 0.5, 1.0]", ja="例: steps = [0.01, 0.1, 0.5, 1.0]"),
        )


def _rising_cuts(cuts: tuple[float, ...]) -> Iterator[Fault]:
    if not cuts or any(later <= one for one, later in pairwise(cuts)):
        yield Fault(
            place=("cuts",),
            what=Text(en="the cuts do not rise", ja="昇順になっていません"),
            remedy=Text(en="write, for example, cuts = [25, 45, 65]", ja="例: cuts = [25, 45, 65]"),
        )


def _one_entry_a_feature(features: tuple[FeatureTerms, ...]) -> Iterator[Fault]:
    names = [each.name for each in features]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault(
                place=("features", index, "name"),
                what=Text(en=f"{_short(name)} has an entry already", ja=f"{_short(name)} はすでにあります"),
                remedy=Text(en="make one entry of the two", ja="1つにまとめてください"),
            )


def _one_excuse_a_box(waivers: tuple[Waiver, ...], not_applicable: tuple[NotApplicable, ...]) -> Iterator[Fault]:
    first: dict[str, Place] = {}
    places: list[tuple[str, Place]] = [
        *((each.box, ("waivers", index, "box")) for index, each in enumerate(waivers)),
        *((each.box, ("not_applicable", index, "box")) for index, each in enumerate(not_applicable)),
    ]
    for box, place in places:
        earlier = dotted(first.setdefault(box, place)[:-1])
        if first[box] != place:
            yield Fault(
                place=place,
                what=Text(en=f"{box} is excused already, by {earlier}", ja=f"{box} はすでに {earlier} にあります"),
                remedy=Text(en="keep one of the two", ja="どちらか一方だけを残してください"),
            )


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _short(words: str) -> str:
    return words if len(words) <= 60 else f"{words[:57]}…"


_RULES: Final[dict[type[Section], tuple[Callable[..., Iterator[Fault]], ...]]] = {
    Serving: (_web_address,),
    sections.Mapping: (_request_template,),
    Security: (_keys_to_check_with,),
    Ledger: (_keyed_book, _book_without_password),
    Rollout: (_rising_steps,),
    SignOff: (_known_box, _other_reviewer, _lasting),
    Waiver: (_known_box,),
    NotApplicable: (_known_box,),
    Bands: (_rising_cuts,),
    Contract: (_one_excuse_a_box, _one_entry_a_feature),
}
