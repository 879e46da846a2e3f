from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sekisho.probes.statistics.answers import Answers

MakeAnswers = Callable[..., Answers]


@pytest.fixture
def class_answers() -> MakeAnswers:
    """Answers of a classifier that states probabilities."""

    def make(rows: int = 300, classes: int = 2, seed: int = 0, positive: int | None = None) -> Answers:
        random = np.random.default_rng(seed)
        truth = random.integers(0, classes, rows)
        stated = random.dirichlet(np.ones(classes), rows)
        stated[np.arange(rows), truth] += 0.5
        stated /= stated.sum(axis=1, keepdims=True)
        stated = stated.round(2)  # some scores are equal
        stated /= stated.sum(axis=1, keepdims=True)
        return Answers(
            task="binary" if classes == 2 else "multiclass",
            truth=truth,
            given=stated.argmax(axis=1),
            probabilities=stated,
            classes=classes,
            positive=1 if classes == 2 else positive,
        )

    return make


@pytest.fixture
def value_answers() -> Answers:
    random = np.random.default_rng(4)
    truth = random.normal(50, 10, 400)
    return Answers(
        task="regression",
        truth=truth,
        given=truth + random.normal(1, 4, 400),
        probabilities=None,
        classes=0,
        positive=None,
    )
