from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from sekisho.contract.project import Project
from sekisho.contract.sections import Contract, Security
from sekisho.errors import ArtifactError, LedgerError, NotFound, NotMeasured
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import Check, Need, check
from sekisho.gate.evidence import evidence_of
from sekisho.gate.graph import Maker, Units
from sekisho.gate.listener import End, Listener
from sekisho.gate.machine import machine_facts
from sekisho.gate.probe import Progress, probe, resource
from sekisho.gate.report import Item
from sekisho.gate.runner import run_gate
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Status, Verdict, holds, passed, verdict
from sekisho.ledger.evidence import EvidenceBook
from sekisho.text import Text, verbatim

WORDS = verbatim("words")
REMEDY = Text(en="mend it", ja="直してください")
BOX = "security/rate-limiting"


@dataclass(frozen=True, kw_only=True)
class Flood:
    accepted: float


@dataclass(frozen=True, kw_only=True)
class Calm:
    quiet: bool


class Service:
    digest = "d1"


class Model:
    digest = "m1"


def the_check(judge: Callable[..., Verdict], box: str = BOX) -> Check:
    return check(box, title=verbatim("Rate limit"), why=WORDS, remedy=REMEDY)(judge)


def within(contract: Contract, flood: Flood) -> Verdict:
    limit = contract.security.rate_limit or 100.0
    return verdict(
        holds(flood.accepted <= limit, verbatim(f"{flood.accepted:g} of {limit:g}")), accepted=flood.accepted
    )


def measured(accepted: float = 80.0) -> Units:
    """A check and a probe that needs nothing but the contract."""

    def flood(contract: Contract) -> Flood:
        return Flood(accepted=accepted)

    return Units.of((the_check(within),), (probe("security/flood", title=WORDS)(flood),))


def failing(error: BaseException) -> Units:
    def flood() -> Flood:
        raise error

    return Units.of((the_check(within),), (probe("security/flood", title=WORDS)(flood),))


def judged(project: Project, judge: Callable[..., Verdict]) -> Item:
    """The item of one check that needs no probe."""
    report = run_gate(project, ids=[BOX], units=Units.of((the_check(judge),), ()))
    return report.item(BOX)


def counting() -> tuple[Units, list[int]]:
    """Units whose probe counts how often it measures."""
    calls: list[int] = []

    def service() -> Iterator[Service]:
        yield Service()

    def flood(contract: Contract, service: Service) -> Flood:
        calls.append(1)
        return Flood(accepted=80.0)

    makers = (probe("security/flood", title=WORDS)(flood), resource(title=WORDS)(service))
    return Units.of((the_check(within),), makers), calls


# -- What comes out ---------------------------------------------------------------------------------------------------


def test_a_box_that_holds_passes_with_its_figures_and_evidence(project: Project) -> None:
    report = run_gate(project, ids=[BOX], units=measured())
    item = report.item(BOX)
    assert (report.verdict, item.status) == ("pass", Status.PASS)
    assert item.verdict.figures == {"accepted": 80.0}
    assert item.remedy is None
    (id_,) = item.evidence
    evidence = report.evidence[id_]
    assert evidence.fact == Flood(accepted=80.0)
    assert evidence.probe == "security/flood"
    assert list(evidence.inputs) == ["Contract"]
    assert evidence.command == f"sekisho check {BOX} --fresh"
    assert evidence.machine == machine_facts()
    assert evidence.versions["python"]
    assert dt.datetime.fromisoformat(evidence.measured_at).tzinfo is not None


def test_a_box_that_does_not_hold_fails_with_the_remedy_of_its_check(project: Project) -> None:
    report = run_gate(project, ids=[BOX], units=measured(accepted=101.0))
    assert report.verdict == "fail"
    assert report.item(BOX).status is Status.FAIL
    assert report.item(BOX).remedy == REMEDY


def test_all_forty_boxes_are_there_and_none_without_a_check_passes(project: Project) -> None:
    report = run_gate(project, units=measured())
    assert len(report.items) == 40
    assert report.complete
    assert report.verdict == "fail"
    assert report.counts[Status.PASS] == 1
    assert report.counts[Status.UNKNOWN] == 39


