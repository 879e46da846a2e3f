"""What becomes of the processes: told to end, killed, stopped, started twice, as the first of a container, with little of everything.

Where ``sekisho drill`` does the same to any service, the attack is the drill.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect, within
from tests.attacks.service.client import one_answer
from tests.attacks.service.flood import flood, request_of
from tests.attacks.service.overload import ASKED_TWICE, MODELS, SECONDS_A_ROW, batch_of, pack_slow, slow_service
from tests.attacks.service.own import FLOWER, Workshop
from tests.attacks.service.starts import refused_start
from tests.attacks.service.target import Target
from tests.serving.conftest import HERE, SERVE, Running, children, command_of, is_alive, start

from sekisho.drills.parts.ground import prepare
from sekisho.drills.parts.running import until
from sekisho.drills.runner import drills
from sekisho.probes.resources.process import free_port

KINDS = process = Chapter("process")
BODY = json.dumps({"features": FLOWER}).encode()
ALONE: Any = {"on": "bare", "needs": ("process",), "slow": True, "seconds": 280.0}
"""An attack on a service that it starts itself."""


def drilled(target: Target, name: str) -> Outcome:
    """Do a drill to a service of its own."""
    workshop: Workshop = target.more["workshop"]
    with tempfile.TemporaryDirectory(dir=workshop.folder) as scratch:
        ground = prepare(workshop.iris, Path(scratch), project=None, key_header="X-API-Key", rate=100.0)
        result = drills()[name].run(ground)
    expect(result.passed, result.why.en)
    seen = f"{result.sent} sent, {result.lost} lost, {result.refused} turned away, {result.excused} excused"
    return Outcome(seen=seen, figures=dict(result.figures))


def environment(*folders: Path) -> dict[str, str]:
    """Return the variables with which models of these folders can be imported."""
    paths = [str(folder) for folder in (*folders, HERE)] + [os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


P01 = process(
    "P01",
    ("SIGTERM under keep-alive load", "接続維持の負荷中に SIGTERM"),
    ("nothing that was sent before is lost; it ends in time", "それ以前の送信は失われず、猶予内に終了"),
)
P01.add("", lambda target: drilled(target, "drain"), **ALONE)

P02 = process(
    "P02",
    ("SIGTERM with slow work and a queue", "遅い処理と待ち行列がある中で SIGTERM"),
    (
        "not ready at once, all that was accepted is answered, exit code 0",
        "直ちに not ready、受付済みは全件応答、終了コード 0",
    ),
)


@P02.attack("", **ALONE)
def _slow_work(target: Target) -> Outcome:
    return _end_while_busy(target, (signal.SIGTERM,))


def _end_while_busy(target: Target, signals: tuple[signal.Signals, ...], requests: int = 24) -> Outcome:
    """Tell a service to end while each of its processes works for half a second and twenty more requests wait."""
    with slow_service(target.more["workshop"], deadline_ms=60_000) as slow:
        running: Running = slow.process.running  # type: ignore[union-attr] # our own
        body = batch_of(int(0.5 / (SECONDS_A_ROW * ASKED_TWICE)))
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(slow.ask("/predict/batch", body, timeout=60.0).status)

        threads = [threading.Thread(target=ask) for _ in range(requests)]
        with slow.connect() as open_before:
            for thread in threads:
                thread.start()
            until(lambda: slow.process.metric("ml_requests_waiting") >= requests / 2, 10.0)  # type: ignore[union-attr]
            told = time.monotonic()
            for number in signals:
                running.process.send_signal(number)
                time.sleep(0.1)
            ready = _ask_ready(slow, open_before)
            code = running.process.wait(40)
        took = time.monotonic() - told
        for thread in threads:
            thread.join(10)
    expect(ready in {0, 503}, f"readiness says {ready}")
    expect(Counter(statuses) == {200: requests}, f"{Counter(statuses)}")
    expect(code in {0, -signal.SIGINT, 130} if signal.SIGINT in signals else code == 0, f"exit code {code}")
    return Outcome(seen=f"{requests} × 200, exit code {code}", figures={"seconds": round(took, 2)})


def _ask_ready(target: Target, connection: socket.socket) -> int:
    """Return what readiness says on a connection that is open; 0 if that is closed."""
    try:
        connection.sendall(target.get(path="/health/ready"))
        return one_answer(connection).status
    except OSError:
        return 0


P03 = process(
    "P03",
    ("Told to end again and again", "終了の指示が繰り返される"),
    ("a second signal cuts nothing short", "2回目以降のシグナルで処理を打ち切らない"),
)
P03.add("term-term", lambda target: _end_while_busy(target, (signal.SIGTERM, signal.SIGTERM)), **ALONE)
P03.add("int-term", lambda target: _end_while_busy(target, (signal.SIGINT, signal.SIGTERM, signal.SIGINT)), **ALONE)

P04 = process(
    "P04",
    ("SIGTERM while loading", "モデル読み込み中の SIGTERM"),
    ("it ends within five seconds, no orphan, the port free", "5秒以内に終了し、孤児プロセスなし、ポート解放"),
)


@P04.attack("a-minute-of-loading", **ALONE)
def _loading(target: Target) -> Outcome:
    workshop: Workshop = target.more["workshop"]
    folder = workshop.place("loading")
    (folder / "troubled.py").write_text((HERE / "troubled.py").read_text() + "\ntime.sleep(60)\n")
    port = free_port()
    running = start(
        workshop.troubled,
        wait=False,
        port=port,
        trusted_types=["troubled.Troubled"],
        environment={"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    until(lambda: any("predict.child" in command_of(each) for each in _below(running.process.pid)), 30.0)
    time.sleep(0.5)
    family = _below(running.process.pid)
    began = time.monotonic()
    code = running.end(signal.SIGTERM)
    took = time.monotonic() - began
    gone = until(lambda: not any(map(is_alive, family)), 5.0)
    expect(code == 0, f"exit code {code}")
    expect(gone is not None, "a process is left")
    expect(_is_free(port), "the port is taken")
    within(took * 1e3, 5_000.0, "the end")
    return Outcome(figures={"seconds": round(took, 2)})


def _below(pid: int) -> list[int]:
    """Return all processes below one."""
    found = children(pid)
    return [*found, *(each for child in found for each in _below(child))]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


P05 = process(
    "P05",
    ("kill -9 of a worker under load", "負荷中のワーカーを kill -9"),
    ("at most its own requests under way fail, at once; it is back", "失敗は処理中の分だけで即時。ワーカーは復帰"),
)
P05.add("", lambda target: drilled(target, "kill"), **ALONE)

P06 = process(
    "P06",
    ("kill -9 of the supervisor", "スーパーバイザーを kill -9"),
    ("the workers end within five seconds, a new start works at once", "ワーカーは5秒以内に終了、即時の再起動が可能"),
)
P06.add("", lambda target: drilled(target, "restart"), **ALONE)


@P06.attack("nothing-held", **ALONE)
def _supervisor(target: Target) -> Outcome:
    """Kill it without anybody who helps the workers to end, and start another one at the same moment."""
    port = free_port()
    first = start(target.more["iris"], workers=2, port=port)
    workers = first.workers()
    os.kill(first.process.pid, signal.SIGKILL)
    began = time.monotonic()
    second = start(target.more["iris"], port=port)  # at once
    try:
        expect(second.predict(FLOWER).status == 200, "the second does not answer")
        gone = until(lambda: not any(map(is_alive, workers)), max(0.1, 5.0 - (time.monotonic() - began)))
        expect(gone is not None, "workers outlive their supervisor by more than five seconds")
    finally:
        second.end()
        first.end()
    return Outcome(seen="started again at once")


P07 = process(
    "P07",
    ("A worker is stopped and goes on", "ワーカーの一時停止と再開"),
    ("the others answer; what it was doing is answered when it goes on", "他は応答し続け、再開後に処理中の分も応答"),
)
P07.add("", lambda target: drilled(target, "hang"), **ALONE)


@P07.attack("model", **ALONE)
def _model_stands_still(target: Target) -> Outcome:
    """Stop the process of a model that runs outside of the workers, and never wake it."""
    workshop: Workshop = target.more["workshop"]
    artifact = pack_slow(workshop.folder / "slow")
    os.environ["PYTHONPATH"], before = environment(MODELS)["PYTHONPATH"], os.environ.get("PYTHONPATH", "")
    try:
        with tempfile.TemporaryDirectory(dir=workshop.folder) as scratch:
            ground = prepare(artifact, Path(scratch), project=None, key_header="X-API-Key", rate=60.0)
            trusting = dataclasses.replace(ground, more=("--trust-type", "slow_model.Slow"))
            result = drills()["hang"].run(trusting)
    finally:
        os.environ["PYTHONPATH"] = before
    expect(result.passed, result.why.en)
    return Outcome(seen=f"{result.sent} sent, {result.lost} lost, {result.excused} excused", figures=result.figures)


P08 = process(
    "P08",
    ("Hot swap under load", "負荷中のバージョン切り替え"),
    ("nothing fails, each answer names the version that made it", "失敗なし。各応答は推論したバージョンを示す"),
)
P08.add("", lambda target: drilled(target, "swap"), **ALONE)

P09 = process(
    "P09",
    ("Hot swap to a broken artifact", "壊れた成果物への切り替え"),
    ("refused with the reason, the version before serves on", "理由付きで拒否し、前のバージョンで継続"),
)
P09.add("", lambda target: drilled(target, "swap-broken"), **ALONE)

P10 = process(
    "P10",
    ("Back to the version before, under load", "負荷中に前のバージョンへ戻す"),
    ("nothing fails; a second step back is refused or told", "失敗なし。戻り先がない場合は拒否または通知"),
)
P11 = process(
    "P11",
    ("Two swaps at once", "同時の切り替え2件"),
    (
        "one order, all workers end on one version, both callers are told the truth",
        "順序は1つ。全ワーカーが同じバージョンになり、双方に事実を伝える",
    ),
)


@contextlib.contextmanager
def _versions(workshop: Workshop) -> Iterator[tuple[Running, Callable[..., Any]]]:
    """Serve version 1 of three from a registry, with two workers; give the service and a way to change what is live."""
    from tests.serving.conftest import serving
    from tests.serving.test_swap import ADMIN, ADMIN_LINE, CALLER_LINE, pack

    from sekisho.artifact.registry.registry import Registry

    folder = workshop.place("versions")
    registry = Registry(folder / "registry")
    for version in (1, 2, 3):
        pack(folder / str(version), version)
        registry.push(folder / str(version))
    registry.promote("times@1.0.0")
    (folder / "keys").write_text(f"{ADMIN_LINE}\n{CALLER_LINE}\n")
    (folder / "keys").chmod(0o600)
    settings = {"registry": registry.location, "key_file": folder / "keys", "workers": 2}
    with serving("times@champion", environment={"SEKISHO_CACHE": str(folder / "cache")}, **settings) as running:

        def change(deed: str, **body: Any) -> Any:
            return running.ask(f"/models/times/{deed}", body, key=ADMIN, timeout=120)

        yield running, change


def _live(running: Running) -> set[str]:
    """Return the versions that answer, asked often enough to have met every worker."""
    from tests.serving.test_swap import CALLER

    return {running.predict([1.0], key=CALLER).json()["model_version"] for _ in range(24)}


@P10.attack("", **ALONE)
def _back(target: Target) -> Outcome:
    from tests.serving.test_swap import CALLER
    from tests.serving.traffic import Traffic

    with _versions(target.more["workshop"]) as (running, change):
        with Traffic(running.port, key=CALLER) as traffic:
            there = change("activate", version="2.0.0")
            traffic.wait(100)
            back = change("rollback")
            traffic.wait(100)
        expect((there.status, back.status) == (200, 200), f"{there.status}, {back.status}")
        expect(not traffic.failures, f"{dict(traffic.failures)}")
        expect(_live(running) == {"1.0.0"}, "it is not version 1 again")
        count = len(traffic.seen)
    return Outcome(seen=f"{count} answered, none failed")


@P11.attack("", **ALONE)
def _two_at_once(target: Target) -> Outcome:
    from tests.serving.test_swap import CALLER
    from tests.serving.traffic import Traffic

    told: dict[str, Any] = {}
    with _versions(target.more["workshop"]) as (running, change):
        threads = [
            threading.Thread(target=lambda version=each: told.update({version: change("activate", version=version)}))
            for each in ("2.0.0", "3.0.0")
        ]
        with Traffic(running.port, key=CALLER) as traffic:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            traffic.wait(100)
        expect(not traffic.failures, f"{dict(traffic.failures)}")
        expect({answer.status for answer in told.values()} == {200}, f"{told}")
        before = {version: answer.json()["before"]["version"] for version, answer in told.items()}
        first = [version for version, one in before.items() if one == "1.0.0"]
        expect(len(first) == 1, f"both are told that they replaced version 1: {before}")
        (last,) = set(before) - set(first)
        expect(before[last] == first[0], f"the second was told {before[last]}")
        expect(_live(running) == {last}, "the workers serve different versions")
    return Outcome(seen=f"{first[0]}, then {last}")


P12 = process(
    "P12",
    ("The port is in use", "使用中のポート"),
    ("it does not start, within five seconds, and says so in one line", "5秒以内に1行で知らせて起動しない"),
)


@P12.attack("", on="bare", needs=("process",), seconds=60.0)
def _port(target: Target) -> Outcome:
    line = refused_start(target.more["iris"], says=str(target.port), port=target.port)
    return Outcome(seen=line[:80])


P13 = process(
    "P13",
    ("A bare container", "最小限のコンテナ"),
    ("it serves, or says in one line what it needs", "提供できるか、不足を1行で示す"),
)


def _in_a_bare_place(target: Target, *, shared: bool, temporary: str) -> Outcome:
    """Serve on a root that cannot be written, as nobody, without a home, with little room for temporary files."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None:
        raise NotApplicable("only root makes a bare place, with unshare and setpriv")
    port = free_port()
    base = Path(sys.base_prefix)
    # Where the interpreter lies in a folder that nobody else may enter, it is shown alone in an open one.
    closed = next((each for each in reversed(base.parents) if not each.stat().st_mode & 0o001), None)
    shown = (
        f"mkdir -p /tmp/base && mount --bind {base} /tmp/base && mount -t tmpfs -o mode=755 none {closed}"
        f" && mkdir -p {base} && mount --move /tmp/base {base} && "
        if closed is not None
        else ""
    )
    given = json.dumps({"port": port, "start_seconds": 60.0})
    script = (
        f"set -e; mount --make-rprivate /; {shown}"
        f"mount -t tmpfs -o size=64m,mode=1777 none {temporary}; "
        f"mkdir -p {temporary}/artifact && cp -r {target.more['copy']}/. {temporary}/artifact/ 2>/dev/null || true; "
        + ("" if shared else "mount -t tmpfs -o ro,mode=000 none /dev/shm; ")
        + "mount -o remount,bind,ro / || true; "
        f"exec setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 "
        f"PYTHONPATH={os.environ.get('PYTHONPATH', '')} TMPDIR={temporary} "
        f"{sys.executable} -c '{SERVE}' {target.more['copy']} '{given}'"
    )
    served = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Running(url=f"http://127.0.0.1:{port}", process=served)  # type: ignore[arg-type] # of text
    try:
        ready = until(lambda: served.poll() is not None or _answers(running), 60.0)
        if served.poll() is not None:
            said = served.stdout.read() if served.stdout else ""
            expect("Traceback" not in said, said[-500:])
            lines = [line for line in said.splitlines() if line.strip() and not line.startswith("{")]
            expect(len(lines) <= 1, f"it says more than one line: {said[-500:]}")
            raise NotApplicable(f"it does not start here: {said[-200:]}")
        expect(ready is not None, "it does not become ready")
        expect(running.predict(FLOWER).status == 200, "it does not answer")
    finally:
        for first in children(
            served.pid
        ):  # with it, all of its namespace ends; what changes its user forgets --kill-child
            os.kill(first, signal.SIGKILL)
        served.kill()
        served.wait(20)
        if served.stdout is not None:
            served.stdout.close()
    return Outcome(seen="served")


