"""Models that give several answers a row are packed, loaded and asked as they answer themselves."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import BaggingRegressor, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, MultiTaskLasso, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sekisho.artifact import strict_json
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.golden import Golden, golden_of, same_answers
from sekisho.artifact.manifest import manifest_of
from sekisho.artifact.runtime import Outputs
from sekisho.artifact.signature import Output
from sekisho.artifact.table import Table
from sekisho.errors import CannotPack, IntegrityError, NotFound, SekishoError
from sekisho.predict.answers import answer_reader

_RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(_RANDOM.normal(size=(90, 4)), columns=["a", "b", "c", "d"])
NUMBERS = pd.DataFrame({"height": ROWS["a"] * 3 + ROWS["b"], "重さ": 1e4 * ROWS["c"] + 7, "age": ROWS["d"] ** 2})
MANY = pd.DataFrame({"x": (ROWS["a"] > 0) * 1, "y": (ROWS["b"] > 0.3) * 1, "z": (ROWS["d"] > 0.5) * 1})
WORDS = pd.DataFrame(
    {"色": np.where(ROWS["a"] > 0, "赤", "青"), "size": np.select([ROWS["b"] > 0.5, ROWS["b"] > -0.5], ["L", "M"], "S")}
).astype(object)

REGRESSORS: dict[str, Any] = {
    "wrapped": lambda: MultiOutputRegressor(Ridge()),
    "forest": lambda: RandomForestRegressor(3, random_state=0),
    "more trees": lambda: ExtraTreesRegressor(3, random_state=0),
    "linear": LinearRegression,
    "ridge": Ridge,
    "kernel": KernelRidge,
    "several tasks": MultiTaskLasso,
    "neighbours": KNeighborsRegressor,
    "network": lambda: MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0),
    "chain": lambda: RegressorChain(Ridge()),
    "partial least squares": lambda: PLSRegression(2),
    "pipeline": lambda: make_pipeline(StandardScaler(), Ridge()),
    "search": lambda: GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=2),
    "bag": lambda: BaggingRegressor(Ridge(), 3, random_state=0),
    "mean": DummyRegressor,
}
CLASSIFIERS: dict[str, tuple[Any, pd.DataFrame]] = {
    "wrapped": (lambda: MultiOutputClassifier(LogisticRegression()), MANY),
    "wrapped words": (lambda: MultiOutputClassifier(DecisionTreeClassifier(max_depth=2)), WORDS),
    "wrapped, without probabilities": (lambda: MultiOutputClassifier(LinearSVC()), MANY),
    "forest": (lambda: RandomForestClassifier(3, random_state=0), WORDS),
    "forest of many": (lambda: RandomForestClassifier(3, random_state=0), MANY),
    "tree": (lambda: DecisionTreeClassifier(max_depth=3), WORDS),
    "chain": (lambda: ClassifierChain(LogisticRegression()), MANY),
    "neighbours": (KNeighborsClassifier, WORDS),
    "neighbours of many": (KNeighborsClassifier, MANY),
    "network": (lambda: MLPClassifier((4,), max_iter=20, random_state=0), MANY),
    "one against the rest": (lambda: OneVsRestClassifier(LogisticRegression()), MANY),
    "ridge": (RidgeClassifier, MANY),
    "pipeline": (lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()), WORDS),
}


def fitted(model: Any, answers: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(ROWS, answers)


def packed(model: Any, answers: Any, folder: Path) -> ModelArtifact:
    ModelArtifact(model, reference=ROWS, target=answers, lock=False).save(folder)
    return ModelArtifact.load(folder)


@pytest.mark.parametrize("name", REGRESSORS)
def test_numbers_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    model = fitted(REGRESSORS[name](), NUMBERS)
    artifact = packed(model, NUMBERS, tmp_path / "a")
    given = artifact.predict(ROWS)
    output = artifact.signature.output
    assert given.values.dtype == np.float64
    # A frame and a matrix lie differently in memory: their products differ by the last digits.
    np.testing.assert_allclose(given.values.astype(float), np.asarray(model.predict(ROWS)), rtol=1e-12, atol=1e-9)
    assert (output.task, given.probabilities) == ("multi-output", None)
    assert [one.name for one in output.outputs] == list(NUMBERS.columns)
    lows = [one.minimum for one in output.outputs if one.minimum is not None]
    assert len(lows) == 3
    assert not same_answers(artifact.golden, artifact.predict(artifact.golden.table(artifact.signature)))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    make, answers = CLASSIFIERS[name]
    model = fitted(make(), answers)
    artifact = packed(model, answers, tmp_path / "a")
    given, output = artifact.predict(ROWS), artifact.signature.output
    assert (given.values == np.asarray(model.predict(ROWS))).all()
    assert {type(value) for value in given.values.ravel().tolist()} == {int if answers is MANY else str}
    assert [one.classes for one in output.outputs] == [tuple(sorted(set(answers[column]))) for column in answers]
    assert output.probabilities is hasattr(model, "predict_proba")
    if output.probabilities:
        assert given.probabilities is not None
        stated = model.predict_proba(ROWS)
        table = np.hstack(stated) if isinstance(stated, list) else np.stack([1 - stated, stated], axis=2)
        np.testing.assert_allclose(given.probabilities, table.reshape(len(ROWS), -1), rtol=0, atol=1e-12)
    answered = answer_reader(output).read(given, len(ROWS))
    assert not answered.unsound
    assert answered.predictions[0] == dict(zip(answers.columns, given.values[0].tolist(), strict=True))


def test_a_chain_of_more_than_two_classes_states_no_probabilities(tmp_path: Path) -> None:
    codes = pd.DataFrame({"one": (ROWS["a"] > 0) * 1, "other": np.digitize(ROWS["b"], [-0.5, 0.5])})
    model = fitted(ClassifierChain(DecisionTreeClassifier(max_depth=2)), codes)
    artifact = packed(model, codes, tmp_path / "a")
    assert not artifact.signature.output.probabilities
    assert (artifact.predict(ROWS).values == model.predict(ROWS)).all()


def test_the_target_by_any_name() -> None:
    model = fitted(Ridge(), NUMBERS)
    together = pd.concat([ROWS, NUMBERS], axis=1)

    def names(reference: Any, target: Any) -> list[str]:
        artifact = ModelArtifact(model, reference=reference, target=target, lock=False)
        assert artifact.signature.names == tuple(ROWS.columns)
        return [one.name for one in artifact.signature.output.outputs]

    usual = ["target_0", "target_1", "target_2"]
    assert names(together, list(NUMBERS.columns)) == names(ROWS, NUMBERS) == list(NUMBERS.columns)
    assert names(ROWS, NUMBERS.to_numpy()) == names(ROWS, NUMBERS.to_numpy().tolist()) == names(ROWS, None) == usual
    assert names(ROWS, NUMBERS.set_axis(range(3), axis=1)) == usual
    one = ModelArtifact(fitted(Ridge(), NUMBERS["age"]), reference=ROWS, target=NUMBERS[["age"]], lock=False)
    assert (one.signature.output.task, one.signature.output.name) == ("regression", "age")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (NUMBERS.iloc[:5], "5 answers for 90 rows"),
        (NUMBERS[["age", "height"]], "3 answers a row, the target has 2 columns"),
        (NUMBERS["age"], "3 answers a row, the target has 1 columns"),
        (NUMBERS.set_axis(["t", "t", "u"], axis=1), "share a name"),
        (NUMBERS.set_axis(["t", "", "u"], axis=1), "share a name, or one has none"),
        (NUMBERS.to_numpy()[:, :, None], "3 dimensions"),
        (NUMBERS[[]], "no columns"),
        ([[1.0, 2.0, 3.0], [1.0, 2.0]], "differ in length"),
        (NUMBERS.assign(age="old"), "not numeric"),
    ],
)
def test_targets_that_do_not_fit(target: Any, words: str) -> None:
    with pytest.raises(CannotPack, match=words):
        ModelArtifact(fitted(Ridge(), NUMBERS), reference=ROWS, target=target, lock=False)


def test_targets_that_are_not_there() -> None:
    model, together = fitted(Ridge(), NUMBERS), pd.concat([ROWS, NUMBERS], axis=1)
    with pytest.raises(NotFound, match="hight"):
        ModelArtifact(model, reference=together, target=["hight", "重さ", "age"], lock=False)
    with pytest.raises(CannotPack, match="share a name"):
        ModelArtifact(model, reference=together, target=["age", "age", "height"], lock=False)
    with pytest.raises(CannotPack, match="1 answers a row, the target has 3 columns"):
        ModelArtifact(fitted(Ridge(), NUMBERS["age"]), reference=ROWS, target=NUMBERS, lock=False)
    with pytest.raises(CannotPack, match="labels that the model does not know"):
        ModelArtifact(fitted(KNeighborsClassifier(), MANY), reference=ROWS, target=MANY + 1, lock=False)


def test_one_class_in_one_answer_is_refused() -> None:
    with pytest.raises(CannotPack, match="one class only"):
        ModelArtifact(fitted(KNeighborsClassifier(), MANY.assign(y=0)), reference=ROWS, lock=False)


def test_each_golden_answer_is_compared_by_its_own_size() -> None:
    values = np.column_stack([np.linspace(0.0, 1.0, 8), np.linspace(0.0, 1e9, 8)])
    golden = golden_of(Table.of(ROWS[:8]), Outputs(values=values, probabilities=None), tolerance=1e-6)
    assert not same_answers(golden, Outputs(values=values, probabilities=None))
    off = values.copy()
    off[3, 0] += 1e-3  # nothing beside the other answer
    assert same_answers(golden, Outputs(values=off, probabilities=None)) == (3,)
    assert len(same_answers(golden, Outputs(values=off[:, :1], probabilities=None))) == 8
    assert len(same_answers(golden, Outputs(values=off[:, 0], probabilities=None))) == 8


def test_an_answer_that_cannot_be_is_found_in_any_place() -> None:
    numbers = Output(
        task="multi-output", outputs=(Output(task="regression", name="p"), Output(task="regression", name="q"))
    )
    given = Outputs(values=np.array([[1.0, 2.0], [1.0, np.nan], [np.inf, 0.0]]), probabilities=None)
    assert answer_reader(numbers).read(given, 3).unsound == {1, 2}
    with pytest.raises(SekishoError, match="cannot be"):
        answer_reader(numbers).read(Outputs(values=np.zeros((3, 1)), probabilities=None), 3)
    one = Output(task="binary", name="p", classes=(0, 1), probabilities=True)
    labels = Output(task="multi-output", probabilities=True, outputs=(one, msgspec.structs.replace(one, name="q")))
    values = np.array([[0, 1], [0, 2], [1, 1]], dtype=object)
    stated = np.array([[0.9, 0.1, 0.2, 0.8], [0.9, 0.1, 0.2, 0.8], [0.5, 0.5, 0.5, 0.9]])
    read = answer_reader(labels).read(Outputs(values=values, probabilities=stated), 3)
    assert read.unsound == {1, 2}
    assert read.confidence is not None
    assert read.confidence[0] == {"p": 0.9, "q": 0.8}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "a"
    packed(fitted(KNeighborsClassifier(), MANY), MANY, folder)
    return folder


def changed(folder: Path, to: Path, name: str, change: Any) -> Path:
    """Write a copy of an artifact with one file changed, whose manifest and bill say that all is well."""
    known = json.loads((folder / "manifest.json").read_bytes())
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    value = json.loads(files[name])
    change(value)
    old = next(each["sha256"] for each in known["files"] if each["name"] == name)
    files[name] = strict_json.encode(value)
    stated = {key: known[key] for key in ("name", "version", "runtime", "written_by")}
    manifest = manifest_of(files, **stated)
    new = next(each.sha256 for each in manifest.files if each.name == name)
    files = {each: data.replace(old.encode(), new.encode()) for each, data in files.items()}
    to.mkdir()
    for each, data in {**files, "manifest.json": strict_json.encode(manifest_of(files, **stated))}.items():
        (to / each).write_bytes(data)
    return to


def _golden(place: int, value: Any) -> Any:
    def change(golden: dict[str, Any]) -> None:
        golden["values"][place] = value

    return change


def _output(**fields: Any) -> Any:
    def change(signature: dict[str, Any]) -> None:
        signature["output"] |= fields

    return change


def _nested(signature: dict[str, Any]) -> None:
    signature["output"]["outputs"][0] = {**json.loads(json.dumps(signature["output"])), "name": "x"}


def _twice(signature: dict[str, Any]) -> None:
    signature["output"]["outputs"][1]["name"] = "x"


def _short(golden: dict[str, Any]) -> None:
    golden["probabilities"][0] = golden["probabilities"][0][:-1]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("golden.json", _golden(0, [0, 1])),
        ("golden.json", _golden(0, [0, 1, 1, 1])),
        ("golden.json", _golden(0, 1)),
        ("golden.json", _golden(0, [0, 1, 7])),
        ("golden.json", _golden(0, [0, 1, None])),
        ("golden.json", _golden(0, [0, 1, [1]])),
        ("golden.json", _golden(0, {"x": 1})),
        ("golden.json", _short),
        ("signature.json", _output(outputs=[])),
        ("signature.json", _output(task="regression")),
        ("signature.json", _output(classes=[0, 1])),
        ("signature.json", _nested),
        ("signature.json", _twice),
        ("signature.json", _output(probabilities=False)),
    ],
)
def test_parts_that_do_not_agree_are_refused(name: str, change: Any, kept: Path, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        ModelArtifact.load(changed(kept, tmp_path / "b", name, change))


def test_a_wrong_golden_answer_is_found_in_any_place(kept: Path, tmp_path: Path) -> None:
    def flip(golden: dict[str, Any]) -> None:
        golden["values"][5][2] = 1 - golden["values"][5][2]

    wrong = changed(kept, tmp_path / "b", "golden.json", flip)
    with pytest.raises(IntegrityError, match="golden"):
        ModelArtifact.load(wrong).verify()
    ModelArtifact.load(changed(kept, tmp_path / "c", "golden.json", lambda golden: None)).verify()


def test_one_answer_is_written_as_it_always_was(tmp_path: Path) -> None:
    packed(fitted(Ridge(), NUMBERS["age"]), NUMBERS["age"], tmp_path / "a")
    written = json.loads((tmp_path / "a" / "signature.json").read_bytes())["output"]
    assert set(written) == {"task", "name", "classes", "dtype", "probabilities", "minimum", "maximum"}


def test_what_was_packed_before_there_were_several_answers_is_read() -> None:
    old = b'{"task":"regression","name":"y","classes":null,"dtype":"float64","probabilities":false,"minimum":0.0,"maximum":1.0}'
    assert msgspec.json.decode(old, type=Output).outputs == ()
    assert msgspec.json.decode(b'{"rows":[],"values":[1.0,2],"tolerance":1e-6}', type=Golden).values == (1.0, 2)
