"""The same over gRPC: bytes that are none of it, messages that are too large, bombs, and shapes that lie."""

from __future__ import annotations

import contextlib
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Client, read_all
from tests.attacks.service.memory import Memory
from tests.attacks.service.moves import BYSTANDER_MS, MIB
from tests.attacks.service.target import Target

KINDS = bodies = Chapter("bodies")
NEEDS = ("grpc", "ours")
HARMLESS = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"}
"""What a caller's own fault may be called."""

X_G1 = bodies(
    "X-B20",
    ("Bytes on the gRPC port that are no gRPC", "gRPC ポートへの gRPC でないデータ"),
    ("the connection ends, or the bytes are ignored; others are served", "切断するか無視し、他の利用者には応答"),
)
X_G2 = bodies(
    "X-B21",
    ("gRPC messages over the limit, and packed bombs", "上限を超える gRPC メッセージと圧縮爆弾"),
    (
        "RESOURCE_EXHAUSTED; memory grows by less than three times the limit",
        "RESOURCE_EXHAUSTED。メモリの増加は上限の3倍未満",
    ),
)
X_G3 = bodies(
    "X-B22",
    ("gRPC messages whose shapes or bytes lie", "形やデータを偽る gRPC メッセージ"),
    ("INVALID_ARGUMENT; never INTERNAL or UNKNOWN", "INVALID_ARGUMENT。INTERNAL や UNKNOWN は返さない"),
)


def _no_grpc(data: bytes, *, ends: bool = True) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        with target.bystander() as other, Client(url=f"http://127.0.0.1:{target.more['grpc']}").connect() as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            received = read_all(connection, wait=25 if ends else 0.5)
        expect(received.closed or not ends, "the connection stays open")
        expect(not other.failures, f"another client got {other.failures[:3]}")
        return Outcome(
            seen="closed" if received.closed else "ignored",
            figures={
                "ms": round(received.milliseconds, 1),
                "bystander_ms": within(other.longest, BYSTANDER_MS, "another client"),
            },
        )

    return run


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
for name, data in {
    "http-1": b"POST /predict HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "random": random.Random(1).randbytes(4096),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "long-frame": PREFACE + b"\0\0\0\4\0\0\0\0\0" + b"\xff\xff\xff\0\0\0\0\0\1" + b"x" * 65_536,
    "data-for-no-stream": PREFACE + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\0\1\0\0\0\5abcd" * 100,
    "header-of-garbage": PREFACE + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff",
}.items():
    # HTTP/2 lets a server ignore what belongs to a stream that it does not know.
    X_G1.add(name, _no_grpc(data, ends=name != "data-for-no-stream"), needs=NEEDS, on="grpc", seconds=60.0)


@contextlib.contextmanager
def calling(target: Target, **options: Any) -> Iterator[Callable[..., str]]:
    """Give what sends a message and returns the name of the status."""
    import grpc

    with grpc.insecure_channel(
        f"127.0.0.1:{target.more['grpc']}", options=[("grpc.max_send_message_length", -1)], **options
    ) as channel:
        infer = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer", request_serializer=bytes, response_deserializer=bytes
        )

        def call(message: bytes, **more: Any) -> str:
            try:
                infer(message, timeout=20, **more)
            except grpc.RpcError as error:
                said = str(error.details())
                expect("Traceback" not in said and "/" not in said.replace("/v2", ""), f"the details say {said[:200]}")
                return str(error.code().name)
            return "OK"

        yield call


def asked(
    shape: list[int] | None = None, raw: bytes | None = None, datatype: str = "FP64", values: list[float] | None = None
) -> bytes:
    """Return a request in protocol buffers."""
    from sekisho.serving.grpc.messages import messages

    request = messages()["ModelInferRequest"](model_name="iris")
    one = request.inputs.add(name="features", datatype=datatype, shape=shape or [1, 4])
    if raw is None:
        one.contents.fp64_contents.extend(values or [5.0, 3.0, 1.5, 0.2])
    else:
        request.raw_input_contents.append(raw)
    return bytes(request.SerializeToString())


@X_G2.attack("64-mib", needs=NEEDS, on="grpc", seconds=60.0)
def _too_large(target: Target) -> Outcome:
    return _exhausting(target, asked([10**6, 8], b"\0" * (64 * MIB)))


@X_G2.attack("gzip-bomb", needs=NEEDS, on="grpc", seconds=60.0)
def _bomb(target: Target) -> Outcome:
    import grpc

    return _exhausting(target, asked([10**6, 8], b"\0" * (64 * MIB)), compression=grpc.Compression.Gzip)


@X_G2.attack("deflate-bomb", needs=NEEDS, on="grpc", seconds=60.0)
def _deflate_bomb(target: Target) -> Outcome:
    import grpc

    return _exhausting(target, asked([10**6, 8], b"\0" * (64 * MIB)), compression=grpc.Compression.Deflate)


