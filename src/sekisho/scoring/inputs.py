"""What is to be scored: one file, a folder or a pattern of files, or standard input."""

from __future__ import annotations

import glob
import gzip
import hashlib
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sekisho.contract.nearest import nearest
from sekisho.errors import NotFound, WrongUse
from sekisho.scoring.formats.interface import TableFormat
from sekisho.shelf import units
from sekisho.text import Text

if TYPE_CHECKING:
    from typing import BinaryIO

STANDARD: Final = "-"
"""Standard input or output."""
_PACKED: Final = b"\x1f\x8b"
_LOOKED_AT: Final = 65_536
"""Bytes at either end of a file that are digested: enough to tell two files of one size apart, whatever their size."""


def formats() -> dict[str, TableFormat]:
    """Return every format, by name."""
    return units("sekisho.scoring.formats", TableFormat)  # type: ignore[type-abstract]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Input:
    """One table to be read.

    Attributes:
        path: The file; ``None`` for standard input.
        shown: What it is called.
        format: Its format.

    """

    path: Path | None
    shown: str
    format: TableFormat

    @property
    def is_file(self) -> bool:
        """Whether it can be read again, and from any place."""
        return self.path is not None and self.path.is_file()

    def open(self) -> tuple[BinaryIO, bool, ExitStack]:
        """Return its bytes, unpacked, whether they can be read from any place, and what closes them."""
        open_files = ExitStack()
        if self.path is None:
            stream: Any = sys.stdin.buffer
        else:
            stream = open_files.enter_context(self.path.open("rb"))
        if self.format.packable and stream.peek(2)[:2] == _PACKED:
            return open_files.enter_context(gzip.GzipFile(fileobj=stream)), False, open_files  # type: ignore[return-value] # it reads as one does
        return stream, self.is_file, open_files

    def identity(self) -> dict[str, Any]:
        """Return what tells it from another file, and from itself after it was changed."""
        if self.path is None or not self.path.is_file():
            return {"name": self.shown}
        facts = self.path.stat()
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            digest.update(file.read(_LOOKED_AT))
            file.seek(max(0, facts.st_size - _LOOKED_AT))
            digest.update(file.read(_LOOKED_AT))
        return {
            "name": self.shown,
            "size": facts.st_size,
            "modified": facts.st_mtime_ns,
            "ends": digest.hexdigest(),
        }


def inputs_of(source: str, format_id: str | None) -> tuple[Input, ...]:
    """Return the tables that ``source`` names, in the order of their names.

    Args:
        source: A file, a folder, a pattern such as ``parts/*.csv``, or ``-``.
        format_id: Their format; ``None``: by their suffixes.

    Raises:
        NotFound: There is none.
        WrongUse: The format of one is not known.

    """
    if source == STANDARD:
        if format_id is None:
            raise WrongUse(
                Text(en="standard input does not tell its format", ja="標準入力の形式が分かりません"),
                Text(
                    en="add --input-format csv, jsonl or arrow",
                    ja="--input-format csv、jsonl、arrow のいずれかを指定してください",
                ),
            )
        return (Input(path=None, shown="standard input", format=format_of(format_id)),)
    path = Path(source)
    if path.is_dir():
        found = [each for each in sorted(path.iterdir()) if _is_part(each, format_id)]
    elif path.exists():
        found = [path]
    else:
        found = [each for each in map(Path, sorted(glob.glob(source, recursive=True))) if each.is_file()]  # noqa: PTH207
    if not found:
        raise NotFound(
            Text(en="there is no table to score", ja="スコアリングする表がありません"),
            Text(en="check the path", ja="パスを確認してください"),
            where=source,
        )
    return tuple(Input(path=each, shown=str(each), format=format_of(format_id, each)) for each in found)


def check_places(inputs: tuple[Input, ...], out: Path | None, aside: Path | None) -> None:
    """Refuse to write over what is read, or over what is written.

    Raises:
        WrongUse: Two of the files are one.

    """
    outputs = [path for path in (out, aside) if path is not None]
    places = [path.resolve() for path in outputs]
    read = {each.path.resolve() for each in inputs if each.path is not None}
    if len(set(places)) < len(places) or read & set(places):
        raise WrongUse(
            Text(
                en="one file would be read and written, or written twice",
                ja="同じファイルを入出力の両方に指定しています",
            ),
            Text(en="give every output a name of its own", ja="出力ごとに別のファイル名を指定してください"),
            where=out,
        )


def format_of(format_id: str | None, path: Path | None = None) -> TableFormat:
    """Return a format, by its name or by the suffix of a file.

    Raises:
        WrongUse: There is none such.

    """
    known = formats()
    if format_id is not None:
        if format_id in known:
            return known[format_id]
        close = nearest(format_id, known) or ", ".join(known)
        raise WrongUse(
            Text(en=f"there is no format {format_id!r}", ja=f"形式 {format_id!r} はありません"),
            Text(en=f"use one of: {close}", ja=f"次から選んでください: {close}"),
        )
    name = "" if path is None else path.name.lower().removesuffix(".gz")
    for one in known.values():
        if name.endswith(one.suffixes) and (one.packable or not str(path).lower().endswith(".gz")):
            return one
    suffixes = ", ".join(suffix for one in known.values() for suffix in one.suffixes)
    raise WrongUse(
        Text(en="its name does not tell its format", ja="ファイル名から形式が分かりません"),
        Text(
            en=f"use one of {suffixes}, or name the format",
            ja=f"拡張子を {suffixes} のいずれかにするか、形式を指定してください",
        ),
        where=path,
    )


def _is_part(path: Path, format_id: str | None) -> bool:
    if path.name.startswith((".", "_")) or not path.is_file():
        return False
    if format_id is not None:
        return True
    name = path.name.lower()
    return any(
        name.endswith(suffix) or (one.packable and name.endswith(f"{suffix}.gz"))
        for one in formats().values()
        for suffix in one.suffixes
    )
