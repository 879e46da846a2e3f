"""Where rows wait until all are there: a folder beside the output, which survives whatever ends the process.

``OUT.partial/`` holds ``plan.json`` (what is being scored, and by what), ``rows`` (finished rows, to which each piece is appended),
``aside`` (rows without an answer) and ``journal``: a line for each piece, written after its rows, with the place in the input and the lengths
and checksums of both files. Whoever goes on takes the last line whose checksums hold, cuts off what came after, and reads on from there.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from sekisho.errors import Conflict, WrongUse
from sekisho.files import write_atomically
from sekisho.text import Text

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

PLAN_FORMAT: Final = 1
_BLOCK: Final = 2**20


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far the work is, after one piece.

    Attributes:
        file: The input that is being read, by number.
        at: Where its next piece begins.
        file_rows: The rows of it that are behind.
        rows: All rows that are behind.
        bad: Those without an answer.
        length, checksum: Of the rows that are written.
        aside_length, aside_checksum: Of those set aside.

    """

    file: int = 0
    at: int = 0
    file_rows: int = 0
    rows: int = 0
    bad: int = 0
    length: int = 0
    checksum: int = 0
    aside_length: int = 0
    aside_checksum: int = 0


class Sink(Protocol):
    """Where finished rows go."""

    mark: Mark
    """How far the work is."""

    def append(self, rows: bytes, aside: bytes, mark: Mark) -> None:
        """Take the rows of a piece, and note how far the work is; lengths and checksums are filled in."""
        ...


class WorkFolder:
    """The folder of one piece of work, held by one process at a time.

    Args:
        out: The file that shall appear.
        plan: What is being done; work that was begun with another plan is not gone on with.
        head: What comes before all rows.
        resume: Whether to go on with what is there.
        overwrite: Whether to begin anew, and replace what is there.

    Raises:
        Conflict: The output exists, or work on it was begun; or another process is at it.
        WrongUse: The work that was begun is another.

    """

    def __init__(self, out: Path, plan: dict[str, Any], head: bytes, *, resume: bool, overwrite: bool) -> None:
        self.out = out
        self.folder = out.with_name(f"{out.name}.partial")
        if out.exists() and not overwrite:
            raise _exists(out)
        if self.folder.exists() and not resume and not overwrite:
            raise _begun(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.folder)
        self.mark = Mark()
        self._files = ExitStack()
        try:
            self._open(plan, head, resume=resume and (self.folder / "plan.json").exists())
        except BaseException:
            self.close()
            raise

    @property
    def rows(self) -> Path:
        """The head and all finished rows."""
        return self.folder / "rows"

    @property
    def aside(self) -> Path:
        """The rows without an answer."""
        return self.folder / "aside"

    def append(self, rows: bytes, aside: bytes, mark: Mark) -> None:
        """Take the rows of a piece, and note how far the work is."""
        before = self.mark
        mark = msgspec.structs.replace(
            mark,
            length=before.length + len(rows),
            checksum=zlib.crc32(rows, before.checksum),
            aside_length=before.aside_length + len(aside),
            aside_checksum=zlib.crc32(aside, before.aside_checksum),
        )
        _write(self._rows, rows)
        if aside:
            _write(self._aside, aside)
        _write(self._journal, msgspec.json.encode(mark) + b"\n")
        self.mark = mark

    def publish(self, finished: Path, *, beside: dict[Path, bytes], aside: Path | None) -> None:
        """Put the output in its place, last of all, and remove the folder.

        Args:
            finished: The whole output, in this folder.
            beside: Small files that go beside it.
            aside: Where rows without an answer go.

        """
        if aside is not None:
            _sync(self.aside)
            _move(self.aside, aside)
        for path, content in beside.items():
            write_atomically(path, content)
        _sync(finished)
        finished.replace(self.out)
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self) -> None:
        """Remove the folder: what is in it helps nobody."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the folder; what is in it stays."""
        self._files.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self, plan: dict[str, Any], head: bytes, *, resume: bool) -> None:
        journal = self.folder / "journal"
        if resume:
            _check_plan(self.folder, plan)
            self.mark = _last_sound(self.rows, self.aside, journal, len(head))
        if not self.mark.rows and not self.mark.length:
            for path in (self.rows, self.aside, journal):
                path.unlink(missing_ok=True)
            write_atomically(self.folder / "plan.json", msgspec.json.encode({"format": PLAN_FORMAT, **plan}))
        self._rows, self._aside, self._journal = (
            self._files.enter_context(path.open("ab", buffering=0)) for path in (self.rows, self.aside, journal)
        )
        if not self.mark.length:
            _write(self._rows, head)
            self.mark = Mark(length=len(head), checksum=zlib.crc32(head))


