"""One worker: ``python -m sekisho.serving.worker RUN_FOLDER NUMBER SOCKET CONTROL LOG``.

It listens as soon as it can, so that liveness is told while the models load; requests for predictions that come before are kept until
the model is ready. It ends when it is told to (SIGTERM), after everything that was accepted has been answered, and at once when its
supervisor is gone.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import SekishoError, ServiceError
from sekisho.serving import problems
from sekisho.serving.acceptor import Acceptor
from sekisho.serving.changeover import Changing, settle_memory
from sekisho.serving.front import Front, Place
from sekisho.serving.guards.callers import Callers
from sekisho.serving.guards.guesses import GuessLimit
from sekisho.serving.guards.rate import RateLimit
from sekisho.serving.guards.rate_store import SharedRateLimit
from sekisho.serving.guards.tls import Tls
from sekisho.serving.hosted import Surroundings, below
from sekisho.serving.hosting import Hosting
from sekisho.serving.http import asgi
from sekisho.serving.http.connection import Connection, sweep
from sekisho.serving.http.forms import JSON, Offer
from sekisho.serving.layout import RunFolder, Word, decode_order, encode, failure
from sekisho.serving.logs import Log
from sekisho.serving.management import Management
from sekisho.serving.metrics.cells import clear_gauges
from sekisho.serving.metrics.exposition import MEDIA_TYPE, Exposition
from sekisho.serving.retaining import Retaining
from sekisho.serving.tally import Tally
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.ledger.predictions import PredictionBook
    from sekisho.serving.grpc.server import GrpcServer
    from sekisho.serving.hosted import Hosted
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.layout import Order
    from sekisho.serving.lineup import Served

TICK_SECONDS: Final = 0.5
SOUND_SECONDS: Final = 2.0
"""How often a model is asked its golden rows while it serves."""
LINGER_SECONDS: Final = 0.3
"""How long a worker that was told to end still accepts: what was sent before it was told may still be on its way."""
SECONDS_WITHOUT_SUPERVISOR: Final = 3.0
MOST_DESCRIPTORS: Final = 65_536
SWITCH_SECONDS: Final = 0.0005
"""How long a thread that writes the log or the book may keep the event loop from going on."""
APPLICATION: Final = {
    "/docs": (("GET", "HEAD"), None),
    "/openapi.json": (("GET", "HEAD"), None),
    "/feedback": (("POST",), "predict"),
}
"""The routes that FastAPI answers, with their methods and the scope of the key."""


class Worker:
    """One worker.

    Args:
        run: The folder that the service shares.
        number: Its number among the workers.
        log_descriptor: Where the log goes.
        say: Tells the supervisor a :class:`~sekisho.serving.layout.Word`.

    Raises:
        SekishoError: One of the models cannot be served.

    """

    def __init__(self, run: RunFolder, number: int, log_descriptor: int, say: Callable[[Word], None]) -> None:
        settings = self._settings = run.settings
        lineup = run.lineup
        clear_gauges(run.metrics, number)
        self.tally = Tally(run.metrics, number)
        self.log = Log(
            log_descriptor,
            per_second=settings.access_log_per_second,
            dropped=lambda lines: self.tally.add("ml_log_lines_dropped", lines),
            always={"worker": number},
        )
        self._front = Front(settings, callers=Callers(settings, GuessLimit()), tally=self.tally, log=self.log)
        rate = None
        if settings.rate_limit is not None:
            shared = settings.workers > 1
            rate = RateLimit(run.limits, per_second=settings.rate_limit, burst=settings.burst, shared=shared)
        self._shared_rate = None
        if rate is not None and settings.rate_store is not None:
            self._shared_rate = self._share(rate, settings.rate_store, lineup.default)
        around = Surroundings(
            settings=settings,
            run=run,
            number=number,
            front=self._front,
            tally=self.tally,
            log=self.log,
            rate=None if self._shared_rate is not None else rate,
            shared_rate=self._shared_rate,
        )
        self._hosting = Hosting(lineup, around)
        for served in lineup.models:
            with _naming(served):
                self._hosting.take_in(self._hosting.host(served))
        self._say = say
        self._may_load = asyncio.Event()
        self._may_accept = asyncio.Event()
        self._loading: Hosted | None = None
        self._management = Management(self._front, self._hosting, say)
        self._changing = Changing(self._hosting, say=say, switched=self._set_up)
        self._exposition = Exposition(run.metrics)
        self._grpc = None if settings.grpc_port is None else self._make_grpc()
        self._tls = None if settings.certificate is None else Tls(settings)
        self._application: asyncio.Future[Any] | None = None
        self._retaining = None
        if number == 0 and settings.ledger is not None and settings.retention_days is not None:
            self._retaining = Retaining(settings.ledger, settings.retention_days, self.log)
        self._ended = asyncio.Event()
        self._set_up()
        self.tally.know(sorted({*(place.path for place in self._front.paths.values()), *self._hosting.infer_paths()}))

    def _set_up(self) -> None:
        """Let what is asked go to the models that are there."""
        self._front.open(self._hosting.places() | {place.path: place for place in self._own_places()})
        if self._grpc is not None:
            self._grpc.open(self._hosting.infers(), self._front.paths)
        self._application = None

    async def serve(self, listener: socket.socket) -> None:
        """Serve until :meth:`end` is called.

        Args:
            listener: The socket that all workers share.

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
        accepting = loop.create_task(self._accept(acceptor))
        self._say(Word(state="listening"))
        try:
            opening = loop.create_task(self._open(loop))
            await self._ended.wait()
            opening.cancel()
            accepting.cancel()
            await self._drain(acceptor)
        finally:
            ticking.cancel()
            if self._shared_rate is not None:
                await self._shared_rate.close()
            if self._retaining is not None:
                self._retaining.stop()
            for hosted in self._hosting:
                if hosted is not self._loading:
                    await hosted.close()
            self.tally.set("ml_worker_ready", 0.0)
            self.log.close()
            if self._loading is not None:
                os._exit(0)  # nobody waits for a model that nobody will ask; its processes end with this one

    def end(self) -> None:
        """Begin to end."""
        self._ended.set()

    def _take_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG002
        self._front.fault(context.get("exception") or RuntimeError(context.get("message", "")))

    def obey(self, order: Order) -> None:
        """Do what the supervisor says."""
        if order.do == "load":
            self._may_load.set()
        elif order.do == "accept":
            self._may_accept.set()
        elif order.do == "tell" and order.outcome is not None:
            self._management.told(order.number, order.outcome)
        else:
            self._changing.obey(order)

    async def _accept(self, acceptor: Acceptor) -> None:
        """Accept connections once this worker is ready, or nobody else is: whoever asks then is told that it is starting."""
        await self._may_accept.wait()
        acceptor.open()

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        await self._may_load.wait()
        try:
            if self._grpc is not None:
                await self._grpc.start()
            for hosted in self._hosting:
                self._loading = hosted
                with _naming(hosted.served):
                    await loop.run_in_executor(None, hosted.load)
                self._loading = None
                hosted.open(loop)
        except SekishoError as error:
            self._say(failure(error))
            return
        self._look()
        self._may_accept.set()
        self._say(Word(state="ready"))
        settle_memory()
        while True:
            await asyncio.sleep(SOUND_SECONDS)
            self._look()

    def _look(self) -> None:
        """See whether the models are still sound; the worker is ready if that which is asked without a name is."""
        for hosted in self._hosting:
            hosted.look()
        self.tally.set("ml_worker_ready", float(self._hosting.default.desk.state == "ready"))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            sweep(self._front.connections, monotonic())
            self._front.responses.tick()
            self._front.refresh_keys()
            if self._tls is not None:
                self._tls.refresh(self.log.say)
                self.tally.set("ml_certificate_ends_timestamp_seconds", self._tls.ends)
            for hosted in self._hosting:
                hosted.desk.expire()
            self.tally.measure()
            self.tally.set("ml_connections", len(self._front.connections))
            self.tally.set("ml_requests_waiting", self._waiting)

    @property
    def _waiting(self) -> int:
        return sum(hosted.desk.waiting for hosted in self._hosting)

    async def _drain(self, acceptor: Acceptor) -> None:
        """Answer everything that was accepted, then let go of every connection."""
        self._management.end()
        for hosted in self._hosting:
            hosted.drain()
        self._front.draining = True
        self._front.forget()
        self.tally.set("ml_worker_ready", 0.0)
        self.log.say("info", "draining", waiting=self._waiting)
        ends = monotonic() + self._settings.grace_seconds
        await asyncio.sleep(LINGER_SECONDS)
        acceptor.close()
        if self._grpc is not None:
            await self._grpc.stop(max(0.1, ends - monotonic()))
        for connection in list(self._front.connections):
            connection.end()
        while self._front.connections and monotonic() < ends:
            await asyncio.sleep(0.01)
        for hosted in self._hosting:
            await hosted.finish(ends - monotonic())
        for connection in list(self._front.connections):
            connection.abort()

    def _make_grpc(self) -> GrpcServer:
        from sekisho.serving.grpc.server import GrpcServer

        return GrpcServer(self._settings, self._front)

    def _share(self, rate: RateLimit, url: str, name: str) -> SharedRateLimit:
        return SharedRateLimit(
            url,
            name=name,
            local=rate,
            refuse=self._settings.rate_store_down == "refuse",
            failed=lambda: self.tally.add("ml_rate_store_failures", 1.0),
        )

    def _own_places(self) -> list[Place]:
        """Return the routes that belong to no one model."""
        feedback = [f"{below(name)}/feedback" for name in self._hosting.lineup.names]
        asked = APPLICATION | dict.fromkeys(feedback, APPLICATION["/feedback"])
        return [
            Place(path="/metrics", methods=("GET", "HEAD"), scope="metrics", offer=Offer(), go=self._tell_metrics),
            *self._management.places(),
            *(
                Place(
                    path=path,
                    methods=methods,
                    scope="predict" if scope else None,
                    offer=Offer(media_types=(JSON,) if "POST" in methods else ()),
                    go=lambda exchange: self._front.later(exchange, self._ask_application(exchange)),
                )
                for path, (methods, scope) in asked.items()
            ),
        ]

    def _tell_metrics(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200, self._exposition.render(), media_type=MEDIA_TYPE)

    def _build_application(self) -> Any:
        from sekisho.serving.application import build

        return build(self._hosting.facts(), self._settings, self._book)

    def _book(self) -> PredictionBook | None:
        recorder = self._hosting.default.desk.recorder
        return None if recorder is None else recorder.book

    async def _ask_application(self, exchange: Exchange) -> None:
        # Most services are never asked for it, and it takes much memory: whoever asks first waits a moment.
        if self._application is None:
            self._application = asyncio.get_running_loop().run_in_executor(None, self._build_application)
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


