"""Writing what was rendered: all of it or none, and never over somebody's edits.

A record beside the files says what was written and for which artifact. A file that is not as the record has it was edited
by hand, or was there before: it is left alone unless the caller insists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.errors import WrongUse
from sekisho.files import write_atomically
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.targets.interface import GeneratedFile

RECORD_NAME: Final = ".sekisho-generated.json"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of files was written as.

    Attributes:
        artifact: The digest of the artifact that they speak for.
        files: SHA-256 in hexadecimal, by path.

    """

    artifact: str
    files: dict[str, str]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What was written into one folder, by kind."""

    kinds: dict[str, Written] = {}
    format: int = 1

    def knows(self, path: str, digest: str) -> bool:
        """Return whether Sekisho itself wrote ``path`` with these bytes."""
        return any(written.files.get(path) == digest for written in self.kinds.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What writing did, by path."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def output_folder(root: Path, asked: Path | None, usual: str) -> Path:
    """Return the folder to write to, absolute; it lies inside the project, wherever links lead.

    Args:
        root: The folder of the project.
        asked: What the caller asked for, relative to the current folder; ``None`` for ``usual``.
        usual: Where it goes when nobody says, relative to the project.

    Raises:
        WrongUse: It lies outside the project, or a file is in the way.

    """
    folder = (root / usual if asked is None else Path.cwd() / asked).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise WrongUse(
            Text(en="this folder lies outside the project", ja="このフォルダーはプロジェクトの外にあります"),
            Text(
                en=f"choose a folder inside {root.resolve()}",
                ja=f"{root.resolve()} の中のフォルダーを指定してください",
            ),
            where=folder,
        )
    obstacle = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    if obstacle is not None:
        raise WrongUse(
            Text(en="a file is in the way of this folder", ja="同じ名前のファイルがありフォルダーを作れません"),
            Text(en="choose another folder with --out", ja="--out で別のフォルダーを指定してください"),
            where=obstacle,
        )
    return folder


def write_files(folder: Path, kind: str, artifact: str, files: Sequence[GeneratedFile], *, force: bool) -> Outcome:
    """Write ``files`` into ``folder`` and record them; remove what an earlier writing of ``kind`` made and this one does not.

    Args:
        folder: Where to; made if it does not exist.
        kind: The id of the generator.
        artifact: The digest of the artifact that the files speak for.
        files: What to write.
        force: Whether to write over files that were edited by hand.

    Raises:
        WrongUse: Files were edited by hand, or were there before; nothing was written.
        OSError: The folder cannot be read or written; nothing is half-written.

    """
    record = _read_record(folder / RECORD_NAME)
    wanted = {file.path: _digest(file.content) for file in files}
    present = {path: _present(folder, path) for path in wanted}
    stale = _stale(folder, record, kind, wanted)
    if not force:
        _refuse_edits(folder, [path for path, digest in present.items() if _is_foreign(record, path, digest, wanted)])
    changed = [file for file in files if present[file.path] != wanted[file.path]]
    _publish(folder, changed)
    for path in stale:
        (folder / path).unlink(missing_ok=True)
    kinds = record.kinds | {kind: Written(artifact=artifact, files=wanted)}
    write_atomically(folder / RECORD_NAME, _encoded(Record(kinds=dict(sorted(kinds.items())))))
    return Outcome(
        created=tuple(file.path for file in changed if present[file.path] is None),
        updated=tuple(file.path for file in changed if present[file.path] is not None),
        unchanged=tuple(file.path for file in files if file not in changed),
        removed=tuple(stale),
    )


def _is_foreign(record: Record, path: str, digest: str | None, wanted: dict[str, str]) -> bool:
    return digest is not None and digest != wanted[path] and not record.knows(path, digest)


def _refuse_edits(folder: Path, paths: Iterable[str]) -> None:
    names = ", ".join(paths)
    if names:
        raise WrongUse(
            Text(
                en=f"not written by Sekisho, or edited since: {names}",
                ja=f"Sekisho が書いたものではないか、その後に編集されています: {names}",
            ),
            Text(
                en="keep your version elsewhere, then add --force to write over it",
                ja="必要なら別の場所に控えを取り、--force を付けて上書きしてください",
            ),
            where=folder,
        )


def _stale(folder: Path, record: Record, kind: str, wanted: dict[str, str]) -> list[str]:
    """Return what ``kind`` wrote earlier, nobody has edited, and no kind wants any more."""
    earlier = record.kinds.get(kind)
    others = {path for name, written in record.kinds.items() if name != kind for path in written.files}
    if earlier is None:
        return []
    unwanted = [path for path in earlier.files if path not in wanted and path not in others]
    return [path for path in unwanted if record.knows(path, _present(folder, path) or "")]


def _publish(folder: Path, files: Sequence[GeneratedFile]) -> None:
    """Write every file beside its place, then move all into place: a full disk leaves the old ones as they were."""
    ready: list[tuple[Path, Path]] = []
    try:
        for file in files:
            target = _inside(folder, file.path)
            _make_folder(target.parent)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".sekisho-")
            ready.append((Path(name), target))
            with os.fdopen(handle, "wb") as stream:
                if isinstance(file.content, bytes):
                    stream.write(file.content)
                else:
                    with file.content.open("rb") as source:
                        shutil.copyfileobj(source, stream)
            Path(name).chmod(file.mode)
        while ready:
            temporary, target = ready.pop()
            temporary.replace(target)
    finally:
        for temporary, _ in ready:
            temporary.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make a folder that others may read, whatever the umask: containers run as somebody else."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        path.chmod(0o755)


def _inside(folder: Path, path: str) -> Path:
    target = folder / path
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise WrongUse(
            Text(en="a link leads out of the output folder", ja="出力先フォルダーの外へ出るリンクがあります"),
            Text(en="remove the link", ja="リンクを削除してください"),
            where=target.parent,
        )
    return target


def _present(folder: Path, path: str) -> str | None:
    target = _inside(folder, path)
    if target.is_dir():
        raise WrongUse(
            Text(en="a folder is in the way of this file", ja="同じ名前のフォルダーがありファイルを作れません"),
            Text(en="move it away", ja="移動してください"),
            where=target,
        )
    return _digest(target) if target.exists() else None


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_record(path: Path) -> Record:
    if not path.exists():
        return Record()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except msgspec.DecodeError as error:
        raise WrongUse(
            Text(en="the record of generated files cannot be read", ja="生成ファイルの記録を読み取れません"),
            Text(en="delete it, then add --force", ja="削除してから --force を付けて実行してください"),
            where=path,
        ) from error


def _encoded(record: Record) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
