"""The nearest valid name for one that does not exist."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that is most like ``name``, if one is like it at all; case does not count."""
    by_folded = {each.casefold(): each for each in names}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> Text | None:
    """Return the question after the nearest name, or ``None`` if no name is near."""
    close = nearest(name, names)
    return None if close is None else Text(en=f"did you mean {close}?", ja=f"{close} のことですか?")
