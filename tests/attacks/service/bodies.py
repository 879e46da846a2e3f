"""Bodies that are too large, packed too well, or not what they say."""

from __future__ import annotations

import contextlib
import gzip
import json
import pickle
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

from tests.attacks.service.attack import Chapter, Fell, NotApplicable, Outcome, expect, within
from tests.attacks.service.client import Answer, Received, one_answer, read_all
from tests.attacks.service.moves import INNER, check_refusal, chunks, told
from tests.attacks.service.target import Question, Target

KINDS = bodies = Chapter("bodies")
MIB = 2**20
BYSTANDER_MS = 250.0
PIECE = b" " * 65_536


class Memory:
    """Looks at the memory of a service all the time while a block runs.

    Attributes:
        mib: By how many MiB it was larger than at the beginning, at most.

    """

    def __init__(self, target: Target) -> None:
        self._process = target.process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._most = 0
        self.mib = 0.0

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            with contextlib.suppress(OSError):
                self._most = max(self._most, self._process.rss())  # type: ignore[union-attr]

    def __enter__(self) -> Self:
        if self._process is not None:
            self._before = self._process.rss()
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._stop.set()
            self._thread.join()
            self.mib = round(max(0, self._most - self._before) / MIB, 1)


def pour(target: Target, head: bytes, pieces: Iterator[bytes]) -> tuple[Received, int]:
    """Send a body piece by piece until the service has had enough; return what came back, and how many bytes went out."""
    sent = 0
    with target.connect(20) as connection:
        try:
            connection.sendall(head)
            for piece in pieces:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return read_all(connection), sent


def poured(
    make: Callable[[Target, Question], tuple[bytes, Iterator[bytes]]],
    *,
    mib: Callable[[Target], float],
    statuses: tuple[int, ...] = (413,),
    only: tuple[str, ...] = (),
) -> Callable[[Target], Outcome]:
    """Pour a body into every route, and look at the memory and at somebody else meanwhile."""

    def run(target: Target) -> Outcome:
        before, others = target.predicted(), 0
        seen: dict[str, None] = {}
        figures: dict[str, float] = {"rss_mib": 0.0, "bystander_ms": 0.0}
        for question in target.questions.values():
            if only and question.name not in only:
                continue
            head, pieces = make(target, question)
            with Memory(target) as memory, target.bystander() as other:
                received, _ = pour(target, head, pieces)
            if not target.ours and not received.statuses and received.closed:
                seen["closed"] = None
            else:
                expect(len(received.statuses) == 1, f"{question.name}: the answers are {received.statuses}")
                expect(received.statuses[0] in statuses, f"{question.name}: {received.statuses[0]}")
                expect(received.closed, f"{question.name}: the connection stays open")
                check_refusal(received.answers[0], target)
                seen[told(received)] = None
            expect(not other.failures, f"another client got {other.failures[:3]}")
            others += other.served if target.ours else 0
            figures["rss_mib"] = max(figures["rss_mib"], memory.mib)
            figures["bystander_ms"] = max(figures["bystander_ms"], other.longest)
        expect(figures["rss_mib"] <= mib(target), f"memory grew by {figures['rss_mib']} MiB")
        within(figures["bystander_ms"], BYSTANDER_MS, "another client")
        expect(target.predicted() == before + others, "something was predicted")
        return Outcome(seen=", ".join(seen), figures=figures)

    return run


def twice_the_limit(target: Target) -> float:
    """Return how many MiB may be taken for a body: twice the limit, and a little for what everything takes."""
    return 2 * float(target.limits.get("body_bytes", 8 * MIB)) / MIB + 4


