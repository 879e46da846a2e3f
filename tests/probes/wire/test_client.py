"""The client: what it sends, and how it reports every way in which an answer can come or not."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

import pytest

from sekisho.probes.wire.client import Address, exchange
from sekisho.probes.wire.message import Reply, Request, post

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Talk], str]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


def answers(*replies: bytes, keep: bool = True) -> Talk:
    """Answer the requests of each connection in turn, then close it unless it is kept."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await read_request(reader)
            writer.write(reply)
            await writer.drain()
        if keep:
            await reader.read()

    return talk


def ok(body: bytes = b"{}", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), headers, body)


def test_an_answer_with_a_length_is_read_whole(serve: Serve) -> None:
    (reply,) = exchange(
        serve(answers(ok(b'{"a": 1}', b"Content-Type: application/JSON; charset=utf-8\r\n"))), [Request(target="/")]
    )
    assert (reply.status, reply.json(), reply.media_type, reply.fault) == (200, {"a": 1}, "application/json", None)
    assert reply.seconds > 0


def test_the_answer_to_head_has_no_body_whatever_length_it_states(serve: Serve) -> None:
    said = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 211\r\n\r\n"
    asked = [Request(method="HEAD", target="/"), Request(method="HEAD", target="/")]
    replies = exchange(serve(answers(said)), asked, timeout=2.0)
    assert [(reply.status, reply.body, reply.fault) for reply in replies] == [(401, b"", None)] * 2


def test_an_answer_in_chunks_is_put_together(serve: Serve) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    (reply,) = exchange(serve(answers(chunked)), [Request(target="/")])
    assert reply.body == b"abcde"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_answer_is_unpacked(serve: Serve, coding: str) -> None:
    body = (gzip.compress if coding == "gzip" else zlib.compress)(b'{"prediction": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body))
    (reply,) = exchange(serve(answers(head + body)), [Request(target="/")])
    assert reply.json() == {"prediction": 1}


def test_an_answer_that_says_it_is_compressed_and_is_not_stays_as_it_came(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    (reply,) = exchange(serve(answers(head)), [Request(target="/")])
    assert reply.body == b"{}"


def test_an_answer_without_a_length_ends_with_the_connection(serve: Serve) -> None:
    (reply,) = exchange(serve(answers(b"HTTP/1.1 200 OK\r\n\r\nabc", keep=False)), [Request(target="/")])
    assert (reply.status, reply.body) == (200, b"abc")


def test_an_answer_that_is_cut_off_is_no_answer(serve: Serve) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    (reply,) = exchange(serve(answers(cut, keep=False)), [Request(target="/")])
    assert (reply.status, reply.fault) == (0, "closed")


def test_a_hundred_and_continue_is_not_the_answer(serve: Serve) -> None:
    (reply,) = exchange(serve(answers(b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"late"))), [post("/", b"{}")])
    assert (reply.status, reply.body) == (200, b"late")


def test_what_is_no_http_is_malformed(serve: Serve) -> None:
    (reply,) = exchange(serve(answers(b"SSH-2.0-OpenSSH_9.2\r\n")), [Request(target="/")])
    assert (reply.status, reply.fault) == (0, "malformed")


def test_silence_is_a_timeout(serve: Serve) -> None:
    (reply,) = exchange(serve(answers(b"")), [Request(target="/")], timeout=0.05)
    assert (reply.status, reply.fault) == (0, "timeout")


def test_nobody_there_is_refused(serve: Serve) -> None:
    (reply,) = exchange("http://127.0.0.1:1", [Request(target="/")], timeout=1.0)
    assert (reply.status, reply.fault) == (0, "refused")


def test_connections_are_kept_and_answers_keep_the_order_of_the_requests(serve: Serve) -> None:
    opened = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while True:
            target = (await read_request(reader)).split(b" ")[1]
            await asyncio.sleep(0.01 if target.endswith(b"0") else 0)
            writer.write(ok(target))

    url = serve(talk)
    replies = exchange(url, [Request(target=f"/{number}") for number in range(60)], connections=3)
    assert [reply.body.decode() for reply in replies] == [f"/{number}" for number in range(60)]
    assert opened == 3


def test_a_connection_that_the_service_closes_between_two_requests_is_opened_anew(serve: Serve) -> None:
    replies = exchange(serve(answers(ok(), keep=False)), [Request(target="/")] * 3)
    assert [reply.status for reply in replies] == [200, 200, 200]


def test_an_early_refusal_of_a_large_body_is_heard(serve: Serve) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    (reply,) = exchange(serve(talk), [post("/", b" " * 20_000_000)])
    assert reply.status == 413


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_is_sent_as_it_is(serve: Serve, chunked: bool) -> None:
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = b"0\r\n\r\n" if chunked else b"{}"
        while not heard.endswith(ends):
            heard.extend(await reader.read(1024))
        writer.write(ok())

    url = serve(talk) + "/prefix"
    exchange(url, [post("/predict?x=1", b"{}", chunked=chunked).with_headers(("X-API-Key", "k"))])
    head, _, body = bytes(heard).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /prefix/predict?x=1 HTTP/1.1"
    assert f"Host: {url.split('/')[2]}" in lines
    assert "X-API-Key: k" in lines
    assert ("Transfer-Encoding: chunked" in lines) is chunked
    assert ("Content-Length: 2" in lines) is not chunked
    assert body == (b"2\r\n{}\r\n0\r\n\r\n" if chunked else b"{}")


def test_a_given_host_stands_alone() -> None:
    rendered = Request(target="/", headers=(("Host", "elsewhere"),)).render("here")
    assert rendered == b"GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Address(url)


def test_json_is_strict() -> None:
    assert Reply(status=200, body=b'{"a": NaN}').json() is None
    assert Reply(status=200, body=b"\xff").json() is None
    assert Reply(status=200, body=b"[" * 100_000).json() is None
