"""skops: the curated list, and what is refused before anything is rebuilt."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sekisho.artifact.formats.skops import FORMAT, load, untrusted_types
from sekisho.artifact.trusted import TRUSTED_LOADERS, TRUSTED_TYPES
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, UntrustedFormat

FEATURES = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (FEATURES[:, 0] > 0).astype(int)
MODELS = (
    LogisticRegression(),
    RandomForestClassifier(3, random_state=0),
    GradientBoostingClassifier(n_estimators=3, random_state=0),
    HistGradientBoostingClassifier(max_iter=3, random_state=0),
    DecisionTreeClassifier(random_state=0),
    SVC(probability=True, random_state=0),
    KNeighborsClassifier(3),
    GaussianNB(),
    MLPClassifier((4,), max_iter=5, random_state=0),
    SGDClassifier(random_state=0),
    make_pipeline(SimpleImputer(), KBinsDiscretizer(3), SVC()),
    make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression()),
)


def fitted(model: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(np.abs(FEATURES), LABELS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_common_estimators_are_trusted_and_answer_as_before(model: Any) -> None:
    data = FORMAT.write(fitted(model), trusted=frozenset())
    assert FORMAT.recognises(data)
    assert untrusted_types(data, where="x") == ()
    again = load(data, where="x")
    assert again.predict(np.abs(FEATURES)).tolist() == model.predict(np.abs(FEATURES)).tolist()
    if hasattr(model, "predict_proba"):
        assert np.array_equal(again.predict_proba(np.abs(FEATURES)), model.predict_proba(np.abs(FEATURES)))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_training_again_gives_the_same_bytes(model: Any) -> None:
    from sklearn.base import clone

    one, two = (FORMAT.write(fitted(clone(model)), trusted=frozenset()) for _ in range(2))
    assert one == two


def test_the_list_holds_nothing_that_runs_code() -> None:
    assert (
        not {
            "builtins.eval",
            "builtins.exec",
            "builtins.getattr",
            "os.system",
            "sklearn.utils.fixes._object_dtype_isnan",
        }
        & TRUSTED_TYPES
    )
    assert not {"MethodNode", "OperatorFuncNode", "ReduceNode", "ConstructorFromReduceNode"} & TRUSTED_LOADERS
    assert not any(
        name.startswith(("os.", "sys.", "subprocess.", "importlib.", "pickle.", "joblib.", "shutil."))
        for name in TRUSTED_TYPES
    )


def own(values: Any) -> Any:
    return values


def test_functions_of_ones_own_are_not_kept() -> None:
    model = make_pipeline(FunctionTransformer(own), LogisticRegression()).fit(FEATURES, LABELS)
    with pytest.raises(CannotPack, match=r"test_skops\.own"):
        FORMAT.write(model, trusted=frozenset())
    data = FORMAT.write(model, trusted=frozenset({f"{__name__}.own"}))
    with pytest.raises(UntrustedFormat):
        load(data, where="x")
    assert load(data, trusted=frozenset({f"{__name__}.own"}), where="x").predict(FEATURES).shape == (60,)


def rewritten(change: Any, model: Any = None) -> bytes:
    """Return a skops file whose schema was changed by hand."""
    data = FORMAT.write(fitted(model or LogisticRegression()), trusted=frozenset())
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            target.writestr(name, content)
    return stream.getvalue()


CALL = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 999}
ATTACKS: dict[str, Any] = {
    "a function of another module": CALL,
    "a trusted name by another loader": {
        "__class__": "LogisticRegression",
        "__module__": "sklearn.linear_model._logistic",
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "tuple",
            "__module__": "builtins",
            "__loader__": "TupleNode",
            "content": [],
            "__id__": 998,
        },
        "__id__": 999,
    },
    "a bound method": {
        "__class__": "predict",
        "__module__": "sklearn.linear_model._logistic",
        "__loader__": "MethodNode",
        "content": {"func": "predict", "obj": CALL},
        "__id__": 999,
    },
    "a partial of a function": {
        "__class__": "partial",
        "__module__": "functools",
        "__loader__": "PartialNode",
        "content": {"func": CALL, "args": [], "kwds": {}, "namespace": {}},
        "__id__": 999,
    },
    "hidden in a list": {
        "__class__": "list",
        "__module__": "builtins",
        "__loader__": "ListNode",
        "content": [CALL],
        "__id__": 997,
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nodes_that_would_run_code(name: str) -> None:
    data = rewritten(lambda schema: schema["content"]["content"].update(evil=ATTACKS[name]))
    assert untrusted_types(data, where="x")
    with pytest.raises(UntrustedFormat, match="nobody here trusts"):
        load(data, where="x")


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema.update(protocol=10**6),
        lambda schema: schema.update(protocol="x"),
        lambda schema: schema.pop("__loader__"),
        lambda schema: schema.update(__class__="GaussianNB", __module__="sklearn.nowhere"),
    ],
)
def test_schemas_that_cannot_be_rebuilt(change: Any) -> None:
    with pytest.raises(ArtifactError):
        load(rewritten(change), where="x")


@pytest.mark.parametrize("depth", [100_000])
def test_a_schema_too_deep(depth: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("schema.json", "[" * depth + "]" * depth)
    with pytest.raises(IntegrityError):
        untrusted_types(stream.getvalue(), where="x")


def test_entries_that_are_no_arrays() -> None:
    whole = FORMAT.write(fitted(LogisticRegression()), trusted=frozenset())
    for name, content in (("evil.py", b"import os"), ("9.npy", b"\x93NUMPY\x01\x00"), ("9.npy", b""), ("9.npz", b"PK")):
        stream = io.BytesIO(whole)
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr(name, content)
        with pytest.raises(ArtifactError):
            load(stream.getvalue(), where="x")


def test_an_array_longer_than_it_says() -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    forged = stream.getvalue().replace(b"(3,)", b"(9,)")
    archive_bytes = io.BytesIO(FORMAT.write(fitted(LogisticRegression()), trusted=frozenset()))
    with zipfile.ZipFile(archive_bytes, "a") as archive:
        archive.writestr("9.npy", forged)
    with pytest.raises(IntegrityError):
        load(archive_bytes.getvalue(), where="x")


@pytest.mark.parametrize(
    "model", [DecisionTreeClassifier(), RandomForestClassifier(2), GradientBoostingClassifier(n_estimators=2)]
)
@pytest.mark.parametrize("field", ["left_child", "right_child", "feature"])
@pytest.mark.parametrize("value", [0, 10**9, -5])
def test_trees_that_point_outside_themselves(model: Any, field: str, value: int) -> None:
    fitted(model)
    tree = model.tree_ if hasattr(model, "tree_") else np.ravel(model.estimators_)[0].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    if field == "feature" and value == 0:
        value = 3
    nodes[field][0] = value
    data = _with_nodes(model, state["nodes"], nodes)
    with pytest.raises(IntegrityError, match="points outside itself"):
        load(data, where="x")


@pytest.mark.parametrize(("field", "value"), [("left", 0), ("right", 10**6), ("feature_idx", 99), ("feature_idx", -1)])
def test_histogram_trees_that_point_outside_themselves(field: str, value: int) -> None:
    model = fitted(HistGradientBoostingClassifier(max_iter=2))
    nodes = model._predictors[0][0].nodes
    changed = nodes.copy()
    changed[field][0] = value
    with pytest.raises(IntegrityError, match="points outside itself"):
        load(_with_nodes(model, nodes, changed), where="x")


def _with_nodes(model: Any, nodes: Any, changed: Any) -> bytes:
    """Return the model's file with one array of nodes replaced."""
    data = FORMAT.write(model, trusted=frozenset())
    stream = io.BytesIO()
    replaced = 0
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content))
                if (
                    array.dtype == nodes.dtype
                    and array.shape == nodes.shape
                    and all(
                        np.array_equal(array[f], nodes[f], equal_nan=array[f].dtype.kind == "f")
                        for f in array.dtype.names
                    )
                ):
                    buffer = io.BytesIO()
                    np.save(buffer, changed)
                    content = buffer.getvalue()
                    replaced += 1
            target.writestr(name, content)
    assert replaced
    return stream.getvalue()


def test_foreign_skops_files_are_read() -> None:
    data = skops.io.dumps(fitted(LogisticRegression()), compression=zipfile.ZIP_DEFLATED)
    assert load(data, where="x").predict(np.abs(FEATURES)).shape == (60,)
    assert FORMAT.recognises(data)
    assert not FORMAT.recognises(b"PK")
    assert not FORMAT.recognises(b"")
