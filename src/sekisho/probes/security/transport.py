"""How requests travel: over TLS that holds, or in the clear past the machine's own door."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.files import COMPOSE_NAMES
from sekisho.probes.resources.process import child, free_port, surroundings
from sekisho.probes.wire.tls import TlsAnswer, examine
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Transport:
    """How callers reach the service.

    Attributes:
        tls: Who encrypts, as the contract says: ``service``, ``proxy``, or ``None``.
        open: Places at which plain HTTP is offered to the network.
        address: What was tried out; ``None`` when there is no address to try.
        answer: What came of it.

    """

    tls: str | None
    open: tuple[str, ...]
    address: str | None
    answer: TlsAnswer | None


@probe("security/transport", title=Text(en="Try out the encryption", ja="通信の暗号化を確認"), seconds=3)
def transport(project: Project, artifact: ModelArtifact | None, progress: Progress) -> Transport:
    """Look for plain HTTP on addresses of the network, and shake hands with the address that callers use.

    Raises:
        NotMeasured: The service does not start with its certificate.

    """
    contract = project.contract
    stated = contract.security.tls
    authority = contract.security.certificate_authority
    trusted = None if authority is None else project.path(authority)
    health = contract.serving.mapping.health if contract.serving.protocol == "mapping" else "/health"
    for url in (contract.security.public_url, contract.serving.url):
        if url is not None and url.startswith("https://"):
            return _tried(stated, tuple(_open(project)), url, trusted, health)
    progress.advance(0.3)
    if stated == "service" and contract.serving.certificate is not None and artifact is not None and artifact.folder:
        with _served(project, artifact.folder) as port:
            answer = examine("127.0.0.1", port, authority=trusted, target=health, named=False)
        return Transport(tls=stated, open=tuple(_open(project)), address=f"https://127.0.0.1:{port}", answer=answer)
    return Transport(tls=stated, open=tuple(_open(project)), address=None, answer=None)


@contextlib.contextmanager
def _served(project: Project, artifact: Path) -> Iterator[int]:
    """Run Sekisho's own server with the certificate of the contract, and yield its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        command = (
            *(sys.executable, "-m", "sekisho", "serve", str(artifact), "--project", str(project.root)),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-watch"),
            *("--ledger", f"{folder}/ledger.sqlite"),
        )
        with child(
            command, folder=project.root, environment=surroundings(), log=project.state / "encrypted.log"
        ) as run:
            end = time.monotonic() + project.contract.serving.start_seconds
            while not _listens(port):
                if run.exit_code is not None or time.monotonic() > end:
                    raise NotMeasured(
                        Text(
                            en=f"the service does not start with its certificate: {run.last_line()}",
                            ja=f"証明書を使ってサービスを起動できません: {run.last_line()}",
                        ),
                        Text(
                            en="check serving.certificate and serving.private_key",
                            ja="serving.certificate と serving.private_key を確認してください",
                        ),
                    )
                time.sleep(0.1)
            yield port


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _tried(stated: str | None, places: tuple[str, ...], url: str, authority: Path | None, target: str) -> Transport:
    parts = urlsplit(url)
    answer = examine(
        parts.hostname or "", parts.port or 443, authority=authority, target=parts.path.rstrip("/") + target
    )
    return Transport(tls=stated, open=places, address=f"{parts.scheme}://{parts.netloc}", answer=answer)


def _open(project: Project) -> Iterator[str]:
    """Yield the places at which the project offers plain HTTP to the network."""
    serving = project.contract.serving
    if serving.url is not None and serving.url.startswith("http://") and not _is_local(urlsplit(serving.url).hostname):
        yield f"serving.url {serving.url}"
    if not _is_local(serving.host) and serving.certificate is None:
        yield f"serving.host {serving.host}"
    named = project.contract.infrastructure.compose
    for name in (named,) if named else COMPOSE_NAMES:
        path = project.path(name)
        if path.is_file():
            yield from (f"{name}, {place}" for place in _published(path, serving.port))
            break


def _published(path: Path, port: int) -> Iterator[str]:
    """Yield the services whose port of the model is published on every address of the machine."""
    import yaml

    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    services = document.get("services") if isinstance(document, Mapping) else None
    for name, service in services.items() if isinstance(services, Mapping) else ():
        for published in service.get("ports") or () if isinstance(service, Mapping) else ():
            host, inside = _mapping_of(published)
            if inside in {port, 8000, 8080} and not _is_local(host):
                yield f"{name} {host}:{inside}"


def _mapping_of(published: Any) -> tuple[str, int | None]:
    """Return the address on which a port is published, and the port inside."""
    if isinstance(published, Mapping):
        inside = str(published.get("target"))
        return str(published.get("host_ip") or "0.0.0.0"), int(inside) if inside.isdecimal() else None  # noqa: S104 - Compose's own default
    parts = str(published).split("/")[0].rsplit(":", 2)
    inside = parts[-1]
    host = parts[0] if len(parts) == 3 else "0.0.0.0"  # noqa: S104
    return host.strip("[]"), int(inside) if inside.isdecimal() else None


def _is_local(host: str | None) -> bool:
    if host in {None, "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False
