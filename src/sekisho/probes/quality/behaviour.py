"""How the answer follows a change of one feature, on real rows: the metamorphic rules of the contract.

A row and its changed twin are asked for; how their answers relate is known, whatever the right answers are (T. Y. Chen et al.,
"Metamorphic testing: a review of challenges and opportunities", ACM Computing Surveys 51, 2018). A monotonic rule walks each row
through quantiles of the feature and looks at the mean of all rows, too (J. H. Friedman's partial dependence, Annals of Statistics 29, 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Feature, Output
from sekisho.artifact.table import Scalar, Table
from sekisho.contract.sections import Data, Quality, Rule, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Answer
from sekisho.probes.resources.asking import Asker, Told, answers_apart, opened
from sekisho.probes.resources.labels import SEVERAL, spelling
from sekisho.probes.resources.odd_rows import shown
from sekisho.probes.resources.questions import is_usual
from sekisho.probes.resources.service import Service
from sekisho.probes.resources.tables import TestSet
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.intervals import Interval, Share, wilson
from sekisho.text import Text

ROWS: Final = 400
STEPS: Final = 8
OTHERS: Final = 4
"""How many other values of a feature a row is tried with."""
FEWEST: Final = 5

Row = Mapping[str, object]
Values = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleOutcome:
    """What came of one rule.

    Attributes:
        kind, feature: As the contract says.
        rows: How many real rows were changed.
        pairs: How many pairs of answers were compared.
        broken: How many rows break the rule in any pair.
        share: Of rows that do, with its interval.
        on_average: Whether the mean over all rows keeps a monotonic rule; ``None`` for other rules.
        largest: How far the worst pair is from what the rule says.
        worst: The worst pair: the values of the feature and the answers; empty when none breaks the rule.
        problem, problem_ja: Why it could not be tested; empty when it was.

    """

    kind: str
    feature: str
    rows: int = 0
    pairs: int = 0
    broken: int = 0
    share: Interval = Interval(point=0.0, low=0.0, high=1.0)  # noqa: RUF009 - frozen
    on_average: bool | None = None
    largest: float = 0.0
    worst: str = ""
    problem: str = ""
    problem_ja: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """What came of the rules.

    Attributes:
        through: Who was asked: ``service`` or ``artifact``.
        rules: In the order of the contract.

    """

    through: str
    rules: tuple[RuleOutcome, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two answers that a rule relates: how far they are from what it says (infinitely, when one is none), and the pair in words."""

    row: int
    off: float
    shown: str


@probe("quality/behaviour", title=Text(en="Test rules of behaviour", ja="振る舞いの規則を試験"), seconds=3)
def behaviour(
    quality: Quality,
    serving: Serving,
    data: Data,
    test: TestSet,
    service: Service | None,
    artifact: ModelArtifact | None,
    progress: Progress,
) -> Behaviour:
    """Test every rule of ``quality.rules`` on rows of the test set.

    Raises:
        NotMeasured: There is no rule, nobody to ask, or no row.

    """
    if not quality.rules:
        raise NotMeasured(
            Text(en="quality.rules is empty", ja="quality.rules がありません"),
            Text(en="write rules under [[quality.rules]]", ja="[[quality.rules]] に規則を書いてください"),
        )
    with opened(service, artifact, deadline_ms=serving.deadline_ms) as asker:
        if asker is None:
            raise NotMeasured(
                Text(en="there is nobody to ask", ja="問い合わせ先がありません"),
                Text(en="pack the model, or name its service", ja="モデルを梱包するかサービスを指定してください"),
            )
        rows = _rows(test, asker, quality.seed)
        found = []
        for place, rule in enumerate(quality.rules):
            found.append(_outcome(rule, rows, test, asker, data.positive, quality))
            progress.advance((place + 1) / len(quality.rules))
    return Behaviour(through=asker.through, rules=tuple(found))


def _rows(test: TestSet, asker: Asker, seed: int) -> list[dict[str, Scalar]]:
    table: Table = test.table.select(asker.signature.names)
    usual = [row for row in table.records() if is_usual(asker.signature, row)]
    return [usual[place] for place in sample(len(usual), ROWS, seed)]


