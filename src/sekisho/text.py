"""Words for people, in English and Japanese.

Every sentence that a person reads is a :class:`Text`. The language is chosen once, at the edge (``--lang``, the
environment or the locale), and read where a text is printed.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Language = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_chosen: ContextVar[Language | None] = ContextVar("sekisho_language", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One sentence or paragraph in both languages.

    >>> print(Text(en="ready", ja="準備完了").of("ja"))
    準備完了
    """

    en: str
    ja: str

    def of(self, language: Language) -> str:
        """Return the words in ``language``."""
        return self.ja if language == "ja" else self.en

    def __str__(self) -> str:
        return self.of(language())


def verbatim(words: str) -> Text:
    """Return a text that reads the same in every language: a name, a path, a figure."""
    return Text(en=words, ja=words)


def join(texts: Iterable[Text]) -> Text:
    """Return the sentences one after the other, as each language sets them."""
    sentences = tuple(texts)
    return Text(en="; ".join(text.en for text in sentences), ja="。".join(text.ja for text in sentences))


def language() -> Language:
    """Return the language in use: the one chosen with :func:`use_language`, else that of the environment.

    ``SEKISHO_LANG`` comes first, then ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` as in POSIX; anything that is not
    Japanese reads English.
    """
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    for name in ("SEKISHO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "ja" if value.lower().startswith("ja") else "en"
    return "en"


def set_language(chosen: Language | None) -> None:
    """Choose the language for the rest of this context; ``None`` returns to that of the environment."""
    _chosen.set(chosen)


@contextmanager
def use_language(chosen: Language) -> Iterator[None]:
    """Choose the language inside a ``with`` block."""
    token = _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.reset(token)
