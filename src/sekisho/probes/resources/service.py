"""The service that is judged: given by address, started by the contract's command, or Sekisho's own on the artifact.

It starts when a probe first speaks to it, so that a run whose evidence is all at hand starts nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sekisho import __version__, shelf
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Signature
from sekisho.artifact.table import Scalar, Table
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured, SekishoError
from sekisho.gate.probe import resource
from sekisho.probes.adapters.interface import Adapter, Answer, Ask, Speech, Unreadable
from sekisho.probes.resources.files import project_files
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.launch import (
    ForeignServer,
    Launcher,
    OwnServer,
    Site,
    await_ready,
    first_reply,
    given_keys,
    port_for_one,
    start,
)
from sekisho.probes.resources.questions import Questions, questions
from sekisho.probes.resources.tables import TestSet, TrainingSet
from sekisho.probes.wire.client import Trust
from sekisho.probes.wire.message import Reply
from sekisho.text import Text

ANSWERS: Final = 10.0
"""Seconds that a service given by address has to say that it is ready; nobody is starting it now."""


MOST_RESTARTS: Final = 5
"""How often a service that has ended is started again for the next probe."""


class Service:
    """The service to be judged.

    Args:
        contract: What it must keep to.
        asked: What it is asked.
        adapter: Speaks its protocol.
        settle: Fits the adapter to what the running service offers; ``None`` when there is nothing to fit.
        launcher: Starts it; ``None`` when ``serving.url`` gives its address.
        root: The folder of the project.
        state: Where the output of what is started is kept.
        digest: Of all that it is made of; empty when it was given by address, so that no evidence about it is kept.

    """

    def __init__(
        self,
        contract: Contract,
        asked: Questions,
        *,
        adapter: Adapter,
        settle: Callable[[Ask], Adapter] | None = None,
        launcher: Launcher | None,
        root: Path,
        state: Path,
        digest: str = "",
    ) -> None:
        self.asked = asked
        self.digest = digest
        self._contract = contract
        self._adapter = adapter
        self._settle = settle
        self._launcher = launcher
        self._root, self._state = root, state
        self._lock = threading.RLock()
        self._open = contextlib.ExitStack()
        self._main: Instance | SekishoError | None = None
        self._restarts = 0
        self._numbers = itertools.count(1)

    @property
    def adapter(self) -> Adapter:
        """Speaks the protocol of the service, fitted to what it offers.

        Raises:
            NotMeasured: Fitting needs the running service, and it does not start or answer.

        """
        if self._settle is not None:
            _ = self.main
        return self._adapter

    @property
    def signature(self) -> Signature:
        """What goes in and what comes out, by the artifact, else learned from the data; nulls as the contract has them."""
        return self.asked.signature

    @property
    def rows(self) -> tuple[dict[str, Scalar], ...]:
        """Rows of the test set that are within the signature, as JSON values."""
        return self.asked.rows

    @property
    def table(self) -> Table:
        """The same rows as a table."""
        return self.asked.table

    @property
    def own(self) -> bool:
        """Whether it is Sekisho's own server."""
        return isinstance(self._launcher, OwnServer)

    @property
    def is_remote(self) -> bool:
        """Whether somebody else started it, and others may be using it."""
        return self._launcher is None

    @property
    def main(self) -> Instance:
        """The instance that all probes share; started at the first call.

        Raises:
            NotMeasured: It does not start, or does not answer.

        """
        with self._lock:
            if isinstance(self._main, Instance) and self._main.has_ended and self._restarts < MOST_RESTARTS:
                self._restarts += 1  # one probe has seen it end; the others judge a living one
                self._open.close()
                self._main = None
            if self._main is None:
                try:
                    self._main = self._open_main()
                except SekishoError as failure:
                    self._main = failure
            if isinstance(self._main, SekishoError):
                raise self._main
            return self._main

    @contextlib.contextmanager
    def another(self, *, workers: int | None = None, rate_limit: float | None = None) -> Iterator[Instance]:
        """Run one more instance for a probe that would disturb others; given by address, it is the same one.

        Args:
            workers: How many processes; by default as many as the contract says.
            rate_limit: Requests per second and key that Sekisho's own server lets through; a command has its own.

        Raises:
            NotMeasured: It does not start, or does not answer.

        """
        if self._launcher is None:
            yield self.main
            return
        with contextlib.ExitStack() as stack:
            name = f"another-{next(self._numbers)}"  # two probes may each have one, with a log of its own
            yield self._start(stack, self._launcher, name, workers=workers, rate_limit=rate_limit)

    def predict(self, rows: Sequence[Mapping[str, object]], *, connections: int = 4) -> list[Answer | Reply]:
        """Ask for each row by itself; a reply that holds no answer is returned as it came.

        Raises:
            NotMeasured: The service does not start, or does not answer.

        """
        replies = self.main.ask([self.adapter.one(row) for row in rows], connections=connections)
        return [self._read(reply) for reply in replies]

    def close(self) -> None:
        """End what was started, and start nothing any more."""
        self._restarts = MOST_RESTARTS
        self._open.close()

    def _read(self, reply: Reply) -> Answer | Reply:
        if not reply.ok:
            return reply
        try:
            return self.adapter.read_one(reply)
        except Unreadable:
            return reply

    def _open_main(self) -> Instance:
        if self._launcher is not None:
            instance = self._start(self._open, self._launcher, "service", workers=None, rate_limit=None)
        else:
            authority = self._contract.security.certificate_authority
            trust = Trust(authority=None if authority is None else self._root / authority)
            url = str(self._contract.serving.url).rstrip("/")
            instance = Instance(url=url, keys=given_keys(self._contract), trust=trust)
            instance, asked = await_ready(instance, self._site)
            first_reply(instance, self._site, asked)
        if self._settle is not None:
            self._adapter, self._settle = self._settle(instance.ask), None
        return instance

    @property
    def _site(self) -> Site:
        seconds = self._contract.serving.start_seconds
        return Site(
            root=self._root,
            logs=self._state,
            adapter=self._adapter,
            row=self.rows[0],
            seconds=seconds if self._launcher is not None else min(seconds, ANSWERS),
            key_variable=self._contract.security.probe_key_variable,
        )

    def _start(
        self,
        stack: contextlib.ExitStack,
        launcher: Launcher,
        name: str,
        *,
        workers: int | None,
        rate_limit: float | None,
    ) -> Instance:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sekisho-")))
        port = port_for_one()
        count = workers or self._contract.serving.workers
        plan = launcher.plan(folder, port, count, rate_limit, watched=stack is self._open)
        instance = start(plan, self._site, port=port, name=name)
        if instance.child is not None:
            stack.callback(instance.child.end)
        return instance