def test_a_choice_of_boxes_is_not_complete(project: Project) -> None:
    assert not run_gate(project, ids=["security"], units=measured()).complete


def test_a_word_that_names_no_box_is_wrong_use(project: Project) -> None:
    with pytest.raises(NotFound, match="security/rate-limiting"):
        run_gate(project, ids=["security/rate-limitin"], units=measured())


def test_what_data_wrote_into_a_verdict_can_be_printed_and_encoded_anywhere(project: Project) -> None:
    hostile = "年齢\x1b[31m\n\x00\ud800\u2028 <b>"

    def judge(contract: Contract) -> Verdict:
        return passed(verbatim(hostile), feature=hostile)

    found = judged(project, judge).verdict
    for words in (found.summary.en, found.findings[0].text.ja, str(found.figures["feature"])):
        assert words.isprintable()
        assert words.startswith("年齢 ")
        assert words.endswith("<b>")


# -- What could not be measured, or went wrong ------------------------------------------------------------------------


def test_a_type_that_nothing_gives_makes_the_box_unknown_and_says_which(project: Project) -> None:
    item = run_gate(project, ids=[BOX], units=Units.of((the_check(within),), ())).item(BOX)
    assert item.status is Status.UNKNOWN
    assert "Flood" in item.verdict.summary.en
    assert "Flood" in item.verdict.summary.ja


def test_what_a_probe_could_not_measure_is_unknown_with_its_reason_and_remedy(project: Project) -> None:
    reason = Text(en="no rate limit is stated", ja="レート制限が未設定です")
    remedy = Text(en="state it", ja="設定してください")
    item = run_gate(project, ids=[BOX], units=failing(NotMeasured(reason, remedy))).item(BOX)
    assert (item.status, item.verdict.summary, item.remedy) == (Status.UNKNOWN, reason, remedy)


def test_an_error_raised_on_purpose_speaks_for_itself_and_shows_places_within_the_project(project: Project) -> None:
    error = ArtifactError(Text(en="cannot be read", ja="読めません"), REMEDY, where=project.root / "artifact" / "x")
    item = run_gate(project, ids=[BOX], units=failing(error)).item(BOX)
    assert item.status is Status.UNKNOWN
    assert item.verdict.summary.en == "artifact/x: cannot be read"


@pytest.mark.parametrize("error", [ValueError("secret-value"), SystemExit(0), MemoryError()])
def test_a_probe_that_dies_is_unknown_and_its_words_are_not_repeated(project: Project, error: BaseException) -> None:
    report = run_gate(project, ids=[BOX], units=failing(error))
    item = report.item(BOX)
    assert (report.verdict, item.status) == ("fail", Status.UNKNOWN)
    assert type(error).__name__ in item.verdict.summary.en
    assert "secret-value" not in str(report.as_json())


def test_a_reason_travels_through_probes_that_stand_on_one_another(project: Project) -> None:
    reason = Text(en="the service does not start", ja="サービスが起動しません")

    def service() -> Iterator[Service]:
        raise NotMeasured(reason, REMEDY)
        yield Service()

    def calm(service: Service) -> Calm:
        return Calm(quiet=True)

    def flood(calm: Calm) -> Flood:
        return Flood(accepted=1.0)

    probes = (probe(f"a/{f.__name__}", title=WORDS)(f) for f in (calm, flood))
    makers: tuple[Maker, ...] = (resource(title=WORDS)(service), *probes)
    item = run_gate(project, ids=[BOX], units=Units.of((the_check(within),), makers)).item(BOX)
    assert (item.status, item.verdict.summary) == (Status.UNKNOWN, reason)


def test_optional_evidence_that_is_missing_is_none(project: Project) -> None:
    def judge(flood: Flood | None) -> Verdict:
        return passed(verbatim(f"got {flood}"))

    assert judged(project, judge).verdict.summary.en == "got None"


def test_optional_evidence_that_is_there_is_given(project: Project) -> None:
    def judge(flood: Flood | None) -> Verdict:
        return passed(verbatim(f"got {flood}"))

    units = Units.of((the_check(judge),), measured().makers.values())
    assert "80" in run_gate(project, ids=[BOX], units=units).item(BOX).verdict.summary.en


