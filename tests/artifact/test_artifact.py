"""ModelArtifact: save, load, predict, in the short forms and in the long ones."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.metadata import Metadata
from sekisho.artifact.signature import Note
from sekisho.errors import (
    ArtifactError,
    CannotPack,
    IntegrityError,
    InvalidInput,
    ModelFailed,
    NotFound,
    UntrustedFormat,
    WrongUse,
)

Churn = Any
"""The fixture of conftest.py."""


def test_the_short_forms(tmp_path: Path) -> None:
    features = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = LogisticRegression().fit(features, [0, 0, 1, 1])
    saved = ModelArtifact(model, {"model_name": "iris", "version": "2.1.0", "metrics": {"accuracy": 0.9}}).save(
        tmp_path / "a"
    )
    loaded = ModelArtifact.load(tmp_path / "a")
    assert (loaded.name, loaded.version, loaded.digest) == ("iris", "2.1.0", saved.digest)
    assert loaded.signature.names == ("x0",)
    assert loaded.runtime_name == "skops"
    assert "no reference set" in str(loaded.parity.reason)
    assert loaded.reference is None
    assert loaded.predict(features).values.tolist() == [0, 0, 1, 1]
    assert loaded.metadata.metrics[0].evidence == ()
    loaded.verify()


def test_strings_are_known_from_the_encoders_alone(churn: Churn, model: Any, tmp_path: Path) -> None:
    ModelArtifact(model, lock=False).save(tmp_path / "a")
    loaded = ModelArtifact.load(tmp_path / "a")
    job = loaded.signature.feature("job")
    assert (job.kind, job.categories, job.nullable) == ("category", ("chef", "clerk", "pilot"), True)
    assert loaded.predict(churn.features).values.tolist() == model.predict(churn.features).tolist()


def test_names_of_features_come_from_wherever_they_are_known(tmp_path: Path) -> None:
    features = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = LinearRegression().fit(features, [0.0, 1.0])
    assert ModelArtifact(model, {"feature_names": ["a", "b"]}, lock=False).signature.names == ("a", "b")
    named = LinearRegression().fit(pd.DataFrame(features, columns=["p", "q"]), [0.0, 1.0])
    assert ModelArtifact(named, lock=False).signature.names == ("p", "q")


def test_what_was_packed_is_what_is_loaded(churn: Churn, model: Any, packed: Path) -> None:
    loaded = ModelArtifact.load(packed)
    answers = loaded.predict(churn.features)
    assert loaded.parity.proven
    assert answers.values.tolist() == model.predict(churn.features).tolist()
    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.probabilities, model.predict_proba(churn.features), atol=1e-6)
    native = loaded.runtime("skops").run(loaded.golden.table(loaded.signature).arrays())
    assert native.values.tolist() == list(loaded.golden.values)
    assert loaded.runtime("skops") is loaded.runtime("skops")
    assert (loaded.runtime().fenced, loaded.runtime("skops").fenced) == (True, False)
    assert loaded.signature.output.name == "churn"
    assert loaded.reference is not None
    assert [column.rows for column in loaded.reference.columns] == [300] * 5
    assert loaded.metadata.data[0].name == "reference"
    assert loaded.digest[:12] in repr(loaded)


def test_every_kind_of_rows_is_answered_alike(churn: Churn, packed: Path) -> None:
    artifact = ModelArtifact.load(packed)
    frame = churn.features.head(20)
    expected = artifact.predict(frame).values.tolist()
    shuffled = frame[["job", "married", "income", "children", "age"]].assign(more=1)
    records = [
        {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]
    whole = frame.assign(children=frame["children"].astype(float), married=frame["married"].astype(int))
    for rows in (shuffled, records, whole, artifact.golden.table(artifact.signature)):
        given = artifact.predict(rows).values.tolist()
        assert given == (expected if rows is not None and len(rows) == 20 else list(artifact.golden.values))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda frame: frame.drop(columns=["age"]), "missing_feature"),
        (lambda frame: frame.head(0), "no_rows"),
        (lambda frame: frame.assign(age="old"), "wrong_type"),
        (lambda frame: frame.assign(children=0.5), "wrong_type"),
        (lambda frame: frame.assign(married=2), "wrong_type"),
        (lambda frame: frame.assign(job=3), "wrong_type"),
    ],
)
def test_rows_that_do_not_fit(change: Any, code: str, churn: Churn, packed: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        ModelArtifact.load(packed).predict(change(churn.features))
    assert caught.value.code == code


def test_many_threads_load_it_once(packed: Path, churn: Churn) -> None:
    artifact = ModelArtifact.load(packed)
    expected = ModelArtifact.load(packed).predict(churn.features).values.tolist()
    found: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: found.append((artifact.runtime(), artifact.predict(churn.features).values.tolist()))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(runtime) for runtime, _ in found}) == 1
    assert all(answers == expected for _, answers in found)


def test_the_same_model_gives_the_same_bytes(churn: Churn, tmp_path: Path) -> None:
    def fit() -> Any:
        return make_pipeline(churn.columns(), LogisticRegression()).fit(churn.features, churn.answers)

    one, two = (ModelArtifact(fit(), reference=churn.features, target=churn.answers, lock=False) for _ in range(2))
    assert one.digest == two.digest
    one.save(tmp_path / "a")
    before = (tmp_path / "a" / "manifest.json").stat().st_mtime_ns
    two.save(tmp_path / "a")
    assert (tmp_path / "a" / "manifest.json").stat().st_mtime_ns == before


def test_other_bytes_are_not_written_over(churn: Churn, model: Any, artifact: Path) -> None:
    other = ModelArtifact(model, {"description": "another"}, reference=churn.features, name="churn", lock=False)
    before = ModelArtifact.load(artifact).digest
    with pytest.raises(WrongUse, match="already there"):
        other.save(artifact)
    assert ModelArtifact.load(artifact).digest == before
    other.save(artifact, overwrite=True)
    assert ModelArtifact.load(artifact).digest == other.digest
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def test_a_folder_of_something_else_is_never_replaced(churn: Churn, model: Any, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    artifact = ModelArtifact(model, lock=False)
    for overwrite in (False, True):
        with pytest.raises(WrongUse):
            artifact.save(tmp_path / "home", overwrite=overwrite)
    assert (tmp_path / "home" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "file").write_text("x")
    with pytest.raises(WrongUse):
        artifact.save(tmp_path / "file", overwrite=True)


def test_personal_features_are_shuffled_in_golden_rows(churn: Churn, model: Any) -> None:
    notes = {"income": Note(personal=True)}
    artifact = ModelArtifact(model, reference=churn.features, target=churn.answers, notes=notes, lock=False)
    real = {tuple(row) for row in churn.features[["income", "children"]].itertuples(index=False)}
    golden = {(row["income"], row["children"]) for row in artifact.golden.rows}
    assert len(golden & real) < len(golden) / 3
    artifact.verify()


def test_golden_rows_hold_the_corners(packed: Path, churn: Churn) -> None:
    golden = ModelArtifact.load(packed).golden
    assert set(golden.values) == {"leaves", "stays"}
    assert any(row["age"] is None for row in golden.rows)
    assert any(row["job"] is None for row in golden.rows)
    assert {min(row["income"] for row in golden.rows), max(row["income"] for row in golden.rows)} == {  # type: ignore[type-var]
        churn.features["income"].min(),
        churn.features["income"].max(),
    }


def test_nulls_that_the_model_was_never_taught(churn: Churn) -> None:
    frame = churn.features[["age", "income"]]
    model = LogisticRegression().fit(frame.fillna(0.0), churn.answers)
    artifact = ModelArtifact(model, reference=frame, target=churn.answers, lock=False)
    assert artifact.signature.feature("age").nullable
    assert artifact.parity.proven
    for format_id in ("onnx", "skops"):
        runtime = artifact.runtime(format_id)
        try:
            answers = runtime.run({"age": np.array([np.nan]), "income": np.array([500.0])})
        except ModelFailed:
            continue
        assert answers.probabilities is not None
        assert not np.isfinite(answers.probabilities).all()


def test_an_unknown_category_that_the_model_refuses_is_refused_compiled_too(churn: Churn) -> None:
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(churn.features[["job"]], churn.answers)
    artifact = ModelArtifact(model, reference=churn.features[["job"]], target=churn.answers, lock=False)
    assert artifact.parity.proven
    with pytest.raises(ModelFailed):
        artifact.predict({"job": ["astronaut"]})


def test_datetimes_are_answered_by_the_model_itself(churn: Churn) -> None:
    frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=300, freq="D")})
    model = make_pipeline(OrdinalEncoder(), LinearRegression()).fit(frame, np.arange(300.0))
    artifact = ModelArtifact(model, reference=frame, target=np.arange(300.0), lock=False)
    assert artifact.runtime_name == "skops"
    assert artifact.predict([{"when": "2024-01-02T09:00:00+09:00"}]).values == pytest.approx([1.0])


def test_progress_is_told(churn: Churn, model: Any) -> None:
    told: list[float] = []
    ModelArtifact(
        model,
        reference=churn.features,
        target=churn.answers,
        lock=False,
        listener=lambda fraction, _: told.append(fraction),
    )
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert told == sorted(told)


class Own(LogisticRegression):  # type: ignore[misc]
    """An estimator of the user's own."""