def _outcome(
    rule: Rule, rows: Sequence[Row], test: TestSet, asker: Asker, positive: Scalar, quality: Quality
) -> RuleOutcome:
    none = RuleOutcome(kind=rule.kind, feature=rule.feature)
    known = {feature.name: feature for feature in asker.signature.features}
    if rule.feature not in known:
        if rule.kind == "invariant" and rule.feature in test.full.names:
            # What is never sent cannot change the answer.
            return replace(
                none, rows=len(rows), share=wilson(Share(count=0, trials=max(len(rows), 1)), quality.confidence)
            )
        return _problem(none, Text(en="there is no such feature", ja="この特徴量はありません"))
    feature, output = known[rule.feature], asker.signature.output
    if output.outputs:
        return _problem(none, SEVERAL)
    outcome = _class(rule, output, positive)
    if rule.kind != "invariant":
        if feature.kind not in {"float", "integer"}:
            return _problem(none, Text(en="the feature is no number", ja="この特徴量は数値ではありません"))
        if output.classes is not None and outcome is None:
            return _problem(
                none, Text(en="say which class it is about (outcome)", ja="対象のクラス（outcome）が必要です")
            )
    if len(rows) < FEWEST:
        return _problem(none, Text(en="there are too few rows", ja="行が足りません"))
    random = np.random.default_rng(quality.seed)
    on_average = None
    if rule.kind == "monotonic":
        pairs, on_average = _walk(rule, feature, rows, asker, outcome)
    elif rule.kind == "invariant":
        pairs = _swapped(rule, feature, rows, asker, random)
    else:
        pairs = _followed(rule, feature, rows, asker, outcome)
    tried = {pair.row for pair in pairs}
    if not tried:
        return _problem(none, Text(en="no row could be changed", ja="変えられる行がありません"))
    off = [pair for pair in pairs if pair.off > rule.tolerance]
    worst = max(off, key=lambda pair: pair.off, default=None)
    broken = len({pair.row for pair in off})
    return replace(
        none,
        rows=len(tried),
        pairs=len(pairs),
        broken=broken,
        share=wilson(Share(count=broken, trials=len(tried)), quality.confidence),
        on_average=on_average,
        largest=0.0 if worst is None or not np.isfinite(worst.off) else worst.off,
        worst="" if worst is None else worst.shown,
    )


def _problem(none: RuleOutcome, why: Text) -> RuleOutcome:
    return replace(none, problem=why.en, problem_ja=why.ja)


def _class(rule: Rule, output: Output, positive: Scalar) -> str | None:
    """Return the spelling of the class whose probability is looked at; ``None`` for values, and when nobody said."""
    names = [spelling(label) for label in output.classes or ()]
    for stated in (rule.outcome, positive):
        if stated is not None and spelling(stated) in names:
            return spelling(stated)
    return names[1] if len(names) == 2 else None


def _score(answer: Answer, outcome: str | None) -> float:
    """Return the value, or the probability of one class; without probabilities, whether it was answered."""
    if outcome is None:
        return float(answer.label) if isinstance(answer.label, int | float) else np.nan
    if outcome in answer.probabilities:
        return answer.probabilities[outcome]
    is_it = spelling(answer.label) == outcome
    if answer.probability is None:
        return float(is_it)
    return answer.probability if is_it else 1 - answer.probability


# The kinds of rules


def _walk(
    rule: Rule, feature: Feature, rows: Sequence[Row], asker: Asker, outcome: str | None
) -> tuple[list[_Pair], bool]:
    """Walk every row through rising values of the feature."""
    grid = _grid(feature, rows)
    told = asker.answers([{**row, feature.name: value} for row in rows for value in grid])
    sign = 1.0 if rule.direction == "up" else -1.0
    pairs, walks = [], []
    for place in range(len(rows)):
        walk = told[place * len(grid) : (place + 1) * len(grid)]
        scores = [None if each.answer is None else _score(each.answer, outcome) for each in walk]
        if all(score is not None for score in scores):
            walks.append(scores)
        for step in range(len(grid) - 1):
            one, other = scores[step], scores[step + 1]
            if "failed" in {walk[step].outcome, walk[step + 1].outcome}:
                pairs.append(_Pair(place, float("inf"), f"{feature.name} = {shown(grid[step])}: no answer"))
            elif one is not None and other is not None:
                words = f"{feature.name} {shown(grid[step])} → {shown(grid[step + 1])}: {one:.6g} → {other:.6g}"
                pairs.append(_Pair(place, sign * (one - other) / max(1.0, abs(one)), words))
    mean = np.array(walks, dtype=np.float64).mean(axis=0) if walks else np.zeros(1)
    return pairs, bool((sign * np.diff(mean) >= -rule.tolerance * np.maximum(1.0, np.abs(mean[:-1]))).all())


