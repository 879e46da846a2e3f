"""The supervisor: binds the socket, starts the workers, brings dead ones back, and lets everything end in order.

It runs no model and answers no request. A worker that dies is started again, at once the first time and later the more often it dies.
Workers end by themselves when the supervisor is gone, even by ``kill -9``.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import threading
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from sekisho.errors import SekishoError, ServiceError
from sekisho.ledger.address import set_apart
from sekisho.serving import logs
from sekisho.serving.bookkeeping import check_book
from sekisho.serving.candidates import Rehearsals, lineup_of, served_as, verified
from sekisho.serving.changing import Changes
from sekisho.serving.following import Follower
from sekisho.serving.guards.callers import Callers
from sekisho.serving.guards.guesses import GuessLimit
from sekisho.serving.guards.keys import refuse_guessable
from sekisho.serving.guards.modes import readable_secrets, refuse_changeable
from sekisho.serving.guards.rate_store import client_of
from sekisho.serving.guards.tls import context_of
from sekisho.serving.layout import Order, RunFolder, Wish, Word, decode, encode, make_run_folder
from sekisho.serving.listener import check_free, listen, url_of
from sekisho.serving.metrics.cells import clear_gauges
from sekisho.serving.processes import Child, Starter
from sekisho.serving.settings import ServingSettings, check_exposure, settings_of
from sekisho.serving.signals import signals
from sekisho.serving.sources import sources_of
from sekisho.text import Text

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.serving.layout import Outcome
    from sekisho.serving.signals import Received
    from sekisho.serving.sources import Given, Source

POLL_SECONDS: Final = 0.1
POLL_SECONDS_AT_START: Final = 0.02
SECONDS_TO_KILL: Final = 5.0
MOST_FAILED_STARTS: Final = 3
MOST_STRAYS: Final = 100
"""Lines a second of what processes print that should not; others are counted."""


def serve(
    artifact: Given | Mapping[str, Given] | list[Given] | tuple[Given, ...],
    settings: ServingSettings | None = None,
    *,
    on_ready: Callable[[str], None] | None = None,
    **more: Any,
) -> None:
    """Serve an artifact, or several, until somebody ends it: SIGTERM, or Ctrl-C.

    ::

        sekisho.serve("artifact", port=8000, workers=2, ledger="predictions.sqlite")
        sekisho.serve({"fraud": "artifacts/fraud", "churn": "churn@champion"}, port=8000)

    Args:
        artifact: The folder of an artifact, one that has been loaded or saved, or ``NAME@VERSION`` or ``NAME@ALIAS`` of the registry. Or
            several, by the names that callers call them; without names, each is called as it was packed. The first answers where no name
            is said; of one name, the first version is live.
        settings: How the service runs; or give its fields by name.
        on_ready: Told the URL once the service answers predictions.
        more: The fields of :class:`~sekisho.serving.settings.ServingSettings` by name.

    Raises:
        WrongUse: A setting cannot be what it is; the service would be open to the network without keys; the keys are of no use.
        ArtifactError: An artifact or its model cannot be loaded, or answers otherwise than it did when it was packed.
        RegistryError: The registry cannot be read.
        ServiceError: The port is taken, or the workers do not live.
        LedgerError: The book of predictions cannot be opened.
        KeyboardInterrupt: Ctrl-C; by then everything has ended in order.

    """
    if settings is None or more:
        settings = settings_of(**more)
    check_exposure(settings)
    sources = sources_of(artifact)
    loaded = [verified(source.fetch(settings), settings) for source in sources]
    served = [served_as(artifact, source.name) for artifact, source in zip(loaded, sources, strict=True)]
    lineup = lineup_of(served, settings.default_model)
    by_name = {one.name: source for one, source in reversed([*zip(served, sources, strict=True)])}
    refuse_changeable(settings)
    if settings.key_file is not None:
        refuse_guessable(settings.key_file)
    Callers(settings, GuessLimit())  # keys that are of no use are found before anybody listens
    if settings.rate_store is not None:
        client_of(settings.rate_store)
    if settings.ledger is not None:
        settings = msgspec.structs.replace(settings, ledger=set_apart(settings.ledger))
    check_book(settings)
    context_of(settings)
    check_free(settings)
    listener = listen(settings)
    with contextlib.closing(listener), signals() as received:
        run = make_run_folder(settings, lineup)
        try:
            Supervisor(loaded, by_name, settings, run, listener, received, on_ready).run()
        finally:
            run.remove()
    if received.number == signal.SIGINT:
        raise KeyboardInterrupt


class Supervisor:
    """Runs one service.

    Args:
        artifacts: What is served.
        sources: Where the versions of each model come from, by name.
        settings: How.
        run: The folder that its processes share.
        listener: The socket that they listen on.
        received: Says when it shall end.
        on_ready: Told the URL once the service answers; ``None``: nobody is.

    """

    def __init__(
        self,
        artifacts: Sequence[ModelArtifact],
        sources: Mapping[str, Source],
        settings: ServingSettings,
        run: RunFolder,
        listener: socket.socket,
        received: Received,
        on_ready: Callable[[str], None] | None,
    ) -> None:
        self._artifacts = artifacts
        self._settings = settings
        self._run = run
        self._listener = listener
        self._received = received
        self._on_ready = on_ready
        self._selector = selectors.DefaultSelector()
        self._stray_read, self._stray_write = os.pipe()
        self._strays = logs.Trickle(MOST_STRAYS)
        # A copy, because in the workers standard output leads to the pipe.
        self._log = os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1)
        starter = Starter(run=run, listener=listener.fileno(), log=self._log, stray=self._stray_write)
        self._workers = [
            Child(name=f"worker {number}", start=partial(starter.worker, number)) for number in range(settings.workers)
        ]
        self._rehearsals = Rehearsals()
        self._changes = Changes(
            settings,
            run,
            sources=sources,
            rehearsals=self._rehearsals,
            signatures={artifact.digest: artifact.signature for artifact in artifacts},
            say=self._say,
            changed=self._watch,
        )
        self._follower = Follower(sources, self._changes, settings, self._say) if settings.follow else None
        self._starter = starter
        self._companions = [
            Child(name=f"companion {number}", start=partial(starter.companion, command))
            for number, command in enumerate(settings.companions)
        ]
        self._watchers: dict[str, Child] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        for name in self._changes.lineup.names:
            self._watch(name)
        self._may_load = False
        self._announced = False
        self._failed_starts = 0

    def run(self) -> None:
        """Run until a signal says that it is over.

        Raises:
            SekishoError: The service cannot start.

        """
        self._selector.register(self._stray_read, selectors.EVENT_READ, self._take_stray)
        for artifact in self._artifacts:
            for mismatch in artifact.library_mismatches():
                self._say("warning", "library mismatch", model=artifact.name, **msgspec.structs.asdict(mismatch))
        for setting, mode in readable_secrets(self._settings):
            self._say("warning", "everybody on this machine may read a secret file", setting=setting, mode=mode)
        proving = threading.Thread(target=self._prove, name="prove", daemon=True)
        self._proof: SekishoError | None = None
        try:
            for worker in self._workers:
                self._begin(worker)
            proving.start()
            while self._received.number is None:
                self._step(proving)
            self._say("info", "ending", signal=signal.Signals(self._received.number).name)
        finally:
            self._rehearsals.stop()
            self._end()

    def _step(self, proving: threading.Thread) -> None:
        is_calm = self._announced and not self._changes.is_busy
        for key, _ in self._selector.select(POLL_SECONDS if is_calm else POLL_SECONDS_AT_START):
            key.data()
        if self._proof is not None:
            raise self._proof
        if not self._may_load and not proving.is_alive():
            self._may_load = True
            for worker in self._workers:
                _order(worker, "load")
        now = monotonic()
        for child in self._children:
            self._look_after(child, now)
        if self._announced:
            self._change(now)
        self._reap_others()

    def _change(self, now: float) -> None:
        """Let what is served be changed, if somebody wishes it."""
        if self._received.reload:
            self._received.reload = False
            for name in self._changes.lineup.names:
                self._changes.ask(Wish(name=name, deed="reload", by="SIGHUP"), lambda _: None)
        self._changes.step(self._workers, now)

    @property
    def _children(self) -> list[Child]:
        return [*self._workers, *self._companions, *self._watchers.values()]

    def _prove(self) -> None:
        """Run the golden rows behind a fence, while the workers start."""
        self._proof = self._rehearsals.prove_all(self._artifacts, self._settings)

    def _watch(self, name: str) -> None:
        """Watch the live version of a model for drift, and no longer the one before; one that does not know what it was trained on is not."""
        before = self._watchers.pop(name, None)
        if before is not None and before.process is not None:
            before.process.terminate()
            self._leaving.append(before.process)
        live = self._changes.lineup.live(name)
        if self._settings.watcher and live.watched:
            command = (*self._settings.watcher, "--model", name, "--artifact", live.folder)
            self._watchers[name] = Child(name=f"watcher {name}", start=partial(self._starter.companion, command))

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is None:
            if child.due <= now and (child in self._workers or self._announced):
                self._begin(child)
            return
        code = child.died(now)
        if code is None:
            return
        self._forget(child)
        if child in self._workers:
            clear_gauges(self._run.metrics, self._workers.index(child))
            self._let_accept()
        self._say("error", "process died", process=child.name, exit_code=code)
        if child in self._workers and not self._announced:
            self._failed_starts += 1
            if self._failed_starts >= MOST_FAILED_STARTS:
                raise ServiceError(
                    Text(
                        en=f"the workers die while starting (exit code {code})",
                        ja=f"ワーカーが起動中に落ちます（終了コード {code}）",
                    ),
                    Text(en="look at the log above", ja="上のログを確認してください"),
                )

    def _begin(self, child: Child) -> None:
        child.begin(monotonic())
        if child.control is not None:
            self._selector.register(child.control, selectors.EVENT_READ, lambda: self._listen_to(child))
            if self._may_load:
                _order(child, "load")
            self._let_accept()
        self._leaving = [process for process in self._leaving if process.poll() is None]

    def _forget(self, child: Child) -> None:
        if child.control is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(child.control)
            child.control.close()
            child.control = None

    def _let_accept(self) -> None:
        """Let workers that are not ready answer that they are not, if there is nobody who could answer better."""
        if not any(worker.process is not None and worker.state == "ready" for worker in self._workers):
            for worker in self._workers:
                _order(worker, "accept")

    def _listen_to(self, worker: Child) -> None:
        assert worker.control is not None
        try:
            data = worker.control.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(worker.control)
            return
        *lines, worker.received = (worker.received + data).split(b"\n")
        for line in lines:
            self._take_word(worker, decode(line))

    def _take_word(self, worker: Child, word: Word) -> None:
        if word.state == "asks" and word.wish is not None:
            self._changes.ask(word.wish, partial(_tell, worker, worker.control, word.number))
            return
        if word.state in {"prepared", "refused", "committed"}:
            self._changes.heard(worker, word, self._workers)
            return
        worker.state = word.state
        if word.state == "failed" and word.what is not None and word.remedy is not None:
            what = Text(en=word.what[0], ja=word.what[1])
            if not self._announced:
                raise ServiceError(what, Text(en=word.remedy[0], ja=word.remedy[1]), where=word.where)
            self._say("error", "worker cannot serve", process=worker.name, where=word.where, why=what.en)
        if word.state == "ready" and not self._announced and all(one.state == "ready" for one in self._workers):
            self._announce()

    def _announce(self) -> None:
        self._announced = True
        url = url_of(self._listener, self._settings)
        if self._follower is not None:
            self._follower.start()
        lineup = self._changes.lineup
        default = lineup.live(lineup.default)
        artifact = next(one for one in self._artifacts if one.digest == default.digest)
        self._say(
            "info",
            "ready",
            url=url,
            model=default.digest,
            name=default.name,
            version=default.version,
            models={name: lineup.live(name).version for name in lineup.names},
            workers=len(self._workers),
            trust=self._settings.trust,
            signed_by=artifact.signers,
            open=self._settings.open,
        )
        if self._on_ready is not None:
            self._on_ready(url)

    def _take_stray(self) -> None:
        """Put into the log whatever a process prints that should not: one JSON object a line, whatever it was, and not too many."""
        for words in os.read(self._stray_read, 65_536).decode("utf-8", "replace").splitlines():
            skipped = self._strays.skipped(monotonic())
            if skipped:
                self._say("warning", "stray output not logged line by line", count=skipped)
            if words.strip() and self._strays.passes(monotonic()):
                self._say("warning", "stray output", words=words)

    def _say(self, level: logs.Level, event: str, **members: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.write(self._log, logs.line(level, event, **members))

    def _reap_others(self) -> None:
        """As the first process of a container, bury what others have left."""
        if os.getpid() != 1:
            return
        ours = {process.pid for process in self._processes}
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if found.si_pid in ours:
                    return
                os.waitpid(found.si_pid, os.WNOHANG)

    @property
    def _processes(self) -> list[subprocess.Popen[bytes]]:
        return [*(child.process for child in self._children if child.process is not None), *self._leaving]

    def _end(self) -> None:
        """End every process: first kindly, after the grace period by force."""
        self._listener.close()
        processes = self._processes
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        ends = monotonic() + self._settings.grace_seconds + SECONDS_TO_KILL
        for process in processes:
            while process.poll() is None and monotonic() < ends:
                for key, _ in self._selector.select(POLL_SECONDS / 4):
                    if key.fd == self._stray_read:
                        key.data()
                    else:
                        self._selector.unregister(key.fileobj)
            if process.poll() is None:
                process.kill()
                process.wait()
        for child in self._children:
            self._forget(child)
        self._selector.close()
        for descriptor in (self._stray_read, self._stray_write, self._log):
            os.close(descriptor)


def _order(worker: Child, do: Literal["load", "accept"]) -> None:
    if worker.control is not None:
        with contextlib.suppress(OSError):
            worker.control.sendall(encode(Order(do=do)))


def _tell(worker: Child, control: socket.socket | None, number: int, outcome: Outcome) -> None:
    """Tell the caller of a worker what became of their wish, if it is still the process that asked."""
    if control is not None and worker.control is control:
        with contextlib.suppress(OSError):
            control.sendall(encode(Order(do="tell", number=number, outcome=outcome)))
