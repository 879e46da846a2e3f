"""How a service is started: Sekisho's own server on an artifact, or the command of the contract."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.probes.adapters.interface import Adapter, Row
from sekisho.probes.resources.instance import Instance, Keys
from sekisho.probes.resources.process import Child, free_port, surroundings
from sekisho.probes.wire.client import Trust, exchange
from sekisho.probes.wire.message import Reply, Request
from sekisho.serving.guards.keys import new_key
from sekisho.text import Text

SAYS_NOTHING: Final = {301, 302, 303, 307, 308, 401, 403, 404, 405, 501}
"""Statuses by which a route does not tell whether the service is ready."""
NO_ENTRY: Final = {401, 403}
UNLIMITED: Final = 10**8
"""Requests per second and key that no probe reaches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How to start one instance.

    Attributes:
        command: Program and arguments.
        keys: The keys that it will know.
        environment: What is added to the environment.
        hidden: Variables that it must not see.

    """

    command: tuple[str, ...]
    keys: Keys
    environment: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


class Launcher(Protocol):
    """A way to start a service."""

    def plan(self, folder: Path, port: int, workers: int, rate_limit: float | None, *, watched: bool) -> Plan:
        """Return how to start one instance.

        Args:
            folder: A scratch folder that lives as long as the instance.
            port: Where it is to listen, on 127.0.0.1.
            workers: How many processes.
            rate_limit: Requests per second and key, where the launcher can set it.
            watched: Whether it is to watch its own drift, where the launcher can set it.

        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnServer:
    """``sekisho serve`` on an artifact with the settings of the contract, and with keys and a ledger made for the run.

    Attributes:
        artifact: The folder of the artifact.
        root: The folder of the contract.
        key_header: The header that carries a key.

    """

    artifact: Path
    root: Path
    key_header: str

    def plan(self, folder: Path, port: int, workers: int, rate_limit: float | None, *, watched: bool) -> Plan:
        """Write the keys and return the command; without a rate limit, what the contract allows does not slow the probes."""
        full, full_line = new_key("probe", ("predict", "metrics", "admin"))
        second, second_line = new_key("second", ("predict",))
        other, other_line = new_key("other", ("metrics",))
        key_file = folder / "keys"
        key_file.touch(mode=0o600)
        key_file.write_text(f"{full_line}\n{second_line}\n{other_line}\n", encoding="utf-8")
        limits: tuple[str, ...] = ("--rate-limit", f"{UNLIMITED}", "--burst", f"{UNLIMITED}")
        if rate_limit is not None:
            limits = ("--rate-limit", f"{rate_limit:g}")
        command = (
            *(sys.executable, "-m", "sekisho", "serve", str(self.artifact), "--project", str(self.root)),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers), "--no-tls"),
            *("--key-file", str(key_file), "--ledger", str(folder / "ledger.sqlite"), *limits),
            *(() if watched else ("--no-watch",)),
        )
        return Plan(command=command, keys=Keys(header=self.key_header, full=full, second=second, other=other))


@dataclass(frozen=True, slots=True)
class ForeignServer:
    """The command of the contract.

    ``{port}``, ``{host}`` and ``{workers}`` are filled in, and told as ``PORT``, ``HOST`` and ``WEB_CONCURRENCY`` too.
    """

    contract: Contract

    def plan(self, folder: Path, port: int, workers: int, rate_limit: float | None, *, watched: bool) -> Plan:  # noqa: ARG002
        """Return the command."""
        words = {"{port}": str(port), "{host}": "127.0.0.1", "{workers}": str(workers)}
        parts = self.contract.serving.command
        if len(parts) == 1:
            parts = tuple(shlex.split(parts[0]))
        for word, value in words.items():
            parts = tuple(part.replace(word, value) for part in parts)
        return Plan(
            command=parts,
            keys=given_keys(self.contract),
            environment={"PORT": str(port), "HOST": "127.0.0.1", "WEB_CONCURRENCY": str(workers)},
            hidden=key_variables(self.contract),
        )


def given_keys(contract: Contract) -> Keys:
    """Return the keys that the environment holds for a service that is not ours."""
    full, second, other = (os.environ.get(name) or None for name in key_variables(contract))
    return Keys(header=contract.security.key_header, full=full, second=second, other=other)


