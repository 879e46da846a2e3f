"""Limits by caller: dodged by headers, by spelling, by numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.client import read_all
from tests.attacks.service.moves import statuses_from
from tests.attacks.service.own import LIMITS, Workshop, configuration, questions_about_people, target_of
from tests.attacks.service.target import Target

from sekisho.serving.guards.keys import new_key

KINDS = auth = Chapter("auth")
BURST = 4
MIB = 2**20
HEADERS = (
    *(
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "CF-Connecting-IP",
        "True-Client-IP",
        "X-Client-IP",
        "X-Originating-IP",
    ),
    *(
        "X-Remote-IP",
        "X-Remote-Addr",
        "X-Cluster-Client-IP",
        "Fastly-Client-IP",
        "X-Forwarded",
        "Via",
        "X-ProxyUser-Ip",
    ),
)

K12 = auth(
    "K12",
    ("Limit dodged by headers", "ヘッダーによる制限の回避"),
    (
        "no effect unless a configured proxy sends them; then the right-most hop that is no proxy counts",
        "設定済みのプロキシ以外からは無効。プロキシ経由なら、右から見て最初の信頼されないホップで数える",
    ),
)
K13 = auth(
    "K13",
    ("Limit dodged by spelling", "表記による制限の回避"),
    ("the same limit, or refused", "同じ制限に数えるか拒否"),
)
K14 = auth(
    "K14",
    ("Memory of the limiter", "制限の記憶容量"),
    ("a million identities take less than 64 MiB", "100 万の識別子でも増加は 64 MiB 未満"),
)


def _limited(name: str, **settings: object) -> None:
    @configuration(name, fresh=True)
    def start(workshop: Workshop) -> Iterator[Target]:
        """Start a service with a limit that a few requests reach, and that lasts."""
        from tests.serving.conftest import serving

        folder = workshop.place(name)
        key, line = new_key("app", ("admin",))
        (folder / "keys").write_text(line + "\n")
        given = {"key_file": folder / "keys"} if name == "limited-keys" else {}
        with serving(workshop.people, rate_limit=0.02, burst=BURST, **given, **settings) as running:
            running.key = key if given else None
            yield target_of(running, questions_about_people(), key=key if given else "", limits=LIMITS)


_limited("limited")
_limited("limited-keys")
_limited("behind-proxies", trusted_proxies=["127.0.0.1", "10.0.0.0/8"])
_limited("limited-workers", workers=4)


def counted(target: Target, sent: list[dict[str, str]]) -> Counter[int]:
    """Return the statuses of good requests with these header fields."""
    return Counter(target.send(target.question, headers=headers).status for headers in sent)


def made_up(name: str, number: int) -> str:
    return f"for=1.1.1.{number}" if name == "Forwarded" else f"1.1.1.{number}"


@K12.attack("headers", on="limited", spares=("service",))
def _headers(target: Target) -> Outcome:
    counts = counted(target, [{name: made_up(name, number)} for number in range(3) for name in HEADERS])
    expect(counts == {200: BURST, 429: 3 * len(HEADERS) - BURST}, f"{counts}")
    same = [target.post()] * 6
    for address in ("127.0.0.2", "127.0.0.3"):
        expect(statuses_from(target, address, same) == [200] * BURST + [429] * 2, f"{address} is not its own caller")
    return Outcome(seen=str(dict(counts)))


@K12.attack("headers-over-four-workers", on="limited-workers", spares=("service",))
def _over_workers(target: Target) -> Outcome:
    counts = counted(target, [{name: made_up(name, number)} for number in range(3) for name in HEADERS])
    expect(counts == {200: BURST, 429: 3 * len(HEADERS) - BURST}, f"{counts}")
    return Outcome(seen=str(dict(counts)))


@K12.attack("behind-proxies", on="behind-proxies", spares=("service",))
def _behind(target: Target) -> Outcome:
    half = {200: BURST, 429: BURST}
    for caller in ("203.0.113.1", "203.0.113.2"):
        spoofed = [{"x-forwarded-for": f"9.9.9.{number}, {caller}, 10.3.3.3"} for number in range(2 * BURST)]
        expect(counted(target, spoofed) == half, f"{caller}: spoofed hops count")
    both = [{"x-forwarded-for": "203.0.113.3", "forwarded": f"for=8.8.8.{number}"} for number in range(2 * BURST)]
    expect(counted(target, both) == half, "two headers that differ are believed")
    expect(counted(target, [{"x-real-ip": "7.7.7.7"}]) == {429: 1}, "a header that the proxy does not write counts")
    expect(counted(target, [{"forwarded": 'for="[2001:db8::5]:1234"'}]) == {200: 1}, "IPv6 is not read")
    nets = [{"x-forwarded-for": f"2001:db8:1:2::{number:x}"} for number in range(1, 2 * BURST + 1)]
    expect(counted(target, nets) == half, "every address of an IPv6 network is a caller of its own")
    return Outcome(seen="the right-most hop that is no proxy counts")


@K12.attack("hops-that-are-none", on="behind-proxies", spares=("service",))
def _no_hops(target: Target) -> Outcome:
    odd = [
        *(
            "garbage",
            "unknown",
            "_hidden",
            "",
            ",,,",
            "203.0.113.9 , ",
            "999.9.9.9",
            "0x7f.1",
            "2130706433",
            "::ffff:1.2.3.4.5",
        ),
        *("127.0.0.1", "10.9.9.9", "localhost", "'; DROP", "1.1.1.1:99999999", "[::1", "%00", "a" * 3_000),
    ]
    counts = counted(target, [{"x-forwarded-for": word} for word in odd])
    expect(set(counts) <= {200, 429}, f"{counts}")
    # What names nobody is the proxy's own, whose limit it takes; only what names somebody has a limit of its own.
    expect(counts[200] <= 3 * BURST, f"{counts}")
    return Outcome(seen=str(dict(counts)))


SPELLINGS: dict[str, Callable[[Target, str], bytes]] = {
    "query": lambda t, k: t.post(target=f"{t.question.path}?x=1"),
    "empty-query": lambda t, k: t.post(target=f"{t.question.path}?"),
    "fragment": lambda t, k: t.post(target=f"{t.question.path}#x"),
    "two-slashes": lambda t, k: t.post(target=f"/{t.question.path}"),
    "last-slash": lambda t, k: t.post(target=f"{t.question.path}/"),
    "dot": lambda t, k: t.post(target=f"/.{t.question.path}"),
    "dots": lambda t, k: t.post(target=f"/health/..{t.question.path}"),
    "capital": lambda t, k: t.post(target="/Predict"),
    "percent-path": lambda t, k: t.post(target="/%70redict"),
    "semicolon": lambda t, k: t.post(target=f"{t.question.path};x=1"),
    "absolute": lambda t, k: t.post(target=f"http://{t.host}:{t.port}{t.question.path}"),
    "http-1.0": lambda t, k: t.post().replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "another-host": lambda t, k: t.post().replace(t.host_field, b"Host: localhost", 1),
    "chunked": lambda t, k: (
        t.head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(t.question.body), t.question.body)
    ),
    "another-route": lambda t, k: t.post(question=t.questions["batch"]),
    "protocol": lambda t, k: t.post(question=t.questions["infer"]),
    "key-with-blanks": lambda t, k: t.post().replace(k.encode(), b"  " + k.encode() + b" \t", 1),
    "key-as-bearer": lambda t, k: t.post().replace(b"X-API-Key: ", b"Authorization: Bearer ", 1),
    "key-as-bearer-with-blanks": lambda t, k: t.post().replace(b"X-API-Key: ", b"authorization:bEARER   ", 1),
    "header-in-capitals": lambda t, k: t.post().replace(b"X-API-Key", b"X-API-KEY", 1),
    "key-in-another-case": lambda t, k: t.post().replace(k.encode(), k.swapcase().encode(), 1),
    "key-percent-coded": lambda t, k: t.post().replace(k.encode(), k.replace("_", "%5f", 1).encode(), 1),
    "more-fields": lambda t, k: t.post(b"X-Extra: 1"),
    "another-agent": lambda t, k: t.post(b"User-Agent: another"),
    "another-language": lambda t, k: t.post(b"Accept-Language: ja"),
}


@K13.attack("all", on="limited-keys", seconds=60.0, spares=("service",))
def _spelled(target: Target) -> Outcome:
    key = target.headers["X-API-Key"]
    first = counted(target, [{}] * (BURST + 2))
    expect(first == {200: BURST, 429: 2}, f"{first}")
    seen: Counter[int] = Counter()
    for name, spell in SPELLINGS.items():
        with target.connect() as connection:
            connection.sendall(spell(target, key))
            connection.shutdown(1)
            received = read_all(connection)
        expect(received.statuses, f"{name}: no answer")
        for status in received.statuses:
            expect(400 <= status < 500, f"{name}: {status}")
            seen[status] += 1
    return Outcome(seen=str(dict(seen)), figures={"spellings": len(SPELLINGS)})


MEMORY = """
import json, os, sys
from pathlib import Path
from sekisho.serving.guards.guesses import GuessLimit
from sekisho.serving.guards.interface import Caller
from sekisho.serving.guards.rate import RateLimit, make_table

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