def raises(contract: Contract) -> Verdict:
    raise RuntimeError("secret-value")


def says_nothing(contract: Contract) -> Verdict:
    return None  # type: ignore[return-value]


def says_pass_but_found_a_failure(contract: Contract) -> Verdict:
    return Verdict(status=Status.PASS, summary=WORDS, findings=(Finding(status=Status.FAIL, text=WORDS),))


def passes_without_a_finding(contract: Contract) -> Verdict:
    return Verdict(status=Status.PASS, summary=WORDS)


def waives_itself(contract: Contract) -> Verdict:
    return Verdict(status=Status.WAIVED, summary=WORDS, findings=(Finding(status=Status.PASS, text=WORDS),))


def leaves(contract: Contract) -> Verdict:
    raise SystemExit(0)


@pytest.mark.parametrize(
    "judge", [raises, says_nothing, says_pass_but_found_a_failure, passes_without_a_finding, waives_itself, leaves]
)
def test_a_check_that_dies_or_contradicts_itself_lets_nothing_through(
    project: Project, judge: Callable[..., Verdict]
) -> None:
    report = run_gate(project, ids=[BOX], units=Units.of((the_check(judge),), ()))
    item = report.item(BOX)
    assert (report.verdict, item.status) == ("fail", Status.UNKNOWN)
    assert "gave no verdict" in item.verdict.summary.en
    assert "secret-value" not in str(report.as_json())


def test_a_probe_that_hangs_is_stopped_and_the_others_go_on(project: Project) -> None:
    release = threading.Event()

    def flood() -> Flood:
        release.wait(60)
        return Flood(accepted=1.0)

    def calm() -> Calm:
        return Calm(quiet=True)

    def quiet(calm: Calm) -> Verdict:
        return passed(WORDS)

    units = Units.of(
        (the_check(within), the_check(quiet, "security/encryption")),
        (probe("a/flood", title=WORDS, seconds=0.01)(flood), probe("a/calm", title=WORDS)(calm)),
    )
    report = run_gate(project, ids=["security"], units=units, patience=0.2)
    release.set()
    assert report.item(BOX).status is Status.UNKNOWN
    assert "no progress" in report.item(BOX).verdict.summary.en
    assert report.item("security/encryption").status is Status.PASS


@pytest.mark.parametrize("fact", [Flood(accepted=float("nan")), Calm(quiet=True), None, Flood(accepted="many")])  # type: ignore[arg-type]
def test_a_fact_that_cannot_be_written_down_is_no_evidence(project: Project, fact: object) -> None:
    def flood() -> Flood:
        return fact  # type: ignore[return-value]

    units = Units.of((the_check(within),), (probe("a/flood", title=WORDS)(flood),))
    assert run_gate(project, ids=[BOX], units=units).item(BOX).status is Status.UNKNOWN


def test_a_broken_ledger_is_an_error_and_not_a_verdict(project: Project) -> None:
    project.state.mkdir()
    (project.state / "ledger.sqlite").write_bytes(b"garbage" * 1_000)
    with pytest.raises(LedgerError):
        run_gate(project, units=measured())


# -- What is injected -------------------------------------------------------------------------------------------------


def test_sections_of_the_contract_the_project_and_what_is_given_are_injected(project: Project) -> None:
    def flood(project: Project, security: Security, service: Service) -> Flood:
        assert project.root.is_dir()
        assert security.rate_limit is None
        assert service is mine
        return Flood(accepted=1.0)

    mine = Service()
    units = Units.of((the_check(within),), (probe("a/flood", title=WORDS)(flood),))
    assert run_gate(project, ids=[BOX], units=units, given={Service: mine}).passed


def test_what_is_given_wins_over_what_would_be_made(project: Project) -> None:
    units = measured(accepted=500.0)
    assert run_gate(project, ids=[BOX], units=units, given={Flood: Flood(accepted=1.0)}).passed