def _answers(running: Running) -> bool:
    with contextlib.suppress(OSError):
        return running.ask("/health/ready", timeout=5.0).status == 200
    return False


@contextlib.contextmanager
def _open_copy(target: Target) -> Iterator[None]:
    """Put a copy of the artifact where everybody may read it."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        shutil.copytree(target.more["iris"], place / "artifact")
        for each in (place, *place.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
        target.more["copy"] = place / "artifact"
        yield
    finally:
        shutil.rmtree(place)


@P13.attack("without-shared-memory", **ALONE)
def _bare(target: Target) -> Outcome:
    with _open_copy(target):
        return _in_a_bare_place(target, shared=False, temporary="/mnt")


@P13.attack("with-shared-memory", **ALONE)
def _bare_shared(target: Target) -> Outcome:
    with _open_copy(target):
        return _in_a_bare_place(target, shared=True, temporary="/mnt")


P14 = process(
    "P14",
    ("Started where native threads run already", "ネイティブスレッド使用後の起動"),
    ("no deadlock: a thousand requests are served", "デッドロックせず、1,000 リクエストに応答"),
)
_USED_BEFORE = """
import json, sys, sekisho
from sekisho.predict.predictor import Predictor
loaded = sekisho.ModelArtifact.load(sys.argv[1])
predictor = Predictor(loaded.signature, loaded.runtime())
predictor.run(predictor.prepare([predictor.reader.read(dict(row), row=0) for row in loaded.golden.rows]))
sekisho.serve(loaded, **json.loads(sys.argv[2]))
"""


@P14.attack("", **ALONE)
def _native_threads(target: Target) -> Outcome:
    port = free_port()
    served = subprocess.Popen(
        [sys.executable, "-c", _USED_BEFORE, str(target.more["iris"]), json.dumps({"port": port, "workers": 2})],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment(MODELS)},
    )
    running = Running(url=f"http://127.0.0.1:{port}", process=served)
    try:
        expect(until(lambda: _answers(running), 60.0) is not None, "it does not become ready")
        other = Target(url=running.url, questions=target.questions)
        found = flood(other, request_of(other), 400.0, 2.5, connections=64)
        expect(found.statuses == {200: 1_000}, f"{dict(found.statuses)}")
    finally:
        served.terminate()
        code = served.wait(30)
    expect(code == 0, f"exit code {code}")
    return Outcome(seen="1,000 × 200")


P15 = process(
    "P15",
    ("As the first process of a container", "PID 1 としての動作"),
    ("SIGTERM works, the dead are buried", "SIGTERM が効き、ゾンビを回収"),
)


@P15.attack("", **ALONE)
def _first(target: Target) -> Outcome:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise NotApplicable("only root makes a namespace of processes, with unshare")
    port = free_port()
    # A companion leaves orphans behind, which fall to the first process.
    orphans = [["sh", "-c", "for each in 1 2 3 4; do (sleep 0.5 &) ; done; sleep 100"]]
    settings = json.dumps({"port": port, "companions": orphans})
    served = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", SERVE, str(target.more["iris"]), settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment()},
    )
    running = Running(url=f"http://127.0.0.1:{port}", process=served)
    try:
        expect(until(lambda: _answers(running), 60.0) is not None, "it does not become ready")
        (first,) = children(served.pid)
        expect(_status_of(first)["NSpid"].split()[-1] == "1", "it is not the first process")
        time.sleep(1.0)
        dead = until(lambda: not [each for each in children(first) if not is_alive(each)], 5.0)
        expect(dead is not None, "the dead are not buried")
        family = _below(first)
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        code = served.wait(30)
        took = time.monotonic() - began
    finally:
        served.kill()
        served.wait(10)
    expect(code == 0, f"exit code {code}")
    expect(not any(map(is_alive, family)), "a process is left")
    return Outcome(figures={"seconds": round(took, 2)})


def _status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


P16 = process(
    "P16",
    ("Few file descriptors", "少ないファイル記述子"),
    (
        "it serves as many as it can, does not fall, and serves all again afterwards",
        "可能な数だけ応答し、落ちず、後で回復する",
    ),
)


@P16.attack("", **ALONE)
def _descriptors(target: Target) -> Outcome:
    port = free_port()
    settings = json.dumps({"port": port})
    served = subprocess.Popen(
        ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", sys.executable, "-c", SERVE, str(target.more["iris"]), settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment()},
    )
    running = Running(url=f"http://127.0.0.1:{port}", process=served)
    held: list[socket.socket] = []
    try:
        expect(until(lambda: _answers(running), 60.0) is not None, "it does not become ready")
        workers = running.workers()
        held.extend(running.connect() for _ in range(150))
        time.sleep(0.5)
        expect(running.workers() == workers, "a worker fell")
        for connection in held:
            connection.close()
        held.clear()
        back = until(lambda: _answers(running), 10.0)
        expect(back is not None and running.predict(FLOWER).status == 200, "it does not answer again")
        expect(running.workers() == workers, "a worker fell")
    finally:
        for connection in held:
            connection.close()
        served.terminate()
        said, _ = served.communicate(timeout=30)
    expect(b"Traceback" not in said, said[-500:].decode("utf-8", "replace"))
    expect(served.returncode == 0, f"exit code {served.returncode}")
    return Outcome(seen="answered again")
