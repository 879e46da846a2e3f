from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import msgspec
import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.manifest import manifest_of, read_manifest
from sekisho.checks.artifact.format import model_format as box
from sekisho.errors import SekishoError
from sekisho.gate.probe import Progress
from sekisho.gate.verdict import Status, Verdict
from sekisho.probes.artifact.model_format import ModelFormat, model_format
from sekisho.probes.resources.artifacts import files_at


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("exit 1",))


def measured(path: Path) -> ModelFormat:
    try:
        artifact: ModelArtifact | None = ModelArtifact.load(path)
    except SekishoError:
        artifact = None
    found = model_format.measure(files_at(path), artifact, Progress())
    assert isinstance(found, ModelFormat)
    return found


def judged(path: Path) -> Verdict:
    return box.judge(measured(path))


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.9)])


def test_a_packed_artifact_passes(artifact: Path) -> None:
    found = measured(artifact)
    verdict = box.judge(found)
    assert verdict.status is Status.PASS, verdict.summary.en
    assert found.golden_rows == 64
    assert found.golden_wrong == 0
    assert found.summed
    assert {file.content for file in found.files if file.accepted} == {"ONNX", "skops", "NumPy arrays"}


def test_a_pickle_that_runs_a_command_fails_with_its_opcodes(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Hostile()))
    verdict = judged(tmp_path / "model.pkl")
    assert verdict.status is Status.FAIL
    assert "posix.system" in str(verdict.figures["imports"])
    assert "runs code" in verdict.summary.en


@pytest.mark.parametrize("name", ["model.onnx", "model.skops", "model.json", "model.safetensors", "model.txt", "model"])
def test_a_pickle_under_another_name_fails(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Hostile()))
    assert judged(tmp_path / name).status is Status.FAIL


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_an_honest_pickle_fails_too(compress: Any, model: Any, tmp_path: Path) -> None:
    joblib.dump(model, tmp_path / "model.joblib", compress=compress)
    verdict = judged(tmp_path / "model.joblib")
    assert verdict.status is Status.FAIL
    assert "sklearn" in verdict.summary.en


@pytest.mark.parametrize("name", ["model.onnx", "model.skops"])
def test_a_model_of_unknown_make_passes_whole_and_fails_cut_off(name: str, artifact: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / name
    alone.parent.mkdir()
    shutil.copy(artifact / name, alone)
    assert judged(alone.parent).status is Status.PASS
    truncate(alone)
    assert judged(alone).status is Status.FAIL


@pytest.mark.parametrize("name", ["model.onnx", "model.skops", "reference.npz", "metadata.json", "golden.json"])
def test_an_artifact_with_a_file_cut_off_fails(name: str, artifact: Path) -> None:
    truncate(artifact / name)
    verdict = judged(artifact)
    assert verdict.status is Status.FAIL
    assert name in verdict.summary.en


def test_an_artifact_with_something_beside_it_fails(artifact: Path) -> None:
    (artifact / "preprocess.pkl").write_bytes(pickle.dumps(Hostile()))
    assert judged(artifact).status is Status.FAIL
    (artifact / "preprocess.pkl").unlink()
    (artifact / "model.pkl").symlink_to("/dev/null")
    assert judged(artifact).status is Status.FAIL


def test_answers_that_changed_fail(artifact: Path) -> None:
    # Somebody exchanged a golden answer and wrote the manifest anew.
    golden = msgspec.json.decode((artifact / "golden.json").read_bytes())
    golden["values"][3] = 1 - golden["values"][3]
    old = read_manifest((artifact / "manifest.json").read_bytes(), where="manifest.json")
    files = {file.name: (artifact / file.name).read_bytes() for file in old.files}
    files["golden.json"] = msgspec.json.encode(golden, order="sorted")
    new = manifest_of(files, name=old.name, version=old.version, runtime=old.runtime, written_by=old.written_by)
    (artifact / "golden.json").write_bytes(files["golden.json"])
    (artifact / "manifest.json").write_bytes(new.encoded())
    found = measured(artifact)
    assert "bom.cdx.json" in found.broken_sums[0]  # which speaks of the golden rows as they were
    assert box.judge(found).status is Status.FAIL


@pytest.mark.parametrize(
    "sums",
    [
        ("SHA256SUMS", "{digest}  model.onnx\n"),
        ("model.onnx.sha256", "{digest}\n"),
        ("manifest.json", '{{"files": [{{"name": "model.onnx", "sha256": "{digest}"}}]}}'),
        ("manifest.json", '{{"model.onnx": "sha256:{digest}"}}'),
    ],
)
def test_checksums_that_others_wrote_are_held_to(sums: tuple[str, str], artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    shutil.copy(artifact / "model.onnx", folder)
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / sums[0]).write_text(sums[1].format(digest=digest))
    assert measured(folder).summed
    assert judged(folder).status is Status.PASS, judged(folder).summary.en
    (folder / sums[0]).write_text(sums[1].format(digest="ab" * 32))
    assert judged(folder).status is Status.FAIL


def test_a_type_that_nobody_trusts_fails(tmp_path: Path) -> None:
    import skops.io

    (tmp_path / "model.skops").write_bytes(skops.io.dumps(Hostile.__new__(Own)))
    verdict = judged(tmp_path / "model.skops")
    assert verdict.status is Status.FAIL
    assert "Own" in verdict.summary.en


class Own:
    """A class of the user's making."""


def test_a_lightgbm_text_passes_whole_and_fails_cut_off(data: Any, tmp_path: Path) -> None:
    import lightgbm

    booster = lightgbm.train(
        {"verbose": -1, "num_leaves": 4, "num_threads": 1}, lightgbm.Dataset(data.data, data.target), 3
    )
    booster.save_model(tmp_path / "model.txt")
    assert judged(tmp_path / "model.txt").status is Status.PASS
    truncate(tmp_path / "model.txt")
    assert judged(tmp_path / "model.txt").status is Status.FAIL


def test_a_graph_that_does_not_load_fails(artifact: Path, tmp_path: Path) -> None:
    import onnx

    graph = onnx.load_model(artifact / "model.onnx")
    graph.graph.node[0].op_type = "NoSuchOperator"
    onnx.save_model(graph, tmp_path / "model.onnx")
    verdict = judged(tmp_path / "model.onnx")
    assert verdict.status is Status.FAIL
    assert "does not load" in verdict.summary.en


def test_tensors_outside_the_folder_fail(artifact: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    tensor = helper.make_tensor("w", TensorProto.FLOAT, [2], b"\x00" * 8, raw=True)
    node = helper.make_node("Identity", ["w"], ["y"])
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])], [tensor])
    model = helper.make_model(graph)
    folder = tmp_path / "graph"
    folder.mkdir()
    onnx.save_model(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert "external-data" in measured(folder).files[0].notes
    data = (folder / "model.onnx").read_bytes().replace(b"weights.bin", b"../../x.bin")
    (folder / "model.onnx").write_bytes(data)
    verdict = judged(folder)
    assert verdict.status is Status.FAIL
    assert "outside" in verdict.summary.en


def test_a_folder_without_a_model_fails(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("# nothing\n")
    assert judged(tmp_path).status is Status.FAIL
