"""One worker: ``python -m sekisho.serving.worker FOLDER RUN_FOLDER NUMBER SOCKET CONTROL LOG``.

It listens as soon as it can, so that liveness is told while the model loads; requests for predictions that come before are kept until
the model is ready. It ends when it is told to (SIGTERM), after everything that was accepted has been answered, and at once when its
supervisor is gone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import SekishoError, ServiceError
from sekisho.ledger.predictions import BookModel, PredictionBook
from sekisho.predict.rows import RowReader
from sekisho.serving import problems
from sekisho.serving.acceptor import Acceptor
from sekisho.serving.desk import Desk
from sekisho.serving.front import Front, Place
from sekisho.serving.guards.callers import Callers
from sekisho.serving.guards.guesses import GuessLimit
from sekisho.serving.guards.rate import RateLimit
from sekisho.serving.guards.rate_store import SharedRateLimit
from sekisho.serving.guards.tls import Tls
from sekisho.serving.health import Health
from sekisho.serving.http import asgi
from sekisho.serving.http.connection import Connection, sweep
from sekisho.serving.http.forms import JSON, Offer
from sekisho.serving.layout import GO, RunFolder, Word, encode
from sekisho.serving.logs import Log
from sekisho.serving.metrics.catalogue import families
from sekisho.serving.metrics.cells import Cells, Layout
from sekisho.serving.metrics.exposition import Exposition
from sekisho.serving.model import Model, with_policies
from sekisho.serving.openapi import Facts
from sekisho.serving.problems import Problem
from sekisho.serving.protocols.interface import Model as Shape
from sekisho.serving.protocols.interface import WireProtocol
from sekisho.serving.recorder import Recorder
from sekisho.serving.tally import Tally
from sekisho.shelf import units
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.serving.grpc.server import GrpcServer
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.protocols.interface import Route

PROTOCOLS: Final = "sekisho.serving.protocols"
TICK_SECONDS: Final = 0.5
SOUND_SECONDS: Final = 2.0
"""How often the model is asked its golden rows while it serves."""
LINGER_SECONDS: Final = 0.3
"""How long a worker that was told to end still accepts: what was sent before it was told may still be on its way."""
SECONDS_WITHOUT_SUPERVISOR: Final = 3.0
MOST_DESCRIPTORS: Final = 65_536
GARBAGE_THRESHOLDS: Final = (20_000, 20, 50)
SWITCH_SECONDS: Final = 0.0005
"""How long a thread that writes the log or the book may keep the event loop from going on."""
APPLICATION: Final = {
    "/model/info": (("GET", "HEAD"), None),
    "/docs": (("GET", "HEAD"), None),
    "/openapi.json": (("GET", "HEAD"), None),
    "/feedback": (("POST",), "predict"),
}
"""The routes that FastAPI answers, with their methods and the scope of the key."""


class Worker:
    """One worker.

    Args:
        artifact: What it serves.
        run: The folder that the service shares.
        number: Its number among the workers.
        log_descriptor: Where the log goes.

    """

    def __init__(self, artifact: ModelArtifact, run: RunFolder, number: int, log_descriptor: int) -> None:
        settings = self._settings = run.settings
        self._artifact = artifact
        self._signature = with_policies(artifact.signature, settings)
        shape = Shape(
            signature=self._signature,
            reader=RowReader(self._signature),
            most_rows=settings.limits.rows,
            most_bytes=settings.limits.body_bytes,
            name=artifact.name,
            version=artifact.version,
            platform=artifact.runtime_name,
        )
        spoken = sorted(units(PROTOCOLS, WireProtocol).values(), key=lambda unit: unit.id != "native")
        routes = [route for unit in spoken for route in unit.routes(shape)]
        notices = [notice for unit in spoken for notice in unit.notices(shape)]
        model_type = artifact.metadata.model_type or artifact.runtime_name
        self._facts = Facts(
            name=artifact.name,
            version=artifact.version,
            digest=artifact.digest,
            runtime=artifact.runtime_name,
            model_type=model_type,
            signature=self._signature,
            metadata=msgspec.to_builtins(artifact.metadata),
            routes=routes,
            notices=notices,
        )
        self._infer = None if settings.grpc_port is None else _infer_route(shape)
        paths = [
            *(() if self._infer is None else (self._infer.path,)),
            *(route.path for route in routes),
            *(notice.path for notice in notices),
            *APPLICATION,
            "/health",
            "/health/live",
            "/health/ready",
            "/ping",
            "/metrics",
        ]
        layout = Layout(families(self._signature, paths, version=artifact.version, info=self._facts.labels()))
        self.tally = Tally(Cells(run.metrics, number, layout), self._signature, artifact.version)
        self.log = Log(
            log_descriptor,
            per_second=settings.access_log_per_second,
            dropped=lambda lines: self.tally.add("ml_log_lines_dropped", lines),
            always={"model": artifact.digest[:12], "worker": number},
        )
        self._front = Front(settings, callers=Callers(settings, GuessLimit()), tally=self.tally, log=self.log)
        rate = None
        if settings.rate_limit is not None:
            shared = settings.workers > 1
            rate = RateLimit(run.limits, per_second=settings.rate_limit, burst=settings.burst, shared=shared)
        over_machines = None if rate is None or settings.rate_store is None else self._share(rate, settings.rate_store)
        own = None if over_machines is not None else rate
        self._desk = Desk(settings, version=artifact.version, front=self._front, tally=self.tally, rate=own)
        self._desk.shared_rate = over_machines
        self._desk.recorder = self._open_book()
        self._model = Model(artifact, self._signature, settings)
        health = Health(
            self._front, self._desk, Exposition(run.metrics, layout), version=artifact.version, model_type=model_type
        )
        told = {notice.path: health.place(notice) for notice in notices}
        self._grpc = None if self._infer is None else self._make_grpc(shape, self._infer, told)
        self._front.open(
            (
                *map(self._desk.place, routes),
                *told.values(),
                *health.places(),
                *self._application_places(),
            )
        )
        self._tls = None if settings.certificate is None else Tls(settings)
        self._application: asyncio.Future[Any] | None = None
        self._ended = asyncio.Event()

    async def serve(self, listener: socket.socket, go: asyncio.Event, say: Any) -> None:
        """Serve until :meth:`end` is called.

        Args:
            listener: The socket that all workers share.
            go: Set when the model may be loaded.
            say: Tells the supervisor a :class:`Word`.

        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._take_fault)
        limits = self._settings.limits
        acceptor = Acceptor(
            listener,
            lambda: Connection(self._front),
            loop,
            tls=None if self._tls is None else self._tls.context,
            handshake_seconds=limits.head_seconds,
        )
        ticking = loop.create_task(self._tick())
        say(Word(state="listening"))
        try:
            opening = loop.create_task(self._open(loop, go, say))
            await self._ended.wait()
            opening.cancel()
            await self._drain(acceptor)
        finally:
            ticking.cancel()
            if self._desk.shared_rate is not None:
                await self._desk.shared_rate.close()
            if self._desk.recorder is not None:
                await loop.run_in_executor(None, self._desk.recorder.close)
            self.tally.set("ml_worker_ready", 0.0)
            self.log.close()

    def end(self) -> None:
        """Begin to end."""
        self._ended.set()

    def _take_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG002
        self._front.fault(context.get("exception") or RuntimeError(context.get("message", "")))

    async def _open(self, loop: asyncio.AbstractEventLoop, go: asyncio.Event, say: Any) -> None:
        await go.wait()
        try:
            if self._grpc is not None:
                await self._grpc.start()
            await loop.run_in_executor(None, self._model.load)
        except SekishoError as error:
            say(Word(state="failed", what=(error.what.en, error.what.ja), remedy=(error.remedy.en, error.remedy.ja)))
            return
        self._desk.open(self._model.runner(self._desk, loop, lambda: self.tally.add("ml_model_restarts", 1.0)))
        self.tally.set("ml_worker_ready", 1.0)
        self.tally.set("ml_batch_rows_most", self._model.batching.most_rows)
        self.log.say("info", "batches timed", **msgspec.to_builtins(self._model.batching))
        say(Word(state="ready"))
        self._application = loop.run_in_executor(None, self._build_application)
        await self._application
        _settle_memory()
        while True:
            await asyncio.sleep(SOUND_SECONDS)
            sound = self._model.is_sound() and self._desk.is_able
            if self._desk.state in {"ready", "unsound"}:
                self._desk.state = "ready" if sound else "unsound"
                self.tally.set("ml_worker_ready", float(sound))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            sweep(self._front.connections, monotonic())
            self._front.responses.tick()
            self._front.refresh_keys()
            if self._tls is not None:
                self._tls.refresh(self.log.say)
                self.tally.set("ml_certificate_ends_timestamp_seconds", self._tls.ends)
            self._desk.expire()
            self.tally.measure()
            self.tally.set("ml_connections", len(self._front.connections))
            self.tally.set("ml_requests_waiting", self._desk.waiting)

    async def _drain(self, acceptor: Acceptor) -> None:
        """Answer everything that was accepted, then let go of every connection."""
        self._desk.state = "draining"
        self._front.draining = True
        self._front.known_heads.clear()
        self.tally.set("ml_worker_ready", 0.0)
        self.log.say("info", "draining", waiting=self._desk.waiting)
        ends = monotonic() + self._settings.grace_seconds
        await asyncio.sleep(LINGER_SECONDS)
        acceptor.close()
        if self._grpc is not None:
            await self._grpc.stop(max(0.1, ends - monotonic()))
        for connection in list(self._front.connections):
            connection.end()
        while self._front.connections and monotonic() < ends:
            await asyncio.sleep(0.01)
        if self._desk.runner is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._desk.runner.close(), max(0.1, ends - monotonic()))
        for connection in list(self._front.connections):
            connection.abort()

    def _make_grpc(self, model: Shape, infer: Route, places: dict[str, Place]) -> GrpcServer:
        from sekisho.serving.grpc.server import GrpcServer

        return GrpcServer(self._settings, self._front, model, self._desk.place(infer), places)

    def _share(self, rate: RateLimit, url: str) -> SharedRateLimit:
        return SharedRateLimit(
            url,
            name=self._artifact.name,
            local=rate,
            refuse=self._settings.rate_store_down == "refuse",
            failed=lambda: self.tally.add("ml_rate_store_failures", 1.0),
        )

    def _open_book(self) -> Recorder | None:
        if self._settings.ledger is None:
            return None
        model = BookModel(digest=self._artifact.digest, version=self._artifact.version, names=self._signature.names)
        return Recorder(
            PredictionBook(self._settings.ledger),
            model,
            self._signature,
            fraction=self._settings.log_predictions,
            redacted=self._settings.redacted,
            written=lambda rows: self.tally.add("ml_ledger_written", rows),
            dropped=lambda rows: self.tally.add("ml_ledger_dropped", rows),
            complain=lambda why: self.log.say("error", "predictions cannot be written", why=why),
        )

    def _application_places(self) -> list[Place]:
        return [
            Place(
                path=path,
                methods=methods,
                scope="predict" if scope else None,
                offer=Offer(media_types=(JSON,) if "POST" in methods else ()),
                go=lambda exchange: self._front.later(exchange, self._ask_application(exchange)),
            )
            for path, (methods, scope) in APPLICATION.items()
        ]

    def _build_application(self) -> Any:
        from sekisho.serving.application import build

        return build(self._facts, self._settings, self._book)

    def _book(self) -> PredictionBook | None:
        return None if self._desk.recorder is None else self._desk.recorder.book

    async def _ask_application(self, exchange: Exchange) -> None:
        if self._application is None:
            self._front.refuse(exchange, Problem(kind=problems.NOT_READY, fields=problems.retry_after(1)))
            return
        application = await asyncio.shield(self._application)
        head = exchange.admission.head
        answer = await asgi.call(application, head, exchange.body, state={"request_id": exchange.request_id})
        code = None if answer.status < 400 else _code_of(answer.body)
        self._front.answer(
            exchange, answer.status, answer.body, media_type=answer.media_type, fields=answer.fields, code=code
        )


