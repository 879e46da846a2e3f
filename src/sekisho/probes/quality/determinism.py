"""Whether the same row gets the same answer: asked again, in another order, among other rows, by whichever worker has time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.sections import Quality, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.asking import Asker, Told, answers_apart, opened
from sekisho.probes.resources.odd_rows import shown
from sekisho.probes.resources.service import Service
from sekisho.text import Text

ROWS: Final = 40
AGAIN: Final = 3
ROUNDING: Final = 1e-6
"""How far scores of one row may be apart when it stands among other rows: sums are made in another order there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Determinism:
    """How often the same row got another answer.

    Attributes:
        through: Who was asked: ``service`` or ``artifact``.
        rows: How many rows were asked for.
        again: How often each was asked for by itself, in turn forwards and backwards.
        workers: How many processes of a service could have answered.
        differing: How many rows got another answer when asked for again: not one bit may differ.
        differing_together: How many rows got another label, or scores beyond rounding, among other rows, in another order, or from
            another worker.
        largest: The largest difference of scores of one row.
        example: A row that got two answers, shortened; empty without one.

    """

    through: str
    rows: int
    again: int
    workers: int
    differing: int
    differing_together: int
    largest: float
    example: str


# Alone: a service that puts rows of several callers together adds up in another order.
@probe("quality/determinism", title=Text(en="Ask again", ja="同じ行を繰り返し推論"), seconds=1, exclusive=True)
def determinism(
    quality: Quality, serving: Serving, service: Service | None, artifact: ModelArtifact | None, progress: Progress
) -> Determinism:
    """Ask for the same rows several times.

    Raises:
        NotMeasured: There is nobody to ask, or no row is answered.

    """
    usual: Sequence[Mapping[str, object]] = ()
    if service is not None:
        usual = service.rows[:ROWS]
    elif artifact is not None:
        usual = artifact.golden.rows[:ROWS]
    with opened(service, artifact, deadline_ms=serving.deadline_ms) as asker:
        if asker is None or not usual:
            raise _nobody()
        rounds = [_in_order(asker, usual, backwards=bool(turn % 2)) for turn in range(AGAIN)]
        # Several at once: a service may put them together, and any of its workers may answer.
        at_once = asker.ask(usual)
        progress.advance(0.5)
        order = np.random.default_rng(quality.seed).permutation(len(usual))
        whole, mixed = asker.answers(usual), asker.answers([usual[place] for place in order])
        straight = [mixed[place] for place in np.argsort(order)]
    apart = [_apart(one, others) for one, *others in zip(*rounds, strict=True)]
    together = [_apart(one, others) for one, *others in zip(rounds[0], at_once, whole, straight, strict=True)]
    differing = [place for place, distance in enumerate(apart) if distance > 0]
    among = [place for place, distance in enumerate(together) if distance > ROUNDING]
    finite = [distance for distance in (*apart, *together) if np.isfinite(distance)]
    return Determinism(
        through=asker.through,
        rows=len(usual),
        again=AGAIN,
        workers=serving.workers,
        differing=len(differing),
        differing_together=len(among),
        largest=max(finite, default=0.0),
        example=shown(usual[(differing or among)[0]]) if differing or among else "",
    )


def _in_order(asker: Asker, rows: Sequence[Mapping[str, object]], *, backwards: bool) -> list[Told]:
    return asker.ask_in_turn(rows[::-1])[::-1] if backwards else asker.ask_in_turn(rows)


def _apart(one: Told, others: Sequence[Told]) -> float:
    """Return how far answers to one row are apart: infinitely, when the label or the outcome is another."""
    return max(_distance(one, other) for other in others)


def _distance(one: Told, other: Told) -> float:
    if one.outcome != other.outcome:
        return float("inf")
    if one.answer is None or other.answer is None:
        return 0.0
    return answers_apart(one.answer, other.answer)


def _nobody() -> NotMeasured:
    return NotMeasured(
        Text(en="there is nobody to ask, or no row to ask for", ja="問い合わせ先か、問い合わせる行がありません"),
        Text(
            en="pack the model with sekisho pack, or name your service and data.test",
            ja="sekisho pack で成果物を作るか、対象のサービスと data.test を指定してください",
        ),
    )
