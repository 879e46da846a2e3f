"""Disks that are full, cannot be written, or do not keep what they were given; clocks that jump.

The book of predictions on a full disk (D01), torn (D02), killed in the middle (D03) and in other time zones (D07) has tests of its own:
``test_ledger_durability.py``, ``test_ledger_people.py`` and ``tests/ledger``. A full disk while publishing (D08) is in ``tests/attacks/store``,
an edited audit log (D10) in ``tests/artifact/registry``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect
from tests.attacks.service.own import LIMITS, Workshop, configuration, questions_about_flowers, target_of
from tests.attacks.service.process import ALONE, drilled
from tests.attacks.service.target import Target
from tests.serving.conftest import HERE, until

KINDS = disk_time = Chapter("disk_time")
HOUR, DAY = 3_600, 86_400
RATE = 20.0


@contextlib.contextmanager
def shimmed(workshop: Workshop, name: str, **settings: Any) -> Iterator[Target]:
    """Serve with a shim before the C library: files say by how much the clock is wrong, and whether the disk keeps anything."""
    from tests.serving.conftest import serving

    compiler = shutil.which("cc")
    folder = workshop.place(name)
    library = folder / "shim.so"
    if compiler is not None:
        source = Path(__file__).with_name("shim.c")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environment = {
        "LD_PRELOAD": str(library) if compiler is not None else "",
        "SHIM_CLOCK": str(folder / "clock"),
        "SHIM_SYNC_FAILS": str(folder / "fails"),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
    }
    ledger = folder / "predictions.sqlite"
    with serving(workshop.iris, environment=environment, ledger=ledger, **settings) as running:
        running.ledger = ledger
        target = target_of(running, questions_about_flowers(), limits=LIMITS)
        target.more |= {"clock": folder / "clock", "fails": folder / "fails"}
        if compiler is not None:
            target.more["shim"] = True
        yield target


def need_shim(target: Target) -> None:
    if "shim" not in target.more:
        raise NotApplicable("a C compiler makes the shim, and here is none")


@configuration("wrong-clock", fresh=True)
def _wrong_clock(workshop: Workshop) -> Iterator[Target]:
    """A service whose clock can be set, with a limit of twenty requests a second."""
    with shimmed(workshop, "wrong-clock", rate_limit=RATE, burst=int(RATE)) as target:
        yield target


@configuration("lying-disk", fresh=True)
def _lying_disk(workshop: Workshop) -> Iterator[Target]:
    """A service that answers once a prediction is in its book, on a disk that can stop keeping anything."""
    with shimmed(workshop, "lying-disk", ledger_durability="durable") as target:
        yield target


D04 = disk_time(
    "D04",
    ("No room for temporary files", "一時ファイルの空きがない"),
    ("it does not start, and says so in one line", "起動せず、1行で知らせる"),
)


@D04.attack("", **ALONE)
def _no_room(target: Target) -> Outcome:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise NotApplicable("only root makes a place without room, with unshare")
    command = 'mount --make-rprivate / && mount -t tmpfs -o size=4k none /dev/shm && mount -t tmpfs -o size=4k none /var/tmp && export TMPDIR=/var/tmp && exec "$@"'
    ended = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", command, "sh"),
            *(sys.executable, "-m", "sekisho", "--lang", "en", "serve", str(target.more["iris"]), "--port", "0"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ},
    )
    expect(ended.returncode not in {0, -6, -9, -11}, f"exit code {ended.returncode}")
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    expect(len(lines) == 1 and "Traceback" not in ended.stdout + ended.stderr, f"it says {ended.stderr[-500:]}")
    return Outcome(seen=lines[0][:100])


D05 = disk_time(
    "D05",
    ("The disk does not keep what it was given", "ディスクが書き込みを保持しない"),
    ("a durable book refuses while it lasts, and goes on afterwards", "確実な記録では、その間は拒否し、回復後に再開"),
)


@D05.attack("fsync-fails", on="lying-disk", needs=("metrics",), slow=True, seconds=90.0, spares=("log",))
def _fsync(target: Target) -> Outcome:
    need_shim(target)
    question = target.question
    expect(target.send(question).status == 200, "it does not answer at first")
    target.more["fails"].touch()
    seen = [target.send(question, timeout=30.0).status for _ in range(5)]
    alive = target.ask("/health/live").status
    target.more["fails"].unlink()
    back = until(lambda: target.send(question, timeout=30.0).status == 200, 30.0)
    expect(set(seen) <= {200, 503}, f"while the disk keeps nothing: {seen}")
    expect(503 in seen, "what is on no disk was acknowledged")
    expect(alive == 200, "it is not alive")
    expect(back, "it does not answer again")
    return Outcome(seen=f"{seen}, then 200")


@D05.attack("full", **ALONE)
def _full(target: Target) -> Outcome:
    return drilled(target, "disk-full")


D06 = disk_time(
    "D06",
    ("The clock jumps", "時計の飛び"),
    ("time-outs and limits go on by a clock that never jumps", "制限時間とレート制限は単調時計で続く"),
)


def _jumped(seconds: int, target: Target) -> Outcome:
    need_shim(target)
    question = target.question
    clock: Path = target.more["clock"]
    statuses = [target.send(question).status for _ in range(3 * int(RATE))]
    expect(429 in statuses, "the limit does not hold")
    clock.write_text(str(seconds))
    jumped = time.monotonic()
    told = json.loads(target.ask("/model/info").body and target.ask("/health").body)
    expect(told["status"] in {"healthy", "overloaded"}, f"health says {told}")
    # As soon as a second has passed by any clock, there is room again, and not for more than before.
    time.sleep(1.2)
    after = [target.send(question) for _ in range(3 * int(RATE))]
    good = [answer for answer in after if answer.status == 200]
    lasted = time.monotonic() - jumped
    expect(good, "the limit is stuck")
    expect(len(good) <= int(RATE) + RATE * lasted * 1.1 + 1, f"{len(good)} were taken after the jump")
    expect({answer.status for answer in after} <= {200, 429}, f"{[answer.status for answer in after]}")
    stamp = str(good[0].json()["timestamp"])
    expect(stamp.endswith("Z"), f"the time is {stamp}")
    time.sleep(1.2)
    expect(target.send(question, headers={"x-request-timeout-ms": "5000"}).status == 200, "deadlines follow the clock")
    clock.write_text("0")
    time.sleep(1.2)
    expect(target.send(question).status == 200, "it does not answer when the clock is right again")
    return Outcome(seen=f"{len(good)} × 200 after the jump, {stamp}")


JUMP: Any = {"on": "wrong-clock", "needs": ("process",), "seconds": 60.0, "spares": ("service",)}
D06.add("back-an-hour", lambda target: _jumped(-HOUR, target), **JUMP)
D06.add("on-a-day", lambda target: _jumped(DAY, target), slow=True, **JUMP)

D09 = disk_time(
    "D09",
    ("Clocks that differ, with tokens", "時計のずれとトークン"),
    (
        "half a minute is tolerated; an hour is refused, and the log says why, the caller is not told",
        "30秒のずれは許容。1時間は拒否し、理由はログだけに残す",
    ),
)


@configuration("usual-leeway")
def _usual_leeway(workshop: Workshop) -> Iterator[Target]:
    """Tokens of a provider, with the leeway that is there when nothing is said."""
    from tests.serving.conftest import serving
    from tests.serving.guards.issuing import AUDIENCE, CURVE, ISSUER, key_set, providing

    with (
        providing(key_set(CURVE)) as provider,
        serving(workshop.iris, token_keys=provider.url, token_issuer=ISSUER, token_audience=AUDIENCE) as running,
    ):
        running.key = None
        target = target_of(running, questions_about_flowers(), limits=LIMITS, guarded="/model/info")
        target.headers["Authorization"] = f"Bearer {CURVE.issue(exp=int(time.time()) + 10 * HOUR, scope='admin')}"
        until(lambda: target.ask("/model/info").status == 200)
        yield target


@D09.attack("", on="usual-leeway", needs=("process",))
def _skewed(target: Target) -> Outcome:
    from tests.serving.guards.issuing import CURVE

    def status(begins: int, ends: int) -> int:
        now = int(time.time())
        token = CURVE.issue(scope="predict", iat=now + begins, nbf=now + begins, exp=now + ends)
        answer = target.send(target.question, headers={"authorization": f"Bearer {token}"})
        expect(answer.status in {200, 401}, f"{answer.status}")
        words = answer.body.decode().lower()
        expect(answer.status == 200 or not any(word in words for word in ("expired", "yet", "clock")), "it tells why")
        return answer.status

    expect(status(30, 600) == 200, "an issuer whose clock is half a minute ahead is refused")
    expect(status(-600, -30) == 200, "an issuer whose clock is half a minute behind is refused")
    expect(status(HOUR, HOUR + 600) == 401, "an hour ahead is taken")
    expect(status(-HOUR - 600, -HOUR) == 401, "an hour behind is taken")
    assert target.process is not None
    process = target.process
    said = until(lambda: [line for line in process.lines() if "the clock refuses" in line], 5.0)
    expect("expired" in said[0] or "not valid yet" in said[0], said[0])
    return Outcome(seen="30 s: 200; 1 h: 401, told in the log")


D11 = disk_time(
    "D11",
    ("The clock goes back while predictions are written", "記録中に時計が戻る"),
    ("every prediction is in the book, once", "予測はすべて台帳に1回だけ記録される"),
)


@configuration("wrong-clock-unlimited", fresh=True)
def _unlimited(workshop: Workshop) -> Iterator[Target]:
    """A service whose clock can be set."""
    with shimmed(workshop, "wrong-clock-unlimited") as target:
        yield target


@D11.attack("", on="wrong-clock-unlimited", needs=("ledger",), slow=True, seconds=60.0)
def _backwards(target: Target) -> Outcome:
    need_shim(target)
    assert target.process is not None
    before = target.process.booked()
    for wrong in (0, -1, -HOUR, 2, -DAY, 0):
        target.more["clock"].write_text(str(wrong))
        for _ in range(20):
            expect(target.send(target.question).status == 200, "a prediction failed")
    booked = target.process.booked() - before
    expect(booked == 120, f"{booked} of 120 are in the book")
    return Outcome(seen="120 of 120 in the book")
