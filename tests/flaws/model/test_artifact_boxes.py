"""Format, metadata and dependencies of models that others made: each flaw must fail its box, its clean twin must pass."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import pickletools
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
import sklearn
import skops.io
from sklearn.linear_model import LogisticRegression
from tests.flaws.model.builder import Deployment, both

from sekisho.gate.verdict import Status

SUM = "ab" * 32
HASH = f"--hash=sha256:{SUM}"
X = np.random.default_rng(0).normal(size=(60, 2))
RIGHT = X[:, 0] > 0


class Hostile:
    """A pickle that runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('hostile', 'w')",))


def graph() -> bytes:
    part = onnx.helper.make_tensor("w", onnx.TensorProto.DOUBLE, [2, 1], [1.0, 2.0])
    given = onnx.helper.make_tensor_value_info("X", onnx.TensorProto.DOUBLE, [None, 2])
    out = onnx.helper.make_tensor_value_info("variable", onnx.TensorProto.DOUBLE, [None, 1])
    node = onnx.helper.make_node("MatMul", ["X", "w"], ["variable"])
    made = onnx.helper.make_graph([node], "g", [given], [out], [part])
    opset = [onnx.helper.make_opsetid("", 17)]
    return bytes(onnx.helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString())


def dumped(how: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    how(stream)
    return stream.getvalue()


def torch_like(inner: bytes) -> bytes:
    def write(stream: io.BytesIO) -> None:
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("model/data.pkl", inner)
            archive.writestr("model/version", "3")

    return dumped(write)


def fitted() -> Any:
    return LogisticRegression().fit(X, RIGHT)


def safetensors() -> bytes:
    from safetensors.numpy import save

    return save({"w": np.ones(3)})


def booster(library: str) -> bytes:
    if library == "lightgbm":
        import lightgbm

        data = lightgbm.Dataset(X, RIGHT.astype(int))
        return lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 2).model_to_string().encode()
    if library == "catboost":
        import catboost

        model = catboost.CatBoostClassifier(iterations=2, verbose=False, allow_writing_files=False, thread_count=1)
        return bytes(model.fit(X, RIGHT)._serialize_model())
    import xgboost

    matrix = xgboost.DMatrix(X, RIGHT.astype(int))
    return bytes(xgboost.train({"nthread": 1}, matrix, 2).save_raw("ubj" if library == "ubj" else "json"))


BAD_FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "F21a": ("model.pkl", lambda: pickle.dumps(Hostile())),
    "F21b": ("model.onnx", lambda: pickle.dumps(Hostile())),
    "F21c": ("model.onnx", lambda: graph()[: int(len(graph()) * 0.9)]),
    "an honest pickle": ("model.pkl", lambda: pickle.dumps(fitted())),
    "a pickle of protocol 0": ("model.bin", lambda: pickle.dumps(Hostile(), protocol=0)),
    "an optimised pickle": ("model.skops", lambda: pickletools.optimize(pickle.dumps(fitted()))),
    "a compressed joblib": ("model.json", lambda: dumped(lambda stream: joblib.dump(fitted(), stream, compress=3))),
    "a pickle in gzip": ("model.ubj", lambda: gzip.compress(pickle.dumps(fitted()))),
    "an array of objects": ("model.npy", lambda: dumped(lambda stream: np.save(stream, np.array([Hostile()])))),
    "a zip as torch writes": ("model.pt", lambda: torch_like(pickle.dumps(Hostile()))),
    "a zip as torch writes, named otherwise": ("model.safetensors", lambda: torch_like(pickle.dumps(Hostile()))),
    "text named as a model": ("model.onnx", lambda: b"<!doctype html><title>404</title>"),
    "an empty file": ("model.skops", lambda: b""),
}
GOOD_FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "ONNX": ("model.onnx", graph),
    "skops": ("model.skops", lambda: bytes(skops.io.dumps(fitted()))),
    "safetensors": ("model.safetensors", safetensors),
    "arrays": ("model.npz", lambda: dumped(lambda stream: np.savez(stream, w=np.ones(3)))),
    "LightGBM": ("model.txt", lambda: booster("lightgbm")),
    "XGBoost JSON": ("model.json", lambda: booster("json")),
    "XGBoost UBJSON": ("model.ubj", lambda: booster("ubj")),
    "CatBoost": ("model.cbm", lambda: booster("catboost")),
}
SLOW = {"LightGBM", "XGBoost JSON", "XGBoost UBJSON", "CatBoost", "skops"}


