"""Which boxes somebody asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from sekisho.contract.boxes import BOXES
from sekisho.contract.nearest import nearest
from sekisho.errors import NotFound
from sekisho.gate.check import SECTIONS
from sekisho.text import Text


def in_order(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the forty boxes of the checklist in its order, each section followed by what ``ids`` adds to it."""
    sections = tuple(SECTIONS)
    boxes = {id_: place for place, id_ in enumerate(BOXES)}

    def place(id_: str) -> tuple[int, int, str]:
        return sections.index(id_.partition("/")[0]), boxes.get(id_, len(boxes)), id_

    return tuple(sorted({*BOXES, *ids}, key=place))


def select(wanted: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of ``known`` that ``wanted`` names, in the order of ``known``.

    Args:
        wanted: Ids, sections (``security``) or patterns (``security/*``, ``*/api``); ``None`` or none: all.
        known: Every id there is.

    Raises:
        NotFound: A word names no box; the error says which one is nearest.

    """
    if not wanted:
        return tuple(known)
    chosen: set[str] = set()
    for word in wanted:
        pattern = f"{word}/*" if word in SECTIONS else word
        found = [id_ for id_ in known if fnmatch.fnmatchcase(id_, pattern)]
        if not found:
            raise _no_such_box(word, known)
        chosen.update(found)
    return tuple(id_ for id_ in known if id_ in chosen)


def _no_such_box(word: str, known: Sequence[str]) -> NotFound:
    shown = " ".join(word.split())[:80]
    by_name = {id_.partition("/")[2]: id_ for id_ in reversed(known)} | {id_: id_ for id_ in (*known, *SECTIONS)}
    close = nearest(shown, by_name)
    remedy = Text(en="`sekisho explain` lists every box", ja="`sekisho explain` で項目の一覧を確認してください")
    if close is not None:
        remedy = Text(en=f"did you mean {by_name[close]}?", ja=f"{by_name[close]} のことですか?")
    return NotFound(Text(en=f"no box is named {shown!r}", ja=f"{shown!r} という項目はありません"), remedy)
