"""Advisories in the format of OSV, and which of them speak of a distribution at a version.

Source: Open Source Vulnerability format 1.6, https://ossf.github.io/osv-schema/; versions are compared as PEP 440 says.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.artifact.lock import normalised

KNOWN_HOLES: Final = Path(__file__).with_name("known_holes.json")
"""A short list of well-known holes in libraries that serve models. It knows no more: it can fail a lock, and never pass one."""
LARGEST_RECORD: Final = 8 * 1024 * 1024
MOST_RECORDS: Final = 200_000
GRAVE: Final = frozenset({"HIGH", "CRITICAL", "UNSTATED"})
"""Severities that stop a release; nobody may take an unstated one lightly."""


class Affected(msgspec.Struct, frozen=True):
    """A distribution that an advisory speaks of: ``package``, ``ranges`` and ``versions`` as OSV has them."""

    package: dict[str, str] = {}
    ranges: tuple[dict[str, Any], ...] = ()
    versions: tuple[str, ...] = ()


class Advisory(msgspec.Struct, frozen=True):
    """One advisory, as far as it is read here."""

    id: str
    modified: str | None = None
    withdrawn: str | None = None
    aliases: tuple[str, ...] = ()
    affected: tuple[Affected, ...] = ()
    database_specific: dict[str, Any] | None = None

    @property
    def severity(self) -> str:
        """``LOW``, ``MODERATE``, ``HIGH``, ``CRITICAL``, or ``UNSTATED``."""
        word = str((self.database_specific or {}).get("severity", "")).upper()
        word = {"MEDIUM": "MODERATE"}.get(word, word)
        return word if word in {"LOW", "MODERATE", "HIGH", "CRITICAL"} else "UNSTATED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """A known hole in a distribution of the lock.

    Attributes:
        name, version: The distribution.
        id: Of the advisory.
        aliases: Its other ids.
        severity: ``LOW``, ``MODERATE``, ``HIGH``, ``CRITICAL`` or ``UNSTATED``.
        fixed: The lowest version above this one that has it mended; ``None`` when there is none.

    """

    name: str
    version: str
    id: str
    aliases: tuple[str, ...]
    severity: str
    fixed: str | None


def holes(advisory: Advisory, name: str, version: str) -> Iterator[Hole]:
    """Yield the hole that ``advisory`` tells of, if it speaks of ``name`` at ``version``."""
    if advisory.withdrawn is not None:
        return
    for affected in advisory.affected:
        own = affected.package.get("ecosystem", "PyPI").partition(":")[0] == "PyPI"
        if not own or normalised(affected.package.get("name", "")) != name or not _speaks_of(affected, version):
            continue
        yield Hole(
            name=name,
            version=version,
            id=advisory.id,
            aliases=advisory.aliases,
            severity=advisory.severity,
            fixed=_mended(affected, version),
        )
        return


def read_advisories(path: Path) -> tuple[list[Advisory], dt.date | None]:
    """Return the advisories in a file, a folder or an archive, and the date of the newest.

    A file holds one record, a list of records, or ``{"date": ..., "advisories": [...]}``; a folder or a zip archive holds such files.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds something else, or too much.

    """
    found: list[Advisory] = []
    dates: list[dt.date] = []
    for data in _contents(path):
        date, records = _records(data)
        found += records
        dates += [date] if date is not None else [each for record in records if (each := _day(record.modified))]
        if len(found) > MOST_RECORDS:
            raise ValueError("too many advisories")
    if not found:
        raise ValueError("no advisory")
    return found, max(dates, default=None)


def _contents(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield _limited(file.read_bytes())
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".json"):
                    if entry.file_size > LARGEST_RECORD:
                        raise ValueError("an entry is too large")
                    yield archive.read(entry)
    else:
        yield path.read_bytes()


def _limited(data: bytes) -> bytes:
    if len(data) > LARGEST_RECORD:
        raise ValueError("a record is too large")
    return data


def _records(data: bytes) -> tuple[dt.date | None, list[Advisory]]:
    try:
        content = msgspec.json.decode(data)
        if isinstance(content, dict) and "advisories" in content:
            return _day(content.get("date")), msgspec.convert(content["advisories"], list[Advisory])
        listed = content if isinstance(content, list) else [content]
        return None, msgspec.convert(listed, list[Advisory])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("no advisories in the format of OSV") from error


def _day(moment: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(moment)[:10])
    except ValueError:
        return None


def _speaks_of(affected: Affected, version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    def parsed(text: str) -> Version | None:
        try:
            return Version(text)
        except InvalidVersion:
            return None

    own = parsed(version)
    if own is None or version in affected.versions or any(parsed(each) == own for each in affected.versions):
        return own is not None or version in affected.versions
    for span in affected.ranges:
        if span.get("type") != "ECOSYSTEM":
            continue
        inside = False
        for event in span.get("events", ()):
            (kind, text), *_ = event.items()
            edge = Version("0") if text == "0" else parsed(str(text))
            if edge is None:
                continue
            if kind == "introduced" and (text == "0" or own >= edge):
                inside = True
            elif (kind == "fixed" and own >= edge) or (kind == "last_affected" and own > edge):
                inside = False
        if inside:
            return True
    return False


def _mended(affected: Affected, version: str) -> str | None:
    from packaging.version import InvalidVersion, Version

    own, found = Version(version), []
    for span in affected.ranges:
        for event in span.get("events", ()):
            try:
                if "fixed" in event and span.get("type") == "ECOSYSTEM" and Version(str(event["fixed"])) > own:
                    found.append(Version(str(event["fixed"])))
            except InvalidVersion:
                continue
    return str(min(found)) if found else None
