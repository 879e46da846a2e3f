"""The pages of ``docs/`` that are made from the code: ``python -m sekisho.documents.pages docs``.

The contract's keys, the boxes and the commands are described where they are written; these pages gather the words in
both languages, and a test says whether they are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from sekisho.documents.reference.box_pages import FOLDER, box_pages
from sekisho.documents.reference.command_page import command_pages
from sekisho.documents.reference.contract_page import contract_pages
from sekisho.documents.reference.markdown import NOTICE
from sekisho.files import write_atomically

USAGE: Final = "python -m sekisho.documents.pages FOLDER"


def reference_pages() -> dict[str, str]:
    """Return every page by its path below the folder of documents."""
    return contract_pages() | box_pages() | command_pages()


def write_pages(folder: Path) -> list[Path]:
    """Write every page into ``folder``, and remove pages of boxes that are no more. Return what was written.

    Raises:
        OSError: The folder cannot be written.

    """
    pages = {folder / path: text for path, text in reference_pages().items()}
    for path, text in pages.items():
        write_atomically(path, text)
    for path in (folder / FOLDER).rglob("*.md"):
        if path not in pages and path.read_text(encoding="utf-8").startswith(NOTICE):
            path.unlink()
    return list(pages)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(USAGE)
    print(f"{len(write_pages(Path(sys.argv[1])))} pages")