def test_types_of_ones_own_must_be_trusted_by_whoever_loads(churn: Churn, tmp_path: Path) -> None:
    frame = churn.features[["income"]]
    model = Own().fit(frame, churn.answers)
    name = f"{Own.__module__}.Own"
    with pytest.raises(CannotPack, match="not on the trusted list") as caught:
        ModelArtifact(model, lock=False)
    assert name in str(caught.value)
    ModelArtifact(model, trusted_types=(name,), lock=False).save(tmp_path / "a")
    with pytest.raises(UntrustedFormat, match="nobody here trusts"):
        ModelArtifact.load(tmp_path / "a").runtime()
    trusting = ModelArtifact.load(tmp_path / "a", trusted_types=(name,))
    assert trusting.predict(frame).values.tolist() == model.predict(frame).tolist()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (LogisticRegression, "not fitted"),
        (lambda: "a string", "is no model"),
    ],
)
def test_what_cannot_be_packed(made: Any, words: str) -> None:
    with pytest.raises(CannotPack, match=words):
        ModelArtifact(made(), reference={"a": [1.0, 2.0]} if "features" not in words else None, lock=False)


@pytest.mark.parametrize(
    ("reference", "target", "words"),
    [
        ({"age": [1.0]}, None, "lacks income"),
        ({"age": [1.0], "income": [1.0]}, ["a", "b"], "2 answers for 1 rows"),
        ({"age": [1.0], "income": [1.0]}, ["no such label"], "labels that the model does not know"),
        ({"age": [], "income": []}, None, "empty"),
        ({"age": ["x"], "income": ["y"]}, None, "cannot answer the rows"),
        ({"age": [float("inf")], "income": [1.0]}, None, "infinite"),
    ],
)
def test_reference_sets_that_do_not_fit(reference: Any, target: Any, words: str, churn: Churn) -> None:
    model = LogisticRegression().fit(churn.features[["age", "income"]].fillna(0), churn.answers)
    with pytest.raises(CannotPack, match=words):
        ModelArtifact(model, reference=reference, target=target, lock=False)


