"""How alike the model treats the groups that must be treated alike, and which features stand in for them.

Sources: S. Barocas, M. Hardt, A. Narayanan, "Fairness and Machine Learning", 2023, chapter 3 (the notions); 29 CFR § 1607.4(D) (the
four-fifths rule for selection rates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column
from sekisho.contract.sections import Fairness as Asked
from sekisho.contract.sections import Quality
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.scored import Scored
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.bootstrap import bootstrap
from sekisho.probes.statistics.groups import Groups, Rows, groups_of, said_by, said_of
from sekisho.probes.statistics.intervals import Interval, Share, holm, ratio
from sekisho.probes.statistics.means import (
    Mean,
    Quantity,
    gap,
    interval_of,
    mean_of,
    p_value,
    rows_of,
)
from sekisho.probes.statistics.probability_scores import calibration_error
from sekisho.text import Text

SCORE: Final = "(score)"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupRate:
    """One group under one notion.

    Attributes:
        attribute: The attribute, or several crossed.
        notion: What is compared, such as ``selection_rate``; with the class in brackets where there are several.
        group: The group.
        rows: How many rows the rate stands on.
        rate: The rate and its interval; ``None`` where the rows are too few to be scored.

    """

    attribute: str
    notion: str
    group: str
    rows: int
    rate: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """The widest gap between two groups of one attribute under one notion.

    Attributes:
        attribute, notion: As in :class:`GroupRate`.
        higher, lower: The two groups.
        gap: Of their rates.
        ratio: Of the lower to the higher rate; ``None`` where it says nothing.
        p_value: That a gap so wide is chance, corrected (Holm) for all pairs of all attributes and notions.
        largest_bound: The widest gap that any two groups could have, by the upper bound of its interval.
        least_sure: The two groups with that bound.
        least_point: Their gap itself.
        least_rows: The rows of the smaller one of them.
        smallest_ratio: The smallest ratio that any two groups could have, by the lower bound of its interval; ``None`` as in ``ratio``.

    """

    attribute: str
    notion: str
    higher: str
    lower: str
    gap: Interval
    ratio: Interval | None
    p_value: float
    largest_bound: float
    least_sure: str
    least_point: float
    least_rows: int
    smallest_ratio: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """A feature, or the score of the model (``(score)``), that says much about an attribute: ``explained`` is the part of its spread."""

    attribute: str
    feature: str
    explained: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fairness:
    """How alike groups are treated.

    Attributes:
        attributes: What was compared; several crossed are joined by ``×``.
        rows: How many rows of the test set were answered.
        source: Who answered.
        confidence: Of the intervals.
        rates: Every group under every notion.
        gaps: One for each attribute and notion.
        not_scored: Groups with too few rows.
        proxies: Every feature with what it says about each single attribute, the most telling first.
        unit: What a gap of 1 is, for values: the mean distance of the target from its mean; ``None`` for classes.
        unlabelled: The share of rows of which an attribute is not known, by attribute, the largest first.

    """

    attributes: tuple[str, ...]
    rows: int
    source: str
    confidence: float
    rates: tuple[GroupRate, ...]
    gaps: tuple[Gap, ...]
    not_scored: tuple[str, ...]
    proxies: tuple[Proxy, ...]
    unit: float | None
    unlabelled: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    attribute: str
    notion: str
    higher: str
    lower: str
    interval: Interval
    ratio: Interval | None
    p_value: float
    rows: int


@probe("quality/fairness", title=Text(en="Compare groups", ja="グループ間の差を測定"), seconds=2)
def fairness(asked: Asked, quality: Quality, scored: Scored, progress: Progress) -> Fairness:
    """Compare the groups of every declared attribute, and of any two crossed.

    Raises:
        NotMeasured: The test set does not hold an attribute, or no notion fits the answers.

    """
    answers = scored.answers
    attributes = _attributes(asked, scored)
    if not attributes:
        return _no_attribute(scored, len(answers), quality)
    groups = groups_of(attributes, {band.attribute: band.cuts for band in asked.bands})
    progress.advance(0.3)
    rates: list[GroupRate] = []
    pairs: list[_Pair] = []
    for attribute, members in groups.items():
        for notion, quantity in _notions(asked, quality, answers, scored):
            known = {group: quantity(rows) for group, rows in members.items()}
            scored_groups = {
                group: found
                for group, found in known.items()
                if found is not None and rows_of(found) >= asked.smallest_group
            }
            rates += [
                GroupRate(
                    attribute=attribute,
                    notion=notion,
                    group=group,
                    rows=0 if found is None else rows_of(found),
                    rate=interval_of(found, quality.confidence) if group in scored_groups and found else None,
                )
                for group, found in known.items()
            ]
            pairs += _pairs(attribute, notion, scored_groups, quality.confidence)
    if not rates:
        raise _no_notion()
    progress.advance(0.8)
    return Fairness(
        attributes=tuple(groups),
        rows=len(answers),
        source=scored.source,
        confidence=quality.confidence,
        rates=tuple(rates),
        gaps=tuple(_gaps(pairs, 1 - quality.confidence)),
        not_scored=tuple(dict.fromkeys(f"{rate.attribute}={rate.group}" for rate in rates if rate.rate is None)),
        proxies=_proxies(scored, {name: rows for name, rows in groups.items() if "×" not in name}),
        unit=None if answers.classes else _unit(answers),
        unlabelled=tuple(
            sorted(
                ((name, float(column.null.mean())) for name, column in attributes.items()), key=lambda pair: -pair[1]
            )
        ),
    )


def _no_attribute(scored: Scored, rows: int, quality: Quality) -> Fairness:
    """Return that nothing was compared, because nobody has named an attribute."""
    return Fairness(
        attributes=(),
        rows=rows,
        source=scored.source,
        confidence=quality.confidence,
        rates=(),
        gaps=(),
        not_scored=(),
        proxies=(),
        unit=None,
        unlabelled=(),
    )


# Who belongs to which group


def _attributes(asked: Asked, scored: Scored) -> dict[str, Column]:
    marked = [feature.name for feature in scored.signature.features if feature.sensitive]
    names = tuple(dict.fromkeys((*asked.attributes, *marked)))
    table = scored.test
    for name in names:
        if name not in table.names:
            raise NotMeasured(
                Text(en=f"the test set has no column {name!r}", ja=f"テストデータに列 {name!r} がありません"),
                Text(
                    en="keep sensitive attributes in the test set, even if the model does not use them",
                    ja="モデルが使わない場合でも、センシティブ属性はテストデータに残してください",
                ),
                where="fairness.attributes",
            )
    return {name: table.column(name) for name in names}


# What is compared

Measured = Callable[[Rows], Quantity | None]
"""From the places of rows to their rate; ``None`` where there are none that count."""


def _notions(asked: Asked, quality: Quality, answers: Answers, scored: Scored) -> Iterator[tuple[str, Measured]]:
    wanted = asked.notions
    if not answers.classes:
        unit = _unit(answers)
        if set(wanted) & {"error", "true_positive_rate", "false_positive_rate"} or "selection_rate" not in wanted:
            yield "error", _scaled_mean(np.abs(answers.truth - answers.given) / unit)
        if set(wanted) & {"error", "calibration"}:
            yield "mean_error", _scaled_mean((answers.given - answers.truth) / unit)
        if "selection_rate" in wanted:
            yield "mean_answer", _scaled_mean(answers.given / unit)
        return
    numbered = [answers.positive] if answers.positive is not None else list(range(answers.classes))
    for number in numbered:
        name = "" if answers.positive is not None else f" [{scored.labels.classes[number]}]"
        right, given = answers.truth == number, answers.given == number
        if "selection_rate" in wanted:
            yield f"selection_rate{name}", _share_of(given, np.ones(len(answers), dtype=bool))
        if "true_positive_rate" in wanted:
            yield f"true_positive_rate{name}", _share_of(given, right)
        if "false_positive_rate" in wanted:
            yield f"false_positive_rate{name}", _share_of(given, ~right)
    if "error" in wanted:
        yield "error", _share_of(answers.truth != answers.given, np.ones(len(answers), dtype=bool))
    if "calibration" in wanted and answers.probabilities is not None:
        yield "calibration", _calibration(answers, quality.seed)


def _share_of(happened: NDArray[np.bool_], among: NDArray[np.bool_]) -> Measured:
    def measured(rows: Rows) -> Share | None:
        rows = rows[among[rows]]
        return Share(count=int(np.count_nonzero(happened[rows])), trials=len(rows)) if len(rows) else None

    return measured


def _scaled_mean(values: Floats) -> Measured:
    return lambda rows: mean_of(values[rows]) if len(rows) > 1 else None


def _calibration(answers: Answers, seed: int) -> Measured:
    """Return how far stated probabilities are from what happens, less what chance adds in few rows (by the bootstrap)."""

    def measured(rows: Rows) -> Mean | None:
        if len(rows) < 2:
            return None
        group = answers.take(rows)
        point = float(calibration_error(group, np.ones((1, len(rows))))[0])
        drawn = bootstrap([lambda weights: calibration_error(group, weights)], np.ones(len(rows), np.int64), 400, seed)[
            0
        ]
        return Mean(value=max(0.0, 2 * point - float(drawn.mean())), error=float(drawn.std(ddof=1)), rows=len(rows))

    return measured


def _unit(answers: Answers) -> float:
    truth = answers.truth.astype(np.float64)
    return float(np.abs(truth - truth.mean()).mean()) or 1.0


# How wide the gaps are


def _pairs(attribute: str, notion: str, known: Mapping[str, Quantity], confidence: float) -> list[_Pair]:
    found = []
    for one, other in combinations(known, 2):
        interval = gap(known[one], known[other], confidence)
        higher, lower = (one, other) if interval.point >= 0 else (other, one)
        if interval.point < 0:
            interval = Interval(point=-interval.point, low=-interval.high, high=-interval.low)
        more, less = known[higher], known[lower]
        shares = ratio(less, more, confidence) if isinstance(more, Share) and isinstance(less, Share) else None
        found.append(
            _Pair(
                attribute,
                notion,
                higher,
                lower,
                interval,
                shares if notion.startswith("selection_rate") else None,
                p_value(more, less),
                min(rows_of(more), rows_of(less)),
            )
        )
    return found


def _gaps(pairs: Sequence[_Pair], chance: float) -> Iterator[Gap]:
    adjusted = dict(zip(map(id, pairs), holm([pair.p_value for pair in pairs]), strict=True))
    for attribute, notion in dict.fromkeys((pair.attribute, pair.notion) for pair in pairs):
        here = [pair for pair in pairs if (pair.attribute, pair.notion) == (attribute, notion)]
        # The widest gap among those that are no chance; without any, the widest.
        widest = max(here, key=lambda pair: (adjusted[id(pair)] < chance, pair.interval.point))
        loosest = max(here, key=lambda pair: pair.interval.high)
        yield Gap(
            attribute=attribute,
            notion=notion,
            higher=widest.higher,
            lower=widest.lower,
            gap=widest.interval,
            ratio=widest.ratio,
            p_value=adjusted[id(widest)],
            largest_bound=loosest.interval.high,
            least_sure=f"{loosest.higher} / {loosest.lower}",
            least_point=loosest.interval.point,
            least_rows=loosest.rows,
            smallest_ratio=min((pair.ratio.low for pair in here if pair.ratio is not None), default=None),
        )


# Which features stand in for an attribute


def _proxies(scored: Scored, groups: Mapping[str, Groups]) -> tuple[Proxy, ...]:
    table, score = scored.test, _score(scored.answers)
    found = [
        Proxy(attribute=attribute, feature=SCORE, explained=said_by(members, score))
        for attribute, members in groups.items()
    ]
    found += [
        Proxy(attribute=attribute, feature=name, explained=said_of(members, table.column(name)))
        for attribute, members in groups.items()
        for name in scored.signature.names
        if name != attribute
    ]
    return tuple(sorted(found, key=lambda proxy: -proxy.explained))


def _score(answers: Answers) -> Floats:
    """Return what the model says of each row as one number: the value, or how probable the positive class is."""
    if not answers.classes:
        values: Floats = answers.given.astype(np.float64)
        return values
    positive = answers.classes - 1 if answers.positive is None else answers.positive
    if answers.probabilities is None:
        given: Floats = (answers.given == positive).astype(np.float64)
        return given
    return answers.probabilities[:, positive]


def _no_notion() -> NotMeasured:
    return NotMeasured(
        Text(en="none of fairness.notions fits this model", ja="fairness.notions のどれもこのモデルに当てはまりません"),
        Text(
            en="a regressor has error and selection_rate (its mean answer); calibration needs probabilities",
            ja="回帰モデルでは error と selection_rate（予測の平均）を使えます。calibration には確率が必要です",
        ),
    )
