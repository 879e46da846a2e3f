from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import joblib
import pytest
import sklearn

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import pack
from sekisho.checks.artifact.dependencies import dependencies as box
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract, Infrastructure, Model
from sekisho.gate.probe import Progress
from sekisho.gate.verdict import Status
from sekisho.probes.artifact.locked_dependencies import LockedDependencies, locked_dependencies
from sekisho.probes.files.made_by import versions_inside
from sekisho.probes.resources.artifacts import files_at

HASH = "--hash=sha256:" + "ab" * 32


def pins(**versions: str) -> str:
    return "".join(f"{name.replace('_', '-')}=={version} {HASH}\n" for name, version in versions.items())


def measured(root: Path, model: str, lock: str | None = None) -> LockedDependencies:
    contract = Contract(model=Model(name="x", artifact=model), infrastructure=Infrastructure(lock=lock))
    path = root / model
    artifact = ModelArtifact.load(path) if (path / "manifest.json").is_file() else None
    found = locked_dependencies.measure(Project(root=root, contract=contract), files_at(path), artifact, Progress())
    assert isinstance(found, LockedDependencies)
    return found


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"\x08\x07")
    (tmp_path / "model" / "metadata.json").write_text(json.dumps({"libraries": {"scikit-learn": "1.9.1"}}))
    return tmp_path


def test_no_lock_fails(foreign: Path) -> None:
    assert box.judge(measured(foreign, "model")).status is Status.FAIL
    missing = measured(foreign, "model", lock="requirements.lock")
    assert missing.missing == "requirements.lock"
    assert box.judge(missing).status is Status.FAIL


def test_open_ranges_fail_by_line(foreign: Path) -> None:
    (foreign / "requirements.txt").write_text("scikit-learn\nnumpy>=1.20\n")
    verdict = box.judge(measured(foreign, "model"))
    assert verdict.status is Status.FAIL
    assert "requirements.txt:1 scikit-learn" in verdict.summary.en
    assert "requirements.txt:2 numpy" in verdict.summary.en


def test_pins_without_hashes_fail(foreign: Path) -> None:
    (foreign / "requirements.txt").write_text("scikit-learn==1.9.1\n")
    assert box.judge(measured(foreign, "model")).status is Status.FAIL


def test_a_hashed_lock_passes(foreign: Path) -> None:
    (foreign / "requirements.lock").write_text(pins(scikit_learn="1.9.1", numpy="2.0.0"))
    found = measured(foreign, "model")
    assert found.compared == 1
    assert box.judge(found).status is Status.PASS


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ({"libraries": {"scikit-learn": "1.9.1"}}, Status.FAIL),
        ({"libraries": {"sklearn": "1.9.1"}}, Status.FAIL),
        ({"sklearn_version": "1.9.1"}, Status.FAIL),
        ({"framework": "scikit-learn", "scikit_learn_version": "1.9"}, Status.FAIL),
        ({"libraries": {"scikit-learn": "1.4.0"}}, Status.PASS),
        ({"libraries": {"scikit-learn": "1.4"}}, Status.PASS),
        ({"libraries": {"numpy": "1.26.0"}}, Status.PASS),
    ],
)
def test_a_lock_that_is_not_what_trained_it_fails(written: dict[str, Any], status: Status, foreign: Path) -> None:
    (foreign / "model" / "metadata.json").write_text(json.dumps(written))
    (foreign / "requirements.lock").write_text(pins(scikit_learn="1.4.0"))
    assert box.judge(measured(foreign, "model")).status is status


@pytest.mark.parametrize("compress", [0, ("gzip", 3), ("xz", 3)])
def test_a_pickle_tells_what_made_it_without_being_read(compress: Any, model: Any, tmp_path: Path) -> None:
    joblib.dump(model, tmp_path / "model.joblib", compress=compress)
    assert versions_inside(tmp_path / "model.joblib") == {"scikit-learn": sklearn.__version__}
    (tmp_path / "requirements.txt").write_text(pins(scikit_learn="1.4.0"))
    verdict = box.judge(measured(tmp_path, "model.joblib"))
    assert verdict.status is Status.FAIL
    assert f"model.joblib says {sklearn.__version__}" in verdict.summary.en


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_tells(protocol: int, model: Any, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model, protocol=protocol))
    assert versions_inside(tmp_path / "model.pkl") == {"scikit-learn": sklearn.__version__}


def test_a_skops_file_tells_what_made_it(packed: Path) -> None:
    assert versions_inside(packed / "model.skops") == {"scikit-learn": sklearn.__version__}
    assert versions_inside(packed / "model.onnx") == {}


def test_what_answering_imports_must_be_locked(artifact: Path) -> None:
    root = artifact.parent
    (root / "requirements.lock").write_text(pins(numpy="1", onnxruntime="1", msgspec="1", typing_extensions="1"))
    found = measured(root, "artifact")
    assert found.imported is not None
    assert {"numpy", "onnxruntime"} <= set(found.imported)
    assert found.uncovered == ()
    (root / "requirements.lock").write_text(pins(numpy="1"))
    less = measured(root, "artifact")
    assert "onnxruntime" in less.uncovered
    assert box.judge(less).status is Status.FAIL


@pytest.mark.slow
def test_an_environment_made_from_the_lock_alone_answers_alike(model: Any, data: Any, tmp_path: Path) -> None:
    artifact = pack(
        model, data.data, data.target, folder=tmp_path / "artifact", name="x", training={"seed": 1}, metadata=None
    )
    if artifact.lock is None:
        pytest.skip("the lock could not be resolved here")
    found = measured(tmp_path, "artifact")
    assert found.fresh is not None
    if not found.fresh.made:
        pytest.skip(f"no environment here: {found.fresh.fault}")
    assert (found.fresh.wrong, found.fresh.fault) == (0, None)
    assert box.judge(found).status is Status.PASS
