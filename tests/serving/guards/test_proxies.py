"""Where a request comes from: what a header says counts from the service's own proxies alone, and then from the right."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.serving.guards.proxies import Proxies, named

OURS = Proxies(("10.0.0.0/8", "127.0.0.1", "fd00::/8"))


def told(value: bytes, name: bytes = b"x-forwarded-for", peer: str = "10.1.2.3") -> str:
    return OURS.origin(peer, [(b"host", b"h"), (name, value)])


@pytest.mark.parametrize(
    "name", [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip"]
)
def test_from_anybody_else_it_is_not_believed(name: bytes) -> None:
    value = b"for=1.2.3.4" if name == b"forwarded" else b"1.2.3.4"
    assert told(value, name, peer="198.51.100.7") == "198.51.100.7"
    assert Proxies(()).origin("10.1.2.3", [(name, value)]) == "10.1.2.3"
    if name not in {b"x-forwarded-for", b"forwarded"}:
        assert told(value, name) == "10.1.2.3"


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (b"203.0.113.9", "203.0.113.9"),
        (b"1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (b"1.1.1.1,2.2.2.2 , 203.0.113.9,10.9.9.9 ,  10.8.8.8", "203.0.113.9"),
        (b"203.0.113.9:4711", "203.0.113.9"),
        (b"::ffff:203.0.113.9", "203.0.113.9"),
        (b"1.1.1.1, 10.9.9.9", "1.1.1.1"),
        (b"10.7.7.7, 10.9.9.9", "10.7.7.7"),
        (b"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (b"[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        (b"1.1.1.1, fd00::5", "1.1.1.1"),
        (b"1.1.1.1, unknown", "10.1.2.3"),
        (b"1.1.1.1, unknown, 10.9.9.9", "10.9.9.9"),
        (b"1.1.1.1,", "10.1.2.3"),
        (b"", "10.1.2.3"),
        (b"fe80::1%" + b"x" * 500, "10.1.2.3"),
        (b"0x7f.1", "10.1.2.3"),
        (b"010.1.1.1", "10.1.2.3"),
        (b"\xff\xfe", "10.1.2.3"),
        ("１.1.1.1".encode(), "10.1.2.3"),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy(value: bytes, origin: str) -> None:
    assert told(value) == origin


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (b"for=203.0.113.9", "203.0.113.9"),
        (b'For="203.0.113.9:4711";proto=https;by=10.0.0.1', "203.0.113.9"),
        (b'for=1.1.1.1, by=x; for="[2001:db8::1]:80"', "2001:db8::/64"),
        (b"for=203.0.113.9, for=10.4.4.4", "203.0.113.9"),
        (b"for=1.1.1.1, for=_hidden", "10.1.2.3"),
        (b"for=1.1.1.1, for=unknown", "10.1.2.3"),
        (b"for=1.1.1.1, proto=https", "10.1.2.3"),
        # A quote that a caller left open does not swallow what the proxy has appended.
        (b'for="1.1.1.1, for=203.0.113.9', "203.0.113.9"),
        (b'for="x\\", for=203.0.113.9', "203.0.113.9"),
    ],
)
def test_the_same_as_rfc_7239_writes_it(value: bytes, origin: str) -> None:
    assert told(value, b"forwarded") == origin


def test_fields_that_stand_several_times_are_one_list() -> None:
    fields = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"10.2.2.2")]
    assert OURS.origin("10.1.2.3", fields) == "203.0.113.9"


def test_where_two_headers_differ_neither_is_believed() -> None:
    one, other = (b"x-forwarded-for", b"203.0.113.9"), (b"forwarded", b"for=198.51.100.1")
    assert OURS.origin("10.1.2.3", [one, other]) == "10.1.2.3"
    assert OURS.origin("10.1.2.3", [one, (b"forwarded", b"for=203.0.113.9")]) == "203.0.113.9"


def test_a_caller_is_a_network_where_addresses_are_plenty() -> None:
    assert named("2001:db8::1") == named("2001:db8::ffff") != named("2001:db8:0:1::1")
    assert named("::1") == "::1"
    assert named("::ffff:192.0.2.1") == named("192.0.2.1") == "192.0.2.1"
    assert named("fe80::1%eth0") == "fe80::/64"
    assert named("") == ""


@given(st.binary(max_size=200))
def test_whatever_is_sent_comes_out_as_an_address(value: bytes) -> None:
    for name in (b"x-forwarded-for", b"forwarded"):
        origin = told(value, name)
        assert set(origin) <= set("0123456789abcdef.:/")
        assert len(origin) <= 43


def test_a_long_list_takes_no_long_time() -> None:
    began = time.perf_counter()
    for value in (b'",' * 8_000, b'for="\\"' * 2_500, b"10.1.1.1," * 1_700, b"; " * 8_000, b" " * 16_000):
        told(value)
        told(value, b"forwarded")
    assert time.perf_counter() - began < 0.5
