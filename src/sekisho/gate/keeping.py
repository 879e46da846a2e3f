"""Evidence kept from one run to the next, and found again only while all that it stood on is the same."""

from __future__ import annotations

import datetime as dt
import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.gate.evidence import Evidence, evidence_of, read_evidence
from sekisho.gate.machine import machine_facts, versions
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.gate.probe import Probe
    from sekisho.ledger.evidence import EvidenceBook

_CLOCK_SKEW: Final = dt.timedelta(minutes=5)


class Keeper:
    """Writes evidence into the book, and takes it out again.

    A book whose chain of hashes is broken is not believed: nothing in it is used, and :attr:`warnings` says so.

    Args:
        book: The book of evidence.
        fresh: Whether to measure again what could be taken from the book.

    Attributes:
        warnings: What somebody should look into.
        machine: Facts about this machine.

    """

    def __init__(self, book: EvidenceBook, *, fresh: bool) -> None:
        self.machine: Final = machine_facts()
        self.warnings: list[Text] = []
        self._versions: Final = versions()
        self._book = book
        broken = book.verify()
        self._readable = not (fresh or broken)
        if broken:
            self.warnings.append(_broken(broken))

    def find(self, probe: Probe, inputs: Mapping[str, str]) -> Evidence[Any] | None:
        """Return evidence that ``probe`` gave on this machine for the same inputs, versions and source, if there is some.

        Args:
            probe: The probe.
            inputs: The digest of each input, by type name; one without a digest means that nothing can be reused.

        """
        if not (self._readable and all(inputs.values()) and _source(probe)):
            return None
        row = self._book.latest(self._key(probe, inputs))
        if row is None:
            return None
        try:
            evidence: Evidence[Any] = read_evidence(row.body, probe.gives)
            measured_at = dt.datetime.fromisoformat(evidence.measured_at)
        except ValueError:
            return None
        if evidence.probe != probe.id or evidence.inputs != inputs:
            return None
        if measured_at > dt.datetime.now(dt.UTC) + _CLOCK_SKEW:
            self.warnings.append(_from_the_future(probe))
            return None
        return evidence

    def keep(
        self, probe: Probe, fact: object, inputs: Mapping[str, str], *, began: dt.datetime, seconds: float, command: str
    ) -> Evidence[Any]:
        """Make a fact into evidence, write it down and return it.

        Raises:
            TypeError: The fact is not of the type that the probe gives.
            ValueError: The fact does not come back from JSON as it went in.
            LedgerError: The book cannot be written.

        """
        if not isinstance(fact, probe.gives):
            raise TypeError(f"{probe.id} gave {type(fact).__qualname__}, not {probe.gives.__qualname__}")
        evidence = evidence_of(
            fact,
            probe=probe.id,
            inputs=dict(inputs),
            measured_at=began.isoformat(timespec="seconds").replace("+00:00", "Z"),
            seconds=round(seconds, 3),
            machine=self.machine,
            versions=self._versions,
            command=command,
        )
        self._book.append(self._key(probe, inputs), evidence.body)
        return evidence

    def _key(self, probe: Probe, inputs: Mapping[str, str]) -> str:
        parts = {
            "probe": probe.id,
            "source": _source(probe),
            "inputs": dict(inputs),
            "machine": self.machine,
            "versions": self._versions,
        }
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def _source(probe: Probe) -> str:
    """Return the SHA-256 of the file that holds the probe; empty string: it has none."""
    file = inspect.getsourcefile(inspect.unwrap(probe.measure))
    if file is None or not Path(file).is_file():
        return ""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _broken(rows: tuple[int, ...]) -> Text:
    places = ", ".join(str(row) for row in rows[:5]) + (", …" if len(rows) > 5 else "")
    return Text(
        en=f"the book of evidence was changed by another hand (row {places}): nothing in it was used, everything was "
        "measured again. Move .sekisho/ledger.sqlite away and find out who changed it",
        ja=f"証拠台帳が外部から書き換えられています（行 {places}）。台帳の内容は使わず、すべて測り直しました。"
        ".sekisho/ledger.sqlite を退避し、書き換えの経緯を調べてください",
    )


def _from_the_future(probe: Probe) -> Text:
    return Text(
        en=f"the evidence of {probe.id} in the book bears a date in the future: it was not used. Check the clock, and who "
        "wrote it",
        ja=f"証拠台帳の {probe.id} の日時が未来になっているため、使いませんでした。時計と、書き込んだ人を確認してください",
    )
