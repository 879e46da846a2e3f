"""A parser written in C is given bytes of somebody else in a process of its own first: what kills it there, kills nothing here.

::

    python -m sekisho.artifact.apart LIBRARY < model

A child of :mod:`sekisho.predict` is such a process already.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
from typing import Final

from sekisho import shelf
from sekisho.artifact.boosters.interface import Booster, damaged
from sekisho.errors import SekishoError
from sekisho.text import Text

_MAY_DIE: Final = frozenset({"sekisho.predict.child", "sekisho.artifact.apart"})
"""The programs that somebody watches over."""
SECONDS: Final = 120
_MEMORY: Final = 8 * 2**30
_REFUSED: Final = 3
_UNSOUND: Final = 4

_proven: set[bytes] = set()
"""The digests of what this process has seen survive, or has written itself."""


def vouch(data: bytes) -> bytes:
    """Return ``data``, which the library itself has just written here."""
    _proven.add(hashlib.sha256(data).digest())
    return data


def prove(unit: Booster, data: bytes, *, where: str) -> None:
    """Let a process of its own read ``data`` and answer a few rows with it.

    Raises:
        IntegrityError: It died, hung, or could not.

    """
    digest = hashlib.sha256(data).digest()
    if digest in _proven or getattr(sys.modules["__main__"].__spec__, "name", None) in _MAY_DIE:
        return
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "sekisho.artifact.apart", unit.id],
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise damaged(unit.id, Text(en="reading it does not end", ja="読み込みが終わりません"), where) from None
    if done.returncode < 0 or done.returncode > _REFUSED:
        raise damaged(unit.id, Text(en="it kills whatever reads it", ja="読み込むとプロセスが落ちます"), where)
    if done.returncode == 0:
        _proven.add(digest)
    # Refused: the caller reads it himself, and hears the library's own reason.


def units() -> dict[str, Booster]:
    """Return every boosting library, by id."""
    return shelf.units("sekisho.artifact.boosters", Booster)  # type: ignore[type-abstract]


def _main(library: str) -> int:
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unit = units()[library]
    try:
        model = unit.read(sys.stdin.buffer.read(), where="stdin")
    except SekishoError:
        return _REFUSED
    try:
        unit.try_out(model)
    except SekishoError:
        return _UNSOUND
    except Exception:
        return 0  # a row of another kind than it wants: it refuses, and lives
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
