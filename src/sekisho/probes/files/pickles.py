"""What a pickle would do: its opcodes, read and never run.

Source: the documentation of :mod:`pickletools`; https://docs.python.org/3/library/pickle.html#security
"""

from __future__ import annotations

import io
import pickletools
from collections import Counter
from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 8 * 1024 * 1024
"""How much of a file is read for its listing."""
MOST_IMPORTS: Final = 50
CALLS: Final = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
IMPORTS: Final = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"})
_STRINGS: Final = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PickleListing:
    """What stands in a pickle.

    Attributes:
        imports: What it fetches by name when it is read, in order, such as ``posix.system``.
        calls: How often it calls something.
        opcodes: How many opcodes were read.
        whole: Whether the listing reached the end (arrays of joblib stand between the opcodes and end it).

    """

    imports: tuple[str, ...]
    calls: int
    opcodes: int
    whole: bool


def list_pickle(data: bytes) -> PickleListing:
    """Return the listing of the pickle in ``data``."""
    counts: Counter[str] = Counter()
    imports: dict[str, None] = {}
    strings: list[str] = []
    memo: dict[int, str] = {}
    whole = False
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data[:MOST_BYTES])):
            counts[opcode.name] += 1
            if opcode.name in _STRINGS:
                strings.append(str(argument))
            elif opcode.name in {"MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"} and strings:
                memo[int(argument or 0) if opcode.name != "MEMOIZE" else len(memo)] = strings[-1]
            elif opcode.name in {"BINGET", "LONG_BINGET", "GET"}:
                strings.append(memo.get(int(argument or 0), "?"))
            elif opcode.name in {"GLOBAL", "INST"}:
                imports[str(argument).replace(" ", ".", 1)] = None
            elif opcode.name == "STACK_GLOBAL":
                imports[".".join(strings[-2:])] = None
            whole = opcode.name == "STOP"
    except Exception:  # noqa: S110 - what cannot be read further ends the listing
        pass
    return PickleListing(
        imports=tuple(imports)[:MOST_IMPORTS],
        calls=sum(counts[name] for name in CALLS),
        opcodes=sum(counts.values()),
        whole=whole,
    )


def acts(data: bytes) -> bool:
    """Return whether a pickle of an old protocol, which is written in letters, would call something or reach its end.

    A list of words can begin as one does; it runs out of things to work on before anything happens.
    """
    steps = io.StringIO()
    try:
        pickletools.dis(io.BytesIO(data[:65_536]), out=steps)
    except Exception:
        done = steps.getvalue().splitlines()[:-1]  # the last step is the one that cannot be
        return any(name in line.split() for line in done for name in CALLS)
    return True