def _grid(feature: Feature, rows: Sequence[Row]) -> list[float | int]:
    seen = np.array([row[feature.name] for row in rows if row[feature.name] is not None], dtype=np.float64)
    ends = [end for end in (feature.minimum, feature.maximum) if isinstance(end, int | float)]
    points = [*ends, *(np.quantile(seen, np.linspace(0, 1, STEPS)).tolist() if len(seen) else ())]
    return sorted({round(point) for point in points} if feature.kind == "integer" else {float(p) for p in points})


def _swapped(
    rule: Rule, feature: Feature, rows: Sequence[Row], asker: Asker, random: np.random.Generator
) -> list[_Pair]:
    """Put other values in the place of the feature."""
    changed = [(place, value) for place, row in enumerate(rows) for value in _others(rule, feature, row, rows, random)]
    base = asker.answers(rows)
    told = asker.answers([{**rows[place], feature.name: value} for place, value in changed])
    pairs = []
    for (place, value), other in zip(changed, told, strict=True):
        one = base[place]
        was = f"{feature.name} {shown(rows[place][feature.name])} → {shown(value)}"
        if one.answer is not None and other.answer is not None:
            words = f"{was}: {_words(one.answer)} → {_words(other.answer)}"
            pairs.append(_Pair(place, answers_apart(one.answer, other.answer), words))
        elif other.outcome == "failed" or rule.change != "value":
            pairs.append(_Pair(place, float("inf"), f"{was}: {other.words}"))
    return pairs


def _others(rule: Rule, feature: Feature, row: Row, rows: Sequence[Row], random: np.random.Generator) -> list[object]:
    own = row[feature.name]
    if rule.change != "value":
        change: tuple[Callable[[str], str], ...] = (str.upper, str.lower, str.title)
        if rule.change == "blanks":
            change = (lambda word: f" {word}", lambda word: f"{word} ", lambda word: word.replace(" ", "  "))
        return list(dict.fromkeys(other for each in change if isinstance(own, str) and (other := each(own)) != own))
    if feature.categories is not None:
        others = [value for value in feature.categories if value != own]
        chosen = random.permutation(len(others))[:OTHERS]
        return [others[place] for place in chosen]
    seen = [rows[place][feature.name] for place in random.integers(len(rows), size=2 * OTHERS)]
    ends = [end for end in (feature.minimum, feature.maximum) if end is not None]
    return list(dict.fromkeys(value for value in (*ends, *seen) if value is not None and value != own))[:OTHERS]


def _followed(rule: Rule, feature: Feature, rows: Sequence[Row], asker: Asker, outcome: str | None) -> list[_Pair]:
    """Multiply the feature, or add to it, and see that the answer follows."""
    kept = [(place, row) for place, row in enumerate(rows) if row[feature.name] is not None]
    scaled = rule.kind == "scale"
    changed = [_moved(float(str(row[feature.name])), rule.by, scaled=scaled) for _, row in kept]
    base = asker.answers([row for _, row in kept])
    told = asker.answers([{**row, feature.name: _as(feature, v)} for (_, row), v in zip(kept, changed, strict=True)])
    effect = rule.by if rule.effect is None else rule.effect
    pairs = []
    for (place, row), value, one, other in zip(kept, changed, base, told, strict=True):
        if one.answer is None or other.answer is None:
            pairs += _unanswered(place, feature, value, other)
            continue
        before, after = _score(one.answer, outcome), _score(other.answer, outcome)
        wanted = _moved(before, effect, scaled=scaled)
        words = f"{feature.name} {shown(row[feature.name])} → {value:g}: {before:.6g} → {after:.6g}, not {wanted:.6g}"
        pairs.append(_Pair(place, abs(after - wanted) / max(1.0, abs(wanted)), words))
    return pairs


def _unanswered(place: int, feature: Feature, value: float, told: Told) -> list[_Pair]:
    failed = told.outcome == "failed"
    return [_Pair(place, float("inf"), f"{feature.name} = {value:g}: {told.words}")] if failed else []


def _moved(value: float, by: float, *, scaled: bool) -> float:
    return value * by if scaled else value + by


def _as(feature: Feature, value: float) -> float | int:
    return round(value) if feature.kind == "integer" else value


def _words(answer: Answer) -> str:
    if answer.probability is None:
        return shown(answer.label)
    return f"{shown(answer.label)} ({answer.probability:.6g})"
