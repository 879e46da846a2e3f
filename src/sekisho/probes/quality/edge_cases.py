"""What the model does with rows that it was not shown: nulls, ends of ranges and beyond, unseen categories, wrong types.

Rows with one odd cell are made for every feature; the rest of the examples are random, from Hypothesis, with any number of odd cells.
A failure among those is made small again (https://hypothesis.readthedocs.io).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.sections import Quality, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.asking import Asker, ServiceAsker, Told, opened
from sekisho.probes.resources.odd_rows import JsonRow, OddRow, is_allowed, odd_rows, random_rows, shown
from sekisho.probes.resources.service import Service
from sekisho.text import Text

if TYPE_CHECKING:
    from hypothesis import settings

AT_ONCE: Final = 100
MOST_SHOWN: Final = 12
"""How many counter-examples are kept, one a kind and feature first."""
LARGEST_BATCH: Final = 1_000
MOST_AT_ONCE: Final = 20_000
"""A contract that allows more rows is not tried to its limit here."""
MOST_TWICE: Final = 5
FEWEST_RANDOM: Final = 100
RANDOM: Final = "random row"


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseKind:
    """All rows of one kind.

    Attributes:
        kind: What is odd about them.
        tried, answered, refused, failed: How many there were, and what became of them.
        wrongly_refused: Of the refused, those that the signature allows.
        flagged: Of the answered, those whose answer remarks on the row.

    """

    kind: str
    tried: int
    answered: int
    refused: int
    failed: int
    wrongly_refused: int
    flagged: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CounterExample:
    """One row that should have been answered or refused and was not.

    Attributes:
        kind: What is odd about it.
        feature: The feature concerned; ``None`` for the whole row.
        sent: The value, or the row, as JSON, shortened.
        outcome: What came of it.
        refused: Whether it was refused although the signature allows it.

    """

    kind: str
    feature: str | None
    sent: str
    outcome: str
    refused: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeCases:
    """What became of all rows.

    Attributes:
        through: Who was asked: ``service`` or ``artifact``.
        examples: How many rows were sent.
        seed: Of the random ones.
        kinds: By what is odd about them.
        counter_examples: Some of those that failed, made small.
        failed: How many failed.
        wrongly_refused: How many were refused although the signature allows them.
        nullable: How many features may be null.

    """

    through: str
    examples: int
    seed: int
    kinds: tuple[CaseKind, ...]
    counter_examples: tuple[CounterExample, ...]
    failed: int
    wrongly_refused: int
    nullable: int


@probe("quality/edge-cases", title=Text(en="Try rows nobody has seen", ja="想定外の入力を試験"), seconds=5)
def edge_cases(
    quality: Quality, serving: Serving, service: Service | None, artifact: ModelArtifact | None, progress: Progress
) -> EdgeCases:
    """Send rows made from the signature and see that each is answered or refused.

    Raises:
        NotMeasured: There is neither a service nor an artifact to ask.

    """
    usual = _usual(service, artifact)
    with opened(service, artifact, deadline_ms=serving.deadline_ms) as asker:
        if asker is None:
            raise _nobody()
        single = list(odd_rows(asker.signature, usual))
        told = [*_ask(asker, single, progress, 0.0, 0.4), *_batches(asker, usual, serving), *_names_twice(asker, usual)]
        count = max(FEWEST_RANDOM, quality.examples - len(single))
        drawn = [
            OddRow(kind=RANDOM, feature=None, row=row, must_answer=is_allowed(asker.signature, row))
            for row in _draw(asker, count, quality.seed)
        ]
        at_random = list(_ask(asker, drawn, progress, 0.4, 0.9))
        counters = [_counter(odd, said) for odd, said in told if _is_wrong(odd, said)]
        if not counters and any(_is_wrong(odd, said) for odd, said in at_random):
            counters = _smallest(asker, at_random, quality.seed)
    everything = [*told, *at_random]
    return EdgeCases(
        through=asker.through,
        examples=len(everything),
        seed=quality.seed,
        kinds=tuple(_kinds(everything)),
        counter_examples=tuple(_chosen(counters)),
        failed=sum(said.outcome == "failed" for _, said in everything),
        wrongly_refused=sum(_wrongly_refused(odd, said) for odd, said in everything),
        nullable=sum(feature.nullable for feature in asker.signature.features),
    )


Pair = tuple[OddRow, Told]


def _usual(service: Service | None, artifact: ModelArtifact | None) -> Sequence[Mapping[str, object]]:
    if service is not None:
        return service.rows[:50]
    if artifact is not None and artifact.golden.rows:
        golden: Sequence[Mapping[str, object]] = artifact.golden.rows
        return golden
    raise _nobody()


def _ask(asker: Asker, rows: Sequence[OddRow], progress: Progress, start: float, end: float) -> Iterator[Pair]:
    for first in range(0, len(rows), AT_ONCE):
        some = rows[first : first + AT_ONCE]
        yield from zip(some, asker.ask([odd.row for odd in some]), strict=True)
        progress.advance(start + (end - start) * (first + len(some)) / len(rows))


def _batches(asker: Asker, usual: Sequence[Mapping[str, object]], serving: Serving) -> Iterator[Pair]:
    """Send no rows, one, many, as many as the contract allows, and one more in one request."""
    most = serving.maximum_rows
    kinds = [("no rows", 0), ("one row", 1), ("two rows", 2), ("many rows", min(most, LARGEST_BATCH))]
    if most <= MOST_AT_ONCE:
        kinds += [("most rows", most), ("too many rows", most + 1)]
    for kind, rows in kinds:
        said = asker.ask_together([usual[place % len(usual)] for place in range(rows)])
        if said is not None:
            yield OddRow(kind=kind, feature=None, row={}, must_answer=0 < rows <= min(most, LARGEST_BATCH)), said


def _names_twice(asker: Asker, usual: Sequence[Mapping[str, object]]) -> Iterator[Pair]:
    """Send rows in which one name stands twice."""
    if isinstance(asker, ServiceAsker):
        for name in asker.signature.names[:MOST_TWICE]:
            said = asker.ask_twice_named(usual[0], name)
            if said is not None:
                row = dict(usual[0])
                yield OddRow(kind="a name twice", feature=name, row=row, must_answer=False), said


def _draw(asker: Asker, count: int, seed: int) -> list[JsonRow]:
    """Return random rows, the same for the same seed."""
    import hypothesis

    drawn: list[JsonRow] = []

    @hypothesis.seed(seed)
    @_settings(count)
    @hypothesis.given(random_rows(asker.signature))
    def draw(row: JsonRow) -> None:
        drawn.append(row)

    draw()
    return drawn


def _settings(count: int) -> settings:
    import hypothesis
    from hypothesis.configuration import set_hypothesis_home_dir

    # What it keeps of Unicode belongs in a cache, not in the project that is judged.
    set_hypothesis_home_dir(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sekisho" / "hypothesis")
    return hypothesis.settings(
        max_examples=count,
        phases=[hypothesis.Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def _smallest(asker: Asker, told: Sequence[Pair], seed: int) -> list[CounterExample]:
    """Return the smallest random row that goes wrong, else the ones that did."""
    import hypothesis
    import hypothesis.errors

    def is_wrong(row: JsonRow) -> bool:
        odd = OddRow(kind=RANDOM, feature=None, row=row, must_answer=is_allowed(asker.signature, row))
        return _is_wrong(odd, asker.ask([row])[0])

    try:
        smallest = hypothesis.find(
            random_rows(asker.signature),
            is_wrong,
            settings=hypothesis.settings(
                _settings(len(told)), phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink]
            ),
            random=Random(seed),  # noqa: S311 - the same rows for the same seed
        )
    except hypothesis.errors.NoSuchExample:
        return [_counter(odd, said) for odd, said in told if _is_wrong(odd, said)]
    odd = OddRow(kind=RANDOM, feature=None, row=smallest, must_answer=is_allowed(asker.signature, smallest))
    return [_counter(odd, asker.ask([smallest])[0])]


def _is_wrong(odd: OddRow, said: Told) -> bool:
    return said.outcome == "failed" or _wrongly_refused(odd, said)


def _wrongly_refused(odd: OddRow, said: Told) -> bool:
    return said.outcome == "refused" and odd.must_answer


def _counter(odd: OddRow, said: Told) -> CounterExample:
    if odd.feature is None:
        sent = shown(odd.row)
    else:
        sent = shown(odd.row[odd.feature]) if odd.feature in odd.row else "(left out)"
    return CounterExample(
        kind=odd.kind, feature=odd.feature, sent=sent, outcome=said.words, refused=said.outcome == "refused"
    )


def _chosen(counters: Sequence[CounterExample]) -> list[CounterExample]:
    """Return one counter-example of each kind, then one of each feature, then the rest, as many as are kept."""
    by_kind = {counter.kind: counter for counter in reversed(counters)}
    by_place = {(counter.kind, counter.feature): counter for counter in reversed(counters)}
    order = dict.fromkeys([*reversed(by_kind.values()), *reversed(by_place.values()), *counters])
    return list(order)[:MOST_SHOWN]


def _kinds(told: Sequence[Pair]) -> Iterator[CaseKind]:
    for kind in dict.fromkeys(odd.kind for odd, _ in told):
        here = [(odd, said) for odd, said in told if odd.kind == kind]
        outcomes = Counter(said.outcome for _, said in here)
        yield CaseKind(
            kind=kind,
            tried=len(here),
            answered=outcomes["answered"],
            refused=outcomes["refused"],
            failed=outcomes["failed"],
            wrongly_refused=sum(_wrongly_refused(odd, said) for odd, said in here),
            flagged=sum(said.flagged for _, said in here),
        )


def _nobody() -> NotMeasured:
    return NotMeasured(
        Text(en="there is neither a service nor an artifact to ask", ja="問い合わせ先のサービスも成果物もありません"),
        Text(
            en="pack the model with sekisho pack, or name your service in serving.command or serving.url",
            ja="sekisho pack で成果物を作るか、serving.command か serving.url で対象のサービスを指定してください",
        ),
    )