@X_G2.attack("metadata", needs=NEEDS, on="grpc", seconds=60.0)
def _metadata(target: Target) -> Outcome:
    """Metadata of a mebibyte, and ten thousand fields of it."""
    seen: dict[str, None] = {}
    with calling(target) as call:
        for metadata in ((("x-a", "a" * MIB),), tuple((f"x-{n}", "a") for n in range(10_000))):
            status = call(asked(), metadata=metadata)
            expect(
                status in {"RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNAVAILABLE", "INTERNAL"},
                f"the status is {status}",
            )
            seen[status] = None
    return Outcome(seen=", ".join(seen))


def _exhausting(target: Target, message: bytes, **options: Any) -> Outcome:
    with calling(target) as call:
        expect(call(asked()) == "OK", "a good message is not answered")
    with Memory(target) as memory, target.bystander() as other, calling(target, **options) as call:
        status = call(message)
    expect(status == "RESOURCE_EXHAUSTED", f"the status is {status}")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    most = 3 * float(target.limits["body_bytes"]) / MIB
    expect(memory.mib < most, f"memory grew by {memory.mib} MiB")
    return Outcome(seen=status, figures={"rss_mib": memory.mib, "bystander_ms": other.longest})


FLOATS = struct.pack("<4d", 5.0, 3.0, 1.5, 0.2)


@X_G3.attack("shapes", needs=NEEDS, on="grpc", seconds=60.0)
def _shapes(target: Target) -> Outcome:
    counts: Counter[str] = Counter()
    before = target.predicted()
    with Memory(target) as memory, calling(target) as call:
        for shape in (
            [-1, 4],
            [10**9, 10**9],
            [2**62 + 1, 4],
            [2**32, 2**32],
            [2, 4],
            [4, 1],
            [4],
            [1, 1, 4],
            [0, 4],
            [1] * 1000,
            [-1, -4],
        ):
            for message in (asked(shape), asked(shape, FLOATS)):
                status = call(message)
                expect(status in {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}, f"{shape[:4]}: the status is {status}")
                counts[status] += 1
        for raw in (
            b"",
            FLOATS[:-1],
            FLOATS + b"\0",
            FLOATS * 2,
            struct.pack("<4d", float("inf"), 1, 1, 1),
            struct.pack("<4d", float("nan"), 1, 1, 1),
        ):
            status = call(asked(raw=raw))
            expect(status == "INVALID_ARGUMENT", f"{len(raw)} bytes: the status is {status}")
            counts[status] += 1
        for datatype in ("FP65", "", "BYTES", "BOOL", "fp64", "x" * 10_000):
            status = call(asked(raw=FLOATS, datatype=datatype))
            expect(status == "INVALID_ARGUMENT", f"{datatype[:9]}: the status is {status}")
            counts[status] += 1
    expect(target.predicted() == before, "something was predicted")
    expect(memory.mib < 8, f"memory grew by {memory.mib} MiB")
    return Outcome(seen=", ".join(f"{count} × {status}" for status, count in counts.items()))


@X_G3.attack("300-damaged", needs=NEEDS, on="grpc", seconds=60.0)
def _damaged(target: Target) -> Outcome:
    """A good message with some of its bytes changed, cut or doubled."""
    chance = random.Random(22)
    counts: Counter[str] = Counter()
    good = [asked(), asked(raw=FLOATS)]
    with calling(target) as call:
        for _ in range(300):
            body = bytearray(chance.choice(good))
            for _ in range(chance.choice((1, 1, 2, 5))):
                place = chance.randrange(len(body))
                body[place : place + chance.choice((0, 1, 4))] = chance.choice(
                    (b"\xff", b"\0", b"\xff\xff\xff\xff\x0f", b"", bytes(body[:8]))
                )
            status = call(bytes(body))
            expect(status in HARMLESS, f"the status is {status} to {bytes(body)!r}")
            counts[status] += 1
    return Outcome(seen=", ".join(f"{count} × {status}" for status, count in counts.most_common()))


@X_G3.attack("500-cancelled", needs=NEEDS, on="grpc", seconds=60.0)
def _cancelled(target: Target) -> Outcome:
    """Calls that are taken back as soon as they are made."""
    import grpc

    with target.bystander() as other, grpc.insecure_channel(f"127.0.0.1:{target.more['grpc']}") as channel:
        infer = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer", request_serializer=bytes, response_deserializer=bytes
        )
        for _ in range(500):
            infer.future(asked(), timeout=20).cancel()
        # The service may have had enough of this connection by now; of a new one it has not.
        with calling(target) as call:
            expect(call(asked()) == "OK", "a good message is not answered")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    return Outcome(seen="served", figures={"bystander_ms": other.longest})