path = Path(sys.argv[1]) / "table"
make_table(path)
limit, guesses = RateLimit(path, per_second=1.0, burst=2, shared=False), GuessLimit()
nobody = frozenset()
before = resident()
for number in range(int(sys.argv[2])):
    now = number / 10_000
    limit.check(Caller(id=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", scopes=nobody), now)
    if number % 4 == 0:
        address = f"2001:db8:{number:x}::/64"
        guesses.wrong(address, now)
        guesses.deserves_line(address, now)
print(json.dumps({"grown": resident() - before, "file": path.stat().st_size}))
"""


def _in_process(count: int) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        folder = target.more["workshop"].place("limits")
        command = [sys.executable, "-c", MEMORY, str(folder), str(count)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        said = json.loads(ended.stdout)
        expect(said["grown"] < 64 * MIB, f"{said['grown'] / MIB:.0f} MiB more")
        return Outcome(seen="bounded", figures={"identities": count, "rss_mib": round(said["grown"] / MIB, 1)})

    return run


K14.add("in-process", _in_process(200_000), on="workshop", spares=("service",), seconds=60.0)
K14.add("in-process-as-listed", _in_process(1_000_000), on="workshop", spares=("service",), seconds=200.0, slow=True)


def _identities(count: int) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        assert target.process is not None
        statuses_from(target, "127.0.0.1", [target.post()] * 200)
        before = target.process.rss()
        for first in range(0, count, 500):
            numbers = range(first, min(count, first + 500))
            hops = [
                f"X-Forwarded-For: 11.{number >> 16}.{number >> 8 & 255}.{number & 255}".encode() for number in numbers
            ]
            counts = Counter(statuses_from(target, "127.0.0.1", [target.post(hop) for hop in hops]))
            expect(set(counts) <= {200, 429}, f"{counts}")
        grown = (target.process.rss() - before) / MIB
        expect(grown < 64, f"{grown:.0f} MiB more")
        return Outcome(seen="bounded", figures={"identities": count, "rss_mib": round(grown, 1)})

    return run


K14.add("over-the-wire", _identities(10_000), on="behind-proxies", seconds=60.0, spares=("service",))
K14.add(
    "over-the-wire-as-listed",
    _identities(1_000_000),
    on="behind-proxies",
    seconds=1_500.0,
    slow=True,
    spares=("service",),
)