def _code_of(body: bytes) -> str | None:
    try:
        code = msgspec.json.decode(body, type=dict[str, Any]).get("code")
    except msgspec.DecodeError:
        return None
    return code if code in problems.KINDS else None


def main(arguments: list[str]) -> None:
    """Run a worker.

    Args:
        arguments: The folder of the artifact, the folder that the service shares, the number of the worker, and the numbers of three
            descriptors: the socket it listens on, the pipe to the supervisor, and the log.

    """
    folder, run_path, number, socket_descriptor, control_descriptor, log_descriptor = arguments
    _allow_connections()
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    control = socket.socket(fileno=int(control_descriptor))
    run = RunFolder(Path(run_path))

    def say(word: Word) -> None:
        with suppress(OSError):
            control.sendall(encode(word))

    try:
        settings = run.settings
        artifact = ModelArtifact.load(
            Path(folder),
            trust=settings.trust,
            trusted_types=settings.trusted_types,
            library_mismatch=settings.library_mismatch,
            digest=settings.digest,
        )
        listener = socket.socket(fileno=int(socket_descriptor))
        listener.settimeout(0.0)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(artifact, run, int(number), listener, control, int(log_descriptor), say))
    except SekishoError as error:
        say(Word(state="failed", what=(error.what.en, error.what.ja), remedy=(error.remedy.en, error.remedy.ja)))
        sys.exit(error.exit_code)
    except OSError as error:
        failed = _system_failed(error)
        say(Word(state="failed", what=(failed.what.en, failed.what.ja), remedy=(failed.remedy.en, failed.remedy.ja)))
        sys.exit(failed.exit_code)


