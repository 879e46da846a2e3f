"""Judging a project: measure what the chosen boxes need, judge each, and put the verdicts together.

What goes wrong on the way is a verdict, not an exception: a probe that fails, hangs or cannot measure makes its boxes
``unknown``, and so does a check that raises. Only what makes judging itself impossible is raised.
"""

from __future__ import annotations

import datetime as dt
import logging
import queue
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.contract.project import Project, contract_digest
from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import Check
from sekisho.gate.evidence import Evidence, fact_digest
from sekisho.gate.graph import Units, plan
from sekisho.gate.keeping import Keeper
from sekisho.gate.listener import Listener
from sekisho.gate.measuring import Measuring
from sekisho.gate.outcome import Absent, Outcome, Present, nobody_gives
from sekisho.gate.report import Item, Report
from sekisho.gate.selection import in_order, select
from sekisho.gate.subject import artifact_digest
from sekisho.gate.task import Task
from sekisho.gate.verdict import Status, Verdict, cleaned, holds, unknown, verdict
from sekisho.gate.waivers import declared_not_applicable, waive
from sekisho.ledger.evidence import EvidenceBook
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from sekisho.gate.probe import Progress

log = logging.getLogger(__name__)

LEDGER_NAME: Final = "ledger.sqlite"
JUDGE_LIMIT: Final = 60.0
"""Seconds that a check may take; it is a pure function and needs none."""


def run_gate(
    project: Project,
    *,
    ids: Sequence[str] | None = None,
    given: Mapping[type, object] | None = None,
    fresh: bool = False,
    listener: Listener | None = None,
    units: Units | None = None,
    patience: float = 60.0,
) -> Report:
    """Judge ``project`` and return the report.

    Args:
        project: The folder and its contract.
        ids: Boxes, sections or patterns; by default all forty boxes and what installed distributions add.
        given: What to inject by type instead of making it; an attribute ``digest: str`` lets evidence about it be kept.
        fresh: Whether to measure again what the ledger holds already.
        listener: Who hears how far it is.
        units: Checks, probes and resources; by default those that are installed.
        patience: Seconds without progress after which a probe is given up, beyond ten times what it is expected to take.

    Raises:
        NotFound: ``ids`` names no box.
        GraphError, ShelfError: The installed units contradict one another.
        LedgerError: The book of evidence cannot be used.

    """
    began, now = time.monotonic(), dt.datetime.now(dt.UTC)
    units, listener = units or Units.installed(), listener or Listener()
    known = in_order(units.checks)
    chosen = select(ids, known)
    contract, artifact = project.contract, artifact_digest(project)
    inapplicable = {box: said for box in chosen if (said := declared_not_applicable(contract, box)) is not None}
    attestations = Attestations(contract=contract, artifact=artifact, today=now.date())
    injected = {kind: Present(value=value, digest=_digest(value)) for kind, value in (given or {}).items()}
    for_checks = {Contract: Present(value=contract), Attestations: Present(value=attestations), **injected}
    there = _always_there(project) | injected
    made = plan(
        units, [box for box in chosen if box in units.checks and box not in inapplicable], {*there, *for_checks}
    )
    with EvidenceBook(project.state / LEDGER_NAME) as book:
        keeper = Keeper(book, fresh=fresh)
        options = f"--service {shlex.quote(contract.serving.url)}" if contract.serving.url else ""
        with Measuring(
            made, there, keeper, listener, root=project.root, options=options, patience=patience
        ) as measuring:
            outcomes = {**measuring.run(), **for_checks}
    items = []
    for box in chosen:
        items.append(_item(box, units.checks.get(box), inapplicable.get(box), outcomes, attestations))
        listener.judged(items[-1])
    return Report(
        model=contract.model.name,
        artifact=artifact,
        contract=project.digest,
        terms=contract,
        items=tuple(items),
        evidence={each.id: each for each in _all_evidence(outcomes)},
        generated_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(time.monotonic() - began, 1),
        machine=keeper.machine,
        complete=set(chosen) == set(known),
        service=contract.serving.url,
        warnings=tuple(keeper.warnings),
    )