def _write(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _locked(folder: Path) -> int:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise Conflict(
            Text(en="another process is scoring into this file", ja="別のプロセスがこの出力に書き込んでいます"),
            Text(en="wait until it ends, or choose another output", ja="終了を待つか、別の出力先を指定してください"),
            where=folder,
        ) from None
    return lock


def _check_plan(folder: Path, plan: dict[str, Any]) -> None:
    """Refuse to go on with other work."""
    try:
        begun = msgspec.json.decode((folder / "plan.json").read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError):
        begun = {}
    wanted = msgspec.json.decode(msgspec.json.encode({"format": PLAN_FORMAT, **plan}))
    changed = [key for key in wanted if begun.get(key) != wanted[key]]
    if changed:
        words = {
            "inputs": Text(en="the input", ja="入力"),
            "artifact": Text(en="the model", ja="モデル"),
            "options": Text(en="the options", ja="オプション"),
            "policies": Text(en="the policies of the contract", ja="契約の方針"),
            "versions": Text(en="the versions of the libraries", ja="ライブラリの版"),
        }
        known = [words[key] for key in changed if key in words] or [Text(en="its format", ja="形式")]
        en, ja = ", ".join(one.en for one in known), "、".join(one.ja for one in known)
        raise WrongUse(
            Text(
                en=f"the work that was begun was other work: changed since: {en}",
                ja=f"中断した処理とは条件が異なります。変わったもの: {ja}",
            ),
            Text(en="begin anew with --overwrite", ja="--overwrite で最初からやり直してください"),
            where=folder,
        )


def _last_sound(rows: Path, aside: Path, journal: Path, head: int) -> Mark:
    """Return the last mark whose rows are all there, and cut off what came after."""
    marks = _marks(journal)
    sound = _sound(rows, [(mark.length, mark.checksum) for mark in marks])
    sound = min(sound, _sound(aside, [(mark.aside_length, mark.aside_checksum) for mark in marks]))
    if not sound:
        return Mark()
    mark = marks[sound - 1]
    os.truncate(rows, mark.length)
    if aside.exists():
        os.truncate(aside, mark.aside_length)
    write_atomically(journal, b"".join(msgspec.json.encode(one) + b"\n" for one in marks[:sound]))
    return mark if mark.length >= head else Mark()


def _marks(journal: Path) -> list[Mark]:
    """Return the marks of a journal; the first line that is none, perhaps cut off, ends it."""
    marks: list[Mark] = []
    if not journal.exists():
        return marks
    for line in journal.read_bytes().splitlines(keepends=True):
        try:
            marks.append(msgspec.json.decode(line if line.endswith(b"\n") else b"", type=Mark))
        except msgspec.DecodeError:
            break
    return marks


def _sound(path: Path, ends: list[tuple[int, int]]) -> int:
    """Return how many of the ``ends`` (lengths with their checksums) hold."""
    if not path.exists():
        return sum(1 for length, _ in ends if length == 0)
    checksum = at = 0
    with path.open("rb") as file:
        for number, (length, wanted) in enumerate(ends):
            while at < length:
                block = file.read(min(_BLOCK, length - at))
                if not block:
                    return number
                at += len(block)
                checksum = zlib.crc32(block, checksum)
            if at != length or checksum != wanted:
                return number
    return len(ends)


def _sync(path: Path) -> None:
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.partial")
        shutil.copyfile(source, beside)
        beside.replace(target)


def _exists(out: Path) -> Conflict:
    return Conflict(
        Text(en="the output exists already", ja="出力ファイルがすでに存在します"),
        Text(en="choose another one, or add --overwrite", ja="別の名前にするか、--overwrite を付けてください"),
        where=out,
    )


def _begun(folder: Path) -> Conflict:
    return Conflict(
        Text(en="work on this output was begun and not finished", ja="この出力への処理が途中で止まっています"),
        Text(
            en="go on with --resume, or begin anew with --overwrite",
            ja="--resume で続けるか、--overwrite で最初からやり直してください",
        ),
        where=folder,
    )
