"""Known holes in what is served: every distribution of the lock is looked up, in a source whose date is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.errors import MissingExtra, NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.files.advisories import KNOWN_HOLES, Advisory, Hole, holes, read_advisories
from sekisho.probes.files.locks import NAMES, Requirement, read_requirements
from sekisho.text import Text

if TYPE_CHECKING:
    import httpx2

AT_ONCE: Final = 500
"""Distributions in one question."""
TIMEOUT: Final = 10.0
LARGEST_REPLY: Final = 32 * 1024 * 1024
MOST_PAGES: Final = 50

Pin = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class VulnerabilityScan:
    """What is known of the distributions that are served.

    Attributes:
        lock: The file that names them, from the project's folder or inside the artifact.
        listed: How many it names.
        pinned: How many of them at an exact version; of the others nothing can be known.
        audited: How many were looked up in the source.
        source: Where: an address or a file; empty when none is stated.
        dated: The day of the source's newest record; today for an address; ``None`` when it is not known.
        age_days: How old that is.
        fault: Why the source could not be read; ``None`` when it could.
        holes: What was found, in the source or in the list that ships with Sekisho.

    """

    lock: str
    listed: int
    pinned: int
    audited: int
    source: str
    dated: str | None
    age_days: int | None
    fault: Text | None
    holes: tuple[Hole, ...]


@probe("security/advisories", title=Text(en="Look up known vulnerabilities", ja="既知の脆弱性を照会"), seconds=3)
def vulnerability_scan(project: Project, artifact: ModelArtifact | None, progress: Progress) -> VulnerabilityScan:
    """Look up every distribution of the served lock.

    Raises:
        NotMeasured: There is no lock.

    """
    path, name = _lock(project, artifact)
    requirements = read_requirements(path)
    pins = sorted({(each.name, each.version) for each in requirements if each.version is not None})
    shipped, _ = read_advisories(KNOWN_HOLES)
    source = project.contract.security.advisories or ""
    scan = VulnerabilityScan(
        lock=name,
        listed=len(_named(requirements)),
        pinned=len(pins),
        audited=0,
        source=source,
        dated=None,
        age_days=None,
        fault=None,
        holes=tuple(_found(shipped, pins)),
    )
    progress.advance(0.3)
    if source.startswith(("http://", "https://")):
        return _asked(scan, source.rstrip("/"), pins, progress)
    return _looked_up(scan, project.path(source), pins) if source else scan


def _lock(project: Project, artifact: ModelArtifact | None) -> tuple[Path, str]:
    named = project.contract.infrastructure.lock
    if named is not None and project.path(named).is_file():
        return project.path(named), named
    if named is None and artifact is not None and artifact.lock is not None:
        return artifact.lock, f"{project.contract.model.artifact}/{artifact.lock.name}"
    for name in NAMES if named is None else ():
        if project.path(name).is_file():
            return project.path(name), name
    raise NotMeasured(
        Text(en="there is no lock of what is served", ja="配信するもののロックファイルがありません"),
        Text(
            en="pack the artifact with its lock, or name yours in infrastructure.lock",
            ja="ロック付きで成果物をパックするか、infrastructure.lock で指定してください",
        ),
        where=named,
    )


def _named(requirements: Sequence[Requirement]) -> set[str]:
    return {each.name for each in requirements}


def _found(advisories: Sequence[Advisory], pins: Sequence[Pin]) -> list[Hole]:
    by_name: dict[str, list[Advisory]] = {}
    for advisory in advisories:
        for name in {
            affected.package.get("name", "").lower().replace("_", "-").replace(".", "-")
            for affected in advisory.affected
        }:
            by_name.setdefault(name, []).append(advisory)
    return [
        hole for name, version in pins for advisory in by_name.get(name, ()) for hole in holes(advisory, name, version)
    ]


def _looked_up(scan: VulnerabilityScan, path: Path, pins: Sequence[Pin]) -> VulnerabilityScan:
    try:
        advisories, dated = read_advisories(path)
    except (OSError, ValueError):
        fault = Text(
            en="it cannot be read, or holds no advisories in the format of OSV",
            ja="読み込めないか、OSV 形式の情報ではありません",
        )
        return replace(scan, fault=fault)
    today = dt.datetime.now(dt.UTC).date()
    return replace(
        scan,
        audited=len(pins),
        dated=None if dated is None else dated.isoformat(),
        age_days=None if dated is None else (today - dated).days,
        holes=_joined(scan.holes, _found(advisories, pins)),
    )


def _asked(scan: VulnerabilityScan, address: str, pins: Sequence[Pin], progress: Progress) -> VulnerabilityScan:
    """Ask a server that speaks OSV's interface (https://google.github.io/osv.dev/api/)."""
    try:
        import httpx2
    except ImportError:
        raise MissingExtra("httpx2", "check") from None
    try:
        with httpx2.Client(base_url=address, timeout=TIMEOUT, follow_redirects=False) as client:
            named = _ids(client, pins, progress)
            records = {each: _record(client, each) for each in sorted({each for ids in named.values() for each in ids})}
    except (httpx2.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        fault = Text(
            en="it could not be reached, or did not answer as OSV does",
            ja="接続できないか、OSV としての応答がありません",
        )
        return replace(scan, fault=fault)
    found = [hole for pin, ids in named.items() for each in ids for hole in _told(records[each], *pin)]
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return replace(scan, audited=len(named), dated=today, age_days=0, holes=_joined(scan.holes, found))


def _ids(client: httpx2.Client, pins: Sequence[Pin], progress: Progress) -> dict[Pin, list[str]]:
    """Return the ids of the advisories on each pin; the server answers each question in its place."""
    found: dict[Pin, list[str]] = {}
    for start in range(0, len(pins), AT_ONCE):
        waiting: list[tuple[Pin, str | None]] = [(pin, None) for pin in pins[start : start + AT_ONCE]]
        for _ in range(MOST_PAGES):
            if not waiting:
                break
            results = _post(client, [_query(*pin, token) for pin, token in waiting])
            if len(results) != len(waiting):
                raise ValueError("not every question was answered")
            further = []
            for (pin, _), result in zip(waiting, results, strict=True):
                found.setdefault(pin, []).extend(str(each["id"]) for each in (result or {}).get("vulns", ()))
                if token := (result or {}).get("next_page_token"):
                    further.append((pin, token))
            waiting = further
        progress.advance(0.3 + 0.5 * start / len(pins))
    return found


def _query(name: str, version: str, token: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
    return query if token is None else {**query, "page_token": token}


def _post(client: httpx2.Client, queries: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    reply = client.post("/v1/querybatch", json={"queries": queries})
    results: list[dict[str, Any] | None] = _body(reply)["results"]
    return results


def _record(client: httpx2.Client, identity: str) -> Advisory:
    from urllib.parse import quote

    return msgspec.convert(_body(client.get(f"/v1/vulns/{quote(identity, safe='')}")), Advisory)


def _body(reply: httpx2.Response) -> Any:
    reply.raise_for_status()
    if reply.status_code != 200 or len(reply.content) > LARGEST_REPLY:
        raise ValueError("no answer")
    return msgspec.json.decode(reply.content)


def _told(advisory: Advisory, name: str, version: str) -> list[Hole]:
    """Return the hole that the server tells of, whether or not its ranges can be read here."""
    read = list(holes(advisory, name, version))
    if read or advisory.withdrawn is not None:
        return read
    return [
        Hole(
            name=name, version=version, id=advisory.id, aliases=advisory.aliases, severity=advisory.severity, fixed=None
        )
    ]


def _joined(one: Sequence[Hole], other: Sequence[Hole]) -> tuple[Hole, ...]:
    """Return both without those that are the same hole under another id."""
    kept: list[Hole] = []
    for hole in (*other, *one):
        ids = {hole.id, *hole.aliases}
        if not any(hole.name == each.name and ids & {each.id, *each.aliases} for each in kept):
            kept.append(hole)
    return tuple(kept)
