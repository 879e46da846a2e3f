"""What the deployment files promise the service: memory and processors, as Compose and Kubernetes write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.probe import probe
from sekisho.probes.resources.files import COMPOSE_NAMES
from sekisho.text import Text

LARGEST_FILE: Final = 4 * 1024 * 1024
_POWERS: Final = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one container may use.

    Attributes:
        file: Where it is written, from the project's folder.
        container: Its name.
        memory_limit, memory_request: Bytes; ``None`` when not written.
        processor_limit, processor_request: Processors; ``None`` when not written.

    """

    file: str
    container: str
    memory_limit: int | None
    memory_request: int | None
    processor_limit: float | None
    processor_request: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredLimits:
    """What the deployment files say of the containers that hold the service.

    Attributes:
        files: The files that were read, from the project's folder.
        containers: The containers of the service.

    """

    files: tuple[str, ...]
    containers: tuple[Limits, ...]


@probe(
    "infrastructure/limits",
    title=Text(en="Read limits from the deployment files", ja="デプロイ用ファイルの上限を読む"),
    seconds=0.5,
)
def declared_limits(project: Project) -> DeclaredLimits:
    """Read the Compose file and the Kubernetes manifests of the contract, or a Compose file with a usual name.

    Raises:
        NotMeasured: There is none, or one is no YAML.

    """
    asked = project.contract.infrastructure
    port = project.contract.serving.port
    composed = (
        [asked.compose] if asked.compose else [name for name in COMPOSE_NAMES if project.path(name).is_file()][:1]
    )
    found: list[Limits] = []
    files: list[str] = []
    for name in composed:
        for document in _documents(project.path(name), name):
            found += _of_compose(document, name, port)
        files.append(name)
    for path in _manifests(project, asked.manifests):
        name = path.relative_to(project.root).as_posix()
        for document in _documents(path, name):
            found += _of_kubernetes(document, name, port)
        files.append(name)
    if not files:
        raise NotMeasured(
            Text(
                en="no Compose file or manifest of the service was found",
                ja="サービスの Compose ファイルもマニフェストも見つかりません",
            ),
            Text(
                en="make one with sekisho generate compose, or name yours in infrastructure.compose or infrastructure.manifests",
                ja="sekisho generate compose で作成するか、infrastructure.compose か infrastructure.manifests で指定してください",
            ),
        )
    return DeclaredLimits(files=tuple(files), containers=tuple(found))


def size_in_compose(text: object) -> int | None:
    """Return a size in bytes as Compose writes it (``512m``, ``1.5GB``: powers of 1024 all); ``None`` if it is none."""
    return _size(text, r"(\d+(?:\.\d+)?)\s*([kmgtp]?)b?", 1024)


def size_in_kubernetes(text: object) -> int | None:
    """Return a size in bytes as Kubernetes writes it (``512Mi`` in powers of 1024, ``512M`` in powers of 1000); ``None`` if it is none."""
    return _size(text, r"(\d+(?:\.\d+)?)([kmgtp])i", 1024) or _size(text, r"(\d+(?:\.\d+)?)([kmgtp]?)", 1000)


def _size(text: object, pattern: str, base: int) -> int | None:
    if isinstance(text, bool):
        return None
    match = re.fullmatch(pattern, str(text).strip(), re.IGNORECASE)
    return None if match is None else int(float(match.group(1)) * base ** _POWERS.get(match.group(2).lower(), 0))


def processors_of(text: object) -> float | None:
    """Return processors as Compose (``"1.5"``) or Kubernetes (``1500m``) writes them; ``None`` if it is none."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(text).strip())
    return None if match is None else float(match.group(1)) / (1000 if match.group(2) else 1)


def _documents(path: Path, name: str) -> list[Any]:
    import yaml

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError
        return list(yaml.safe_load_all(path.read_bytes()))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        raise NotMeasured(
            Text(en="this deployment file cannot be read", ja="デプロイ用ファイルを読み込めません"),
            Text(
                en="check infrastructure.compose and infrastructure.manifests",
                ja="infrastructure.compose と infrastructure.manifests を確認してください",
            ),
            where=name,
        ) from None


def _manifests(project: Project, named: str | None) -> list[Path]:
    if named is None:
        return []
    folder = project.path(named)
    inside = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    return [path for path in inside if path.is_file() and path.suffix in {".yaml", ".yml", ".json"}]


def _of_compose(document: object, file: str, port: int) -> Iterator[Limits]:
    services = _mapping(_mapping(document).get("services"))
    own = [name for name, service in services.items() if "build" in _mapping(service)]
    own = own or [name for name, service in services.items() if _publishes(_mapping(service), port)] or list(services)
    for name in own:
        service = _mapping(services[name])
        resources = _mapping(_mapping(service.get("deploy")).get("resources"))
        limits, reserved = _mapping(resources.get("limits")), _mapping(resources.get("reservations"))
        yield Limits(
            file=file,
            container=name,
            memory_limit=_first(size_in_compose, limits.get("memory"), service.get("mem_limit")),
            memory_request=_first(size_in_compose, reserved.get("memory"), service.get("mem_reservation")),
            processor_limit=_first(processors_of, limits.get("cpus"), service.get("cpus")),
            processor_request=_first(processors_of, reserved.get("cpus")),
        )


def _publishes(service: Mapping[str, Any], port: int) -> bool:
    published = [*_list(service.get("ports")), *_list(service.get("expose"))]
    return any(
        str(_mapping(each).get("target", each)).rpartition(":")[2].split("/")[0] == str(port) for each in published
    )


def _of_kubernetes(document: object, file: str, port: int) -> Iterator[Limits]:
    """Yield the containers of a workload: that which listens on the port of the service, else the first."""
    body = _mapping(document)
    if body.get("kind") == "List":
        for item in _list(body.get("items")):
            yield from _of_kubernetes(item, file, port)
        return
    spec = _mapping(body.get("spec"))
    pod = spec if body.get("kind") == "Pod" else _mapping(_mapping(spec.get("template")).get("spec"))
    containers = [_mapping(each) for each in _list(pod.get("containers"))]
    own = [
        each for each in containers if any(_mapping(p).get("containerPort") == port for p in _list(each.get("ports")))
    ]
    for container in own or containers[:1]:
        resources = _mapping(container.get("resources"))
        limits, requests = _mapping(resources.get("limits")), _mapping(resources.get("requests"))
        yield Limits(
            file=file,
            container=str(container.get("name")),
            memory_limit=_first(size_in_kubernetes, limits.get("memory")),
            memory_request=_first(size_in_kubernetes, requests.get("memory")),
            processor_limit=_first(processors_of, limits.get("cpu")),
            processor_request=_first(processors_of, requests.get("cpu")),
        )


def _first(read: Any, *values: object) -> Any:
    return next((read(value) for value in values if value is not None), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
