"""Compressed bodies come out as they went in, wholly or not at all."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import pytest

from sekisho.errors import InvalidInput
from sekisho.serving.http.codings import unpack

PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
SIZES = (0, 1, 100, 65_535, 65_536, 65_537, 200_000)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [noise, lambda size: b" " * size], ids=["noise", "blanks"])
def test_what_was_packed_is_unpacked(coding: str, size: int, make: Callable[[int], bytes]) -> None:
    data = make(size)
    assert unpack(PACK[coding](data), coding, most=size) == data


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("size", SIZES)
def test_one_byte_fewer_or_more_is_refused(coding: str, size: int) -> None:
    packed = PACK[coding](noise(size))
    for spoiled in (packed[:-1], packed + b"x", packed + b"x" * 70_000, packed * 2):
        with pytest.raises(InvalidInput) as refused:
            unpack(spoiled, coding, most=10**6)
        assert refused.value.code == "malformed_encoding"


@pytest.mark.parametrize("coding", PACK)
def test_the_limit_is_exact(coding: str) -> None:
    packed = PACK[coding](b" " * 100_000)
    assert len(unpack(packed, coding, most=100_000)) == 100_000
    with pytest.raises(InvalidInput) as refused:
        unpack(packed, coding, most=99_999)
    assert refused.value.code == "body_too_large"


def test_nothing_at_all_is_no_zstd() -> None:
    with pytest.raises(InvalidInput) as refused:
        unpack(b"", "zstd", most=10)
    assert refused.value.code == "malformed_encoding"
