"""The drift reference: small, exact, and readable without pickle."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.archive import read_arrays, write_arrays
from sekisho.artifact.reference import SAMPLE_ROWS, DriftReference
from sekisho.artifact.table import Table
from sekisho.errors import IntegrityError


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "f": [3.0, 1.0, None, 2.0],
            "i": [4, 3, 2, 1],
            "b": [True, False, True, True],
            "c": ["x", "y", "x", None],
            "d": pd.Series(["2024-01-02", None, "2024-01-01", "2024-01-03"]).astype("datetime64[us]"),
        }
    )


def test_what_is_kept_of_each_kind() -> None:
    f, i, b, c, d = DriftReference.of(Table.of(frame())).columns
    assert f.sample is not None
    assert (f.kind, f.sample.tolist(), f.rows, f.null_fraction) == ("float", [1.0, 2.0, 3.0], 4, 0.25)
    assert i.sample is not None
    assert i.sample.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert (b.labels, b.counts, b.sample) == ((True, False), (3, 1), None)
    assert (c.labels, c.counts, c.null_fraction) == (("x", "y"), (2, 1), 0.25)
    assert d.sample is not None
    assert d.sample.tolist() == [1704067200.0, 1704153600.0, 1704240000.0]


def test_it_is_read_as_it_was_written() -> None:
    made = DriftReference.of(Table.of(frame()))
    data = made.encoded()
    read = DriftReference.decoded(data)
    assert read.digest == made.digest
    assert read.encoded() == data == DriftReference.of(Table.of(frame())).encoded()
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert "head" in archive
    changed = DriftReference.of(Table.of(frame().assign(f=[3.0, 1.0, float("nan"), 2.5])))
    assert changed.digest != made.digest


def test_large_columns_are_sampled_alike_each_time() -> None:
    values = np.random.default_rng(0).normal(size=SAMPLE_ROWS * 3)
    one, two = (DriftReference.of(Table.of({"x": values})).columns[0] for _ in range(2))
    assert one.sample is not None
    assert two.sample is not None
    assert len(one.sample) == SAMPLE_ROWS
    assert one.rows == SAMPLE_ROWS * 3
    assert np.array_equal(one.sample, two.sample)
    assert np.all(np.diff(one.sample) >= 0)
    assert set(one.sample.tolist()) <= set(values.tolist())
    assert abs(one.sample.mean() - values.mean()) < 0.05


def test_free_text_is_not_kept() -> None:
    (column,) = DriftReference.of(Table.of({"x": [f"comment {index}" for index in range(200)]})).columns
    assert (column.kind, column.labels, column.counts, column.sample) == ("text", None, None, None)


def test_columns_of_nulls_and_no_rows() -> None:
    tables: list[dict[str, list[object]]] = [{"x": [None, None], "y": [float("nan")] * 2}, {"x": []}]
    for data in tables:
        made = DriftReference.of(Table.of(data))
        assert DriftReference.decoded(made.encoded()).digest == made.digest


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"head": np.zeros(3)},
        {"head": np.frombuffer(b"{}", dtype=np.uint8)},
        {
            "head": np.frombuffer(
                b'{"format":1,"columns":[{"name":"x","kind":"float","rows":1,"null_fraction":0.0}]}', dtype=np.uint8
            )
        },
        {
            "head": np.frombuffer(
                b'{"format":1,"columns":[{"name":"x","kind":"float","rows":1,"null_fraction":0.0}]}', dtype=np.uint8
            ),
            "sample_0": np.array([2.0, 1.0]),
        },
    ],
)
def test_damaged_references(arrays: dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]) -> None:
    with pytest.raises(IntegrityError):
        DriftReference.decoded(write_arrays(arrays))


def test_arrays_of_objects_are_not_read() -> None:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([{}], dtype=object))
    with pytest.raises(IntegrityError):
        read_arrays(stream.getvalue(), where="x")