def test_checks_see_all_of_the_contract_and_probes_only_what_is_measured(tmp_path: Path) -> None:
    contract = example_contract(waivers=[{"box": BOX, "reason": "r", "owner": "o", "expires": "2999-01-01"}])
    seen: list[Contract] = []

    def flood(contract: Contract) -> Flood:
        seen.append(contract)
        return Flood(accepted=1.0)

    def judge(contract: Contract, attestations: Attestations, flood: Flood) -> Verdict:
        return passed(verbatim(f"{len(contract.waivers)} {attestations.artifact}"))

    units = Units.of((the_check(judge),), (probe("a/flood", title=WORDS)(flood),))
    report = run_gate(Project(root=tmp_path, contract=contract), ids=[BOX], units=units)
    assert seen[0].waivers == ()
    assert report.item(BOX).verdict.summary.en == "1 None"


# -- Resources and turns ----------------------------------------------------------------------------------------------


def test_a_resource_is_opened_once_and_all_are_closed_in_reverse(project: Project) -> None:
    events: list[str] = []

    def model() -> Iterator[Model]:
        events.append("open model")
        yield Model()
        events.append("close model")

    def service(model: Model) -> Iterator[Service]:
        events.append("open service")
        yield Service()
        events.append("close service")

    def flood(service: Service, model: Model) -> Flood:
        events.append("measure")
        return Flood(accepted=1.0)

    def calm(service: Service) -> Calm:
        events.append("measure")
        return Calm(quiet=True)

    def judge(flood: Flood, calm: Calm) -> Verdict:
        return passed(WORDS)

    resources = (resource(title=WORDS)(f) for f in (model, service))
    probes = (probe(f.__name__, title=WORDS)(f) for f in (flood, calm))
    makers: tuple[Maker, ...] = (*resources, *probes)
    assert run_gate(project, ids=[BOX], units=Units.of((the_check(judge),), makers)).passed
    assert events == ["open model", "open service", "measure", "measure", "close service", "close model"]


def test_a_resource_that_nobody_needs_is_not_opened(project: Project) -> None:
    def model() -> Iterator[Model]:
        raise AssertionError("opened")
        yield Model()

    units = Units.of((the_check(within),), (*measured().makers.values(), resource(title=WORDS)(model)))
    assert run_gate(project, ids=[BOX], units=units).passed


def test_resources_are_closed_when_the_run_is_interrupted(project: Project) -> None:
    events: list[str] = []

    class Interrupts(Listener):
        def started(self, maker: Maker) -> None:
            if maker.id == "a/flood":
                raise KeyboardInterrupt

    def service() -> Iterator[Service]:
        yield Service()
        events.append("closed")

    def flood(service: Service) -> Flood:
        return Flood(accepted=1.0)

    units = Units.of((the_check(within),), (resource(title=WORDS)(service), probe("a/flood", title=WORDS)(flood)))
    with pytest.raises(KeyboardInterrupt):
        run_gate(project, ids=[BOX], units=units, listener=Interrupts())
    assert events == ["closed"]


def test_an_exclusive_probe_runs_alone_and_others_two_at_a_time(project: Project) -> None:
    running: set[str] = set()
    most: dict[str, int] = {}
    lock, together = threading.Lock(), threading.Barrier(2)
    kinds: list[type] = [
        dataclass(frozen=True, kw_only=True)(type(f"Kind{n}", (), {"__annotations__": {"n": int}})) for n in range(6)
    ]

    def maker(number: int, *, exclusive: bool) -> Maker:
        def measure() -> object:
            with lock:
                running.add(f"{number}")
                for name in running:
                    most[name] = max(most.get(name, 0), len(running))
            if not exclusive:
                together.wait(30)  # goes on only if two run side by side
            with lock:
                running.discard(f"{number}")
            return kinds[number](n=1)

        measure.__annotations__["return"] = kinds[number]
        return probe(f"a/{number}", title=WORDS, exclusive=exclusive)(measure)

    def judge(**facts: object) -> Verdict:
        return passed(WORDS)

    needs = {f"fact{n}": kind for n, kind in enumerate(kinds)}
    needed = {name: Need(kind, optional=False) for name, kind in needs.items()}
    checked = replace(the_check(within), judge=judge, needs=needed)
    makers = [maker(n, exclusive=n >= 4) for n in range(6)]
    assert run_gate(project, ids=[BOX], units=Units.of((checked,), makers)).passed
    assert [most[str(n)] for n in (4, 5)] == [1, 1]
    assert max(most[str(n)] for n in range(4)) == 2


