"""The page of every command: what ``--help`` prints."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from sekisho.documents.reference.markdown import head, page_name
from sekisho.errors import SekishoError
from sekisho.text import LANGUAGES, Language, Text, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator

STEM: Final = "cli"
TITLE: Final = Text(en="The command sekisho", ja="コマンド sekisho")
LEAD: Final = Text(
    en="What `--help` prints. `--lang ja|en` and `--debug` may stand anywhere.",
    ja="`--help` の表示内容です。`--lang ja|en` と `--debug` はどの位置にも書けます。",
)
COMMANDS: Final = Text(en="Commands", ja="コマンド")


def command_pages() -> dict[str, str]:
    """Return the page in both languages, by file name. Each command is run with ``--help``, in a process of its own.

    Raises:
        SekishoError: A command cannot explain itself.

    """
    return {page_name(STEM, language): _page(language) for language in LANGUAGES}


def _page(language: Language) -> str:
    lines = [*head(TITLE, STEM, language), LEAD.of(language), ""]
    for words, shown in help_pages(language):
        lines += [f"## {' '.join(('sekisho', *words))}", "", "```text", shown.rstrip(), "```", ""]
    return "\n".join(lines)


def help_pages(language: Language) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words of every command and what its ``--help`` prints, a command before those below it.

    Raises:
        SekishoError: A command cannot explain itself.

    """
    root = help_page((), language)
    yield (), root
    verbs = [(verb,) for verb in _below(root, language)]
    with ThreadPoolExecutor(2) as pool:
        for words, shown in zip(verbs, pool.map(lambda each: help_page(each, language), verbs), strict=True):
            yield words, shown
            inner = [(*words, name) for name in _below(shown, language)]
            yield from zip(inner, pool.map(lambda each: help_page(each, language), inner), strict=True)


@functools.cache
def help_page(words: tuple[str, ...], language: Language) -> str:
    """Return what ``sekisho WORDS --help`` prints, 100 cells wide.

    Raises:
        SekishoError: The command cannot explain itself.

    """
    command = [sys.executable, "-m", "sekisho.cli.main", *words, "--help", "--lang", language]
    environment = os.environ | {"COLUMNS": "102"}
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, env=environment)
    if ended.returncode != 0:
        raise SekishoError(
            Text(en="this command does not explain itself", ja="このコマンドのヘルプを表示できません"),
            verbatim(ended.stderr.strip() or "--debug"),
            where=" ".join(("sekisho", *words)),
        )
    return ended.stdout


def _below(page: str, language: Language) -> list[str]:
    """Return the names of the commands that a help page lists."""
    listed = page.partition(f"\n{COMMANDS.of(language)}:\n")[2].partition("\n\n")[0]
    return re.findall(r"(?m)^  ([a-z][a-z-]*)(?: |$)", listed)
