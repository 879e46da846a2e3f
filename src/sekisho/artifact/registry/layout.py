"""The mark of a registry, and what is looked at before one is read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho import __version__
from sekisho.artifact import strict_json
from sekisho.artifact.registry.content import CONTENT
from sekisho.artifact.registry.history import HISTORY, INDEX
from sekisho.errors import Conflict, IntegrityError, NotFound, RegistryError, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.stores.interface import Store

MARK: Final = "registry.json"
FORMAT: Final = 1
OURS: Final = (CONTENT, HISTORY, INDEX)
PASSING: Final = ("partial/", "under-way/")
"""Where stores keep what is being written."""
ALONE: Final = frozenset({MARK, "lock", "lock.names", "collector"})
_MOST_BYTES: Final = 4_096


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at the top of a registry: the number of its layout, and who made it."""

    format: int
    kind: Literal["sekisho registry"] = "sekisho registry"
    made_by: str = ""


def check_place(store: Store) -> None:
    """Make sure that there is a registry that this version reads.

    Raises:
        NotFound: There is none.
        RegistryError: It is of a newer layout.

    """
    if _mark(store) is None and next(store.names(HISTORY), None) is None:
        raise NotFound(
            Text(en="there is no registry here", ja="レジストリがありません"),
            Text(
                en="name it with --registry or SEKISHO_REGISTRY, or publish with sekisho registry push",
                ja="--registry か SEKISHO_REGISTRY で指定するか、sekisho registry push で登録してください",
            ),
            where=store.location,
        )


def prepare(store: Store, name: str) -> None:
    """Make a registry of an empty place, and make sure that the model's name looks like no other.

    Raises:
        WrongUse: Something else is there.
        Conflict: Another model has the same name in other letters.
        RegistryError: It is of a newer layout, or cannot be written.

    """
    known = tuple(store.names(HISTORY))
    if _mark(store) is None:
        strange = next((entry for entry in store.entries("") if not _is_ours(entry.key)), None)
        if strange is not None and not known:
            raise WrongUse(
                Text(en="something other than a registry is there", ja="レジストリではないものがあります"),
                Text(en="name an empty or new place", ja="空の、または新しい場所を指定してください"),
                where=store.location,
            )
        store.create(MARK, strict_json.encode(Mark(format=FORMAT, made_by=f"sekisho {__version__}")))
    alike = next((other for other in known if other != name and other.casefold() == name.casefold()), None)
    if alike is not None:
        raise Conflict(
            Text(en=f"{name} looks like the model {alike}", ja=f"{name} は既存のモデル {alike} と紛らわしい名前です"),
            Text(en="use the name that is there, or quite another", ja="既存の名前か、まったく別の名前にしてください"),
        )


def _is_ours(key: str) -> bool:
    return key in ALONE or key.startswith((*OURS, *PASSING, "."))


def _mark(store: Store) -> Mark | None:
    data = store.read(MARK, most_bytes=_MOST_BYTES)
    if data is None:
        return None
    where = f"{store.location}/{MARK}"
    try:
        mark = strict_json.decode(data, Mark, where=where)
    except IntegrityError:
        raise RegistryError(
            Text(en="the mark of the registry is damaged", ja="レジストリの目印のファイルが壊れています"),
            Text(en="remove this file: it is made again", ja="このファイルを削除してください。再作成されます"),
            where=where,
        ) from None
    if mark.format > FORMAT:
        raise RegistryError(
            Text(
                en=f"its layout {mark.format} is newer than this Sekisho reads ({FORMAT})",
                ja=f"レイアウト {mark.format} は、この Sekisho が読める形式（{FORMAT}）より新しいものです",
            ),
            Text(en="upgrade sekisho", ja="sekisho を更新してください"),
            where=where,
        )
    return mark
