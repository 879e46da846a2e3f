"""How requests travel: over TLS that holds, or in the clear past the machine's own door."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured, SekishoError
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.files import COMPOSE_NAMES
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.process import child, free_port, surroundings
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.client import exchange
from sekisho.probes.wire.message import Request
from sekisho.probes.wire.tls import TlsAnswer, examine
from sekisho.text import Text

BESIDE: Final = {443: 80, 8443: 8080}
"""Where plain HTTP is usually offered beside HTTPS."""
SPEAKS_TLS: Final = {400, 403, 421, 426}
"""Statuses by which a port refuses to speak in the clear."""
STORES: Final = frozenset(
    {"redis", "postgres", "postgresql", "mysql", "mariadb", "mongodb", "amqp", "http", "ftp", "kafka"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Transport:
    """How callers reach the service.

    Attributes:
        tls: Who encrypts, as the contract says: ``service``, ``proxy``, or ``None``.
        open: Places at which plain HTTP is offered to the network.
        address: What was tried out; ``None`` when there is no address to try.
        answer: What came of it.
        beside: Addresses that answer in the clear beside the one over TLS.
        links: Places of the project that lead to a store elsewhere in the clear.

    """

    tls: str | None
    open: tuple[str, ...]
    address: str | None
    answer: TlsAnswer | None
    beside: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@probe("security/transport", title=Text(en="Try out the encryption", ja="通信の暗号化を確認"), seconds=3)
def transport(
    project: Project, artifact: ModelArtifact | None, service: Service | None, progress: Progress
) -> Transport:
    """Look for plain HTTP on addresses of the network, and shake hands with the address that callers use.

    Raises:
        NotMeasured: The service does not start with its certificate.

    """
    contract = project.contract
    stated = contract.security.tls
    authority = contract.security.certificate_authority
    trusted = None if authority is None else project.path(authority)
    health = contract.serving.mapping.health if contract.serving.protocol == "mapping" else "/health"
    instance = _running(service)
    places = (*_open(project), *_doors(instance))
    links = tuple(clear_links(project))
    for url in (contract.security.public_url, contract.serving.url):
        if url is not None and url.startswith("https://"):
            return replace(_tried(stated, places, url, trusted, health), links=links)
    progress.advance(0.3)
    if instance is not None and instance.url.startswith("https://"):
        port = urlsplit(instance.url).port or 443
        answer = examine("127.0.0.1", port, authority=trusted, target=health, named=False)
        beside = tuple(_in_the_clear("127.0.0.1", instance.child.listening if instance.child else (port,)))
        return Transport(tls=stated, open=places, address=instance.url, answer=answer, beside=beside, links=links)
    if stated == "service" and contract.serving.certificate is not None and artifact is not None and artifact.folder:
        with _served(project, artifact.folder) as port:
            answer = examine("127.0.0.1", port, authority=trusted, target=health, named=False)
        return Transport(tls=stated, open=places, address=f"https://127.0.0.1:{port}", answer=answer, links=links)
    return Transport(tls=stated, open=places, address=None, answer=None, links=links)


def _running(service: Service | None) -> Instance | None:
    """Return the service that the contract's command starts; ``None`` for any other, and where it does not start."""
    if service is None or service.own or service.is_remote:
        return None
    try:
        return service.main
    except SekishoError:
        return None


def _doors(instance: Instance | None) -> Iterator[str]:
    """Yield the ports on which a started service offers plain HTTP to the network."""
    if instance is None or instance.child is None:
        return
    for port in sorted({port for port, is_open in instance.child.doors if is_open}):
        if any(_in_the_clear("127.0.0.1", (port,))):
            yield f"serving.command, port {port}" if f":{port}" not in instance.url else "serving.command"


def _in_the_clear(host: str, ports: Iterable[int]) -> Iterator[str]:
    """Yield the addresses among ``ports`` that answer plain HTTP with more than a way to TLS."""
    for port in ports:
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        (reply,) = exchange(url, [Request(target="/")], timeout=2.0)
        leads = 300 <= reply.status < 400 and reply.headers.get("location", "").startswith("https://")
        if reply.status and not leads and reply.status not in SPEAKS_TLS:
            yield url


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
    host, port = parts.hostname or "", parts.port or 443
    answer = examine(host, port, authority=authority, target=parts.path.rstrip("/") + target)
    beside = tuple(_in_the_clear(host, (port, BESIDE[port]) if port in BESIDE else (port,))) if answer.versions else ()
    address = f"{parts.scheme}://{parts.netloc}"
    return Transport(tls=stated, open=places, address=address, answer=answer, beside=beside)


def clear_links(project: Project) -> Iterator[str]:
    """Yield the places at which the contract or a Compose file leads to a store on another machine without TLS."""
    contract = project.contract
    for name, url in (
        ("security.rate_store", contract.security.rate_store),
        ("registry.location", contract.registry.location),
    ):
        if url is not None and _is_clear(url, ()):
            yield name
    import yaml

    named = contract.infrastructure.compose
    for name in (named,) if named else COMPOSE_NAMES:
        try:
            document = yaml.safe_load(project.path(name).read_bytes())
        except (OSError, ValueError, RecursionError, yaml.YAMLError):
            continue
        services = document.get("services") if isinstance(document, Mapping) else None
        inside = tuple(services) if isinstance(services, Mapping) else ()
        for service, variable, value in _settings(services):
            if _is_clear(value, inside):
                yield f"{name}, {service} {variable}"


def _settings(services: Any) -> Iterator[tuple[str, str, str]]:
    """Yield service, name and value of the variables that a Compose file sets."""
    for service, body in services.items() if isinstance(services, Mapping) else ():
        given = body.get("environment") if isinstance(body, Mapping) else None
        pairs = (
            given.items()
            if isinstance(given, Mapping)
            else [str(each).partition("=")[::2] for each in given if "=" in str(each)]
            if isinstance(given, list)
            else ()
        )
        for variable, value in pairs:
            yield str(service), str(variable), str(value)


def _is_clear(text: str, inside: tuple[str, ...]) -> bool:
    """Return whether a setting is an address of a store on another machine that is reached without TLS."""
    parts = urlsplit(text.strip())
    scheme = parts.scheme.partition("+")[0].lower()
    try:
        host = parts.hostname
    except ValueError:
        return False
    if scheme not in STORES or host is None or _is_local(host) or host in inside or "." not in host:
        return False
    return not re.search(r"sslmode=(require|verify-ca|verify-full)|(?:ssl|tls)=(true|1|require)", parts.query.lower())


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