def test_another_library_version_is_refused(artifact: Path) -> None:
    loaded = ModelArtifact.load(artifact)
    older = msgspec.structs.replace(loaded.metadata, libraries={**loaded.metadata.libraries, "scikit-learn": "1.2.3"})
    object.__setattr__(loaded._parts, "metadata", older)
    loaded.predict(list(loaded.golden.rows))  # ONNX asks for no library
    with pytest.raises(ArtifactError, match=r"saved with scikit-learn 1\.2\.3"):
        loaded.runtime("skops")


def test_a_format_that_it_is_not_kept_in(packed: Path) -> None:
    with pytest.raises(ArtifactError, match="not kept as torch"):
        ModelArtifact.load(packed).runtime("torch")


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        ModelArtifact.load(tmp_path / "none")
    with pytest.raises(IntegrityError, match=r"no manifest\.json"):
        ModelArtifact.load(tmp_path)
    with pytest.raises(NotFound, match="neither a manifest nor a pickle"):
        ModelArtifact.load(tmp_path, trust=True)


@pytest.mark.parametrize("ending", ["pkl", "joblib"])
def test_a_pickle_is_read_only_with_trust_and_that_is_logged(
    ending: str, churn: Churn, model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"model.{ending}"
    joblib.dump(model, path) if ending == "joblib" else path.write_bytes(pickle.dumps(model))
    (tmp_path / "metadata.json").write_text(json.dumps({"version": "3.0.0", "training_date": "2024-05-06", "odd": [1]}))
    with pytest.raises(UntrustedFormat):
        ModelArtifact.load(tmp_path)
    assert caplog.records == []
    loaded = ModelArtifact.load(tmp_path, trust=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert path.name in caplog.text
    assert (loaded.version, loaded.metadata.training_date, loaded.runtime_name) == ("3.0.0", "2024-05-06", "pickle")
    assert not loaded.runtime().fenced
    numbers = loaded.runtime().run(_arrays(churn))
    assert numbers.values.tolist() == model.predict(churn.features).tolist()


def _arrays(churn: Churn) -> Any:
    from sekisho.artifact.table import Table

    return Table.of(churn.features).arrays()


def test_metadata_may_be_typed(model: Any) -> None:
    metadata = Metadata(description="who leaves", owner="数山", training_date="2024-05-06", seeds={"split": 3})
    assert ModelArtifact(model, metadata, lock=False).metadata.owner == "数山"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_nothing(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sekisho.artifact import folder

    whole = folder._write

    def fill(path: Path, data: bytes) -> None:
        whole(path, data[:10])
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(data)

    monkeypatch.setattr(folder, "_write", fill)
    with pytest.raises(ArtifactError, match="No space left") as caught:
        ModelArtifact(model, lock=False).save(tmp_path / "a")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(model: Any, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sekisho.artifact import folder

    before = ModelArtifact.load(artifact).digest

    def interrupt(path: Path, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ModelArtifact(model, lock=False).save(artifact, overwrite=True)
    assert ModelArtifact.load(artifact).digest == before
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def test_a_place_that_cannot_be_written(model: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="cannot be written here") as caught:
        ModelArtifact(model, lock=False).save(tmp_path / "file" / "a")
    assert "\n" not in str(caught.value)


def test_serving_needs_neither_pandas_nor_scikit_learn(packed: Path) -> None:
    code = f"""
    import sys
    heavy = {{"pandas", "sklearn", "scipy", "skops", "onnx", "skl2onnx", "joblib", "matplotlib", "polars", "pyarrow"}}

    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in heavy:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Missing())
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.inspection import inspect
    from sekisho.errors import MissingExtra
    from pathlib import Path

    folder = Path({str(packed)!r})
    artifact = ModelArtifact.load(folder)
    artifact.verify()
    inspect(folder)
    print(artifact.predict(list(artifact.golden.rows)).values.tolist() == list(artifact.golden.values))
    try:
        artifact.runtime("skops")
    except MissingExtra as error:
        print(error)
    """
    environment = {**os.environ, "SEKISHO_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines() == ["True", "skops is not installed → pip install 'sekisho[pack]'"]
