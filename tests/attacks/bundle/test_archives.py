"""Archives are looked at before anything in them is expanded, and what they say of themselves is not believed."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.attacks.bundle.hostile import forge, one_line, refused, sekisho, zipped

from sekisho.artifact import content
from sekisho.artifact.archive import read_arrays
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.formats import skops
from sekisho.errors import ArtifactError, IntegrityError, SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
def test_a13_a15_archives_that_would_do_harm(
    name: str, file: str, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a15_a_zip_bomb_is_refused_before_it_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("expanded")

    bomb = ARCHIVES["a gibibyte of zeros"]
    monkeypatch.setattr(zipfile.ZipFile, "open", never)
    with pytest.raises(IntegrityError, match="expands"):
        content.open_archive(bomb, where="x")


def lying(size: int) -> bytes:
    """Return a zip whose directory says that an entry is small."""
    data = bytearray(zipped({"schema.json": b"{}", "0.npy": bytes(50_000_000)}))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 24 : second + 28] = size.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("size", [0, 1, 128])
def test_a15_a_directory_that_lies(size: int) -> None:
    archive = content.open_archive(lying(size), where="x")
    with pytest.raises(IntegrityError):
        content.read_entry(archive, "0.npy", where="x")


def test_a15_a_million_entries_are_counted_not_made(artifact: Path) -> None:
    entry = b"PK\x01\x02" + bytes(42)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65_535, 65_535, 46_000_000, 0, 0)
    forge(artifact, model__skops=b"PK\x03\x04" + entry * 1_000_000 + end)
    found = sekisho("inspect", str(artifact), memory=3 * 1024**3)
    assert found.code == 3
    assert len(found.lines) == 1
    assert found.seconds < 15
    assert found.peak_bytes < 700 * 1024**2


def header(shape: str, descr: str = "'<f8'") -> bytes:
    words = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    words += b" " * (64 - (len(words) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words


HEADERS = {
    "huge": header("(1099511627776,)"),
    "beyond all": header(f"({10**300},)"),
    "beyond all twice": header(f"({10**300}, {10**300})"),
    "negative": header("(-1,)"),
    "negative twice": header("(-2, -4)"),
    "many dimensions": header("(" + "1," * 200 + ")"),
    "no numbers": header("('a',)"),
    "objects": header("(1,)", "'|O'"),
    "objects inside": header("(1,)", "[('a', '|O')]"),
    "no type": header("(1,)", "'zz'"),
    "code": header("(__import__('os').system('id'),)"),
    "deep": header("(" * 90 + "1" + ",)" * 90),
    "cut off": header("(1,)")[:30],
    "no header": b"\x93NUMPY",
    "version 9": b"\x93NUMPY\x09\x00" + bytes(100),
    "empty": b"",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a05_a15_arrays_that_say_more_than_they_hold(name: str) -> None:
    with pytest.raises(SekishoError) as caught:
        skops.FORMAT.check(zipped({"schema.json": b"{}", "0.npy": HEADERS[name]}), where="model.skops")
    one_line(caught.value)
    with pytest.raises(SekishoError) as caught:
        read_arrays(zipped({"head.npy": HEADERS[name]}), where="reference.npz")
    one_line(caught.value)


def node(**members: Any) -> dict[str, Any]:
    return {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [], **members}


def nested(depth: int) -> bytes:
    return b'{"content":' * depth + b"1" + b"}" * depth


SCHEMAS: dict[str, bytes] = {
    "a type outside the list": json.dumps(node(__class__="system", __module__="posix")).encode(),
    "a loader outside the list": json.dumps(node(__loader__="ReduceNode")).encode(),
    "an operator": json.dumps(
        node(__loader__="OperatorFuncNode", __class__="methodcaller", __module__="operator")
    ).encode(),
    "a method": json.dumps(node(__loader__="MethodNode")).encode(),
    "no loader": json.dumps({"__class__": "list", "__module__": "builtins"}).encode(),
    "a loader that is no word": json.dumps(node(__loader__=["ListNode"])).encode(),
    "deep": nested(900),
    "deeper": nested(100_000),
    "a list": b"[]",
    "a number": b"7",
    "NaN": b"NaN",
    "not JSON": b"{",
    "not UTF-8": b'{"a":"\xff"}',
    "a file that is not there": json.dumps(
        node(__loader__="NdArrayNode", __class__="ndarray", __module__="numpy", type="numpy", file="9.npy")
    ).encode(),
    "a file outside": json.dumps(
        node(__loader__="NdArrayNode", __class__="ndarray", __module__="numpy", type="numpy", file="../../etc/passwd")
    ).encode(),
    "a function that runs": json.dumps(
        node(
            __loader__="FunctionNode",
            __class__="system",
            __module__="os",
            content={"module_path": "os", "function": "system"},
        )
    ).encode(),
    "a listed function inside": json.dumps(
        node(
            __loader__="FunctionNode",
            __class__="exp",
            __module__="numpy",
            content={"module_path": "os", "function": "system"},
        )
    ).encode(),
    "a type inside": json.dumps(
        node(
            __loader__="TypeNode",
            __class__="type",
            __module__="builtins",
            content={"__module__": "subprocess", "__class__": "Popen"},
        )
    ).encode(),
    "a cycle": json.dumps(
        node(
            __id__=1, content=[{"__loader__": "CachedNode", "__id__": 1, "__class__": "list", "__module__": "builtins"}]
        )
    ).encode(),
    "a partial of what runs": json.dumps(
        node(
            __loader__="PartialNode",
            __class__="partial",
            __module__="functools",
            content={"func": node(__loader__="FunctionNode", __class__="system", __module__="posix")},
        )
    ).encode(),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a05_skops_that_wants_more(name: str, artifact: Path) -> None:
    forge(artifact, model__skops=zipped({"schema.json": SCHEMAS[name]}))
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact.load(artifact).runtime("skops")
    one_line(caught.value)


@pytest.mark.parametrize("text", [b"[" + b"[]," * 8_000_000 + b"0]", b"[" + b'{"a":0},' * 4_000_000 + b"0]"])
def test_a15_a_schema_of_many_objects(text: bytes, artifact: Path) -> None:
    forge(artifact, model__skops=zipped({"schema.json": text}, zipfile.ZIP_STORED))
    found = sekisho("inspect", str(artifact), memory=3 * 1024**3)
    assert found.code == 3
    assert len(found.lines) == 1
    assert found.seconds < 15
    assert found.peak_bytes < 500 * 1024**2


def test_a15_nothing_is_written_while_an_archive_is_looked_at(artifact: Path, tmp_path: Path) -> None:
    forge(artifact, model__skops=ARCHIVES["leaves the folder"])
    before = set(tmp_path.rglob("*"))
    refused(artifact)
    assert set(tmp_path.rglob("*")) == before


def zip64() -> bytes:
    """Return a zip that says it is of 16 EiB."""
    data = bytearray(zipped({"schema.json": b"{}"}))
    at = data.index(b"PK\x01\x02")
    data[at + 20 : at + 28] = b"\xff" * 8
    return bytes(data)


STRANGE: dict[str, Callable[[], bytes]] = {
    "zip64 without its extra field": zip64,
    "encrypted": lambda: zipped({"schema.json": b"{}"}).replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    ),
    "unknown compression": lambda: zipped({"schema.json": b"{}"}).replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63"
    ),
    "LZMA": lambda: zipped({"schema.json": b"{}"}, zipfile.ZIP_LZMA)[:60],
    "a name of NULs": lambda: zipped({"schema.json": b"{}", "a\x00.npy": b"x"}),
    "only an end": lambda: b"PK\x05\x06" + bytes(18),
    "a comment with a zip": lambda: (
        zipped({"schema.json": b"{}"})[:-2] + (22).to_bytes(2, "little") + b"PK\x05\x06" + bytes(18)
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a15_strange_archives(name: str, artifact: Path) -> None:
    forge(artifact, model__skops=STRANGE[name](), reference__npz=STRANGE[name]())
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact.load(artifact)
    one_line(caught.value)


def test_a05_a_memory_map_is_no_array(artifact: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, head=np.frombuffer(b"[]", dtype=np.uint8), sample_0=np.zeros(3, dtype="V8"))
    forge(artifact, reference__npz=stream.getvalue())
    refused(artifact)
