from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sekisho.probes.files.pickles import list_pickle
from sekisho.probes.files.structures import NotWhole, check_ubjson
from sekisho.probes.files.telling import ACCEPTED, promised, tell


class Hostile:
    """Would make a folder when it is read."""

    folder = "hostile"

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.folder,))


@pytest.fixture(autouse=True)
def _nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / Hostile.folder).exists()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def tarred(name: str, content: bytes, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def array(values: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_are_listed_and_not_run(protocol: int) -> None:
    look = tell(pickle.dumps(Hostile(), protocol=protocol))
    assert look.content == "pickle"
    assert look.runs_code
    listing = look.pickles[""]
    assert listing.imports == (f"{os.mkdir.__module__}.mkdir",)
    assert listing.calls >= 1
    assert listing.whole


HIDDEN: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zip": lambda data: zipped(archive__data_pkl=data, archive__version=b"3"),
    "torch": lambda data: zipped(**{"archive__data.pkl": data, "archive__data__0": b"\x00" * 16}),
    "keras": lambda data: zipped(**{"config.json": b"{}", "metadata.json": b"{}", "layer.bin": data}),
    "tar": lambda data: tarred("model/model.pkl", data),
    "sagemaker": lambda data: tarred("model.pkl", data, "w:gz"),
    "gzip in gzip": lambda data: gzip.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("way", HIDDEN)
def test_pickles_are_found_wherever_they_hide(way: str) -> None:
    look = tell(HIDDEN[way](pickle.dumps(Hostile())))
    assert look.runs_code
    assert look.content not in ACCEPTED
    (listing,) = look.pickles.values()
    assert listing.imports[0].endswith(".mkdir")


@pytest.mark.parametrize("way", ["zlib", "gzip", "bz2", "xz", "zip", "tar"])
def test_packed_words_are_not_a_pickle(way: str) -> None:
    assert not tell(HIDDEN[way](b"age,income\n1,2\n")).runs_code


@pytest.mark.parametrize("head", [b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd"])
def test_what_cannot_be_looked_into_is_not_trusted(head: bytes) -> None:
    look = tell(head + b"\x00" * 64)
    assert look.runs_code
    assert look.notes == ("cannot-look-inside",)


@pytest.mark.parametrize(
    "words",
    [
        b"cat\ndog\nbird\n",
        b"channels:\n- defaults\n",
        b"(a note)\n",
        b"[tool]\nname = 1\n",
        b"income,age\n1,2\n",
        b"Iris\nVirginica\n",
        b"}\n",
        b"numpy==2.0\n",
    ],
)
def test_words_are_words(words: bytes) -> None:
    look = tell(words)
    assert not look.runs_code
    assert look.content in {"text", "JSON"}


def test_arrays_of_numbers_are_safe_and_of_objects_are_not() -> None:
    plain, objects = array([1.0, 2.0]), array(np.array([{}, 1], dtype=object))
    assert tell(plain).content == "NumPy arrays"
    assert tell(plain).whole
    assert not tell(plain).runs_code
    assert tell(objects).runs_code
    assert tell(plain[:-4]).whole is False
    assert tell(zipped(**{"a.npy": plain, "b.npy": plain})).content == "NumPy arrays"
    assert tell(zipped(**{"a.npy": plain, "b.npy": objects})).runs_code
    assert tell(array(np.zeros(3, dtype=[("a", "<f8"), ("b", "<i4")]))).whole


def test_a_zip_that_is_cut_off_or_changed_is_not_whole() -> None:
    data = zipped(**{"a.npy": array(np.arange(1_000))})
    assert tell(data).whole
    assert tell(data[: int(len(data) * 0.9)]).whole is False
    changed = bytearray(data)
    changed[len(data) // 2] ^= 0xFF
    assert tell(bytes(changed)).whole is False


def safetensors(values: bytes) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values) // 4], "data_offsets": [0, len(values)]}}).encode()
    return struct.pack("<Q", len(header)) + header + values


def test_safetensors_are_walked_to_the_end() -> None:
    data = safetensors(b"\x00" * 400)
    assert tell(data).content == "safetensors"
    assert tell(data).whole
    assert tell(data[:-40]).content == "safetensors"
    assert tell(data[:-40]).whole is False
    assert tell(data + b"\x00").whole is False


def test_text_models_are_told_by_their_ends() -> None:
    tree = b"tree\nversion=v4\nnum_class=1\n\nTree=0\nnum_leaves=2\n\nend of trees\n\nparameters:\n[a: 1]\nend of parameters\n"
    assert tell(tree).content == "LightGBM text"
    assert tell(tree).whole
    assert tell(tree[: int(len(tree) * 0.9)]).whole is False
    booster = json.dumps({"learner": {"gradient_booster": {}}, "version": [2, 1, 0]}).encode()
    assert tell(booster).content == "XGBoost JSON"
    assert tell(booster).whole
    assert tell(booster[:-4]).whole is False
    assert tell(b'{"age": 1}').content == "JSON"


def ubjson(value: object) -> bytes:
    """Encode as XGBoost does: lengths are 64-bit, arrays of floats are typed."""
    if isinstance(value, dict):
        inner = b"".join(
            b"L" + struct.pack(">q", len(key)) + key.encode() + ubjson(item) for key, item in value.items()
        )
        return b"{" + inner + b"}"
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value)) + value.encode()
    if isinstance(value, list):
        return b"[$d#L" + struct.pack(">q", len(value)) + struct.pack(f">{len(value)}f", *value)
    return b"L" + struct.pack(">q", value)


def test_ubjson_is_walked_to_the_end() -> None:
    data = ubjson({"learner": {"weights": [0.5, 1.5], "name": "gbtree", "depth": 3}, "version": [2.0, 1.0]})
    assert tell(data).content == "XGBoost UBJSON"
    assert tell(data).whole
    for end in range(len(data)):
        with pytest.raises(NotWhole):
            check_ubjson(data[:end])
    with pytest.raises(NotWhole):
        check_ubjson(data + b"N")


def test_pages_and_pointers_are_noted() -> None:
    assert tell(b"<!DOCTYPE html><html></html>").notes == ("web-page",)
    pointer = tell(b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n")
    assert pointer.whole is False
    assert pointer.notes == ("git-lfs-pointer",)


def test_names_promise_by_their_ending() -> None:
    assert promised("model.ONNX") == frozenset({"ONNX"})
    assert promised("metadata.json") == frozenset({"JSON", "XGBoost JSON"})
    assert promised("MLmodel") is None


def test_a_listing_goes_as_far_as_it_can() -> None:
    whole = pickle.dumps({"a": Hostile()})
    cut = list_pickle(whole[:-3])
    assert not cut.whole
    assert cut.imports
    assert list_pickle(b"").opcodes == 0
