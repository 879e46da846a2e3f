"""What people hand over: tables of every library, columns in another order, renamed, doubled, texts alone; and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import CannotPack, InvalidInput, SekishoError, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

random = np.random.default_rng(0)
ROWS = pd.DataFrame({"age in years": random.normal(40, 9, 120), "収入": random.normal(500, 90, 120), "c": 1.0})
ANSWERS = np.where(ROWS["収入"] > 500, "high", "low")
TEXTS = [f"{a} {b}" for a, b in zip(["good", "bad", "fine"] * 20, ["tea", "rice", "soup", "bread"] * 15, strict=True)]
TONES = np.where([text.startswith("bad") for text in TEXTS], "no", "yes")


def packed(model: Any, rows: Any, answers: Any = None) -> ModelArtifact:
    return ModelArtifact(model, reference=rows, target=answers, lock=False)


@pytest.fixture(scope="module")
def artifact() -> ModelArtifact:
    return packed(DecisionTreeClassifier(random_state=0).fit(ROWS, ANSWERS), ROWS, ANSWERS)


TABLES: dict[str, Any] = {
    "pandas": lambda frame: frame,
    "another order": lambda frame: frame[["c", "収入", "age in years"]],
    "with a column too many": lambda frame: frame.assign(other="x"),
    "another index": lambda frame: frame.set_index(np.arange(len(frame))[::-1]),
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
    "records": lambda frame: frame.to_dict("records"),
    "lists": lambda frame: frame.to_dict("list"),
    "numpy": lambda frame: frame.to_numpy(),
    "whole numbers": lambda frame: frame.assign(c=1),
    "pandas' own nullable": lambda frame: frame.convert_dtypes(),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_answered_alike(name: str, artifact: ModelArtifact) -> None:
    assert artifact.predict(TABLES[name](ROWS)).values.tolist() == ANSWERS.tolist()


@pytest.mark.parametrize("name", ["polars", "arrow", "another order", "with a column too many"])
def test_every_table_can_be_the_reference(name: str) -> None:
    model = DecisionTreeClassifier(random_state=0).fit(ROWS, ANSWERS)
    again = packed(model, TABLES[name](ROWS), ANSWERS)
    assert again.signature.names == tuple(ROWS.columns)
    assert again.predict(ROWS).values.tolist() == ANSWERS.tolist()


WRONG: dict[str, tuple[Any, type[SekishoError], str]] = {
    "renamed": (lambda frame: frame.rename(columns={"収入": "income"}), InvalidInput, "収入"),
    "missing": (lambda frame: frame.drop(columns="c"), InvalidInput, "'c'"),
    "twice": (lambda frame: pd.concat([frame, frame[["c"]]], axis=1), WrongUse, "two columns are named 'c'"),
    "strings for numbers": (lambda frame: frame.assign(c="x"), InvalidInput, "'c'"),
    "too few columns": (lambda frame: frame.to_numpy()[:, :2], WrongUse, "3 names for 2 columns"),
    "one row alone": (lambda frame: frame.to_numpy()[0], WrongUse, "not a table"),
    "three dimensions": (lambda frame: np.zeros((2, 3, 1)), WrongUse, "not a table"),
    "lists inside": (lambda frame: frame.assign(c=[[1.0]] * len(frame)), WrongUse, "'c'"),
    "lengths": (lambda frame: {"age in years": [1.0], "収入": [1.0, 2.0], "c": [1.0]}, WrongUse, "differ in length"),
    "no table": (lambda frame: 3, WrongUse, "not a table"),
    "no rows of numbers": (lambda frame: [[1.0, 2.0, 3.0]], WrongUse, "not a table"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str, artifact: ModelArtifact) -> None:
    make, kind, words = WRONG[name]
    with pytest.raises(kind) as caught:
        artifact.predict(make(ROWS))
    assert words in caught.value.what.en
    assert "\n" not in str(caught.value)


def test_a_reference_set_of_another_model() -> None:
    named = LogisticRegression(max_iter=500).fit(ROWS, ANSWERS)
    with pytest.raises(CannotPack, match="収入"):
        packed(named, ROWS.rename(columns={"収入": "income"}), ANSWERS)
    nameless = LogisticRegression(max_iter=500).fit(ROWS.to_numpy(), ANSWERS)
    with pytest.raises(CannotPack, match="takes 3 features"):
        packed(nameless, ROWS.to_numpy()[:, :2], ANSWERS)
    with pytest.raises(CannotPack, match="119 answers for 120 rows"):
        packed(named, ROWS, ANSWERS[1:])
    with pytest.raises(CannotPack, match="labels that the model does not know"):
        packed(named, ROWS, np.where(ANSWERS == "low", "medium", ANSWERS))


BARE: dict[str, Any] = {
    "a list": list,
    "a series": pd.Series,
    "an array": lambda texts: np.array(texts, dtype=object),
    "an array of strings": np.array,
    "polars": pl.Series,
}


@pytest.mark.parametrize("name", BARE)
def test_texts_without_a_table(name: str, tmp_path: Path) -> None:
    given = BARE[name](TEXTS)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(list(given), TONES)
    artifact = packed(model, given, TONES).save(tmp_path / "artifact")
    (feature,) = artifact.signature.features
    assert (feature.name, feature.kind) == ("text", "text")
    again = ModelArtifact.load(tmp_path / "artifact")
    assert again.predict(given).values.tolist() == TONES.tolist()
    assert again.predict({"text": ["bad soup", "never seen"]}).values[0] == "no"


def test_a_column_that_a_vectoriser_reads_is_text_however_few_there_are() -> None:
    rows = pd.DataFrame({"words": TEXTS, "n": np.arange(60.0)})
    columns = make_column_transformer((CountVectorizer(), "words"), (StandardScaler(), ["n"]))
    artifact = packed(make_pipeline(columns, LogisticRegression()).fit(rows, TONES), rows, TONES)
    assert artifact.signature.feature("words").kind == "text"
    assert artifact.predict(rows).values.tolist() == TONES.tolist()


def test_one_answer_in_a_column_is_one_answer() -> None:
    model = LinearRegression().fit(ROWS, ROWS[["収入"]])
    artifact = packed(model, ROWS)
    np.testing.assert_allclose(artifact.predict(ROWS).values.astype(float), ROWS["収入"], rtol=1e-5)


def test_outliers_have_no_target() -> None:
    model = IsolationForest(n_estimators=10, random_state=0).fit(ROWS)
    assert set(packed(model, ROWS).predict(ROWS).values.tolist()) == {-1, 1}
    with pytest.raises(CannotPack, match="labels that the model does not know"):
        packed(model, ROWS, ANSWERS)


def test_one_class_is_refused() -> None:
    from sklearn.dummy import DummyClassifier

    with pytest.raises(CannotPack, match="one class only"):
        packed(DummyClassifier().fit(ROWS, np.full(120, "a")), ROWS)


@pytest.mark.parametrize(
    "model", [LogisticRegression(), make_pipeline(StandardScaler(), Ridge())], ids=["alone", "pipeline"]
)
def test_what_was_never_trained_is_refused(model: Any) -> None:
    with pytest.raises(CannotPack, match="not fitted"):
        packed(model, ROWS)


def test_names_that_must_be_escaped_and_labels_of_every_kind() -> None:
    rows = ROWS.set_axis(['a "b"', "c\\d", "年齢 (歳)"], axis="columns")
    high = ANSWERS == "high"
    for labels in ([-1, 1], [False, True], [0.0, 1.0], ["", "x"], [-7, 3]):
        answers = np.array(labels)[high.astype(int)]
        artifact = packed(DecisionTreeClassifier(random_state=0).fit(rows, answers), rows, answers)
        assert artifact.signature.output.classes == tuple(labels)
        given = artifact.predict(rows).values
        assert given.tolist() == answers.tolist()
        assert given.dtype.kind == (answers.dtype.kind if answers.dtype.kind != "U" else "O")