def laid(deployment: Deployment, name: str, content: bytes) -> None:
    (deployment.root / "sent").mkdir(exist_ok=True)
    (deployment.root / "sent" / name).write_bytes(content)
    deployment.contract["model"]["artifact"] = f"sent/{name}"


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_are_no_safe_model(case: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(deployment.root)
    name, content = BAD_FILES[case]
    laid(deployment, name, content())
    item = deployment.judge("artifact/format")
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert not (deployment.root / "hostile").exists()


@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.slow] * (case in SLOW)) for case in GOOD_FILES])
def test_files_that_are(case: str, deployment: Deployment) -> None:
    name, content = GOOD_FILES[case]
    whole = content()
    laid(deployment, name, whole)
    item = deployment.judge("artifact/format")
    assert item.status is Status.PASS, item.verdict.summary.en
    laid(deployment, name, whole[: int(len(whole) * 0.9)])
    assert deployment.judge("artifact/format").status is Status.FAIL


# Dependencies

HERE = f"scikit-learn=={sklearn.__version__}"
OPEN = {
    "F24a": "scikit-learn\nnumpy>=1.20\n",
    "F24b": f"scikit-learn==1.4.0 {HASH}\n",
    "no hashes": f"{HERE}\nnumpy==2.0.0\n",
    "one line without": f"{HERE} {HASH}\nnumpy==2.0.0\n",
    "one open line": f"{HERE} {HASH}\nnumpy\n",
    "an index": f"--extra-index-url https://example.org/simple\n{HERE} {HASH}\n",
    "a repository": f"{HERE} {HASH}\nnumpy @ git+https://example.org/numpy.git@main\n",
    "an editable install": f"-e .\n{HERE} {HASH}\n",
    "a weak hash": f"{HERE} --hash=md5:{'ab' * 16}\n",
    "half a hash": f"{HERE} {HASH[:-9]}\n",
    "two versions": f"{HERE} {HASH}\nnumpy==2.0.0 {HASH}\nnumpy==2.1.0 {HASH}\n",
    "a constraint file": f"-c constraints.txt\n{HERE} {HASH}\n",
    "nothing": "# nothing\n",
}


@pytest.mark.parametrize("case", OPEN)
def test_locks_that_leave_something_open(case: str, deployment: Deployment) -> None:
    laid(deployment, "model.onnx", graph())
    (deployment.root / "sent" / "metadata.json").write_text(
        json.dumps({"libraries": {"scikit-learn": sklearn.__version__}})
    )
    (deployment.root / "requirements.txt").write_text(OPEN[case])
    item = deployment.judge("artifact/dependencies")
    assert item.status is Status.FAIL, item.verdict.summary.en


def test_locks_that_do_not(deployment: Deployment) -> None:
    laid(deployment, "model.onnx", graph())
    (deployment.root / "sent" / "metadata.json").write_text(
        json.dumps({"python": "3.11.7", "libraries": {"scikit-learn": sklearn.__version__}})
    )
    lock = f"\ufeff{HERE} \\\r\n    {HASH} \\\r\n    {HASH}\r\nnumpy==2.0.0 {HASH}\r\nnumpy==2.1.0 ; python_version < '3' {HASH}\r\n"
    (deployment.root / "requirements.txt").write_bytes(lock.encode())
    deployment.contract["infrastructure"] = {"dockerfile": "Dockerfile"}
    for dockerfile, status in (
        (f"FROM python:3.11-slim\nRUN pip install {HERE}\n", Status.PASS),
        ("FROM python:3.11-slim\nRUN pip install scikit-learn==1.4.0\n", Status.FAIL),
        ("FROM docker.io/library/python:3.9\n", Status.FAIL),
    ):
        (deployment.root / "Dockerfile").write_text(dockerfile)
        item = deployment.judge("artifact/dependencies")
        assert item.status is status, item.verdict.summary.en