def key_variables(contract: Contract) -> tuple[str, str, str]:
    """Return the environment variables of a key that may do all, of another caller's, and of one that may not predict."""
    name = contract.security.probe_key_variable
    return name, f"{name}_2", f"{name}_OTHER"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where and how instances run.

    Attributes:
        root: The folder of the project.
        logs: Where their output is kept.
        adapter: Speaks their protocol.
        row: A row that they must answer.
        seconds: How long they may take to be ready.
        key_variable: The environment variable that may hold a key.

    """

    root: Path
    logs: Path
    adapter: Adapter
    row: Row
    seconds: float
    key_variable: str


def start(plan: Plan, site: Site, *, port: int, name: str) -> Instance:
    """Start one instance, wait until it is ready, and ask it for its first prediction.

    Raises:
        NotMeasured: It ended, or was not ready in time.

    """
    began = time.monotonic()
    child = _spawn(plan, site.root, site.logs / f"{name}.log")
    plain = Instance(url=f"http://127.0.0.1:{port}", keys=plan.keys, child=child)
    try:
        instance, asked = await_ready(plain, site)
        ready = time.monotonic() - began
        first = first_reply(instance, site, asked)
    except BaseException:
        child.end()
        raise
    return replace(instance, start_seconds=ready, first_reply=first)


def first_reply(instance: Instance, site: Site, asked: Reply | None = None) -> Reply:
    """Ask for the first prediction, unless ``asked`` came of it already.

    Raises:
        NotMeasured: The service asks for a key, and there is none to give.

    """
    reply = asked or _exchange(instance, site.adapter.one(site.row), 30.0)
    if reply.status in NO_ENTRY and instance.keys.full is None:
        raise NotMeasured(
            Text(
                en="the service asks for a key, and none was given to the checkpoint",
                ja="サービスはAPIキーを要求していますが、検査用のキーが渡されていません",
            ),
            Text(
                en=f"set the environment variable {site.key_variable} to a valid key, and {site.key_variable}_2 to another",
                ja=f"環境変数 {site.key_variable} に有効なキーを、{site.key_variable}_2 に別のキーを設定してください",
            ),
        )
    return reply


def port_for_one() -> int:
    """Return a port for one more instance."""
    return free_port()


def await_ready(instance: Instance, site: Site) -> tuple[Instance, Reply | None]:
    """Wait until the service says that it is ready, or answers a prediction when it has no route that says so.

    Returns:
        The instance, at ``https`` if that is what it speaks; and what came of the prediction, ``None`` when none was asked.

    Raises:
        NotMeasured: It ended, or was not ready in time.

    """
    deadline = time.monotonic() + site.seconds
    routes = [route for route in (site.adapter.routes.ready, site.adapter.routes.health) if route]
    reply = Reply(status=0, fault="refused")
    while time.monotonic() < deadline:
        if instance.child is not None and instance.child.exit_code is not None:
            raise _ended(instance.child, site)
        request = Request(target=routes[0]) if routes else site.adapter.one(site.row)
        left = max(deadline - time.monotonic(), 0.1)
        reply = _exchange(instance, request, min(left, 5.0 if routes else 30.0))
        if instance.child is not None and reply.fault in {"closed", "malformed"}:
            over_tls = replace(instance, url=instance.url.replace("http:", "https:"), trust=Trust(anybody=True))
            secret = _exchange(over_tls, request, min(left, 5.0))
            if secret.status:
                instance, reply = over_tls, secret
        if reply.ok or (not routes and reply.refused):
            return instance, None if routes else reply
        if routes and reply.status in SAYS_NOTHING:
            routes.pop(0)
            continue
        time.sleep(0.02 if instance.child is not None else 0.25)
    raise _never_ready(instance, site, reply)


def _exchange(instance: Instance, request: Request, timeout: float) -> Reply:
    (reply,) = exchange(instance.url, [instance.signed(request)], timeout=timeout, trust=instance.trust)
    return reply


def _spawn(plan: Plan, root: Path, log: Path) -> Child:
    """Start the command on a thread of its own: a probe that is given up takes the children of its thread along."""
    environment = surroundings(**plan.environment)
    for variable in plan.hidden:
        environment.pop(variable, None)
    started: list[Child] = []
    thread = threading.Thread(
        target=lambda: started.append(Child(plan.command, folder=root, environment=environment, log=log))
    )
    thread.start()
    thread.join()
    return started[0]


def _ended(child: Child, site: Site) -> NotMeasured:
    said = child.last_line()
    return NotMeasured(
        Text(
            en=f"the service ended while starting (exit code {child.exit_code}): {said or 'it wrote nothing'}",
            ja=f"サービスが起動中に終了しました（終了コード {child.exit_code}）: {said or '出力なし'}",
        ),
        Text(en=f"read {_shown(child.log, site)}", ja=f"{_shown(child.log, site)} を確認してください"),
    )


def _never_ready(instance: Instance, site: Site, last: Reply) -> NotMeasured:
    place = instance.url if instance.log is None else _shown(instance.log, site)
    why = _why(instance, last)
    return NotMeasured(
        Text(
            en=f"the service was not ready within {site.seconds:g} s: {why.en}",
            ja=f"サービスが {site.seconds:g} 秒以内に準備完了になりませんでした（{why.ja}）",
        ),
        Text(
            en=f"look at {place}; raise serving.start_seconds if it needs longer, and check serving.protocol",
            ja=f"{place} を確認し、時間が必要なら serving.start_seconds を上げ、serving.protocol も見直してください",
        ),
    )


def _why(instance: Instance, last: Reply) -> Text:
    """Return what is known of a service that is not ready."""
    if last.fault == "timeout":
        return Text(en="it does not answer", ja="応答がありません")
    if last.fault in {"malformed", "closed"}:
        return Text(en="what answers there does not speak HTTP/1.1", ja="HTTP/1.1 としての応答がありません")
    if last.fault is not None:
        ports = () if instance.child is None else instance.child.listening
        if ports:
            named = ", ".join(str(port) for port in ports)
            return Text(
                en=f"it listens on port {named}, not on the one that it is given ({{port}} in serving.command, or PORT)",
                ja=f"指定のポート（serving.command の {{port}}、または PORT）ではなく {named} で待ち受けています",
            )
        return Text(en="nobody listens there, or TLS fails", ja="待ち受けがないか、TLS の接続に失敗しました")
    return Text(en=f"it says {last.status}", ja=f"応答は {last.status}")


def _shown(path: Path, site: Site) -> str:
    return str(path.relative_to(site.root)) if path.is_relative_to(site.root) else str(path)