def test_the_listener_hears_all_of_it(project: Project) -> None:
    heard: list[str] = []

    class Writes(Listener):
        def planned(self, makers: Sequence[Maker]) -> None:
            heard.append(f"planned {len(makers)}")

        def started(self, maker: Maker) -> None:
            heard.append(f"started {maker.id}")

        def advanced(self, maker: Maker, fraction: float) -> None:
            heard.append(f"advanced {fraction}")

        def ended(self, maker: Maker, end: End) -> None:
            heard.append(f"ended {end}")

        def closed(self) -> None:
            heard.append("closed")

        def judged(self, item: Item) -> None:
            heard.append(f"judged {item.status}")

    def flood(contract: Contract, progress: Progress) -> Flood:
        progress.advance(0.5)
        return Flood(accepted=1.0)

    units = Units.of((the_check(within),), (probe("a/flood", title=WORDS)(flood),))
    run_gate(project, ids=[BOX], units=units, listener=Writes())
    assert heard == ["planned 1", "started a/flood", "advanced 0.5", "ended measured", "closed", "judged pass"]
    heard.clear()
    run_gate(project, ids=[BOX], units=units, listener=Writes())
    assert heard == ["planned 1", "ended reused", "closed", "judged pass"]


# -- Evidence that is kept --------------------------------------------------------------------------------------------


def test_evidence_is_reused_while_all_that_it_stands_on_is_the_same(project: Project) -> None:
    units, calls = counting()
    first = run_gate(project, ids=[BOX], units=units)
    second = run_gate(project, ids=[BOX], units=units)
    assert len(calls) == 1
    assert second.item(BOX).evidence == first.item(BOX).evidence
    assert second.warnings == ()


def test_fresh_measures_again(project: Project) -> None:
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    run_gate(project, ids=[BOX], units=units, fresh=True)
    assert len(calls) == 2


def test_another_input_is_measured_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    monkeypatch.setattr(Service, "digest", "d2")
    run_gate(project, ids=[BOX], units=units)
    assert len(calls) == 2


@pytest.mark.parametrize("digest", ["", None])
def test_what_stands_on_something_without_a_digest_is_always_measured(
    project: Project, monkeypatch: pytest.MonkeyPatch, digest: str | None
) -> None:
    monkeypatch.setattr(Service, "digest", digest)
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    run_gate(project, ids=[BOX], units=units)
    assert len(calls) == 2


def test_another_threshold_is_measured_anew_and_a_new_waiver_is_not(tmp_path: Path) -> None:
    units, calls = counting()
    waiver = [{"box": BOX, "reason": "r", "owner": "o", "expires": "2999-01-01"}]
    for contract in (
        example_contract(),
        example_contract(waivers=waiver),
        example_contract(security={"rate_limit": 90}),
    ):
        run_gate(Project(root=tmp_path, contract=contract), ids=[BOX], units=units)
    assert len(calls) == 2


def test_another_version_of_a_library_or_another_machine_is_measured_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    monkeypatch.setattr("sekisho.gate.keeping.versions", lambda: {"numpy": "9"})
    run_gate(project, ids=[BOX], units=units)
    monkeypatch.setattr("sekisho.gate.keeping.machine_facts", lambda: {"cores": "512"})
    run_gate(project, ids=[BOX], units=units)
    assert len(calls) == 3


# -- Evidence that was tampered with ----------------------------------------------------------------------------------


def ledger(project: Project) -> Path:
    return project.state / "ledger.sqlite"


def meddle(project: Project, statement: str) -> None:
    connection = sqlite3.connect(ledger(project))
    connection.execute("DROP TRIGGER evidence_1_is_never_updated")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_edited_figure_is_not_used_and_is_reported(project: Project) -> None:
    def flood(contract: Contract) -> Flood:
        return Flood(accepted=500.0)

    units = Units.of((the_check(within),), (probe("a/flood", title=WORDS)(flood),))
    assert not run_gate(project, ids=[BOX], units=units).passed
    meddle(project, "UPDATE evidence_1 SET body = CAST(replace(CAST(body AS TEXT), '500.0', '10.0') AS BLOB)")
    report = run_gate(project, ids=[BOX], units=units)
    assert report.item(BOX).verdict.figures == {"accepted": 500.0}
    assert not report.passed
    (warning,) = report.warnings
    assert "changed by another hand (row 1)" in warning.en


