"""Until when a certificate is good, read from its own bytes: what serves needs no library of cryptography for two dates.

Source: RFC 5280, section 4.1 (the first members of a certificate, and its validity); X.690 (DER); RFC 7468 (PEM).
"""

from __future__ import annotations

import datetime as dt
import re
import ssl
from dataclasses import dataclass
from typing import Final

_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _EXPLICIT_0, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


@dataclass(frozen=True, kw_only=True, slots=True)
class Validity:
    """When a chain of certificates is good.

    Attributes:
        begins: Since when all of them are.
        ends: Until when all of them are.

    """

    begins: dt.datetime
    ends: dt.datetime


def validity_of(pem: bytes) -> Validity:
    """Return when the certificates in ``pem`` are all good.

    Raises:
        ValueError: It holds none, or one that cannot be read.

    """
    blocks = _BLOCK.findall(pem.decode("ascii", "replace"))
    if not blocks:
        raise ValueError("no certificate")
    each = [_validity(ssl.PEM_cert_to_DER_cert(block)) for block in blocks]
    return Validity(begins=max(one.begins for one in each), ends=min(one.ends for one in each))


def _validity(der: bytes) -> Validity:
    try:
        _, certificate, _ = _member(der, 0)
        _, signed, _ = _member(certificate, 0)
        kind, _, after = _member(signed, 0)
        at = after if kind == _EXPLICIT_0 else 0  # the version, which the oldest certificates leave out
        for _ in range(3):  # serial number, algorithm, issuer
            _, _, at = _member(signed, at)
        kind, validity, _ = _member(signed, at)
        if kind != _SEQUENCE:
            raise ValueError("no validity")
        begins, at = _time(validity, 0)
        ends, _ = _time(validity, at)
    except IndexError:
        raise ValueError("a certificate that is cut off") from None
    return Validity(begins=begins, ends=ends)


def _member(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return the tag of what begins at ``at``, its content, and where the next one begins."""
    tag, length, begin = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
    end = begin + length
    if end > len(data):
        raise ValueError("a certificate that is cut off")
    return tag, data[begin:end], end


def _time(data: bytes, at: int) -> tuple[dt.datetime, int]:
    tag, content, after = _member(data, at)
    words = content.decode("ascii", "replace")
    if tag == _UTC_TIME:  # two digits of a year: 50 to 99 are of the twentieth century
        words = ("19" if words[:2] >= "50" else "20") + words
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return dt.datetime.strptime(words, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC), after
