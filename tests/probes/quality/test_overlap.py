from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
import pytest

from sekisho.checks.quality.test_evaluation import test_evaluation as box
from sekisho.contract.sections import Contract
from sekisho.gate.probe import Progress
from sekisho.gate.verdict import Finding, Status
from sekisho.probes.quality.class_counts import class_counts
from sekisho.probes.quality.leakage import leakage
from sekisho.probes.quality.overlap import Overlap, overlap
from sekisho.probes.resources.tables import DataSetT, TestSet, TrainingSet

MakeContract = Callable[..., Contract]


class MakeDataSet(Protocol):
    def __call__(self, frame: pd.DataFrame, kind: type[DataSetT], asked: Contract) -> DataSetT: ...


def people(rows: int, seed: int, first: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    income = random.lognormal(8, 0.5, rows)
    return pd.DataFrame(
        {
            "id": np.arange(first, first + rows) * 7 + 100_003,
            "age": random.integers(18, 80, rows),
            "income": np.where(random.random(rows) < 0.05, np.nan, income),
            "word": random.choice(["a", "b", "c"], rows),
            "label": (income + random.normal(0, 1_000, rows) > 3_000).astype(int),
        }
    )


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    return people(1_000, 1, first=10_000), people(4_000, 2)


@pytest.fixture
def look(contract: MakeContract, data_set: MakeDataSet) -> Callable[..., Overlap]:
    def make(test: pd.DataFrame, training: pd.DataFrame, **data: object) -> Overlap:
        asked = contract(data={"target": "label"} | data)
        found = overlap.measure(
            asked.quality,
            asked.data,
            data_set(test, TestSet, asked),
            data_set(training, TrainingSet, asked),
            None,
            Progress(),
        )
        assert isinstance(found, Overlap)
        return found

    return make


def findings(test: pd.DataFrame, training: pd.DataFrame, asked: Contract, data_set: MakeDataSet) -> list[Finding]:
    one, other = data_set(test, TestSet, asked), data_set(training, TrainingSet, asked)
    verdict = box.judge(
        asked,
        overlap.measure(asked.quality, asked.data, one, other, None, Progress()),
        class_counts.measure(one, None),
        leakage.measure(asked.quality, asked.data, one, other, None, None, Progress()),
        None,
    )
    return [finding for finding in verdict.findings if finding.status is not Status.PASS]


def leaked(frames: tuple[pd.DataFrame, pd.DataFrame], share: float) -> pd.DataFrame:
    test, training = frames
    return pd.concat([training, test.sample(frac=share, random_state=3)], ignore_index=True)


@pytest.mark.parametrize("identifier", [None, "id"])
def test_test_rows_in_the_training_set_fail(
    identifier: str | None,
    frames: tuple[pd.DataFrame, pd.DataFrame],
    contract: MakeContract,
    data_set: MakeDataSet,
) -> None:
    data = {"target": "label", "identifier": identifier, "ignored": () if identifier else ("id",)}
    asked = contract(data=data)
    clean = findings(*frames, asked, data_set)
    assert clean == []
    (failed,) = findings(frames[0], leaked(frames, 0.2), asked, data_set)
    assert failed.status is Status.FAIL
    assert ("200 of 1,000" if identifier else "of 1,000 test rows (2") in failed.text.en


def test_alike_readings_of_different_cases_pass(
    frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = frames
    readings = test.sample(frac=0.2, random_state=3).assign(id=np.arange(200) * 3 + 900_000)
    asked = contract(data={"target": "label", "identifier": "id"})
    assert findings(test, pd.concat([training, readings], ignore_index=True), asked, data_set) == []


def test_cases_on_both_sides_fail_unless_the_test_is_later(contract: MakeContract, data_set: MakeDataSet) -> None:
    def visits(rows: int, seed: int, first_day: str) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        days = pd.Timestamp(first_day) + pd.to_timedelta(random.integers(0, 90, rows), unit="D")
        frame = people(rows, seed).assign(day=days.strftime("%Y-%m-%d"), patient=random.integers(5_000, 5_400, rows))
        return frame.drop(columns="id")

    test, training = visits(600, 1, "2026-01-01"), visits(2_000, 2, "2026-01-01")
    by_patient = contract(data={"target": "label", "identifier": "patient"})
    (failed,) = findings(test, training, by_patient, data_set)
    assert "patient stands in the training set too" in failed.text.en
    timed = contract(data={"target": "label", "identifier": "patient", "time": "day"})
    assert len(findings(test, training, timed, data_set)) == 2  # neither are the rows later
    assert findings(visits(600, 1, "2026-05-01"), training, timed, data_set) == []
    others = test.assign(patient=test["patient"] + 1_000)
    assert findings(others, training, by_patient, data_set) == []


def test_an_identifier_that_only_counts_rows_excuses_nothing(
    frames: tuple[pd.DataFrame, pd.DataFrame], look: Callable[..., Overlap]
) -> None:
    test, training = frames[0].assign(id=range(1_000)), leaked(frames, 0.2).assign(id=range(4_200))
    found = look(test, training, identifier="id")
    assert found.by == "content"
    assert 200 <= found.exact.count < 220


@pytest.mark.parametrize("noise", [1e-6, 1e-3])
def test_rows_copied_with_a_little_noise_are_found(
    noise: float, frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = frames
    copied = test.sample(frac=0.2, random_state=3)
    copied = copied.assign(income=copied["income"] * (1 + np.random.default_rng(4).normal(0, noise, 200)))
    asked = contract(data={"target": "label", "ignored": ("id",)})
    (failed,) = findings(test, pd.concat([training, copied], ignore_index=True), asked, data_set)
    assert "nearly repeat" in failed.text.en
    by_id = contract(data={"target": "label", "identifier": "id"})
    (failed,) = findings(test, pd.concat([training, copied], ignore_index=True), by_id, data_set)
    assert "200 of 1,000" in failed.text.en


@pytest.mark.parametrize("features", [2, 12, 40])
def test_independent_rows_of_any_width_are_not_near(features: int, look: Callable[..., Overlap]) -> None:
    random = np.random.default_rng(features)
    names = [f"x{place}" for place in range(features)]
    training = pd.DataFrame(random.normal(size=(5_000, features)), columns=names).assign(
        label=random.integers(0, 2, 5_000)
    )
    test = pd.DataFrame(random.normal(size=(2_000, features)), columns=names).assign(label=random.integers(0, 2, 2_000))
    found = look(test, training)
    assert found.near is not None
    assert found.near.excess.low <= 0.001
    jittered = test.sample(frac=0.2, random_state=1)
    jittered[names] += random.normal(0, 1e-4, (400, features))
    near = look(test, pd.concat([training, jittered], ignore_index=True)).near
    assert near is not None
    assert near.excess.low > 0.1


def test_order_dtype_and_a_written_index_do_not_hide_a_copy(
    frames: tuple[pd.DataFrame, pd.DataFrame], look: Callable[..., Overlap]
) -> None:
    test, training = frames[0].drop(columns="id"), leaked(frames, 0.2).drop(columns="id")
    training = training.sample(frac=1.0, random_state=5)[["word", "label", "income", "age"]]
    training = training.assign(age=training["age"].astype(float), word=training["word"].astype("category"))
    found = look(test.reset_index(names="Unnamed: 0"), training.reset_index(drop=True).reset_index(names="Unnamed: 0"))
    assert 200 <= found.exact.count < 220


def test_rows_that_are_there_twice_fail(
    frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = frames
    twice = pd.concat([test, test.head(100)], ignore_index=True)
    asked = contract(data={"target": "label", "identifier": "id"})
    (failed,) = findings(twice, training, asked, data_set)
    assert "repeat another" in failed.text.en


def test_rows_alike_by_chance_are_told_from_copies(contract: MakeContract, data_set: MakeDataSet) -> None:
    def coarse(rows: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        return pd.DataFrame({f"x{place}": random.integers(0, 3, rows) for place in range(10)}).assign(
            label=random.integers(0, 2, rows)
        )

    test, training = coarse(1_500, 1), coarse(5_000, 2)
    asked = contract(data={"target": "label"})
    assert test.merge(training.drop_duplicates()).shape[0] > 0.03 * len(test)
    assert findings(test, training, asked, data_set) == []
    copied = pd.concat([training, test.sample(frac=0.05, random_state=1)], ignore_index=True)
    assert len(findings(test, copied, asked, data_set)) == 1
    oversampled = pd.concat([training, training[training["label"] == 1]], ignore_index=True)
    assert findings(test, oversampled, asked, data_set) == []  # after the split: no test row is among them


def test_rows_repeated_before_the_split_excuse_nothing(contract: MakeContract, data_set: MakeDataSet) -> None:
    whole = people(5_000, 3).drop(columns="id")
    whole = pd.concat([whole, *[whole[whole["label"] == 0]] * 3]).sample(frac=1.0, random_state=1)
    failed = findings(whole.head(1_500), whole.tail(-1_500), contract(data={"target": "label"}), data_set)
    assert any("stand in the training set" in each.text.en for each in failed)
    assert any("repeat another" in each.text.en for each in failed)


@pytest.mark.parametrize("seed", range(3))
def test_tables_of_a_few_coarse_columns_repeat_themselves(
    seed: int, contract: MakeContract, data_set: MakeDataSet
) -> None:
    def survey(rows: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        grade = random.integers(0, 4, rows)
        frame = pd.DataFrame(
            {
                "grade": grade,
                "sex": random.choice(["f", "m"], rows),
                "member": random.random(rows) < 0.2 + 0.15 * grade,
                "plan": random.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1]),
            }
        )
        frame["label"] = (random.random(rows) < 0.2 + 0.2 * grade).astype(int)
        return frame

    test, training = survey(900, seed), survey(3_000, seed + 100)
    asked = contract(data={"target": "label"})
    assert findings(test, training, asked, data_set) == []
    words = ["grade", "sex", "plan"]
    wide = [pd.get_dummies(frame, columns=words) for frame in (test, training)]
    assert findings(wide[0], wide[1], asked, data_set) == []


CHANGES = {
    "one column rounded": lambda f, r: f.assign(income=f["income"].round(-3)),
    "one column in another unit": lambda f, r: f.assign(income=f["income"] * 110.0),
    "one column drawn anew": lambda f, r: f.assign(word=r.choice(["a", "b", "c"], len(f))),
    "the label turned": lambda f, r: f.assign(label=1 - f["label"]),
    "case and blanks of words": lambda f, r: f.assign(word=" " + f["word"].str.upper()),
    "in another order": lambda f, r: f[f.columns[::-1]],
}


@pytest.mark.parametrize("name", CHANGES)
def test_copies_that_were_changed_a_little_are_found(
    name: str, frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = (
        frame.drop(columns="id").assign(height=np.random.default_rng(len(frame)).normal(170, 9, len(frame)))
        for frame in frames
    )
    copied = CHANGES[name](test.sample(frac=0.2, random_state=3), np.random.default_rng(1))
    asked = contract(data={"target": "label"})
    assert findings(test, training, asked, data_set) == []
    assert findings(test, pd.concat([training, copied], ignore_index=True), asked, data_set)


def test_groups_on_both_sides_fail(
    frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = (frame.drop(columns="id") for frame in frames)
    asked = contract(data={"target": "label", "group": "house"})
    random = np.random.default_rng(2)
    apart = test.assign(house=random.integers(0, 300, len(test)))
    training = training.assign(house=random.integers(1_000, 1_900, len(training)))
    assert findings(apart, training, asked, data_set) == []
    (failed,) = findings(test.assign(house=random.integers(950, 1_100, len(test))), training, asked, data_set)
    assert "group" in failed.text.en


def test_rows_from_before_the_end_of_training_fail(
    frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = (frame.drop(columns="id") for frame in frames)
    asked = contract(data={"target": "label", "time": "day"})
    days = np.random.default_rng(3)
    training = training.assign(day=days.integers(20_250_101, 20_250_128, len(training)))
    later = test.assign(day=days.integers(20_250_201, 20_250_228, len(test)))
    assert findings(later, training, asked, data_set) == []
    (failed,) = findings(test.assign(day=days.integers(20_241_201, 20_241_228, len(test))), training, asked, data_set)
    assert "before the last training row" in failed.text.en


def test_a_class_with_few_rows_fails(
    frames: tuple[pd.DataFrame, pd.DataFrame], contract: MakeContract, data_set: MakeDataSet
) -> None:
    test, training = frames
    few = pd.concat([test[test["label"] == 0], test[test["label"] == 1].head(12)])
    asked = contract(data={"target": "label", "identifier": "id"})
    (failed,) = findings(few, training, asked, data_set)
    assert "1: 12" in failed.text.en
