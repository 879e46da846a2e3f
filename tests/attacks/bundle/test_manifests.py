"""Manifests that can be read in two ways, and files that contradict the model: refused in one line."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attacks.bundle.hostile import edited, forge, one_line, refused, sekisho, use

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.manifest import Manifest, read_manifest
from sekisho.errors import ArtifactError, IntegrityError, SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a06_no_byte_of_the_manifest_can_change(artifact: Path) -> None:
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
    "100 MiB": lambda plain: b'{"files":[' + b"0," * (50 * 1024 * 1024) + b"0]}",
    "infinity": lambda plain: json.dumps(plain).replace('"format": 1', '"format": 1e999').encode(),
    "a number of many digits": lambda plain: (
        json.dumps(plain).replace('"format": 1', '"format": 1' + "0" * 5_000).encode()
    ),
    "format zero": lambda plain: json.dumps({**plain, "format": 0}).encode(),
    "format as truth": lambda plain: json.dumps({**plain, "format": True}).encode(),
    "a byte order mark": lambda plain: b"\xef\xbb\xbf" + json.dumps(plain).encode(),
    "UTF-16": lambda plain: json.dumps(plain).encode("utf-16"),
    "escaped letters": lambda plain: (
        json.dumps(plain, sort_keys=True, separators=(",", ":")).replace("churn", "ch\\u0075rn").encode()
    ),
    "a look-alike name": lambda plain: json.dumps({**plain, "name": "сhurn"}).encode(),
    "a name that reads backwards": lambda plain: json.dumps({**plain, "name": "a\u202eb"}).encode(),
    "a name of NUL": lambda plain: json.dumps({**plain, "name": "a\x00"}).encode(),
    "a name with a line end": lambda plain: json.dumps({**plain, "name": "churn\n"}).encode(),
    **{
        f"a {member} with a line end, every byte else as it must be": lambda plain, member=member: json.dumps(  # type: ignore[misc]
            {**plain, member: plain[member] + "\n"}, sort_keys=True, separators=(",", ":")
        ).encode()
        for member in ("name", "version")
    },
    "an empty name": lambda plain: json.dumps({**plain, "name": ""}).encode(),
    "a long name": lambda plain: json.dumps({**plain, "name": "a" * 101}).encode(),
    "a digest in capitals": lambda plain: json.dumps(
        {**plain, "files": [{**plain["files"][0], "sha256": plain["files"][0]["sha256"].upper()}, *plain["files"][1:]]}
    ).encode(),
    "the envelope": lambda plain: json.dumps(
        {**plain, "files": [*plain["files"], {"name": "manifest.dsse.json", "size": 1, "sha256": "0" * 64}]}
    ).encode(),
    "no files": lambda plain: json.dumps({**plain, "files": []}).encode(),
    "files as one": lambda plain: json.dumps({**plain, "files": plain["files"][0]}).encode(),
    "a size as words": lambda plain: json.dumps({**plain, "files": [{**plain["files"][0], "size": "1"}]}).encode(),
    "a size beyond all": lambda plain: json.dumps({**plain, "files": [{**plain["files"][0], "size": 2**70}]}).encode(),
    "a size of a fraction": lambda plain: json.dumps({**plain, "files": [{**plain["files"][0], "size": 1.5}]}).encode(),
    "a lone surrogate": lambda plain: json.dumps({**plain, "name": "\ud800"}).encode(),
    "nothing": lambda plain: b"",
    "trailing words": lambda plain: json.dumps(plain).encode() + b"{}",
    "negative size": lambda plain: json.dumps(
        {**plain, "files": [{**plain["files"][0], "size": -1}, *plain["files"][1:]]}
    ).encode(),
    "a runtime that is not there": lambda plain: json.dumps({**plain, "runtime": "pickle"}).encode(),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a19_manifest_attacks(name: str, artifact: Path) -> None:
    path = artifact / "manifest.json"
    path.write_bytes(MANIFESTS[name](json.loads(path.read_bytes())))
    line = refused(artifact)
    if name == "newer format":
        assert "newer" in line


def test_a19_only_canonical_bytes_are_the_manifest(artifact: Path) -> None:
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
def test_a20_a_signature_that_lies(name: str, artifact: Path) -> None:
    signature = json.loads((artifact / "signature.json").read_bytes())
    LIES[name](signature)
    forge(artifact, signature__json=json.dumps(signature).encode())
    with pytest.raises(SekishoError) as caught:
        use(artifact)
    assert "\n" not in str(caught.value)


def test_a20_golden_answers_that_lie(artifact: Path) -> None:
    golden = json.loads((artifact / "golden.json").read_bytes())
    golden["probabilities"][5][0] += 1e-4
    forge(artifact, golden__json=json.dumps(golden).encode())
    with pytest.raises(IntegrityError, match="golden row 5"):
        ModelArtifact.load(artifact).verify()


def test_a20_another_model_in_its_place(artifact: Path) -> None:
    model = onnx.load_from_string((artifact / "model.onnx").read_bytes())
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and values.size > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values + 0.5, tensor.name))
    forge(artifact, model__onnx=model.SerializeToString())
    with pytest.raises(IntegrityError, match="golden row"):
        use(artifact)


GOLDEN_LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no rows": lambda golden: golden.update(rows=[], values=[], probabilities=[]),
    "fewer answers": lambda golden: golden["values"].pop(),
    "an answer of no class": lambda golden: golden["values"].__setitem__(0, "nobody"),
    "answers of other kinds": lambda golden: golden.update(values=[1.5] * len(golden["values"])),
    "probabilities of other length": lambda golden: golden["probabilities"][0].append(0.0),
    "no probabilities": lambda golden: golden.update(probabilities=None),
    "fewer probabilities": lambda golden: golden["probabilities"].pop(),
    "a tolerance for everything": lambda golden: golden.update(tolerance=1e9),
    "a negative tolerance": lambda golden: golden.update(tolerance=-1.0),
    "a cell of another kind": lambda golden: golden["rows"][0].update(age="old"),
    "a cell that is a list": lambda golden: golden["rows"][0].update(age=[1]),
    "a category that is a number": lambda golden: golden["rows"][0].update(job=5),
    "a boolean that is a word": lambda golden: golden["rows"][0].update(married="yes"),
    "a feature less": lambda golden: golden["rows"][0].pop("age"),
    "a feature more": lambda golden: golden["rows"][0].update(other=1),
    "a cell beyond all": lambda golden: golden["rows"][0].update(age=10**30),
    "a whole number beyond all": lambda golden: golden["rows"][0].update(age=10**300),
}


@pytest.mark.parametrize("name", GOLDEN_LIES)
def test_a20_golden_rows_that_lie(name: str, artifact: Path) -> None:
    forge(artifact, golden__json=edited(artifact, "golden.json", GOLDEN_LIES[name]))
    with pytest.raises(SekishoError) as caught:
        use(artifact)
    one_line(caught.value)


SIGNATURE_LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a kind nobody knows": lambda signature: signature["features"][0].update(kind="magic"),
    "a dtype that is code": lambda signature: signature["features"][0].update(dtype="__import__('os')"),
    "a dtype of objects": lambda signature: signature["features"][0].update(dtype="object"),
    "another kind": lambda signature: signature["features"][0].update(kind="category", categories=["a"]),
    "a range of words": lambda signature: signature["features"][0].update(minimum=[1]),
    "classes of lists": lambda signature: signature["output"].update(classes=[["a"], ["b"]]),
    "no classes": lambda signature: signature["output"].update(classes=[]),
    "one class twice": lambda signature: signature["output"].update(classes=["stays", "stays"]),
    "a task nobody knows": lambda signature: signature["output"].update(task="oracle"),
    "an output dtype that is code": lambda signature: signature["output"].update(dtype="__import__('os')"),
    "no features": lambda signature: signature.update(features=[]),
    "an unknown field": lambda signature: signature.update(hook="os.system"),
    "a million classes": lambda signature: signature["output"].update(classes=[str(i) for i in range(1_000_000)]),
}


@pytest.mark.parametrize("name", SIGNATURE_LIES)
def test_a20_signatures_that_lie_in_their_types(name: str, artifact: Path) -> None:
    forge(artifact, signature__json=edited(artifact, "signature.json", SIGNATURE_LIES[name]))
    try:
        use(artifact)
    except SekishoError as error:
        one_line(error)
    else:
        assert "dtype" in name  # a word for people, which is never looked up


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_a20_whatever_is_changed_in_the_json_it_is_one_line(data: st.DataObject, packed: Path, tmp_path: Path) -> None:
    """Change one value somewhere: the artifact is as good as before, or refused as ours refuse."""
    import shutil

    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(packed, folder)
    name = data.draw(st.sampled_from(["golden.json", "signature.json", "parity.json", "metadata.json", "bom.cdx.json"]))
    strange: st.SearchStrategy[Any] = st.sampled_from(
        [None, True, -1, 0, 1e308, 10**40, "", "\x00", "x" * 300, [], {}, [[]], "nan", "../x", "<b>"]
    )

    def change(plain: Any) -> None:
        here = plain
        while True:
            inside = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not inside:
                return
            at = data.draw(st.sampled_from(inside))
            if not isinstance(here[at], dict | list) or data.draw(st.integers(0, 5)) == 0:
                here[at] = data.draw(strange)
                return
            here = here[at]

    forge(folder, **{name.replace(".", "__"): edited(folder, name, change)})
    try:
        use(folder)
    except SekishoError as error:
        one_line(error)


def test_a07_a19_the_command_says_one_line_in_time(artifact: Path) -> None:
    (artifact / "manifest.json").write_bytes(b"{" + b" " * (100 * 1024 * 1024))
    found = sekisho("inspect", str(artifact))
    assert found.code == 3
    assert len(found.lines) == 1
    assert found.seconds < 5
    assert found.peak_bytes < 300 * 1024**2


@pytest.mark.parametrize("name", ["golden.json", "metadata.json"])
@pytest.mark.parametrize(
    "text", [b"[" * 30_000_000, b"{}," * 10_000_000, b"[" + b"0," * 30_000_000 + b"0]", b'"' + b"a" * 60_000_000]
)
def test_a19_json_of_few_bytes_and_many_values(name: str, text: bytes, artifact: Path) -> None:
    forge(artifact, **{name.replace(".", "__"): text})
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact.load(artifact)
    one_line(caught.value)
