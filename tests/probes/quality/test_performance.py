from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
import pytest

from sekisho.checks.quality.requirements import requirements
from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress
from sekisho.gate.verdict import Status, Verdict
from sekisho.probes.quality.performance import Performance, performance
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import DataSetT, TrainingSet

MakeContract = Callable[..., Contract]
MakeScored = Callable[..., Scored]


class MakeDataSet(Protocol):
    def __call__(self, frame: pd.DataFrame, kind: type[DataSetT], asked: Contract) -> DataSetT: ...


REASON = "a missed case costs forty times a false alarm"


def measured(asked: Contract, scored: Scored, training: TrainingSet | None = None) -> Performance:
    found = performance.measure(asked.quality, scored, training, Progress())
    assert isinstance(found, Performance)
    return found


def judged(asked: Contract, scored: Scored, training: TrainingSet | None = None) -> Verdict:
    return requirements.judge(asked, measured(asked, scored, training), None, None, None)


def imbalanced(rows: int, share: float = 0.05, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    label = (random.random(rows) < share).astype(int)
    return pd.DataFrame({"x": random.normal(size=rows) + label, "label": label})


def answered(frame: pd.DataFrame, recalls: tuple[float, float], seed: int = 1) -> np.ndarray:
    """Answers that recognise the given share of each class."""
    label = frame["label"].to_numpy()
    right = np.random.default_rng(seed).random(len(label)) < np.array(recalls)[label]
    return np.where(right, label, 1 - label)


def accuracy_of(threshold: float, metric: str = "accuracy") -> dict[str, object]:
    return {"metric": metric, "threshold": threshold, "reason": REASON}


@pytest.mark.parametrize("minority", [0.0, 0.02, 0.2, 0.35])
def test_accuracy_carried_by_the_majority_fails(minority: float, contract: MakeContract, scored: MakeScored) -> None:
    frame = imbalanced(6_000)
    verdict = judged(contract(quality=accuracy_of(0.94)), scored(frame, answered(frame, (0.999, minority))))
    assert verdict.status is Status.FAIL
    assert "majority" in verdict.summary.en
    assert "多数派" in verdict.summary.ja


@pytest.mark.parametrize(("metric", "threshold"), [("balanced_accuracy", 0.75), ("accuracy", 0.75), ("recall", 0.7)])
def test_recall_of_both_classes_passes_on_the_same_imbalance(
    metric: str, threshold: float, contract: MakeContract, scored: MakeScored
) -> None:
    frame = imbalanced(6_000)
    verdict = judged(contract(quality=accuracy_of(threshold, metric)), scored(frame, answered(frame, (0.8, 0.8))))
    assert verdict.status is Status.PASS, verdict.summary.en


@pytest.mark.parametrize("metric", ["recall", "f1", "precision", "f1_weighted", "error_rate"])
def test_a_constant_answer_never_passes(metric: str, contract: MakeContract, scored: MakeScored) -> None:
    frame = imbalanced(4_000, share=0.9)
    verdict = judged(
        contract(quality=accuracy_of(0.99 if metric == "error_rate" else 0.01, metric)),
        scored(frame, np.ones(len(frame), dtype=int)),
    )
    assert verdict.status is Status.FAIL


def test_a_threshold_met_by_luck_fails_and_says_how_many_rows_would_do(
    contract: MakeContract, scored: MakeScored
) -> None:
    frame = pd.DataFrame({"x": np.zeros(40), "label": np.arange(40) % 2})
    given = frame["label"].to_numpy().copy()
    given[:4] = 1 - given[:4]
    verdict = judged(contract(quality=accuracy_of(0.89)), scored(frame, given))
    assert verdict.status is Status.FAIL
    assert "luck" in verdict.summary.en
    assert verdict.remedy is not None
    assert "rows" in verdict.remedy.en


def test_the_same_score_on_many_rows_passes(contract: MakeContract, scored: MakeScored) -> None:
    frame = pd.DataFrame({"x": np.zeros(4_000), "label": np.arange(4_000) % 2})
    given = frame["label"].to_numpy().copy()
    given[:340] = 1 - given[:340]  # 0.915
    verdict = judged(contract(quality=accuracy_of(0.90)), scored(frame, given))
    assert verdict.status is Status.PASS, verdict.summary.en


def test_an_error_is_judged_by_its_upper_bound(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(2)
    truth = random.normal(100, 20, 800)
    frame = pd.DataFrame({"x": truth, "label": truth})
    answers = scored(frame, truth + random.normal(0, 5, 800), task="regression")
    found = measured(contract(quality=accuracy_of(5.0, "rmse")), answers)
    assert found.score.low < 5.0 < found.score.high
    assert judged(contract(quality=accuracy_of(5.0, "rmse")), answers).status is Status.FAIL
    assert judged(contract(quality=accuracy_of(5.6, "rmse")), answers).status is Status.PASS
    assert judged(contract(quality=accuracy_of(0.9, "r2")), answers).status is Status.PASS


def test_a_mean_is_no_model(contract: MakeContract, scored: MakeScored) -> None:
    truth = np.random.default_rng(3).normal(100, 20, 500)
    frame = pd.DataFrame({"x": truth, "label": truth})
    verdict = judged(
        contract(quality=accuracy_of(1_000.0, "mae")), scored(frame, np.full(500, 100.0), task="regression")
    )
    assert verdict.status is Status.FAIL
    assert "constant" in verdict.summary.en


def test_probabilities_are_scored_without_a_cut(contract: MakeContract, scored: MakeScored) -> None:
    # Rare cases ranked well, none above one half: nothing is wrong with the ranking.
    random = np.random.default_rng(4)
    label = (random.random(5_000) < 0.02).astype(int)
    second = np.clip(0.02 + 0.2 * label + random.normal(0, 0.04, 5_000), 0.001, 0.45)
    frame = pd.DataFrame({"x": second, "label": label})
    answers = scored(frame, np.zeros(5_000, dtype=int), np.stack([1 - second, second], axis=1))
    assert judged(contract(quality=accuracy_of(0.9, "roc_auc")), answers).status is Status.PASS
    assert judged(contract(quality=accuracy_of(0.9, "accuracy")), answers).status is Status.FAIL


def test_words_are_classes_and_one_is_positive(contract: MakeContract, scored: MakeScored) -> None:
    label = np.array(["good", "bad"])[np.arange(900) % 2]
    frame = pd.DataFrame({"x": np.arange(900.0), "label": label})
    given = np.where(label == "bad", "bad", np.where(np.arange(900) % 4 == 0, "bad", "good"))
    bad = measured(contract(quality=accuracy_of(0.5, "recall")), scored(frame, given, positive="bad"))
    good = measured(contract(quality=accuracy_of(0.5, "recall")), scored(frame, given, positive="good"))
    assert bad.score.point == 1.0
    assert bad.score.low < 1.0
    assert good.score.point == pytest.approx(0.5)
    assert {each.label: each.recall.point for each in good.recalls} == {"good": pytest.approx(0.5), "bad": 1.0}


def test_a_linear_model_is_learned_from_the_training_set(
    contract: MakeContract, scored: MakeScored, data_set: MakeDataSet
) -> None:
    asked = contract(data={"target": "label"}, quality=accuracy_of(0.5, "roc_auc"))
    frame, training = imbalanced(2_000, share=0.4), imbalanced(2_000, share=0.4, seed=9)
    second = frame["x"].to_numpy() * 0 + 0.5
    noise = np.random.default_rng(5).random(2_000)
    answers = scored(frame, (noise > 0.5).astype(int), np.stack([1 - noise, noise], axis=1) + second[:, None] * 0)
    found = measured(asked, answers, data_set(training, TrainingSet, asked))
    assert found.linear is not None
    assert found.linear.score > 0.7
    assert found.linear.difference.high < 0


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ({"metric": "acuracy"}, "accuracy"),
        ({"metric": "rmse"}, "does not score"),
        ({"metric": "roc_auc"}, "needs probabilities"),
    ],
)
def test_a_metric_that_cannot_be_is_not_measured(
    quality: dict[str, str], words: str, contract: MakeContract, scored: MakeScored
) -> None:
    frame = imbalanced(200, share=0.5)
    with pytest.raises(NotMeasured) as caught:
        measured(contract(quality=quality), scored(frame, answered(frame, (0.9, 0.9))))
    assert words in str(caught.value)
    assert "quality.metric" in str(caught.value)


def test_what_nobody_stated_is_unknown(contract: MakeContract, scored: MakeScored) -> None:
    frame = imbalanced(2_000, share=0.5)
    answers = scored(frame, answered(frame, (0.9, 0.9)))
    for quality in ({}, {"metric": "accuracy", "threshold": 0.5}, {"metric": "accuracy", "reason": "why"}):
        verdict = judged(contract(quality=quality), answers)
        assert verdict.status is Status.UNKNOWN
        assert "nobody has stated" in verdict.summary.en


def test_the_fact_can_be_kept(contract: MakeContract, scored: MakeScored) -> None:
    from sekisho.gate.evidence import evidence_of

    frame = imbalanced(300, share=0.5)
    found = measured(contract(), scored(frame, answered(frame, (0.9, 0.9))))
    kept = evidence_of(
        found,
        probe="quality/performance",
        inputs={},
        measured_at="2026-01-01T00:00:00Z",
        seconds=1.0,
        machine={},
        versions={},
        command="sekisho check",
    )
    assert kept.fact == found
    assert len(found.quantiles) == 101
    assert list(found.quantiles) == sorted(found.quantiles)