def rows_of_json(total: int) -> Iterator[bytes]:
    """Return a list of numbers in JSON, of so many bytes."""
    row = b"[" + b"1.5," * 16_000 + b"1.5],"
    yield b'{"features":['
    for _ in range(total // len(row)):
        yield row


def as_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


B01 = bodies(
    "B01",
    ("Body over the limit, announced", "上限を超える本文（長さを宣言）"),
    (
        "413 before the body is read; memory grows by less than 64 MiB; another client waits for at most 250 ms",
        "本文を読む前に 413。メモリの増加は 64 MiB 未満、他の利用者の待ちは 250 ms 以下",
    ),
)
B01.add(
    "100-mib",
    poured(lambda t, q: (t.head(question=q, length=100 * MIB), rows_of_json(100 * MIB)), mib=lambda t: 64),
    needs=("body",),
    seconds=120.0,
)
B01.add(
    "blanks",
    poured(
        lambda t, q: (t.head(question=q, length=100 * MIB), iter([PIECE] * 1600)), mib=lambda t: 64, only=("predict",)
    ),
    needs=("body",),
    seconds=60.0,
)


@B01.attack("one-byte-more", needs=("limit:body_bytes", "body"))
def _one_more(target: Target) -> Outcome:
    """The limit itself is taken, one byte more is not."""
    most = int(target.limits["body_bytes"])
    body = target.question.body
    at_the_limit = target.send(target.question, body + b" " * (most - len(body)))
    expect(at_the_limit.status == 200, f"a body at the limit gets {at_the_limit.status}")
    received = target.raw(target.head(length=most + 1) + PIECE)
    expect(received.statuses == [413], f"one byte more gets {received.statuses}")
    return Outcome(seen="200, then 413")


@B01.attack("not-sent", needs=("limit:body_bytes", "body"))
def _not_sent(target: Target) -> Outcome:
    """The answer does not wait for a body that will not be read."""
    received = target.raw(target.head(length=int(target.limits["body_bytes"]) * 12))
    expect(received.statuses == [413] and received.closed, f"the answers are {told(received)}")
    return Outcome(seen=told(received), figures={"ms": within(received.milliseconds, 500, "the answer")})


B02 = bodies(
    "B02",
    ("Body over the limit, in chunks", "上限を超えるチャンク本文"),
    (
        "413 and closed once the limit is passed; memory grows by less than twice the limit",
        "上限を超えた時点で 413 で切断。メモリの増加は上限の2倍未満",
    ),
)
TE = b"Transfer-Encoding: chunked"
B02.add(
    "64-mib-of-blanks",
    poured(lambda t, q: (t.head(TE, question=q), as_chunks(iter([PIECE] * 1024))), mib=twice_the_limit),
    needs=("body",),
    seconds=120.0,
)
B02.add(
    "one-chunk",
    poured(
        lambda t, q: (t.head(TE, question=q) + b"4000000\r\n", iter([PIECE] * 1024)),
        mib=twice_the_limit,
        only=("predict",),
    ),
    needs=("body",),
    seconds=60.0,
)
B02.add(
    "small-chunks",
    poured(
        lambda t, q: (t.head(TE, question=q), iter([b"2\r\n  \r\n" * 8192] * 1024)),
        mib=twice_the_limit,
        only=("predict",),
    ),
    needs=("body", "limit:body_bytes"),
    seconds=60.0,
)
B02.add(
    "tight",
    poured(lambda t, q: (t.head(TE, question=q), as_chunks(iter([b" " * 16_384] * 10))), mib=lambda t: 8),
    needs=("body", "limit:body_bytes"),
    on="tight",
)

# Packed bodies

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


@B04.attack("4-gib-at-the-wire-limit", needs=("limit:body_bytes", "ours"), slow=True, seconds=120.0)
def _wire_limit(target: Target) -> Outcome:
    """As large a bomb as may be sent."""
    return packed(bomb("gzip", 4096), "gzip", (413,), takes=True, codes=("body_too_large",))(target)


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


# Media types

B06 = bodies(
    "B06",
    ("Wrong media type", "誤ったメディアタイプ"),
    ("415, though the body is good JSON", "中身が正しい JSON でも 415"),
)
B07 = bodies(
    "B07",
    ("Media type spelled oddly", "変わった書き方のメディアタイプ"),
    (
        "415, or JSON in UTF-8 strictly; never another decoder",
        "415、または厳密に UTF-8 の JSON として読む。別の文字コードでは読まない",
    ),
)


def typed(
    media_type: str,
    statuses: tuple[int, ...] = (415,),
    *,
    body: Callable[[Question], bytes] = lambda q: q.body,
    headers: dict[str, str] | None = None,
    limit: float = 0.0,
    skip: str | None = None,
) -> Callable[[Target], Outcome]:
    """Send a body under a media type to every route that does not take it."""
    name = media_type.partition(";")[0].strip().lower() if skip is None else skip

    def run(target: Target) -> Outcome:
        asked = [one for one in target.questions.values() if name not in one.takes]
        if not asked:
            raise NotApplicable("every route takes such a body")
        before = target.predicted()
        seen: dict[str, None] = {}
        longest = 0.0
        for question in asked:
            answer = target.send(question, body(question), headers={"content-type": media_type, **(headers or {})})
            expect(answer.status in statuses, f"{question.name}: {answer.status}, not one of {statuses}")
            if answer.status >= 400:
                check_refusal(answer, target)
            if answer.status == 415 and target.ours:
                expect("accept-post" in answer.headers, "415 without Accept-Post")
            seen[f"{answer.status} {answer.code}".strip()] = None
            longest = max(longest, answer.milliseconds)
        expect(200 in statuses or target.predicted() == before, "something was predicted")
        figures = {"ms": within(longest, limit, "the answer")} if limit else {}
        return Outcome(seen=", ".join(seen), figures={"routes": len(asked), **figures})

    return run


for name, media_type in {
    "text": "text/plain",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "octets": "application/octet-stream",
    "csv": "text/csv",
    "html": "text/html",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "msgpack": "application/msgpack",
    "protobuf": "application/x-protobuf",
    "numpy": "application/x-npy",
    "json-lines": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}.items():
    B06.add(name, typed(media_type), needs=("body",))
for name, media_type in {
    "utf-16": "application/json;charset=utf-16",
    "utf-7": "application/json; charset=utf-7",
    "latin-1": "application/json; charset=iso-8859-1",
    "shift-jis": "application/json; charset=shift_jis",
    "two-charsets": "application/json; charset=utf-8; charset=utf-16",
    "problem": "application/problem+json",
    "suffix": "application/vnd.api+json",
    "text-json": "text/json",
    "list": "application/json, text/plain",
    "blank-inside": "application/ json",
    "longer": "application/jsonx",
    "no-type": "json",
    "star": "*/*",
    "slash": "/",
    "bare": "application",
}.items():
    B07.add(name, typed(media_type), needs=("body",))
for name, media_type in {
    "upper-case": "application/JSON",
    "quoted": 'application/json;charset="UTF-8"',
    "utf-8": "application/json; charset=utf-8",
    "no-dash": "application/json; charset=UTF8",
    "semicolon": "application/json;",
    "boundary": "application/json; boundary=x",
}.items():
    # JSON Lines does not mind: its one line is JSON.
    B07.add(name, typed(media_type, (200, 415), skip="application/json"), needs=("body",))
B07.add("none", typed("", (415, 400, 422)), needs=("body",))
for name, charset in {"utf-16": "utf-16", "utf-32": "utf-32", "utf-16-le": "utf-16-le"}.items():
    B07.add(
        f"{name}-body",
        typed(
            f"application/json;charset={charset}", (415, 400), body=lambda q, c=charset: json.dumps(q.good).encode(c)
        ),  # type: ignore[misc]
        needs=("body",),
    )
    B07.add(
        f"{name}-body-unsaid",
        typed(
            "application/json",
            (415, 400, 422),
            body=lambda q, c=charset: json.dumps(q.good).encode(c),
            skip="application/json",
        ),  # type: ignore[misc]
        needs=("body",),
    )


@B07.attack("two-headers", needs=("body",))
def _two_types(target: Target) -> Outcome:
    for types in ((b"application/json", b"text/plain"), (b"text/plain", b"application/json")):
        head = target.head(length=len(target.question.body)).replace(
            b"Content-Type: application/json", b"\r\n".join(b"Content-Type: " + one for one in types)
        )
        received = target.raw(head + target.question.body, half_close=True)
        expect(received.statuses in ([400], [415]), f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


B08 = bodies(
    "B08",
    ("Multipart boundary bomb", "マルチパートの境界文字列爆弾"),
    ("415 in under 50 ms", "50 ms 以内に 415"),
)
B08.add(
    "dashes",
    typed("multipart/form-data; boundary=" + "-" * 70, body=lambda q: b"--" + b"-" * MIB, limit=50.0),
    needs=("body",),
)
B08.add(
    "long-boundary",
    typed("multipart/form-data; boundary=" + "-" * 8000, body=lambda q: b"-" * MIB, limit=50.0),
    needs=("body",),
)
B08.add(
    "many-parts",
    typed(
        "multipart/form-data; boundary=x",
        body=lambda q: b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 10_000,
        limit=50.0,
    ),
    needs=("body",),
)
B08.add(
    "many-parameters", typed("application/json" + "; a=b" * 2000, (415, 431), limit=50.0, skip="-"), needs=("body",)
)
B08.add(
    "form-fields",
    typed("application/x-www-form-urlencoded", body=lambda q: b"a&" * 500_000, limit=50.0),
    needs=("body",),
)


class Marker:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (_touch, (self._path, "w"))


_touch = open
B09 = bodies(
    "B09",
    ("Pickle offered as a body", "本文として送られた pickle"),
    (
        "415 (400 where octets are taken); a file that it would make is never made",
        "415（バイナリを受けるルートでは 400）。作られるはずのファイルは作られない",
    ),
)


def _pickled(
    media_type: str, headers: dict[str, str] | None = None, dress: Callable[[bytes], bytes] = bytes
) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            mark = Path(folder) / "made"
            body = dress(pickle.dumps(Marker(str(mark))))
            seen: dict[str, None] = {}
            for question in target.questions.values():
                for path in (question.path, f"{question.path}?content-type=pickle"):
                    answer = target.ask(path, body, headers={"content-type": media_type, **(headers or {})})
                    wanted = (
                        {415, 400, 422}
                        if media_type in question.takes or media_type == "application/json"
                        else {415, 400}
                    )
                    expect(answer.status in wanted, f"{question.name}: {answer.status}")
                    check_refusal(answer, target)
                    seen[f"{answer.status} {answer.code}".strip()] = None
            expect(not mark.exists(), "the pickle was opened: the file is there")
        return Outcome(seen=", ".join(seen))

    return run


for name, (media_type, more) in {
    "bentoml": (
        "application/vnd.bentoml+pickle",
        {"Payload-Container": "NdarrayContainer", "Payload-Meta": "{}", "Batch-Size": "-1"},
    ),
    "bentoml-frame": (
        "application/vnd.bentoml+pickle",
        {"Payload-Container": "PandasDataFrameContainer", "Payload-Meta": '{"format":"default"}'},
    ),
    "python": ("application/python-pickle", {}),
    "x-pickle": ("application/x-pickle", {}),
    "octets": ("application/octet-stream", {}),
    "joblib": ("application/x-joblib", {}),
    "numpy": ("application/x-npy", {}),
    "json": ("application/json", {"Payload-Container": "NdarrayContainer"}),
    "parquet": ("application/vnd.apache.parquet", {}),
    "arrow": ("application/vnd.apache.arrow.stream", {}),
}.items():
    B09.add(name, _pickled(media_type, more), needs=("body",))


@B09.attack("arrow-extension", needs=("ours", "route:batch"))
def _extension(target: Target) -> Outcome:
    """A column whose type wants to be unpickled, as old readers of Arrow did (CVE-2023-47248)."""
    import io

    import pyarrow as pa
    from pyarrow import ipc, parquet

    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "made"
        evil = {
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": pickle.dumps(Marker(str(mark))),
        }
        schema = pa.schema(
            [pa.field("age", pa.float64(), metadata=evil)], metadata={b"pandas": pickle.dumps(Marker(str(mark)))}
        )
        table = pa.table([pa.array([1.0])], schema=schema)
        stream, file = pa.BufferOutputStream(), io.BytesIO()
        with ipc.new_stream(stream, schema) as writer:
            writer.write_table(table)
        parquet.write_table(table, file)
        for name, body in {"stream": bytes(stream.getvalue()), "parquet": file.getvalue()}.items():
            media_type = "application/vnd.apache.arrow.stream" if name == "stream" else "application/vnd.apache.parquet"
            answer = target.send(target.questions["batch"], body, headers={"content-type": media_type})
            expect(400 <= answer.status < 500, f"{name}: {answer.status}")
        expect(not mark.exists(), "the pickle was opened: the file is there")
    return Outcome(seen=f"{answer.status} {answer.code}")


# Where a body ends

B10 = bodies(
    "B10",
    ("Body shorter than announced", "宣言より短い本文"),
    ("closed or 400; nothing is predicted or kept", "切断か 400。予測も記録もしない"),
)


def _short(data: Callable[[Target, Question], bytes], *, reset: bool = False) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        before = target.counted()
        seen: dict[str, None] = {}
        for question in target.questions.values():
            if reset:
                with target.connect() as connection:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.sendall(data(target, question))
                    time.sleep(0.02)
                continue
            received = target.raw(data(target, question), half_close=True)
            expect(received.closed, f"{question.name}: the connection stays open")
            expect(set(received.statuses) <= {400, 408}, f"{question.name}: the answers are {received.statuses}")
            seen[told(received)] = None
        after = target.counted()
        expect(after == before, f"something was predicted or kept: {before}, then {after}")
        return Outcome(seen=", ".join(seen) or "nothing")

    return run


B10.add("500-and-15", _short(lambda t, q: t.head(question=q, length=500) + b'{"features": [1'), needs=("body",))
B10.add("good-json", _short(lambda t, q: t.head(question=q, length=len(q.body) + 1) + q.body), needs=("body",))
B10.add("reset", _short(lambda t, q: t.head(question=q, length=len(q.body) + 1) + q.body, reset=True), needs=("body",))
B10.add("no-last-chunk", _short(lambda t, q: t.head(TE, question=q) + chunks(q.body)[:-5]), needs=("body",))
B10.add("half-a-last-chunk", _short(lambda t, q: t.head(TE, question=q) + chunks(q.body)[:-2]), needs=("body",))
B10.add("no-body", _short(lambda t, q: t.head(question=q, length=len(q.body))), needs=("body",))

X_B11 = bodies(
    "X-B11",
    ("Body longer than announced", "宣言より長い本文"),
    (
        "what is announced is judged; the rest is no part of it, and closes the connection",
        "宣言された長さだけを判定。残りは本文に含めず、接続を切断",
    ),
)


@X_B11.attack("half-announced", needs=("body",))
def _half_announced(target: Target) -> Outcome:
    before = target.predicted()
    for question in target.questions.values():
        half = len(question.body) // 2
        received = target.raw(target.head(question=question, length=half) + question.body)
        expect(received.closed, "the connection stays open")
        expect(
            received.statuses and 200 not in received.statuses, f"{question.name}: the answers are {received.statuses}"
        )
        expect(set(received.statuses) <= {400, 422, 501}, f"{question.name}: the answers are {received.statuses}")
    expect(target.predicted() == before, "something was predicted")
    return Outcome(seen=told(received))


@X_B11.attack("all-announced-and-more", needs=("body", "ours"))
def _more_than_announced(target: Target) -> Outcome:
    received = target.raw(target.post() + b'{"features": [1, 2, 3]}')
    expect(received.closed, "the connection stays open")
    expect(received.statuses in ([200, 400], [200, 501]), f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


@X_B11.attack("zero-and-a-body", needs=("body",))
def _zero_and_a_body(target: Target) -> Outcome:
    received = target.raw(target.head(length=0) + target.question.body)
    expect(received.closed and 200 not in received.statuses, f"the answers are {told(received)}")
    return Outcome(seen=told(received))


B12 = bodies("B12", ("Empty body", "空の本文"), ("400 or 422", "400 か 422"))


def _empty(data: Callable[[Target, Question], bytes]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        seen: dict[str, None] = {}
        for question in target.questions.values():
            received = target.raw(data(target, question), half_close=True)
            expect(len(received.statuses) == 1, f"{question.name}: the answers are {received.statuses}")
            expect(received.statuses[0] in {400, 411, 422}, f"{question.name}: {received.statuses[0]}")
            check_refusal(received.answers[0], target)
            seen[f"{received.statuses[0]} {received.answers[0].code}".strip()] = None
        return Outcome(seen=", ".join(seen))

    return run


B12.add("length-0", _empty(lambda t, q: t.head(question=q, length=0)), needs=("body",))
B12.add("no-length", _empty(lambda t, q: t.head(question=q)), needs=("body",))
B12.add("chunks", _empty(lambda t, q: t.head(TE, question=q) + chunks()), needs=("body",))
B12.add("blanks", _empty(lambda t, q: t.post(body=b" \n\t ", question=q)), needs=("body",))
B12.add("nul", _empty(lambda t, q: t.post(body=b"\0", question=q)), needs=("body",))
B12.add("http-1.0", _empty(lambda t, q: t.head(question=q).replace(b"HTTP/1.1", b"HTTP/1.0")), needs=("body",))

B13 = bodies(
    "B13",
    ("Many legal bodies at once", "上限以内の大きな本文を同時に多数"),
    (
        "memory stays under workers × limit × 2 + 128 MiB; what is too much gets 429 or 503; small ones are served",
        "メモリはワーカー数 × 上限 × 2 + 128 MiB 未満。超過分は 429 か 503。小さな要求には応答",
    ),
)


def _at_once(clients: int, share: float, pause: float) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        size = int(target.limits["body_bytes"] * 0.95)
        question = target.questions.get("batch", target.question)
        statuses: list[int] = []
        lock = threading.Lock()

        def one() -> None:
            sent = 0
            with contextlib.suppress(OSError), target.connect(60) as connection:
                with contextlib.suppress(OSError):
                    connection.sendall(target.head(b"Connection: close", question=question, length=size) + b"[")
                    while sent < size * share:
                        connection.sendall(PIECE)
                        sent += len(PIECE)
                        time.sleep(pause)
                    connection.sendall(b" " * (size - sent - 2) + b"]")
                received = read_all(connection, wait=20)
                with lock:
                    statuses.extend(received.statuses)

        most = float(target.limits.get("workers", 1)) * float(target.limits["body_bytes"]) * 2 / MIB + 128
        with Memory(target) as memory, target.bystander(every=0.05) as other:
            threads = [threading.Thread(target=one, daemon=True) for _ in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        expect(set(counts) <= {422, 400, 429, 503, 408}, f"the answers are {counts}")
        expect(len(statuses) == clients, f"{len(statuses)} of {clients} have an answer")
        expect(counts.get(422, 0) + counts.get(400, 0) > 0, "not one was read")
        expect(memory.mib < most, f"memory grew by {memory.mib} MiB")
        expect(not other.failures, f"another client got {other.failures[:3]}")
        return Outcome(
            seen=", ".join(f"{count} × {status}" for status, count in counts.items()),
            figures={"rss_mib": memory.mib, "bystander_ms": other.longest},
        )

    return run


B13.add("12", _at_once(12, 0.5, 0.002), needs=("body", "limit:body_bytes"), seconds=60.0)
B13.add("64", _at_once(64, 0.9, 0.02), needs=("body", "limit:body_bytes"), slow=True, seconds=120.0)


@B13.attack("budget", needs=("body", "ours", "route:batch"))
def _budget(target: Target) -> Outcome:
    """Two bodies of nearly the limit are held; the others are turned away at their heads, and what was held is given back."""
    size = 7 * MIB
    head = target.head(b"Connection: close", question=target.questions["batch"], length=size)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(target.connect()) for _ in range(6)]
        for one in held:
            one.sendall(head + b"[")
        time.sleep(0.2)
        turned_away = [one for one in held if read_all(one, wait=0.3).statuses == [503]]
        expect(len(turned_away) == 4, f"{len(turned_away)} of 6 are turned away")
        expect(target.send(target.question).status == 200, "a small one is not served")
        accepted = next(one for one in held if one not in turned_away)
        accepted.settimeout(20)
        accepted.sendall(b" " * (size - 2) + b"]")
        expect(one_answer(accepted).status == 422, "one that was accepted is not judged")
    later = target.raw(head + b"[" + b" " * (size - 2) + b"]")
    expect(later.statuses == [422], f"afterwards one gets {later.statuses}")
    return Outcome(seen="2 held, 4 × 503")


X_B14 = bodies(
    "X-B14",
    ("Header fields that describe a body falsely", "本文を偽って説明するヘッダー"),
    ("4xx at once; nothing is taken by what is said", "すぐに 4xx。宣言どおりに資源を確保しない"),
)


def _described(lines: tuple[bytes, ...], statuses: set[int], route: str = "infer") -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        question = target.questions[route]
        with Memory(target) as memory:
            received = target.raw(target.post(*lines, question=question), half_close=True)
        expect(len(received.statuses) == 1 and received.statuses[0] in statuses, f"the answers are {received.statuses}")
        if received.statuses[0] >= 400:
            check_refusal(received.answers[0], target)
        expect(memory.mib < 4, f"memory grew by {memory.mib} MiB")
        return Outcome(seen=told(received), figures={"ms": within(received.milliseconds, 200, "the answer")})

    return run


LENGTH = b"Inference-Header-Content-Length: "
for name, value in {
    "0": b"0",
    "-1": b"-1",
    "1": b"1",
    "2^31": b"2147483648",
    "2^63": b"9223372036854775808",
    "word": b"x",
    "empty": b"",
    "point": b"1.0",
    "plus": b"+5",
}.items():
    X_B14.add("json-length-" + name, _described((LENGTH + value,), {400, 422}), needs=("route:infer",))
X_B14.add("json-length-twice", _described((LENGTH + b"1", LENGTH + b"2"), {400}), needs=("route:infer",))
for name, value in {
    "many": b"application/json;q=0.1," * 600,
    "qualities": b"*/*;q=" + b"9" * 5000,
    "nonsense": b";;;,,",
    "nothing": b"text/html",
}.items():
    X_B14.add("accept-" + name, _described((b"Accept: " + value,), {200, 406}, "batch"), needs=("route:batch",))
for name, value in {"many": b"gzip;q=0.1," * 1000, "nonsense": b"gzip;q=x, *;q=" + b"1" * 4000}.items():
    X_B14.add(
        "accept-encoding-" + name, _described((b"Accept-Encoding: " + value,), {200}, "batch"), needs=("route:batch",)
    )
X_B14.add("language", _described((b"Accept-Language: " + b"ja;q=0.1," * 1500,), {200}, "batch"), needs=("route:batch",))
X_B14.add(
    "content-md5",
    _described((b"Content-MD5: x", b"Digest: sha-256=x", b"Content-Range: bytes 0-1/2"), {200, 400}, "batch"),
    needs=("route:batch",),
)

__all__ = ["KINDS", "Answer", "Fell", "Memory"]
