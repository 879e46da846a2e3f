"""Compressed bodies: where they are not taken, that are bombs, or damaged."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import cache

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect, within
from tests.attacks.service.memory import Memory, twice_the_limit
from tests.attacks.service.moves import (
    BYSTANDER_MS,
    INNER,
    MIB,
    check_refusal,
    told,
)
from tests.attacks.service.target import Question, Target

KINDS = bodies = Chapter("bodies")


B03 = bodies(
    "B03",
    ("Compressed body where compression is off", "圧縮を受け付けないルートへの圧縮本文"),
    ("415 without decompressing", "展開せずに 415"),
)

B04 = bodies(
    "B04",
    ("Decompression bomb where compression is on", "圧縮を受け付けるルートへの展開爆弾"),
    (
        "413 when the unpacked size passes the same limit; memory grows by less than twice the limit",
        "展開後のサイズが同じ上限を超えた時点で 413。メモリの増加は上限の2倍未満",
    ),
)

X_B05 = bodies(
    "X-B05",
    ("Packed bodies that are damaged, nested or dressed up", "壊れた・入れ子の・偽装された圧縮本文"),
    ("400 or 415; never a part of it", "400 か 415。一部だけを読むことはない"),
)


@cache
def bomb(coding: str, mebibytes: int = 64) -> bytes:
    """Return many MiB of blanks in a thousandth of it."""
    if coding == "zstd":
        import pyarrow as pa

        return bytes(pa.compress(b" " * (mebibytes * MIB), codec="zstd", asbytes=True))
    packer = zlib.compressobj(6, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    return b"".join([packer.compress(b" " * MIB) for _ in range(mebibytes)]) + packer.flush()


def packed(
    body: Callable[[Question], bytes] | bytes,
    coding: str,
    statuses: tuple[int, ...],
    *,
    takes: bool,
    codes: tuple[str, ...] = (),
    limit: float = 500.0,
    mib: Callable[[Target], float] = twice_the_limit,
) -> Callable[[Target], Outcome]:
    """Send a packed body to every route that takes such, or to every one that does not."""

    def run(target: Target) -> Outcome:
        plain = coding.split(",", maxsplit=1)[0].strip().lower().replace("x-gzip", "gzip")
        asked = [one for one in target.questions.values() if (plain in one.codings) is takes]
        if not asked:
            raise NotApplicable(
                "there is no route that takes such a body" if takes else "every route takes such a body"
            )
        before = target.predicted()
        seen: dict[str, None] = {}
        longest = 0.0
        with Memory(target) as memory, target.bystander() as other:
            for question in asked:
                data = body(question) if callable(body) else body
                answer = target.send(question, data, headers={"content-encoding": coding})
                expect(answer.status in statuses, f"{question.name}: {answer.status}, not one of {statuses}")
                check_refusal(answer, target)
                if codes and target.ours:
                    expect(answer.code in codes, f"{question.name}: the code is {answer.code}")
                seen[f"{answer.status} {answer.code}".strip()] = None
                longest = max(longest, answer.milliseconds)
        expect(not other.failures, f"another client got {other.failures[:3]}")
        expect(memory.mib <= mib(target), f"memory grew by {memory.mib} MiB")
        expect(target.predicted() == before + (other.served if target.ours else 0), "something was predicted")
        return Outcome(
            seen=", ".join(seen),
            figures={
                "ms": within(longest, limit, "the answer"),
                "rss_mib": memory.mib,
                "bystander_ms": within(other.longest, BYSTANDER_MS, "another client"),
            },
        )

    return run


for name in ("gzip", "x-gzip", "deflate", "zstd"):
    B03.add(name, packed(bomb(name.replace("x-", ""), 8), name, (415,), takes=False, mib=lambda t: 4), needs=("body",))
for name in ("br", "compress", "identity, gzip", "aes128gcm", "gzip;q=1", "x", "none"):
    B03.add(name, packed(gzip.compress(b" " * MIB), name, (415,), takes=False, mib=lambda t: 4), needs=("body",))
B03.add("good-body", packed(lambda q: gzip.compress(q.body), "gzip", (415,), takes=False), needs=("body",))
for name in ("gzip", "deflate", "zstd"):
    B04.add(name, packed(bomb(name), name, (413,), takes=True, codes=("body_too_large",)), needs=("body",))


@B04.attack("at-the-wire-limit", needs=("limit:body_bytes", "ours"), seconds=60.0)
def _wire_limit(target: Target) -> Outcome:
    """As large a bomb as may be sent: one piece of 64 MiB again and again, without an end."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    packer.compress(b" " * MIB)
    first = packer.flush(zlib.Z_FULL_FLUSH)
    piece = b"".join([packer.compress(b" " * MIB) for _ in range(64)]) + packer.flush(zlib.Z_FULL_FLUSH)
    times = (int(target.limits["body_bytes"]) - len(first)) // len(piece)
    outcome = packed(first + piece * times, "gzip", (413, 400), takes=True)(target)
    return Outcome(seen=outcome.seen, figures={**outcome.figures, "unpacked_gib": times / 16})