def test_a_forged_row_at_the_end_with_another_artifact_is_not_used(project: Project) -> None:
    """Evidence of one bundle cannot speak for another: what it stood on is compared again when it is found."""
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    with EvidenceBook(ledger(project)) as book:
        (row,) = book.rows()
        body = row.body.replace(b'"Service":"d1"', b'"Service":"d9"').replace(b"80.0", b"1.0")
        assert body != row.body
        book.append(row.key, body)
    report = run_gate(project, ids=[BOX], units=units)
    assert report.item(BOX).verdict.figures == {"accepted": 80.0}
    assert len(calls) == 2


def test_evidence_from_the_future_is_not_used_and_is_reported(project: Project) -> None:
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    with EvidenceBook(ledger(project)) as book:
        (row,) = book.rows()
        fields = msgspec.json.decode(row.body) | {"fact": Flood(accepted=1.0), "measured_at": "2999-01-01T00:00:00Z"}
        book.append(row.key, evidence_of(fields.pop("fact"), **fields).body)
    report = run_gate(project, ids=[BOX], units=units)
    assert report.item(BOX).verdict.figures == {"accepted": 80.0}
    assert "future" in report.warnings[0].en
    assert len(calls) == 2


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"probe":"security/flood"}'])
def test_a_row_that_is_no_evidence_is_passed_over(project: Project, body: bytes) -> None:
    units, calls = counting()
    run_gate(project, ids=[BOX], units=units)
    with EvidenceBook(ledger(project)) as book:
        (row,) = book.rows()
        book.append(row.key, body)
    assert run_gate(project, ids=[BOX], units=units).passed
    assert len(calls) == 2


# -- What the contract says of boxes ----------------------------------------------------------------------------------


def project_with(root: Path, **statements: object) -> Project:
    return Project(root=root, contract=example_contract(**statements))


def test_a_waiver_lets_a_failed_box_through_and_keeps_what_was_found(tmp_path: Path) -> None:
    waiver = {"box": BOX, "reason": "gateway limits", "owner": "mika", "expires": "2999-01-01"}
    report = run_gate(project_with(tmp_path, waivers=[waiver]), ids=[BOX], units=measured(accepted=500.0))
    item = report.item(BOX)
    assert (report.verdict, item.status) == ("pass", Status.WAIVED)
    assert all(word in item.verdict.summary.en for word in ("mika", "2999-01-01", "gateway limits"))
    assert [finding.status for finding in item.verdict.findings] == [Status.FAIL, Status.WAIVED]
    assert item.verdict.figures == {"accepted": 500.0}


def test_an_expired_waiver_changes_nothing_but_says_so(tmp_path: Path) -> None:
    waiver = {"box": BOX, "reason": "r", "owner": "mika", "expires": "2020-01-31"}
    report = run_gate(project_with(tmp_path, waivers=[waiver]), ids=[BOX], units=measured(accepted=500.0))
    assert report.item(BOX).status is Status.FAIL
    assert "the waiver of mika expired on 2020-01-31" in report.item(BOX).verdict.summary.en


def test_a_box_that_passes_needs_no_waiver(tmp_path: Path) -> None:
    waiver = {"box": BOX, "reason": "r", "owner": "o", "expires": "2999-01-01"}
    assert (
        run_gate(project_with(tmp_path, waivers=[waiver]), ids=[BOX], units=measured()).item(BOX).status is Status.PASS
    )


def test_a_box_that_does_not_apply_is_not_measured(tmp_path: Path) -> None:
    project = project_with(tmp_path, not_applicable=[{"box": BOX, "reason": "batch only", "owner": "mika"}])
    report = run_gate(project, ids=[BOX], units=failing(AssertionError("measured")))
    assert report.item(BOX).status is Status.NOT_APPLICABLE
    assert "batch only" in report.item(BOX).verdict.summary.ja
    assert report.passed
