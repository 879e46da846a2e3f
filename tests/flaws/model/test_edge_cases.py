"""Known flaws of quality/edge-cases, and kinds like them: each must fail, and what it was made from must pass.

Most are broken in a small service of somebody else's making; those of pipelines are packed and served by Sekisho.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from tests.flaws.model.builder import Deployment

from sekisho.artifact.signature import Note
from sekisho.gate.report import Item
from sekisho.gate.verdict import Status

BOX = "quality/edge-cases"
SERVER = Path(__file__).with_name("plain_server.py")
SOUND = """
import math
PLANS = {"basic": -0.3, "plus": 0.0, "pro": 0.3}
def score(row):
    income = 3000.0 if row["income"] is None else min(max(row["income"], 0.0), 1e6)
    z = income / 1000 - 3 - min(max(row["debt"], 0.0), 1e6) / 2000 + PLANS.get(row["plan"], 0.0)
    return 1 / (1 + math.exp(-max(-30, min(30, z))))
"""


def people(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    income = random.normal(3_000, 700, rows).round(2).clip(500)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "income": np.where(random.random(rows) < 0.08, np.nan, income),
            "debt": random.gamma(2, 500, rows).round(2) + 1,
            "plan": random.choice(["basic", "plus", "pro"], rows),
        }
    )
    return frame.assign(label=np.where(income - frame["debt"] / 2 + random.normal(0, 300, rows) > 2_500, "yes", "no"))


TEST, TRAINING = people(600, 1), people(1_200, 2)


def served(deployment: Deployment, code: str, **quality: Any) -> Item:
    """Judge the small service with a model of these lines."""
    (deployment.root / "score.py").write_text(code, encoding="utf-8")
    deployment.tables(TEST, TRAINING)
    deployment.contract["data"]["positive"] = "yes"
    deployment.contract["serving"] = {
        "command": (sys.executable, str(SERVER), "{port}", "score.py"),
        "deadline_ms": 1_500,
        "maximum_rows": 500,
    }
    deployment.contract["quality"] = {"examples": 150} | quality
    return deployment.judge(BOX)


def test_the_sound_service_passes(deployment: Deployment) -> None:
    item = served(deployment, SOUND)
    assert item.status is Status.PASS, item.verdict.summary.en
    assert int(str(item.verdict.figures["examples"])) >= 150
    assert item.verdict.figures["seed"] == 20_240_601


BROKEN: dict[str, tuple[str, str]] = {
    "nulls were never tried": (SOUND.replace('3000.0 if row["income"] is None else ', ""), "null, allowed"),
    "an unseen category crashes": (
        SOUND.replace('PLANS.get(row["plan"], 0.0)', 'PLANS[row["plan"]]'),
        "unseen category",
    ),
    "one known category crashes": (SOUND.replace('"pro": 0.3', '"pro": None'), "plan"),
    "a division by zero": (
        SOUND.replace("    return", '    z += 1e-9 / row["debt"]\n    return'),
        "zero or negative",
    ),
    "the logarithm of what is negative": (
        SOUND.replace("    return", '    z += 0 * math.log(row["debt"] + 0.5)\n    return'),
        "debt",
    ),
    "a whole number that overflows": (
        SOUND.replace("    return", '    int(row["age"]).to_bytes(4, "big")\n    return'),
        "age",
    ),
    "an answer that is no number": (
        SOUND.replace("    return", '    if row["age"] > 200: return float("nan")\n    return'),
        "beyond",
    ),
    "a probability beyond one": (
        SOUND.replace("    return", '    if row["debt"] > 1e5: return 1.5\n    return'),
        "probability",
    ),
    "a class nobody declared": (
        SOUND.replace("    return", '    if row["plan"] == "": return "maybe"\n    return'),
        "no class",
    ),
    "long words crash": (
        SOUND.replace("    return", '    assert len(row["plan"]) < 4000\n    return'),
        "unseen category",
    ),
    "a zero byte crashes": (
        SOUND.replace("    return", '    assert "\\0" not in row["plan"]\n    return'),
        "unseen category",
    ),
    "two odd cells together crash": (
        SOUND.replace("    return", '    assert row["income"] is not None or row["plan"] in PLANS\n    return'),
        "random row",
    ),
    "a batch of one crashes": (
        SOUND + "def batch(rows, answer):\n    assert len(rows) != 1\n    return [answer(row) for row in rows]\n",
        "one row",
    ),
    "a batch loses rows": (
        SOUND + "def batch(rows, answer):\n    return [answer(row) for row in rows[:300]]\n",
        "many rows",
    ),
    "an odd row hangs": (
        SOUND.replace("    return", '    if row["plan"] == " ":\n        import time; time.sleep(9)\n    return'),
        "timeout",
    ),
    "usual rows are refused": (
        SOUND.replace("    return", '    if row["income"] is None: raise SystemExit\n    return'),
        "null, allowed",
    ),
    "answers by lot": (
        SOUND.replace("    return 1", "    import random; z += random.gauss(0, 0.01)\n    return 1"),
        "another answer",
    ),
    "answers that hang on the batch": (
        SOUND
        + "def batch(rows, answer):\n    mean = sum(r['debt'] for r in rows) / len(rows)\n"
        + "    return [answer({**row, 'debt': row['debt'] - 0.1 * mean}) for row in rows]\n",
        "another answer",
    ),
    "answers that remember": (
        "calls = 0\n" + SOUND.replace("    return 1", "    global calls; calls += 1; z += calls * 1e-5\n    return 1"),
        "another answer",
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_service_fails(flaw: str, deployment: Deployment) -> None:
    code, word = BROKEN[flaw]
    item = served(deployment, code)
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert word in item.verdict.summary.en


# Rules of behaviour and hard rows

UP: dict[str, Any] = {"kind": "monotonic", "feature": "income"}
DOWN: dict[str, Any] = {"kind": "monotonic", "feature": "debt", "direction": "down"}
PLAN: dict[str, Any] = {"kind": "invariant", "feature": "plan", "change": "case"}
AGE: dict[str, Any] = {"kind": "invariant", "feature": "age"}
FAIR = SOUND.replace('PLANS.get(row["plan"], 0.0)', 'PLANS.get(row["plan"].strip().lower(), 0.0)')

RULES: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "income must raise": ([UP], SOUND.replace("income / 1000", "math.sin(income / 300)"), "monotonic"),
    "debt must lower": ([DOWN], SOUND.replace("- min(max", "+ min(max"), "debt"),
    "age must not count": ([AGE], SOUND.replace("    return", '    z += row["age"] / 100\n    return'), "age"),
    "capitals must not count": ([PLAN], SOUND, "plan"),
    "blanks must not count": ([PLAN | {"change": "blanks"}], SOUND, "plan"),
    "on one side of a step only": (
        [DOWN],
        SOUND.replace("    return", '    z += 2 * (row["debt"] > 1500)\n    return'),
        "debt",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("flaw", RULES)
def test_a_rule_that_is_broken_fails(flaw: str, deployment: Deployment) -> None:
    rules, code, _ = RULES[flaw]
    item = served(deployment, code, rules=rules)
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert "rows break it" in item.verdict.summary.en
    assert "→" in item.verdict.summary.en


def test_rules_that_hold_and_hard_rows_that_are_answered_pass(deployment: Deployment) -> None:
    hard = TEST.dropna().head(5).drop(columns="label")
    sound: dict[str, Any] = {}
    exec(FAIR, sound)
    right = ["yes" if sound["score"](row) >= 0.5 else "no" for row in hard.to_dict("records")]
    hard.assign(label=right).to_csv(deployment.root / "hard.csv", index=False)
    rules = [UP, DOWN, PLAN, PLAN | {"change": "blanks"}, AGE]
    item = served(deployment, FAIR, rules=rules, hard_rows="hard.csv")
    assert item.status is Status.PASS, item.verdict.summary.en
    assert item.verdict.figures["hard_rows"] == 5
    assert len(str(item.verdict.figures["hard_rows_digest"])) == 64
    hard.assign(label=[*right[:4], "no" if right[4] == "yes" else "yes"]).to_csv(
        deployment.root / "hard.csv", index=False
    )
    item = served(deployment, FAIR, rules=rules, hard_rows="hard.csv")
    assert item.status is Status.FAIL
    assert "row 4" in item.verdict.summary.en


@pytest.mark.slow
def test_rules_that_cannot_be_tested_are_unknown(deployment: Deployment) -> None:
    rules = [{"kind": "monotonic", "feature": "plan"}, {"kind": "monotonic", "feature": "wage"}]
    item = served(deployment, SOUND, rules=rules, hard_rows="hard.csv")
    assert item.status is Status.UNKNOWN
    for words in ("is no number", "no such feature", "hard.csv"):
        assert words in item.verdict.summary.en


# Pipelines

NUMERIC, WORDS = ["age", "income", "debt"], ["plan"]


def pipeline(number: Any, word: Any) -> Any:
    return make_pipeline(
        make_column_transformer((number, NUMERIC), (word, WORDS)), StandardScaler(), LogisticRegression()
    )


SOME = make_column_transformer((SimpleImputer(), [0]), remainder="passthrough")
IGNORING = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
PIPELINES: dict[str, tuple[Any, Any, Status]] = {
    "an imputer for every number": (SimpleImputer(), IGNORING, Status.PASS),
    "an imputer for some numbers": (SOME, IGNORING, Status.FAIL),
    "an encoder that knows unknowns": (
        SimpleImputer(),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        Status.PASS,
    ),
    "an ordinal encoder that crashes": (SimpleImputer(), OrdinalEncoder(), Status.FAIL),
    "the root of what may be negative": (
        make_pipeline(SimpleImputer(), FunctionTransformer(np.sqrt)),
        IGNORING,
        Status.FAIL,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_judged_as_it_is_served(name: str, deployment: Deployment) -> None:
    number, word, status = PIPELINES[name]
    deployment.tables(TEST, TRAINING)
    known = TRAINING if status is Status.PASS else TRAINING.dropna()
    notes = {feature: Note(nullable=True) for feature in ("income", "debt")} if number is SOME else {}
    deployment.pack(pipeline(number, word), known, notes=notes)
    item = deployment.judge(BOX)
    assert item.status is status, item.verdict.summary.en
