"""Limits by address: headers do not dodge them, proxies do not lump their callers together."""

from __future__ import annotations

import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any

from .conftest import Running, serving

HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "x-client-ip")


def tries(service: Running, good: dict[str, Any], sent: list[dict[str, str]]) -> Counter[int]:
    return Counter(service.predict(good, headers=headers).status for headers in sent)


def test_a_limit_is_not_dodged_by_headers(people_artifact: Path, good: dict[str, Any]) -> None:
    with serving(people_artifact, rate_limit=0.02, burst=4) as running:
        made_up = [
            {name: f"for=1.1.1.{number}" if name == "forwarded" else f"1.1.1.{number}"}
            for number in range(3)
            for name in HEADERS
        ]
        assert tries(running, good, made_up) == {200: 4, 429: 14}
        # The same bytes from another address are another caller's.
        body = json.dumps({"features": good}).encode()
        request = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        request += f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        seen: dict[str, list[int]] = {}
        for address in ("127.0.0.2", "127.0.0.3"):
            with socket.create_connection(("127.0.0.1", running.port), 10, (address, 0)) as connection:
                for _ in range(6):
                    connection.sendall(request)
                    seen.setdefault(address, []).append(int(connection.recv(65_536).split()[1]))
        assert seen == dict.fromkeys(("127.0.0.2", "127.0.0.3"), [200] * 4 + [429] * 2)


def test_behind_a_proxy_each_caller_has_a_limit_of_their_own(people_artifact: Path, good: dict[str, Any]) -> None:
    with serving(people_artifact, rate_limit=0.02, burst=4, trusted_proxies=["127.0.0.1", "10.0.0.0/8"]) as running:
        for caller in ("203.0.113.1", "203.0.113.2"):
            spoofed = [{"x-forwarded-for": f"9.9.9.{number}, {caller}, 10.3.3.3"} for number in range(8)]
            assert tries(running, good, spoofed) == {200: 4, 429: 4}
        both = [{"x-forwarded-for": "203.0.113.3", "forwarded": f"for=8.8.8.{number}"} for number in range(8)]
        assert tries(running, good, both) == {200: 4, 429: 4}
        assert tries(running, good, [{"x-real-ip": "7.7.7.7"}]) == {429: 1}  # that was the proxy's own
        assert tries(running, good, [{"forwarded": 'for="[2001:db8::5]:1234"'}]) == {200: 1}