@resource(title=Text(en="Start the service", ja="サービスを起動"))
def service(
    project: Project, artifact: ModelArtifact | None, test: TestSet | None, training: TrainingSet | None
) -> Iterator[Service]:
    """Yield the service to be judged.

    Raises:
        NotMeasured: There is nothing to start, nothing to ask it, or no adapter for its protocol.

    """
    contract = project.contract
    asked = questions(artifact, test, training, contract.features)
    launcher, speech = _launcher(project, artifact), _speech(contract)
    names = asked.signature.names
    settle = speech.settle
    adapter = speech.adapt(contract.serving, names)
    judged = Service(
        contract,
        asked,
        adapter=adapter,
        settle=None
        if settle is None or (speech.id == "native" and isinstance(launcher, OwnServer))
        else lambda ask: settle(adapter, ask, asked.rows[0]),
        launcher=launcher,
        root=project.root,
        state=project.state,
        digest=_digest(project, artifact, asked),
    )
    try:
        yield judged
    finally:
        judged.close()


def _launcher(project: Project, artifact: ModelArtifact | None) -> Launcher | None:
    contract = project.contract
    if contract.serving.url is not None:
        return None
    if contract.serving.command:
        return ForeignServer(contract)
    if artifact is None or artifact.folder is None:
        raise NotMeasured(
            Text(en="there is no readable artifact to serve", ja="起動できる（読み込める）成果物がありません"),
            Text(
                en="pack the model with sekisho pack, or name your service in serving.command or serving.url",
                ja="sekisho pack でモデルを梱包するか、serving.command か serving.url で対象のサービスを指定してください",
            ),
        )
    return OwnServer(artifact=artifact.folder, root=project.root, key_header=contract.security.key_header)


def _speech(contract: Contract) -> Speech:
    speeches = shelf.units("sekisho.probes.adapters", Speech)
    name = "native" if contract.serving.url is None and not contract.serving.command else contract.serving.protocol
    if name not in speeches:
        known = ", ".join(speeches)
        raise NotMeasured(
            Text(
                en=f"there is no adapter for the protocol {name!r}", ja=f"プロトコル {name!r} のアダプターがありません"
            ),
            Text(en=f"set serving.protocol to one of: {known}", ja=f"serving.protocol を次から選んでください: {known}"),
        )
    return speeches[name]


def _digest(project: Project, artifact: ModelArtifact | None, asked: Questions) -> str:
    """Return the SHA-256 of all that the service is made of; empty when it is given by address."""
    contract = project.contract
    if contract.serving.url is not None:
        return ""
    digest = hashlib.sha256(f"service 1 {__version__}".encode())
    sections = [contract.serving, contract.security, contract.monitoring, contract.features]
    digest.update(msgspec.json.encode(sections, order="sorted"))
    digest.update((artifact.digest if artifact else "").encode())
    digest.update(asked.table.digest.encode())
    if contract.serving.command:
        for path in project_files(project.root):
            digest.update(str(path.relative_to(project.root)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
