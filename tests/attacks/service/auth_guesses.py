"""Keys that are guessed, from one address and from many."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.moves import statuses_from
from tests.attacks.service.own import LIMITS, Workshop, configuration, questions_about_people, target_of
from tests.attacks.service.target import Target

from sekisho.serving.guards.keys import new_key

KINDS = auth = Chapter("auth")

K18 = auth(
    "K18",
    ("Guessing", "鍵の総当たり"),
    (
        "429 after a few; other clients are served; one line of the log a minute; counters exact",
        "数回で 429。他の利用者には影響なし。ログは毎分1行、計数は正確",
    ),
)


@configuration("guessed", fresh=True)
def _guessed(workshop: Workshop) -> Iterator[Target]:
    """A key, and nobody who has guessed yet."""
    from tests.serving.conftest import serving

    folder = workshop.place("guessed")
    secret, line = new_key("app", ("admin",))
    (folder / "keys").write_text(line + "\n")
    with serving(workshop.people, key_file=folder / "keys") as running:
        running.key = secret
        yield target_of(running, questions_about_people(), key=secret, guarded="/model/info", limits=LIMITS)


def guess(target: Target, number: int) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\nX-API-Key: sk_wrong%044d\r\n\r\n" % (
        target.guarded.encode(),
        target.host_field,
        number,
    )


@K18.attack("thousand-from-one-address", on="guessed", seconds=60.0)
def _thousand(target: Target) -> Outcome:
    assert target.process is not None
    before = len(target.process.lines())
    with target.bystander() as other:
        statuses: list[int] = []
        for first in range(0, 1_000, 100):
            statuses += statuses_from(target, "127.0.0.2", [guess(target, first + number) for number in range(100)])
    counts = Counter(statuses)
    expect(set(counts) == {401, 429} and sum(counts.values()) == 1_000, f"{counts}")
    expect(counts[401] <= 60, f"{counts[401]} guesses were looked at")
    expect(statuses.index(429) <= 60 and set(statuses[-500:]) == {429}, "429 does not last")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    mine = [guess(target, 5_000), target.get(path=target.guarded)]
    expect(statuses_from(target, "127.0.0.3", mine) == [401, 200], "another address is held responsible")
    expect(statuses_from(target, "127.0.0.2", mine[1:]) == [200], "a good key from the same address is refused")
    time.sleep(1.0)
    about = [line for line in target.process.lines()[before:] if json.loads(line).get("caller") == "127.0.0.2"]
    expect(len(about) == 1, f"{len(about)} lines of the log are about it: {about[:3]}")
    told = sum(target.process.metric("ml_problems_total", code=code) for code in ("key_unknown", "too_many_guesses"))
    expect(told == 1_001, f"the counters say {told}")
    return Outcome(seen=str(dict(counts)), figures={"looked_at": counts[401], "lines": len(about)})


@K18.attack("many-addresses", on="guessed", seconds=60.0)
def _many_addresses(target: Target) -> Outcome:
    for number in range(40):
        statuses = statuses_from(
            target, f"127.0.1.{number + 1}", [guess(target, number * 100 + each) for each in range(30)]
        )
        expect(set(statuses) <= {401, 429} and 429 in statuses, f"{Counter(statuses)}")
    expect(target.ask(target.guarded).status == 200, "a good client is refused")
    return Outcome(seen="401, then 429, for each")


@K18.attack("headers-change-nothing", on="guessed", seconds=60.0)
def _headers(target: Target) -> Outcome:
    tries = [
        guess(target, number)[:-2] + f"X-Forwarded-For: 9.9.9.{number}\r\nX-Real-IP: 8.8.8.{number}\r\n\r\n".encode()
        for number in range(60)
    ]
    counts = Counter(statuses_from(target, "127.0.0.4", tries))
    expect(counts[429] >= 30, f"{counts}")
    return Outcome(seen=str(dict(counts)))