async def _run(
    artifact: ModelArtifact,
    run: RunFolder,
    number: int,
    listener: socket.socket,
    control: socket.socket,
    log_descriptor: int,
    say: Any,
) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(artifact, run, number, log_descriptor)
    go = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, worker.end)
    threading.Thread(target=_follow, args=(control, loop, go, worker), name="supervisor", daemon=True).start()
    await worker.serve(listener, go, say)


def _follow(control: socket.socket, loop: asyncio.AbstractEventLoop, go: asyncio.Event, worker: Worker) -> None:
    """Do what the supervisor says; end when it is gone, even if the event loop hangs."""
    received = b""
    with suppress(OSError):
        while data := control.recv(64):
            received += data
            if received.endswith(GO):
                loop.call_soon_threadsafe(go.set)
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(worker.end)
    threading.Event().wait(SECONDS_WITHOUT_SUPERVISOR)
    os._exit(1)


def _infer_route(model: Shape) -> Route:
    from sekisho.serving.grpc.server import infer_route

    return infer_route(model)


def _allow_connections() -> None:
    """Let this process have as many descriptors as it may have at all: each connection takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _settle_memory() -> None:
    """Take what has been loaded out of sight of the garbage collector, which would look through all of it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not on this platform
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _system_failed(error: OSError) -> ServiceError:
    said = error.strerror or type(error).__name__
    return ServiceError(
        Text(en=f"the system refused: {said}", ja=f"システムに拒否されました: {said}"),
        Text(en="mend this and start again", ja="原因を取り除いてから起動し直してください"),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
