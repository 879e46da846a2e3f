"""sekisho.pack, and reading models from files."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
import skops.io
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import sekisho
from sekisho.artifact import lock
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import read_model
from sekisho.artifact.signature import Note
from sekisho.errors import CannotPack, IntegrityError, NotFound, UntrustedFormat, WrongUse
from sekisho.text import Text

Churn = Any
"""The fixture of conftest.py."""


def test_at_the_end_of_a_training_script(churn: Churn, model: Any, tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("a\n1\n")
    made = sekisho.pack(
        model,
        churn.features,
        churn.answers,
        folder=tmp_path / "artifact",
        name="churn",
        version="1.2.0",
        metadata={"description": "who leaves", "metrics": {"accuracy": 0.9}},
        training={"command": ["python", "train.py"], "seed": 7, "data": tmp_path / "training.csv", "seconds": 1.5},
        notes={"age": Note(personal=True), "married": Note(sensitive=True)},
        lock=False,
    )
    loaded = sekisho.ModelArtifact.load(tmp_path / "artifact")
    metadata = loaded.metadata
    assert (loaded.digest, loaded.name, loaded.version) == (made.digest, "churn", "1.2.0")
    assert metadata.training_date == dt.datetime.now(dt.UTC).date().isoformat()
    assert (metadata.training_command, metadata.seeds, metadata.training_seconds) == (
        ("python", "train.py"),
        {"seed": 7},
        1.5,
    )
    assert {each.name: each.digest for each in metadata.data}["training"] == hashlib.sha256(b"a\n1\n").hexdigest()
    assert metadata.model_type == "LogisticRegression"
    assert metadata.parameters["logisticregression__C"] == 1.0
    assert "scikit-learn" in metadata.libraries
    assert metadata.hardware is not None
    assert loaded.signature.feature("age").personal
    assert loaded.signature.feature("married").sensitive


def test_the_target_may_be_a_column(churn: Churn, model: Any, tmp_path: Path) -> None:
    table = churn.features.assign(churn=churn.answers, customer=range(len(churn.answers)))
    made = sekisho.pack(model, table, "churn", folder=tmp_path / "a", name="churn", lock=False)
    assert made.signature.names == tuple(churn.features.columns)
    assert made.signature.output.name == "churn"
    assert made.metadata.training_date is None


def test_mistakes_are_named(churn: Churn, model: Any, tmp_path: Path) -> None:
    def pack(**changes: Any) -> None:
        sekisho.pack(
            model,
            churn.features,
            churn.answers,
            **{"folder": tmp_path / "a", "name": "churn", "lock": False, **changes},
        )

    with pytest.raises(WrongUse, match="use command"):
        pack(training={"comand": []})
    with pytest.raises(WrongUse, match="is not a date"):
        pack(training={"date": "yesterday"})
    with pytest.raises(WrongUse, match="do not fit"):
        pack(training={"seed": "seven"})
    with pytest.raises(NotFound, match="cannot be read"):
        pack(training={"data": "none.csv"})
    with pytest.raises(WrongUse, match="the name must match"):
        pack(name="a/b")
    with pytest.raises(WrongUse, match="the version must match"):
        pack(version="")
    with pytest.raises(NotFound, match="no feature 'agee'"):
        pack(notes={"agee": Note()})
    with pytest.raises(NotFound, match="no column 'chrn'"):
        sekisho.pack(model, churn.features, "chrn", folder=tmp_path / "a", name="churn", lock=False)
    assert list(tmp_path.iterdir()) == []


def test_the_source_is_that_of_the_working_folder(
    churn: Churn, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    def source() -> Any:
        return ModelArtifact(model, lock=False).metadata.source

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert source() is None
    git("init", "-q")
    assert source() is None
    (tmp_path / "train.py").write_text("x = 1\n")
    git("add", "train.py")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD").strip()
    assert (source().commit, source().dirty) == (commit, False)
    (tmp_path / "train.py").write_text("x = 2\n")
    assert (source().commit, source().dirty) == (commit, True)


def test_without_a_lock_the_metadata_say_why(
    churn: Churn, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> bytes:
        raise lock._unresolved()

    monkeypatch.setattr(lock, "write_lock", unreachable)
    made = sekisho.pack(model, churn.features, churn.answers, folder=tmp_path / "a", name="churn")
    assert made.lock is None
    assert made.metadata.lock_missing is not None
    assert "could not lock" in made.metadata.lock_missing.en


def test_files_are_told_by_their_content(churn: Churn, model: Any, tmp_path: Path) -> None:
    skops.io.dump(model, tmp_path / "model.onnx")
    assert (
        read_model(tmp_path / "model.onnx").predict(churn.features).tolist() == model.predict(churn.features).tolist()
    )
    joblib.dump(model, tmp_path / "model.skops")
    joblib.dump(model, tmp_path / "small.skops", compress=3)
    for name in ("model.skops", "small.skops"):
        with pytest.raises(UntrustedFormat, match="this is a pickle"):
            read_model(tmp_path / name)
        assert (
            read_model(tmp_path / name, trust=True).predict(churn.features).tolist()
            == model.predict(churn.features).tolist()
        )
    (tmp_path / "text.skops").write_text("hello")
    with pytest.raises(UntrustedFormat, match="no format that is known"):
        read_model(tmp_path / "text.skops")
    with pytest.raises(NotFound):
        read_model(tmp_path / "none")


@pytest.fixture(scope="module")
def iris() -> Any:
    return load_iris(as_frame=True)


@pytest.mark.parametrize("zipmap", [True, False])
def test_an_onnx_classifier_of_someone_else(zipmap: bool, iris: Any, tmp_path: Path) -> None:
    names = iris.target_names[iris.target]
    forest = RandomForestClassifier(10, random_state=0).fit(iris.data.to_numpy(), names)
    graph = convert_sklearn(forest, initial_types=[("X", FloatTensorType([None, 4]))], options={"zipmap": zipmap})
    made = sekisho.pack(graph, iris.data, names, folder=tmp_path / "a", name="iris", lock=False)
    assert (made.runtime_name, made.parity.proven) == ("onnx", False)
    assert "no original" in str(made.parity.reason)
    assert made.signature.output.classes == ("setosa", "versicolor", "virginica")
    loaded = ModelArtifact.load(tmp_path / "a")
    loaded.verify()
    answers = loaded.predict(iris.data)
    assert answers.values.tolist() == forest.predict(iris.data.to_numpy()).tolist()
    assert answers.probabilities is not None
    assert answers.probabilities.shape == (150, 3)


def test_an_onnx_regressor_with_one_input_a_feature(tmp_path: Path) -> None:
    diabetes = load_diabetes(as_frame=True)
    features = diabetes.data[["age", "bmi"]]
    line = LinearRegression().fit(features, diabetes.target)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in features]
    nodes = [
        helper.make_node("Concat", ["age", "bmi"], ["both"], axis=1),
        helper.make_node("Gemm", ["both", "w", "b"], ["y"]),
    ]
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, [2, 1], line.coef_.tolist()),
        helper.make_tensor("b", TensorProto.FLOAT, [1], [line.intercept_]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(nodes, "g", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    made = sekisho.pack(model, features, diabetes.target, folder=tmp_path / "a", name="d", lock=False)
    assert made.signature.output.task == "regression"
    assert ModelArtifact.load(tmp_path / "a").predict(features).values.astype(float) == pytest.approx(
        line.predict(features), rel=1e-4
    )


def test_onnx_that_cannot_be_packed(iris: Any, tmp_path: Path) -> None:
    forest = RandomForestClassifier(3).fit(iris.data.to_numpy(), iris.target)
    graph = convert_sklearn(forest, initial_types=[("X", FloatTensorType([None, 4]))], options={"zipmap": False})
    with pytest.raises(CannotPack, match="does not tell its classes"):
        sekisho.pack(graph, iris.data, folder=tmp_path / "a", name="iris", lock=False)
    del graph.graph.output[:]
    with pytest.raises(CannotPack):
        sekisho.pack(graph, iris.data, iris.target, folder=tmp_path / "a", name="iris", lock=False)
    broken = onnx.ModelProto(ir_version=9, graph=onnx.GraphProto(name="g"))
    with pytest.raises(CannotPack):
        sekisho.pack(broken, iris.data, iris.target, folder=tmp_path / "a", name="iris", lock=False)


def test_the_words_of_progress_are_in_both_languages(churn: Churn, model: Any, tmp_path: Path) -> None:
    told: list[Text] = []
    sekisho.pack(
        model,
        churn.features,
        churn.answers,
        folder=tmp_path / "a",
        name="c",
        lock=False,
        listener=lambda _, text: told.append(text),
    )
    assert all(text.en != text.ja for text in told)


@pytest.mark.parametrize("model", ["model.pkl", {"a": 1}, [1.0], None, np.ones(3)])
def test_what_is_no_model_is_told_as_such(model: Any, iris: Any, tmp_path: Path) -> None:
    with pytest.raises(CannotPack, match="is no model"):
        sekisho.pack(model, iris.data, iris.target, folder=tmp_path / "a", name="iris", lock=False)


def test_booster_that_was_never_trained(iris: Any, tmp_path: Path) -> None:
    for library, name in (
        ("lightgbm", "LGBMClassifier"),
        ("xgboost", "XGBClassifier"),
        ("catboost", "CatBoostClassifier"),
    ):
        model = getattr(pytest.importorskip(library), name)()
        with pytest.raises(CannotPack, match="not fitted"):
            sekisho.pack(model, iris.data, iris.target, folder=tmp_path / "a", name="iris", lock=False)


@pytest.mark.parametrize("chunked", [False, True])
def test_answers_of_pyarrow(chunked: bool, iris: Any, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    words = np.array(["setosa", "versicolor", "virginica"])[iris.target]
    model = LogisticRegression(max_iter=1_000).fit(iris.data, words)
    answers = pyarrow.chunked_array([words[:50], words[50:]]) if chunked else pyarrow.array(words)
    made = sekisho.pack(
        model, pyarrow.Table.from_pandas(iris.data), answers, folder=tmp_path / "a", name="iris", lock=False
    )
    assert made.signature.output.classes == ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize(("name", "error"), [("table.csv", UntrustedFormat), ("model.onnx", IntegrityError)])
def test_a_file_of_no_format_that_is_known(name: str, error: type[Exception], tmp_path: Path) -> None:
    (tmp_path / name).write_text("age,income\n1,2\n")
    with pytest.raises(error):
        read_model(tmp_path / name)
