"""Whatever is done to a packed artifact, it is refused in one line, and no code of it is run."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import pickletools
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from sekisho.artifact import content
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.inspection import inspect
from sekisho.artifact.manifest import File, Manifest, read_manifest
from sekisho.errors import ArtifactError, IntegrityError, SekishoError, UntrustedFormat

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = ("golden.json", "metadata.json", "model.onnx", "model.skops", "parity.json", "reference.npz", "signature.json")
MARKER = "sekisho-marker"


class Bomb:
    """A pickle that writes a file when it is read: whichever function it calls, scanners may call it clean."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def bombs(folder: Path) -> dict[str, bytes]:
    """Return pickles of every dress; reading any would make a file named after the marker in ``folder``."""
    marker = folder / MARKER
    by_shell = pickle.dumps(Bomb(os.system, f"touch '{marker}'"))
    by_path = pickle.dumps(Bomb(Path.write_text, marker, "x"))
    by_numpy = pickle.dumps(Bomb(np.save, str(marker), np.zeros(1)))
    old = pickle.dumps(Bomb(os.system, f"touch '{marker}'"), protocol=0)
    older = pickle.dumps(Bomb(os.system, f"touch '{marker}'"), protocol=1)
    array = io.BytesIO()
    np.save(array, np.array([Bomb(os.system, f"touch '{marker}'")], dtype=object), allow_pickle=True)
    return {
        "shell": by_shell,
        "path": by_path,
        "numpy": by_numpy,
        "protocol 0": old,
        "protocol 1": older,
        "optimised": pickletools.optimize(by_shell),
        "compressed": zlib.compress(by_shell),
        "object array": array.getvalue(),
        "torch": zipped({"archive/data.pkl": by_shell}),
        "skops": zipped({"schema.json": b"{}", "0.npy": by_shell}),
        "skops with an object array": zipped({"schema.json": b"{}", "0.npy": array.getvalue()}),
        "nested": zipped({"schema.json": b"{}", "0.npz": zipped({"a.npy": by_shell})}),
    }


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def forge(folder: Path, **files: bytes) -> None:
    """Write files and a manifest that lists them as they are: what somebody with write access could do."""
    manifest = read_manifest((folder / "manifest.json").read_bytes(), where="")
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    entries = tuple(
        File(name=path.name, size=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    )
    (folder / "manifest.json").write_bytes(msgspec.structs.replace(manifest, files=entries).sealed().encoded())


def use(folder: Path) -> None:
    """Do all that anybody does with an artifact."""
    artifact = ModelArtifact.load(folder)
    artifact.verify()
    artifact.runtime("skops")


def refused(folder: Path, kind: type[SekishoError] = IntegrityError) -> str:
    """Use and inspect the artifact: both must refuse it, in one line; return the line."""
    with pytest.raises(kind):
        use(folder)
    with pytest.raises(kind) as caught:
        inspect(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert "→" in line
    return line


def test_as_packed_it_is_used(artifact: Path) -> None:
    use(artifact)
    assert {path.name for path in artifact.iterdir()} == {*FILES, "manifest.json"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_one_flipped_byte(name: str, where: float, artifact: Path) -> None:
    path = artifact / name
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert name in refused(artifact)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(name=st.sampled_from([*FILES, "manifest.json"]), position=st.floats(0, 1), mask=st.integers(1, 255))
def test_no_byte_can_change(name: str, position: float, mask: int, packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(packed, folder)
    data = bytearray((folder / name).read_bytes())
    data[int(position * (len(data) - 1))] ^= mask
    (folder / name).write_bytes(data)
    with pytest.raises(IntegrityError):
        ModelArtifact.load(folder)


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_truncated_at_each_tenth(name: str, tenth: int, artifact: Path) -> None:
    path = artifact / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenth // 10])
    assert name in refused(artifact)


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", FILES)
def test_truncated_and_the_manifest_forged(name: str, tenth: int, artifact: Path) -> None:
    data = (artifact / name).read_bytes()
    forge(artifact, **{name.replace(".", "__"): data[: len(data) * tenth // 10]})
    with pytest.raises(ArtifactError) as caught:
        use(artifact)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_file_is_missing(name: str, artifact: Path) -> None:
    (artifact / name).unlink()
    assert name in refused(artifact)


@pytest.mark.parametrize("name", [".hidden", "notes.txt", "model.pkl", "Model.onnx"])
def test_a_file_is_added(name: str, artifact: Path) -> None:
    (artifact / name).write_text("x")
    assert name in refused(artifact)


def test_a_folder_is_added(artifact: Path) -> None:
    (artifact / "data").mkdir()
    assert "data" in refused(artifact)


def test_an_unknown_file_that_is_listed_is_refused_too(artifact: Path) -> None:
    forge(artifact, notes__txt=b"hello")
    assert "notes.txt" in refused(artifact)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_link_in_place_of_a_file(name: str, artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    shutil.move(artifact / name, target)
    (artifact / name).symlink_to(target)
    assert "symbolic link" in refused(artifact)


def test_a_link_to_a_folder(artifact: Path, tmp_path: Path) -> None:
    (artifact / "model.onnx").unlink()
    (artifact / "model.onnx").symlink_to(tmp_path, target_is_directory=True)
    refused(artifact)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(artifact: Path) -> None:
    (artifact / "model.onnx").unlink()
    os.mkfifo(artifact / "model.onnx")
    assert "plain file" in refused(artifact)


def test_a_hard_link_counts_by_its_content(artifact: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copy(artifact / "model.onnx", outside)
    (artifact / "model.onnx").unlink()
    os.link(outside, artifact / "model.onnx")
    use(artifact)
    outside.write_bytes(outside.read_bytes() + b"\x00")
    assert "model.onnx" in refused(artifact)


def test_the_folder_itself_may_be_a_link(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(artifact, target_is_directory=True)
    use(tmp_path / "current")


def test_swapped_after_it_was_verified(artifact: Path) -> None:
    loaded = ModelArtifact.load(artifact)
    data = bytearray((artifact / "model.onnx").read_bytes())
    data[-1] ^= 1
    (artifact / "model.onnx").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        loaded.predict(list(loaded.golden.rows))


@pytest.mark.parametrize("dress", bombs(Path()))
@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "noending", *FILES])
def test_a_pickle_under_any_name(dress: str, name: str, artifact: Path, tmp_path: Path) -> None:
    data = bombs(tmp_path)[dress]
    (artifact / name).write_bytes(data)
    with pytest.raises(ArtifactError):
        use(artifact)
    forge(artifact)
    with pytest.raises(ArtifactError) as caught:
        use(artifact)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob(f"{MARKER}*"))


@pytest.mark.parametrize("dress", ["shell", "path", "numpy", "protocol 0", "protocol 1", "optimised"])
def test_a_pickle_is_refused_because_it_is_one(dress: str, artifact: Path, tmp_path: Path) -> None:
    forge(artifact, model__skops=bombs(tmp_path)[dress])
    assert "this is a pickle" in refused(artifact, UntrustedFormat)


def test_a_folder_with_only_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(bombs(tmp_path)["shell"])
    assert "this is a pickle" in refused(tmp_path, UntrustedFormat)
    assert not (tmp_path / MARKER).exists()


def large_zip(entries: int) -> bytes:
    return zipped({f"{index}.npy": b"" for index in range(entries)}, zipfile.ZIP_STORED)


def overlapping() -> bytes:
    """Return a zip whose two entries share one body."""
    body = b"A" * 10_000
    data = bytearray(zipped({"schema.json": body, "b.npy": b"x"}, zipfile.ZIP_STORED))
    directory = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", directory + 4)
    data[second + 20 : second + 28] = len(body).to_bytes(4, "little") * 2  # as large as the first ...
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")  # ... and where the first is
    return bytes(data)


ARCHIVES = {
    "a gibibyte of zeros": zipped({"schema.json": b"{}", "0.npy": bytes(64 * 1024**2)}),
    "too many entries": large_zip(2_000),
    "overlapping entries": overlapping(),
    "two of a name": b"",
    "leaves the folder": zipped({"schema.json": b"{}", "../../etc/passwd": b"x"}),
    "absolute": zipped({"schema.json": b"{}", "/etc/passwd": b"x"}),
    "drive letter": zipped({"schema.json": b"{}", "C:\\x": b"x"}),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("file", ["model__skops", "reference__npz"])
def test_archives_that_would_do_harm(name: str, file: str, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_ENTRIES", 1_000)
    data = ARCHIVES[name]
    if name == "two of a name":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("schema.json", "{}")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("schema.json", "[]")
        data = stream.getvalue()
    forge(artifact, **{file: data})
    refused(artifact)


def test_a_zip_bomb_is_refused_before_it_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("expanded")

    bomb = ARCHIVES["a gibibyte of zeros"]
    monkeypatch.setattr(zipfile.ZipFile, "open", never)
    with pytest.raises(IntegrityError, match="expands"):
        content.open_archive(bomb, where="x")


def external(location: str) -> bytes:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    node = helper.make_node("Identity", ["w"], ["values"])
    output = helper.make_tensor_value_info("values", TensorProto.FLOAT, [1])
    return bytes(helper.make_model(helper.make_graph([node], "g", [], [output], [tensor])).SerializeToString())


@pytest.mark.parametrize("location", ["weights.bin", "../secret", "sub/../../x", "/etc/passwd"])
def test_tensors_in_other_files(location: str, artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\x00\x00\x80?")
    forge(artifact, model__onnx=external(location))
    assert "other files" in refused(artifact)


def test_a_feature_named_location_is_no_harm() -> None:
    from sekisho.artifact import protobuf

    node = helper.make_node("Identity", ["location"], ["values"], doc_string="location")
    value = helper.make_tensor_value_info("location", TensorProto.FLOAT, [1])
    output = helper.make_tensor_value_info("values", TensorProto.FLOAT, [1])
    constant = helper.make_tensor("c", TensorProto.FLOAT, [2], [1.0, 2.0])
    inner = helper.make_graph([helper.make_node("Constant", [], ["k"], value=constant)], "i", [], [])
    branch = helper.make_node("If", ["location"], [], then_branch=inner, else_branch=inner)
    data = bytes(
        helper.make_model(helper.make_graph([node, branch], "g", [value], [output], [constant])).SerializeToString()
    )
    assert protobuf.is_onnx(data)
    assert not protobuf.has_external_data(data)


def test_no_byte_of_the_manifest_can_change(artifact: Path) -> None:
    path = artifact / "manifest.json"
    whole = path.read_bytes()
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 1
        with pytest.raises(IntegrityError):
            read_manifest(bytes(data), where="manifest.json")


MANIFESTS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "a key twice": lambda plain: (
        json.dumps(plain).replace('"name": "churn"', '"name": "churn", "name": "churn"').encode()
    ),
    "other spacing": lambda plain: json.dumps(plain, sort_keys=True, indent=1).encode(),
    "NaN": lambda plain: json.dumps({**plain, "format": float("nan")}).encode(),
    "newer format": lambda plain: json.dumps({**plain, "format": 2}).encode(),
    "format as words": lambda plain: json.dumps({**plain, "format": "1"}).encode(),
    "unknown field": lambda plain: json.dumps({**plain, "extra": 1}).encode(),
    "a field missing": lambda plain: json.dumps(
        {key: value for key, value in plain.items() if key != "version"}
    ).encode(),
    "name with a path": lambda plain: json.dumps({**plain, "name": "../churn"}).encode(),
    "version with code": lambda plain: json.dumps({**plain, "version": "1$(id)"}).encode(),
    "deep": lambda plain: b'{"format":' * 100_000,
    "too large": lambda plain: b" " * (1024 * 1024 + 1),
    "a list": lambda plain: b"[]",
    "not JSON": lambda plain: b"format: 1",
    "not UTF-8": lambda plain: b'{"name":"\xff"}',
    "a file elsewhere": lambda plain: json.dumps(
        {**plain, "files": [{**plain["files"][0], "name": "../x"}, *plain["files"][1:]]}
    ).encode(),
    "a file twice": lambda plain: json.dumps({**plain, "files": [plain["files"][0], *plain["files"]]}).encode(),
    "itself": lambda plain: json.dumps(
        {**plain, "files": [{"name": "manifest.json", "size": 1, "sha256": "0" * 64}, *plain["files"]]}
    ).encode(),
    "negative size": lambda plain: json.dumps(
        {**plain, "files": [{**plain["files"][0], "size": -1}, *plain["files"][1:]]}
    ).encode(),
    "a runtime that is not there": lambda plain: json.dumps({**plain, "runtime": "pickle"}).encode(),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_attacks(name: str, artifact: Path) -> None:
    path = artifact / "manifest.json"
    path.write_bytes(MANIFESTS[name](json.loads(path.read_bytes())))
    line = refused(artifact)
    if name == "newer format":
        assert "newer" in line


def test_only_canonical_bytes_are_the_manifest(artifact: Path) -> None:
    data = (artifact / "manifest.json").read_bytes()
    manifest = read_manifest(data, where="")
    assert manifest.encoded() == data
    assert manifest.digest == hashlib.sha256(data).hexdigest() == ModelArtifact.load(artifact).digest
    assert msgspec.json.decode(data, type=Manifest) == manifest


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "features in another order": lambda signature: signature["features"].reverse(),
    "a feature less": lambda signature: signature["features"].pop(),
    "another name": lambda signature: signature["features"][0].update(name="agee"),
    "two of a name": lambda signature: signature["features"][0].update(name="income"),
    "labels swapped": lambda signature: signature["output"]["classes"].reverse(),
    "a label more": lambda signature: signature["output"]["classes"].append("goes"),
    "no labels": lambda signature: signature["output"].update(classes=None),
    "another task": lambda signature: signature["output"].update(task="regression"),
    "no probabilities": lambda signature: signature["output"].update(probabilities=False),
}


@pytest.mark.parametrize("name", LIES)
def test_a_signature_that_lies(name: str, artifact: Path) -> None:
    signature = json.loads((artifact / "signature.json").read_bytes())
    LIES[name](signature)
    forge(artifact, signature__json=json.dumps(signature).encode())
    with pytest.raises(SekishoError) as caught:
        use(artifact)
    assert "\n" not in str(caught.value)


def test_golden_answers_that_lie(artifact: Path) -> None:
    golden = json.loads((artifact / "golden.json").read_bytes())
    golden["probabilities"][5][0] += 1e-4
    forge(artifact, golden__json=json.dumps(golden).encode())
    with pytest.raises(IntegrityError, match="golden row 5"):
        ModelArtifact.load(artifact).verify()


def test_another_model_in_its_place(artifact: Path) -> None:
    model = onnx.load_from_string((artifact / "model.onnx").read_bytes())
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and values.size > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values + 0.5, tensor.name))
    forge(artifact, model__onnx=model.SerializeToString())
    with pytest.raises(IntegrityError, match="golden row"):
        use(artifact)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a_file_that_may_not_be_read(artifact: Path) -> None:
    (artifact / "model.onnx").chmod(0)
    with pytest.raises(ArtifactError, match=os.strerror(errno.EACCES)):
        use(artifact)
