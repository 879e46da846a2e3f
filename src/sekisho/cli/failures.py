"""Failures that come from the system or from a fault of ours, as errors with one line."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from sekisho.errors import MissingExtra, SekishoError
from sekisho.text import Text

_SPACE: Final = Text(en="free some space and run it again", ja="空き容量を確保してから再実行してください")
_RIGHTS: Final = Text(
    en="choose another place, or ask for the right to use this one",
    ja="別の場所を選ぶか、この場所の権限を得てから再実行してください",
)
_PATH: Final = Text(en="check the path", ja="パスを確かめてください")
_CAUSES: Final[dict[int, tuple[Text, Text]]] = {
    errno.ENOSPC: (Text(en="no space left on the disk", ja="ディスクに空きがありません"), _SPACE),
    errno.EDQUOT: (Text(en="the disk quota is used up", ja="ディスクの割り当てを使い切りました"), _SPACE),
    errno.EFBIG: (Text(en="the file grew too large", ja="ファイルが大きくなりすぎました"), _SPACE),
    errno.EACCES: (Text(en="permission denied", ja="権限がありません"), _RIGHTS),
    errno.EPERM: (Text(en="the system does not allow this", ja="システムが許可していません"), _RIGHTS),
    errno.EROFS: (Text(en="the disk is read-only", ja="読み取り専用のディスクです"), _RIGHTS),
    errno.ENOENT: (Text(en="no such file or folder", ja="ファイルまたはフォルダーがありません"), _PATH),
    errno.ENOTDIR: (Text(en="this is not a folder", ja="フォルダーではありません"), _PATH),
    errno.EISDIR: (Text(en="this is a folder, not a file", ja="ファイルではなくフォルダーです"), _PATH),
    errno.EEXIST: (Text(en="this exists already", ja="すでに存在します"), _PATH),
    errno.ENAMETOOLONG: (Text(en="the name is too long", ja="名前が長すぎます"), _PATH),
    errno.ELOOP: (Text(en="the links lead in a circle", ja="リンクが循環しています"), _PATH),
    errno.EADDRINUSE: (
        Text(en="the port is in use", ja="ポートがすでに使われています"),
        Text(
            en="choose another port, or 0 for a free one",
            ja="別のポートを選ぶか、0 を指定して空きポートを使ってください",
        ),
    ),
    errno.EMFILE: (
        Text(en="too many files are open", ja="開いているファイルが多すぎます"),
        Text(en="raise the limit (ulimit -n)", ja="上限 (ulimit -n) を上げてください"),
    ),
}


def system_failure(error: OSError) -> SekishoError:
    """Return what the operating system refused, where, and what to do."""
    number = error.errno or 0
    said = (error.strerror or str(error) or type(error).__name__).lower()
    what, remedy = _CAUSES.get(
        number,
        (
            Text(en=f"the system refused: {said}", ja=f"システムに拒否されました: {said}"),
            Text(en="mend this and run it again", ja="原因を取り除いてから再実行してください"),
        ),
    )
    where = (
        None if error.filename is None else os.fsdecode(error.filename) if not isinstance(error.filename, int) else None
    )
    return SekishoError(what, remedy, where=where)


def link_loop(error: RuntimeError) -> SekishoError | None:
    """Return what is wrong if ``error`` is how :meth:`Path.resolve` speaks of a loop before Python 3.13."""
    found = re.fullmatch(r"Symlink loop from '(.*)'", str(error), re.DOTALL)
    return SekishoError(*_CAUSES[errno.ELOOP], where=found[1]) if found else None


def missing_library(error: ModuleNotFoundError) -> SekishoError | None:
    """Return which extra brings the library that could not be imported; ``None`` if it is part of Sekisho itself."""
    library = (error.name or "").partition(".")[0]
    if library in {"", "sekisho"}:
        return None
    return MissingExtra(library, "s3" if library.startswith("boto") else "check")


def fault(error: BaseException) -> SekishoError:
    """Return one line for an error that nobody expected."""
    words = " ".join(str(error).split())
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return SekishoError(
        Text(en=f"unexpected error: {said}", ja=f"予期しないエラー: {said}"),
        Text(
            en="run it again with --debug to see where, and report it",
            ja="--debug を付けて再実行すると発生箇所が表示されます。内容をご報告ください",
        ),
    )
