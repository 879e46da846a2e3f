"""Where a request comes from when it comes through a proxy.

What a header says of the caller's address is believed of the service's own proxies alone. They append: from the right, the first address
that is not one of theirs is the caller's; whatever stands further left the caller may have made up. A proxy writes ``X-Forwarded-For`` or
``Forwarded`` (RFC 7239) and may let the other one through, so where both are there and differ, neither is believed.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.serving.http.head import Field

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_HOPS: Final = 64
_NAMES: Final = (b"x-forwarded-for", b"forwarded")
_V4: Final = re.compile(r"(?P<address>[0-9.]{7,15})(?::[0-9]{1,5})?")
_V6: Final = re.compile(r"\[(?P<address>[0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?")
_BARE_V6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}")


class Proxies:
    """The proxies before this service.

    Args:
        networks: Where they are, such as ``10.0.0.0/8``.

    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: Sequence[Network] = [ipaddress.ip_network(each) for each in networks]

    def origin(self, peer: str, fields: Iterable[Field]) -> str:
        """Return the address that a request comes from, for limits and the log.

        Args:
            peer: Who has the connection.
            fields: The header fields of the request.

        """
        nearest = _read(peer)
        if nearest is None or not self._are(nearest):
            return named(peer)
        given: dict[bytes, list[str]] = {name: [] for name in _NAMES}
        for name, value in fields:
            if name in given:
                given[name].append(value.decode("latin-1"))
        said = {
            str(self._walk(nearest, hops(", ".join(words))))
            for words, hops in ((given[_NAMES[0]], _forwarded_for), (given[_NAMES[1]], _forwarded))
            if words
        }
        return named(said.pop() if len(said) == 1 else str(nearest))

    def _walk(self, nearest: Address, hops: Sequence[str]) -> Address:
        """Return the first address from the right that is no proxy's; where a hop is no address, the one that told of it."""
        for hop in hops[: -MOST_HOPS - 1 : -1]:
            address = _read_hop(hop)
            if address is None:
                return nearest
            nearest = address
            if not self._are(address):
                return address
        return nearest

    def _are(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def named(peer: str) -> str:
    """Return what the caller at an address is called: an IPv6 network of 64 bits is one caller's, who may use any address of it."""
    address = _read(peer)
    if address is None:
        return peer
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _read(word: str) -> Address | None:
    try:
        address = ipaddress.ip_address(word.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _read_hop(word: str) -> Address | None:
    """Return the address of a hop, written with or without its port."""
    word = word.strip()
    found = _V4.fullmatch(word) or _V6.fullmatch(word)
    if found is not None:
        return _read(found["address"])
    return _read(word) if _BARE_V6.fullmatch(word) else None


def _forwarded_for(value: str) -> list[str]:
    return value.split(",")


def _forwarded(value: str) -> list[str]:
    """Return the ``for`` of each element; empty where there is none.

    Quotes are not followed over commas: an element that a caller left open would swallow what the proxy has appended.
    """
    return [_for(element) for element in value.split(",")]


def _for(element: str) -> str:
    for part in element.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "for":
            return value.removeprefix('"').removesuffix('"')
    return ""
