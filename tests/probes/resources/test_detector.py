"""Detectors of projects: whatever they return, print or raise."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.table import Table
from sekisho.contract.project import Project
from sekisho.contract.sections import Data
from sekisho.gate.testing import example_contract
from sekisho.probes.resources.detector import DetectorFailed, foreign_detector
from sekisho.probes.resources.detector_child import Question, is_alarm
from sekisho.probes.resources.tables import TrainingSet, told_apart


@pytest.mark.parametrize(
    "said",
    [
        True,
        np.True_,
        {"drift_detected": True, "age": {"drift_detected": False}},
        {"age": {"p_value": 0.2, "drift_detected": False}, "income": {"p_value": 0.01, "drift_detected": np.True_}},
        {"age": False, "income": True},
        ["income"],
        {"drifted": ["income"]},
        [{"column": "age", "drift": False}, {"column": "income", "drift": True}],
        types.SimpleNamespace(detected=True),
        1,
    ],
)
def test_these_are_alarms(said: object) -> None:
    assert is_alarm(said)


@pytest.mark.parametrize(
    "said",
    [
        False,
        None,
        {},
        [],
        {"drift_detected": False, "age": {"drift_detected": True}},
        {"age": {"p_value": 0.2, "drift_detected": False}},
        {"age": 0.03, "income": 0.8},  # p-values decide nothing
        [{"column": "age", "drift": False}],
        types.SimpleNamespace(detected=False),
        0,
    ],
)
def test_these_are_none(said: object) -> None:
    assert not is_alarm(said)


def ask(tmp_path: Path, code: str, *questions: Question, name: str = "drift:detect") -> list[bool]:
    (tmp_path / "drift.py").write_text(code)
    contract = example_contract(data={"training": "train.csv"}, monitoring={"detector": name, "window_rows": 50})
    random = np.random.default_rng(1)
    table = Table.of(pd.DataFrame({"age": random.integers(20, 60, 400), "income": random.normal(size=400)}))
    training = told_apart(table, Data(), TrainingSet)
    with foreign_detector(Project(root=tmp_path, contract=contract), training) as detector:
        return [detector.alarms(question) for question in questions]


CLEAN = Question(seed=1)
SHIFT = Question(seed=1, change="shift", column="income")


def test_one_with_a_reference_gets_rows_that_are_not_in_the_window(tmp_path: Path) -> None:
    code = """
print("noise on standard output")
def detect(reference, current):
    print("more noise")
    shared = set(reference["income"]) & set(current["income"])
    return bool(shared) or len(reference) + len(current) != 400 or list(reference) != ["age", "income"]
"""
    assert ask(tmp_path, code, CLEAN, CLEAN) == [False, False]


def test_one_with_its_own_reference_gets_the_window_alone(tmp_path: Path) -> None:
    code = "def detect(window, threshold=0.3):\n    return abs(window['income'].mean()) > threshold"
    assert ask(tmp_path, code, CLEAN, SHIFT) == [False, True]


def test_a_method_of_an_object_will_do(tmp_path: Path) -> None:
    code = """
import os
class Detector:
    def check(self, reference, current):
        return {"drift_detected": abs(current["income"].mean() - reference["income"].mean()) > 0.3, "cwd": os.getcwd()}
detector = Detector()
"""
    assert ask(tmp_path, code, CLEAN, SHIFT, name="drift:detector.check") == [False, True]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("raise RuntimeError('at import')", "RuntimeError"),
        ("", "AttributeError"),
        ("def detect(a, b):\n    raise KeyError('x')", "KeyError"),
        ("import os\ndef detect(a, b):\n    os._exit(1)", "exit"),
    ],
)
def test_one_that_fails_says_how(tmp_path: Path, code: str, kind: str) -> None:
    with pytest.raises(DetectorFailed) as raised:
        ask(tmp_path, code, CLEAN)
    assert raised.value.kind == kind


def test_numbers_with_nulls_come_as_floats(tmp_path: Path) -> None:
    code = "def detect(reference, current):\n    return str(current['age'].dtype) == 'float64' and current['age'].isna().any()"
    assert ask(tmp_path, code, CLEAN, Question(seed=1, change="nulls", column="age")) == [False, True]