@contextmanager
def _naming(served: Served) -> Iterator[None]:
    """Let an error say which model it is about."""
    try:
        yield
    except SekishoError as error:
        error.where = f"{served.name} ({served.folder})"
        raise


def main(arguments: list[str]) -> None:
    """Run a worker.

    Args:
        arguments: The folder that the service shares, the number of the worker, and the numbers of three descriptors: the socket it listens
            on, the pipe to the supervisor, and the log.

    """
    run_path, number, socket_descriptor, control_descriptor, log_descriptor = arguments
    _allow_connections()
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    control = socket.socket(fileno=int(control_descriptor))
    run = RunFolder(Path(run_path))

    def say(word: Word) -> None:
        with suppress(OSError):
            control.sendall(encode(word))

    try:
        listener = socket.socket(fileno=int(socket_descriptor))
        listener.settimeout(0.0)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(run, int(number), listener, control, int(log_descriptor), say))
    except SekishoError as error:
        say(failure(error))
        sys.exit(error.exit_code)
    except OSError as error:
        failed = _system_failed(error)
        say(failure(failed))
        sys.exit(failed.exit_code)


async def _run(
    run: RunFolder,
    number: int,
    listener: socket.socket,
    control: socket.socket,
    log_descriptor: int,
    say: Callable[[Word], None],
) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(run, number, log_descriptor, say)
    loop.add_signal_handler(signal.SIGTERM, worker.end)
    threading.Thread(target=_follow, args=(control, loop, worker), name="supervisor", daemon=True).start()
    await worker.serve(listener)


def _follow(control: socket.socket, loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
    """Do what the supervisor says; end when it is gone, even if the event loop hangs."""
    received = b""
    with suppress(OSError):
        while data := control.recv(65_536):
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(worker.obey, decode_order(line))
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(worker.end)
    threading.Event().wait(SECONDS_WITHOUT_SUPERVISOR)
    os._exit(1)


def _allow_connections() -> None:
    """Let this process have as many descriptors as it may have at all: each connection takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