def test_the_library_of_the_model_is_not_locked(deployment: Deployment) -> None:
    laid(deployment, "model.skops", bytes(skops.io.dumps(fitted())))
    for lock, status in (
        (f"numpy==2.0.0 {HASH}\n", Status.FAIL),
        (f"{HERE} ; python_version < '3.0' {HASH}\nnumpy==2.0.0 {HASH}\n", Status.FAIL),
        (f"{HERE} {HASH}\nnumpy==2.0.0 {HASH}\n", Status.PASS),
    ):
        (deployment.root / "requirements.txt").write_text(lock)
        item = deployment.judge("artifact/dependencies")
        assert item.status is status, item.verdict.summary.en


@pytest.mark.slow
@pytest.mark.parametrize(("name", "library"), [("model.txt", "lightgbm"), ("model.ubj", "ubj")])
def test_the_boosting_library_is_not_locked(name: str, library: str, deployment: Deployment) -> None:
    laid(deployment, name, booster(library))
    own = "lightgbm==4.7.0" if library == "lightgbm" else "xgboost-cpu==3.2.0"
    for lock, status in ((f"{HERE} {HASH}\n", Status.FAIL), (f"{own} {HASH}\n", Status.PASS)):
        (deployment.root / "requirements.txt").write_text(lock)
        item = deployment.judge("artifact/dependencies")
        assert item.status is status, item.verdict.summary.en


# Metadata

COMPLETE: dict[str, Any] = {
    "name": "credit",
    "version": "1.2.0",
    "training_date": "2026-01-31T09:30:00Z",
    "training_data_sha256": SUM,
    "seed": 7,
    "libraries": {"scikit-learn": "1.5.0"},
    "n_features": 2,
}


@pytest.mark.slow
def test_f23_and_what_is_like_it(deployment: Deployment) -> None:
    test, training = both()
    deployment.tables(test, training)
    digest = hashlib.sha256((deployment.root / "training.csv").read_bytes()).hexdigest()
    right = LogisticRegression().fit(training[["x", "y"]], training["label"]).score(test[["x", "y"]], test["label"])

    def judged(accuracy: float, **stated: Any) -> Status:
        metadata = {"metrics": {"accuracy": accuracy}, **stated.pop("metadata", {})}
        settings = {"command": ["python", "train.py"], "seed": 1, "data": deployment.root / "training.csv"} | stated
        deployment.pack(LogisticRegression(), training, without=("id",), training=settings, metadata=metadata)
        return deployment.judge("artifact/metadata").status

    assert judged(round(right, 2)) is Status.PASS
    assert judged(round(right, 2), date=None) is Status.FAIL  # F23a
    assert judged(right + 0.1) is Status.FAIL  # F23b
    assert judged(right, date="2999-01-01") is Status.FAIL
    assert judged(right, metadata={"n_features": 30}) is Status.FAIL
    assert (
        judged(right, metadata={"metrics": [{"name": "accuracy", "value": right, "evidence": ["ab" * 32]}]})
        is Status.FAIL
    )
    (deployment.root / "training.csv").write_text("x,y,label\n1,2,0\n3,4,1\n")
    assert digest not in (deployment.root / "training.csv").read_text()
    assert deployment.judge("artifact/metadata").status is Status.FAIL


@pytest.mark.parametrize("accuracy", ["95%", "0.95", " 95.0 ％", 0.95])
def test_a_figure_in_words_is_a_figure(accuracy: object, deployment: Deployment) -> None:
    laid(deployment, "model.onnx", graph())
    (deployment.root / "sent" / "metadata.json").write_text(json.dumps(COMPLETE | {"accuracy": accuracy}))
    item = deployment.judge("artifact/metadata")
    assert item.status is not Status.PASS
    assert "accuracy is written as 0.95" in item.verdict.summary.en


@pytest.mark.slow
def test_a_commit_that_nobody_can_reach(deployment: Deployment) -> None:
    laid(deployment, "model.onnx", graph())
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")

    def git(*words: str) -> str:
        done = subprocess.run(["git", *who, *words], cwd=deployment.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    first = git("rev-parse", "HEAD")

    def judged(commit: str) -> str:
        (deployment.root / "sent" / "metadata.json").write_text(json.dumps(COMPLETE | {"git_commit": commit}))
        return deployment.judge("artifact/metadata").verdict.summary.en

    assert "name, version, training date" in judged(first)
    git("commit", "-q", "--amend", "--allow-empty", "-m", "another")
    assert "on no branch or tag" in judged(first)
    assert "does not exist in this repository" in judged("ab" * 20)
    assert "no commit is named" in judged("TODO")
    assert "the commit is no commit" in judged("main branch, latest")
