"""Requests that HTTP forbids, or that are made to hurt: each is refused or ignored as it must be, and the next client is served.

The ids are those of the attacks that the project keeps a list of.
"""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Running, read_all, until

ROW = json.dumps({"features": [5.0, 3.0, 1.5, 0.2]}).encode()
HOST = b"Host: localhost\r\n"
TYPE = b"Content-Type: application/json\r\n"
INNER = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
"""A request that must never be answered when it stands in the body of another."""


def post(*fields: bytes, body: bytes = ROW, target: bytes = b"/predict", length: bool = True) -> bytes:
    announced = b"Content-Length: %d\r\n" % len(body) if length else b""
    return (
        b"POST "
        + target
        + b" HTTP/1.1\r\n"
        + HOST
        + TYPE
        + announced
        + b"".join(f + b"\r\n" for f in fields)
        + b"\r\n"
        + body
    )


def chunked(*chunks: bytes, trailers: bytes = b"", coding: bytes = b"chunked") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"
    return post(b"Transfer-Encoding: " + coding, body=body, length=False)


@dataclass(frozen=True)
class Case:
    id: str
    sent: bytes
    statuses: tuple[int, ...]


CASES = [
    Case("H01", post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + INNER), (400,)),
    Case(
        "H01-cl4",
        b"POST /predict HTTP/1.1\r\n"
        + HOST
        + TYPE
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + INNER,
        (400,),
    ),
    Case("H02", chunked(ROW, coding=b"xchunked") + INNER, (400, 501)),
    Case("H03", chunked(ROW, coding=b"chunked, identity") + INNER, (400, 501)),
    Case("H03-gzip", chunked(ROW, coding=b"gzip, chunked") + INNER, (400, 501)),
    Case("H04", post(b"Content-Length: 1"), (400,)),
    Case("H04-list", post(b"Content-Length: 5, 5", length=False), (400,)),
    Case("H05-plus", post(b"Content-Length: +36", length=False), (400,)),
    Case("H05-minus", post(b"Content-Length: -1", length=False), (400,)),
    Case("H05-huge", post(b"Content-Length: %d" % 2**70, length=False), (400, 413)),
    Case("H05-large", post(b"Content-Length: %d" % 2**60, length=False), (413,)),
    Case(
        "H07-0x",
        post(b"Transfer-Encoding: chunked", body=b"0x1f\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n", length=False),
        (400,),
    ),
    Case("H07-minus", post(b"Transfer-Encoding: chunked", body=b"-1\r\n\r\n0\r\n\r\n", length=False), (400,)),
    Case("H07-empty", post(b"Transfer-Encoding: chunked", body=b"\r\nabc\r\n0\r\n\r\n", length=False), (400,)),
    Case("H07-long", post(b"Transfer-Encoding: chunked", body=b"f" * 20 + b"\r\nabc", length=False), (400, 413)),
    Case(
        "H08",
        post(b"Transfer-Encoding: chunked", body=b"%x\r\n%bXX0\r\n\r\n" % (len(ROW), ROW) + INNER, length=False),
        (400,),
    ),
    Case("H10", post(b"X-Tag : 36"), (400,)),
    Case("H10-cl", post(b"Content-Length : %d" % len(ROW), length=False), (400,)),
    Case("H11", post(b"X-A: b\r\n c"), (400,)),
    Case("H12-nul", post(b"X-A: a\0b"), (400,)),
    Case("H12-cr", post(b"X-A: a\rX-B: b"), (400,)),
    Case("H12-lf", post(b"X-A: a\nX-B: b"), (400,)),
    Case("H13-none", b"GET /health HTTP/1.1\r\n\r\n", (400,)),
    Case("H13-two", b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n", (400,)),
    Case("H14-query", b"GET /metrics HTTP/1.1\r\nHost: x/health?y=\r\n\r\n", (400,)),
    Case("H14-hash", b"GET /metrics HTTP/1.1\r\nHost: x#/\r\n\r\n", (400,)),
    Case("H16-one", post(b"X-A: " + b"a" * 1_048_576), (431,)),
    Case("H16-many", post(*(b"X-%d: a" % n for n in range(10_000))), (431,)),
    Case("H17", b"POST /predict?" + b"a" * 1_048_576 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (414, 431)),
    Case("H18-te", post(b"Transfer_Encoding: chunked"), (200,)),
    Case("H18-cl", post(b"Content_Length: 1"), (200,)),
    Case("H20-9.9", b"GET /health HTTP/9.9\r\n" + HOST + b"\r\n", (400, 505)),
    Case("H20-0.9", b"GET /health\r\n\r\n", (400, 505)),
    Case("H20-2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 405, 505)),
    Case("H21-trace", b"TRACE /health HTTP/1.1\r\n" + HOST + b"X-Secret: 1\r\n\r\n", (405, 501)),
    Case("H21-connect", b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501)),
    Case("H21-foo", b"FOO /health HTTP/1.1\r\n" + HOST + b"\r\n", (405, 501)),
    Case("H21-lower", b"post /predict HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501)),
    Case("H21-options", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", (405, 501)),
    Case("H21-get", b"GET /predict HTTP/1.1\r\n" + HOST + b"\r\n", (405,)),
    Case("H23", chunked(ROW, trailers=b"Authorization: Bearer x\r\nContent-Length: 3\r\nHost: evil\r\n"), (200, 400)),
    Case(
        "H24",
        b"POST /predict HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n",
        (413, 417),
    ),
    Case("H24-other", post(b"Expect: 200-ok"), (417,)),
    Case("H26", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, (400,)),
    Case("H29-dots", b"GET /docs/..%2f..%2fetc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    Case("H29-encoded", b"GET /docs/%252e%252e/ HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    Case("H29-back", b"GET /docs/..\\..\\etc HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    Case("H29-plain", b"GET /docs/../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    Case("K15-host", b"GET /model/info HTTP/1.1\r\nHost: evil.example\r\n\r\n", (400,)),
    Case("B01", post(b"Content-Length: 104857600", body=b"[" * 500_000, length=False), (413,)),
    Case("B02", chunked(*[b" " * 16_384] * 10), (413,)),
    Case("B10", post(b"Content-Length: 500", body=b'{"features": [1', length=False), (400, 408)),
    Case(
        "chunk-extension", post(b"Transfer-Encoding: chunked", body=b"1;" + b"a" * 2_000_000, length=False), (400, 413)
    ),
    Case("trailers", chunked(ROW, trailers=b"".join(b"X-%d: a\r\n" % n for n in range(5000))), (400, 431)),
    Case(
        "upgrade", b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", (200, 400)
    ),
    Case(
        "h2c",
        b"GET /health HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        (200, 400),
    ),
    Case("fragment", b"GET /health#x HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
    Case("absolute", b"GET http://localhost/health HTTP/1.1\r\n" + HOST + b"\r\n", (200,)),
    Case("http10", b"GET /health HTTP/1.0\r\n\r\n", (200,)),
    Case(
        "range",
        b"GET /docs HTTP/1.1\r\n"
        + HOST
        + b"Range: bytes="
        + b",".join(b"%d-%d" % (n, n) for n in range(1500))
        + b"\r\n\r\n",
        (200, 206, 416),
    ),
]


def statuses(received: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"(?:^|\n|\})HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_it_is_refused_and_nothing_after_it_is_read(open_service: Running, case: Case) -> None:
    began = time.monotonic()
    # Where an answer leaves the connection open, our end of it closes, so that nobody waits.
    received = open_service.raw(case.sent, half_close=True)
    got = statuses(received)
    assert len(got) == 1, received[:500]
    assert got[0] in case.statuses
    assert time.monotonic() - began < 5.0
    assert b"X-Secret" not in received
    assert b"Traceback" not in received
    if got[0] in {405, 501}:
        assert b"\r\nallow: " in received
    if got[0] >= 400:
        assert b"application/problem+json" in received
    assert open_service.ask("/health").status == 200


def test_nothing_of_all_this_leaves_a_trace_of_ours_in_the_log(open_service: Running) -> None:
    for line in open_service.lines:
        assert "internal error" not in line, line
        assert "Traceback" not in line, line
        json.loads(line)
        assert len(line) < 4096


@pytest.mark.parametrize(
    "given", [b"a\x0bb", b"a%0d%0aSet-Cookie: x", b"x" * 5000, "é😀".encode(), b"a b", b"", b"<script>"]
)
def test_a_harmful_request_id_is_replaced(open_service: Running, given: bytes) -> None:
    received = open_service.raw(
        b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"X-Request-ID: " + given + b"\r\n\r\n"
    )
    assert statuses(received)[0] in {200, 400}
    assert b"Set-Cookie" not in received
    (made,) = re.findall(rb"\r\nx-request-id: ([^\r]*)\r\n", received)
    assert re.fullmatch(rb"[0-9a-f]{10}-[0-9a-f]+", made)


def test_absurd_correlation_headers_do_no_harm(open_service: Running) -> None:
    baggage = b"baggage: " + b",".join(b"k%d=v" % n for n in range(1000))
    answer = open_service.raw(
        b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"traceparent: garbage\r\n" + baggage + b"\r\n\r\n"
    )
    assert statuses(answer) == [200]


def test_no_100_continue_before_a_refusal_and_one_before_a_body(open_service: Running) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\n" + HOST + TYPE + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: "
    )
    assert not open_service.raw(head + b"10000000\r\n\r\n").startswith(b"HTTP/1.1 100")
    with open_service.connect() as connection:
        connection.sendall(head + b"%d\r\n\r\n" % len(ROW))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(ROW)
        assert statuses(read_all(connection)) == [200]


def test_requests_in_one_go_are_answered_in_order(open_service: Running) -> None:
    ids = [f"in-order-{n}".encode() for n in range(40)]
    sent = b"".join(
        post(b"X-Request-ID: " + one)
        if n % 3
        else b"GET /model/info HTTP/1.1\r\n" + HOST + b"X-Request-ID: " + one + b"\r\n\r\n"
        for n, one in enumerate(ids)
    )
    received = open_service.raw(sent + b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert re.findall(rb"\r\nx-request-id: (in-order-\d+)\r\n", received) == ids
    assert statuses(received) == [200] * 41


def test_far_too_many_requests_in_one_go_end_the_connection(open_service: Running) -> None:
    received = open_service.raw((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 3000)
    assert len(statuses(received)) < 3000
    assert open_service.ask("/health").status == 200


def test_the_same_head_again_is_read_as_the_first_time(open_service: Running) -> None:
    """A head that is known by its bytes must not make a difference to what follows it."""
    bad = post(body=b'{"features": [1]}')
    with open_service.connect() as connection:
        for sent, status in ((post(), 200), (post(), 200), (bad, 422), (post(), 200), (bad, 422)):
            connection.sendall(sent)
            assert statuses(connection.recv(65_536)) == [status]
        # In two pieces, and with the next request behind it.
        again = post()
        connection.sendall(again[:60])
        time.sleep(0.05)
        connection.sendall(again[60:] + again + bad)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_all(connection)) == [200, 200, 422]


def test_half_closed_connections_get_their_answer(open_service: Running) -> None:
    assert statuses(open_service.raw(post(), half_close=True)) == [200]
    assert open_service.raw(b"", half_close=True) == b""


@pytest.mark.parametrize(
    ("sent", "within"),
    [
        (b"", 3.0),  # C03: silent
        (b"POST /pre", 3.0),  # C01: half a head
        (post(b"Content-Length: 5000", body=b"{", length=False), 4.0),  # C02: half a body
        (post(), 4.0),  # idle after an answer
    ],
)
def test_who_dawdles_is_shown_out(open_service: Running, sent: bytes, within: float) -> None:
    with open_service.connect() as connection:
        began = time.monotonic()
        connection.sendall(sent)
        received = read_all(connection)
        assert 0.9 < time.monotonic() - began < within
        expected = [] if sent in {b"", b"POST /pre"} else [200] if sent == post() else [408]
        assert statuses(received) == ([408] if sent == b"POST /pre" else expected)


def test_dripping_does_not_buy_time(open_service: Running) -> None:
    with open_service.connect() as connection:
        began = time.monotonic()
        try:
            while time.monotonic() - began < 6.0:
                connection.sendall(b"G")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - began < 4.0


def test_a_client_that_does_not_read_is_let_go(open_service: Running) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(1.0)
        connection.connect(("127.0.0.1", open_service.port))
        try:
            while True:
                connection.sendall((b"GET /docs HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
        except OSError:
            pass
        until(lambda: open_service.metric("ml_connections") <= 2)


def test_good_clients_are_served_while_a_thousand_do_nothing(open_service: Running) -> None:
    idlers = [open_service.connect() for _ in range(1200)]
    try:
        for one in idlers:
            one.sendall(b"POST /predict HT")
        answers = [open_service.predict([5.0, 3.0, 1.5, 0.2]).status for _ in range(5)]
        assert answers == [200] * 5
    finally:
        for one in idlers:
            one.close()
    assert until(lambda: open_service.metric("ml_connections") < 50)


def test_clients_that_leave_at_once_leave_nothing_behind(open_service: Running) -> None:
    (worker,) = open_service.workers()
    descriptors = Path(f"/proc/{worker}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(500):
        connection = open_service.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(post())
        connection.close()
    until(lambda: len(list(descriptors.iterdir())) <= before + 3)
    assert open_service.metric("ml_predictions_total", status="error") == 0


def test_a_large_body_does_not_hold_up_others(open_service: Running) -> None:
    before = memory_of(open_service)
    with open_service.connect() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 104857600\r\n\r\n")
        try:
            for _ in range(1600):
                connection.sendall(b" " * 65_536)
        except OSError:
            pass
        assert open_service.predict([5.0, 3.0, 1.5, 0.2]).status == 200
    assert memory_of(open_service) - before < 64 * 2**20


def memory_of(service: Running) -> int:
    (worker,) = service.workers()
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * 4096


def test_many_large_bodies_at_once_are_held_to_a_budget(service: Running) -> None:
    size = 7 * 2**20
    head = (
        b"POST /predict/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"X-API-Key: " + str(service.key).encode() + b"\r\nContent-Length: %d\r\n\r\n" % size
    )
    open_ones = [service.connect() for _ in range(6)]
    try:
        for one in open_ones:
            one.sendall(head + b"[")
        time.sleep(0.2)
        for one in open_ones:
            one.settimeout(0.3)
        turned_away = [one for one in open_ones if b" 503 " in read_all(one)[:20]]
        assert len(turned_away) == 4
        assert service.ask("/predict", {"features": []}).status == 422  # small ones are served meanwhile
        accepted = next(one for one in open_ones if one not in turned_away)
        accepted.settimeout(20)
        accepted.sendall(b" " * (size - 2) + b"]")
        assert statuses(read_all(accepted)) == [422]
    finally:
        for one in open_ones:
            one.close()
    with service.connect() as later:  # what was held has been given back
        later.sendall(head + b"[" + b" " * (size - 2) + b"]")
        assert statuses(read_all(later)) == [422]