def _always_there(project: Project) -> dict[type, Present]:
    """Return what probes and resources can always ask for: the project, its contract and each section of it.

    They see the contract without what people have stated about single boxes, so that a new waiver spoils no evidence.
    """
    measured = msgspec.structs.replace(project.contract, sign_offs=(), waivers=(), not_applicable=())
    sections = {
        type(value): Present(value=value, digest=fact_digest(value))
        for value in msgspec.structs.asdict(measured).values()
        if isinstance(value, msgspec.Struct)
    }
    return {
        Project: Present(value=project),
        Contract: Present(value=measured, digest=contract_digest(measured)),
        **sections,
    }


def _digest(value: object) -> str:
    digest = getattr(value, "digest", "")
    return digest if isinstance(digest, str) else ""


def _item(
    box: str,
    check: Check | None,
    inapplicable: Verdict | None,
    outcomes: Mapping[type, Outcome],
    attestations: Attestations,
) -> Item:
    if check is None:
        found = inapplicable or unknown(
            Text(en="no check for this box is installed", ja="この項目の検査がインストールされていません")
        )
        return Item(id=box, title=verbatim(box), why=verbatim(""), verdict=found)
    found = inapplicable or waive(attestations.contract, box, judge(check, outcomes), attestations.today)
    remedy = None if found.status in {Status.PASS, Status.NOT_APPLICABLE} else found.remedy or check.remedy
    used = (outcomes.get(need.kind) for need in check.needs.values())
    evidence = tuple(each.evidence.id for each in used if isinstance(each, Present) and each.evidence is not None)
    return Item(id=box, title=check.title, why=check.why, verdict=found, evidence=evidence, remedy=remedy)


def judge(check: Check, outcomes: Mapping[type, Outcome]) -> Verdict:
    """Return the verdict of ``check`` on what is there; unknown if it cannot be given all it needs, or fails itself.

    Args:
        check: The check.
        outcomes: What came of each type.

    """
    arguments: dict[str, object] = {}
    missing: list[Absent] = []
    for name, need in check.needs.items():
        outcome = outcomes.get(need.kind) or nobody_gives(need.kind)
        if isinstance(outcome, Present):
            arguments[name] = outcome.value
        elif need.optional:
            arguments[name] = None
        elif outcome not in missing:
            missing.append(outcome)
    if missing:
        return cleaned(verdict(*(holds(None, absent.reason) for absent in missing), remedy=missing[0].remedy))
    found, error = _call(partial(check.judge, **arguments))
    if error is None and isinstance(found, Verdict) and _is_sound(found):
        return cleaned(found)
    log.debug("the check %s gave no verdict", check.id, exc_info=error)
    return _no_verdict(check.id, error)


def _call(function: Callable[[], object]) -> tuple[object, BaseException | None]:
    """Return what ``function`` returns or raises, or a time-out if it does neither in time."""
    finished: queue.SimpleQueue[Task] = queue.SimpleQueue()

    def work(progress: Progress) -> object:  # noqa: ARG001
        return function()

    task = Task(work, limit=JUDGE_LIMIT, finished=finished)
    task.start()
    try:
        finished.get(timeout=JUDGE_LIMIT)
    except queue.Empty:
        task.cancel()
        return None, TimeoutError()
    return task.result, task.error


def _is_sound(found: Verdict) -> bool:
    """Whether a check may say this: a pass stands on findings that all passed, and nobody waives their own box."""
    if found.status is Status.WAIVED:
        return False
    if found.status is Status.PASS:
        return bool(found.findings) and all(finding.status is Status.PASS for finding in found.findings)
    return True


def _no_verdict(box: str, error: BaseException | None) -> Verdict:
    cause = "" if error is None else f" ({type(error).__name__})"
    return unknown(
        Text(
            en=f"the check {box} failed and gave no verdict{cause}",
            ja=f"検査 {box} が失敗し、判定できませんでした{cause}",
        ),
        remedy=Text(
            en="run the same command with --debug to see the details, and report them",
            ja="同じコマンドを --debug 付きで実行して詳細を確認し、報告してください",
        ),
    )


def _all_evidence(outcomes: Mapping[type, Outcome]) -> Iterator[Evidence[Any]]:
    for outcome in outcomes.values():
        if isinstance(outcome, Present) and outcome.evidence is not None:
            yield outcome.evidence