def zstd_window(log: int) -> bytes:
    """Return a zstd frame that asks for a window of ``2**log`` bytes to hold five."""
    return b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(log - 10) << 3]) + b"\x29\x00\x00hello"


def gzip_with(flags: int, extra: bytes, body: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = packer.compress(body) + packer.flush()
    return b"\x1f\x8b\x08%c\0\0\0\0\0\xff" % flags + extra + deflated + struct.pack("<II", zlib.crc32(body), len(body))


DAMAGED: dict[str, tuple[str, Callable[[Question], bytes]]] = {
    "cut": ("gzip", lambda q: gzip.compress(q.body)[:-9]),
    "trailer-cut": ("gzip", lambda q: gzip.compress(q.body)[:-4]),
    "wrong-crc": ("gzip", lambda q: gzip.compress(q.body)[:-8] + b"\0\0\0\0" + gzip.compress(q.body)[-4:]),
    "wrong-size": ("gzip", lambda q: gzip.compress(q.body)[:-4] + b"\xff\xff\xff\x7f"),
    "more-after": ("gzip", lambda q: gzip.compress(q.body) + b"more"),
    "two-members": ("gzip", lambda q: gzip.compress(q.body[:9]) + gzip.compress(q.body[9:])),
    "inner-request-after": ("gzip", lambda q: gzip.compress(q.body) + INNER),
    "not-gzip": ("gzip", lambda q: q.body),
    "empty": ("gzip", lambda q: b""),
    "twice": ("gzip", lambda q: gzip.compress(gzip.compress(q.body))),
    "thrice": ("gzip", lambda q: gzip.compress(gzip.compress(gzip.compress(b" " * MIB)))),
    "long-name": ("gzip", lambda q: gzip_with(8, b"a" * 4 * MIB, b"{") + b""),
    "empty-blocks": ("gzip", lambda q: gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 800_000),
    "deflate-raw": ("deflate", lambda q: zlib.compress(q.body)[2:-4]),
    "deflate-cut": ("deflate", lambda q: zlib.compress(q.body)[:-3]),
    "deflate-wrong-sum": ("deflate", lambda q: zlib.compress(q.body)[:-4] + b"\0\0\0\0"),
    "gzip-as-deflate": ("deflate", lambda q: gzip.compress(q.body)),
    "gzip-as-zstd": ("zstd", lambda q: gzip.compress(q.body)),
    "zstd-as-gzip": ("gzip", lambda q: zstd_window(20)),
    "zstd-window-27": ("zstd", lambda q: zstd_window(27)),
    "zstd-window-31": ("zstd", lambda q: zstd_window(31)),
    "zstd-window-41": ("zstd", lambda q: zstd_window(41)),
    "zstd-empty": ("zstd", lambda q: b""),
    "zstd-cut": ("zstd", lambda q: bomb("zstd", 8)[:-5]),
}
for name, (coding, make) in DAMAGED.items():
    X_B05.add(name, packed(make, coding, (400, 415, 413), takes=True, mib=twice_the_limit), needs=("body",))
for name in ("gzip, gzip", "gzip,gzip,gzip,gzip,gzip", "gzip, br", "deflate, gzip"):
    X_B05.add(
        "header-" + name.replace(", ", "-").replace(",", "-"),
        packed(
            lambda q: gzip.compress(gzip.compress(q.body)), name, (415,), takes=True, codes=("unsupported_encoding",)
        ),
        needs=("body",),
    )


@X_B05.attack("two-headers", needs=("body", "ours"), on="tight")
def _two_codings(target: Target) -> Outcome:
    received = target.raw(target.post(b"Content-Encoding: gzip", b"Content-Encoding: gzip"), half_close=True)
    expect(received.statuses == [400], f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


@X_B05.attack("one-byte-under-and-over", needs=("limit:body_bytes", "ours", "route:batch"))
def _at_the_limit(target: Target) -> Outcome:
    """The limit on what is unpacked is exact."""
    question, most = target.questions["batch"], int(target.limits["body_bytes"])
    statuses = []
    for size in (most, most + 1):
        body = question.body + b" " * (size - len(question.body))
        statuses.append(target.send(question, gzip.compress(body, 1), headers={"content-encoding": "gzip"}).status)
    expect(statuses == [200, 413], f"the answers are {statuses}")
    return Outcome(seen="200, then 413")
