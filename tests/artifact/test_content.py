"""Content is told by bytes, never by names."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import zlib

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sekisho.artifact.content import content_of, is_pickle, refuse_code
from sekisho.errors import UntrustedFormat

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_every_pickle_of_a_container_is_told(value: object, protocol: int) -> None:
    data = pickle.dumps([value, {"a": value}], protocol=protocol)
    assert is_pickle(data)
    with pytest.raises(UntrustedFormat):
        refuse_code(data, where="x")


@pytest.mark.parametrize("compress", [0, 3, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)], ids=str)
def test_every_joblib_file_is_refused(compress: object) -> None:
    stream = io.BytesIO()
    joblib.dump(LogisticRegression(), stream, compress=compress)
    with pytest.raises(UntrustedFormat):
        refuse_code(stream.getvalue(), where="x")


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b'{"a": 1}', "json"),
        (b"[1, 2]", "json"),
        (b"hello", "text"),
        ("日本語\n".encode(), "text"),
        (b"numpy==2.4.6 \\\n", "text"),
        (b"", "text"),
        (b"\xff\xfe\x00", "unknown"),
        (b"\x89HDF\r\n\x1a\n", "hdf5"),
        (b"\x00\x00\x00\x00ORTM", "ort"),
        (zlib.compress(b"x"), "compressed"),
        (gzip.compress(b"x"), "compressed"),
        (bz2.compress(b"x"), "compressed"),
        (lzma.compress(b"x"), "compressed"),
    ],
)
def test_contents(data: bytes, content: str) -> None:
    assert content_of(data) == content


def test_arrays_are_arrays() -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(2))
    assert content_of(stream.getvalue()) == "numpy"


@pytest.mark.parametrize(
    "text", ["# lock\n", "import os", "The model ", "(see below)", "click==8.0", "I am text.", "X.", "s"]
)
def test_words_are_no_pickle(text: str) -> None:
    assert not is_pickle(text.encode())
