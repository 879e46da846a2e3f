"""Tables: whatever library they come from, the cells are the same, and the dtypes come back."""

from __future__ import annotations

import datetime as dt
import gzip
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.artifact.column import FEW_CATEGORIES, MOST_CATEGORIES
from sekisho.artifact.table import Table, read_table
from sekisho.errors import NotFound, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=dt.UTC)
PANDAS: dict[str, tuple[Any, str, list[Any]]] = {
    "float": (pd.Series([1.5, None]), "float", [1.5, None]),
    "float32": (pd.Series([0.5, 0.25], dtype="float32"), "float", [0.5, 0.25]),
    "Float64": (pd.Series([1.5, None], dtype="Float64"), "float", [1.5, None]),
    "integer": (pd.Series([1, 2]), "integer", [1, 2]),
    "small integer": (pd.Series([1, -2], dtype="int8"), "integer", [1, -2]),
    "unsigned": (pd.Series([1, 2], dtype="uint64"), "integer", [1, 2]),
    "Int64": (pd.Series([1, None], dtype="Int64"), "integer", [1, None]),
    "arrow integer": (pd.Series([1, None], dtype="int64[pyarrow]"), "integer", [1, None]),
    "bool": (pd.Series([True, False]), "boolean", [True, False]),
    "boolean": (pd.Series([True, None], dtype="boolean"), "boolean", [True, None]),
    "object of bool": (pd.Series([True, None], dtype=object), "boolean", [True, None]),
    "object of int": (pd.Series([7, None], dtype=object), "integer", [7, None]),
    "str": (pd.Series(["a", None], dtype="str"), "category", ["a", None]),
    "string": (pd.Series(["a", None], dtype="string"), "category", ["a", None]),
    "object with None": (pd.Series(["a", None], dtype=object), "category", ["a", None]),
    "object with NaN": (pd.Series(["a", np.nan], dtype=object), "category", ["a", None]),
    "category": (pd.Series(pd.Categorical(["b", None], categories=["b", "a"])), "category", ["b", None]),
    "ordered": (
        pd.Series(pd.Categorical(["lo", "hi"], categories=["lo", "hi"], ordered=True)),
        "category",
        ["lo", "hi"],
    ),
    "category of int": (pd.Series(pd.Categorical([3, None])), "category", [3, None]),
    "category of bool": (pd.Series(pd.Categorical([True, None])), "category", [True, None]),
    "naive": (pd.Series(["2024-01-02", None]).astype("datetime64[us]"), "datetime", ["2024-01-02T00:00:00Z", None]),
    "nanoseconds": (
        pd.Series(pd.to_datetime(["2024-01-02"])).astype("datetime64[ns]"),
        "datetime",
        ["2024-01-02T00:00:00Z"],
    ),
    "aware": (
        pd.Series(pd.to_datetime(["2024-01-02T00:00+09:00"])).dt.tz_convert("Asia/Tokyo"),
        "datetime",
        ["2024-01-01T15:00:00Z"],
    ),
    "nothing": (pd.Series([None, None], dtype=object), "category", [None, None]),
}


@pytest.mark.parametrize("name", PANDAS)
def test_pandas_cells_and_dtypes_survive(name: str) -> None:
    series, kind, cells = PANDAS[name]
    frame = pd.DataFrame({"x": series})
    table = Table.of(frame)
    assert table.column("x").kind == kind
    assert [record["x"] for record in table.records()] == cells
    restored = table.to_pandas()["x"]
    assert restored.dtype == series.dtype
    pd.testing.assert_series_equal(restored, series, check_names=False)
    nulls = [type(value) for value in series[series.isna()]]
    assert [type(value) for value in restored[restored.isna()]] == nulls


def test_a_category_keeps_the_order_of_its_dtype_and_what_was_never_seen() -> None:
    column = Table.of(pd.DataFrame({"x": pd.Categorical(["b", "a"], categories=["c", "b", "a"])})).column("x")
    assert column.categories == ("c", "b", "a")
    assert column.distinct() == ("b", "a")


def test_every_library_gives_the_same_cells() -> None:
    data: dict[str, list[Any]] = {
        "f": [0.1, None],
        "i": [2**53 + 1, None],
        "b": [True, None],
        "s": ["雪", None],
        "d": [DAY, None],
    }
    rows = [dict(zip(data, cells, strict=True)) for cells in zip(*data.values(), strict=True)]
    polars_schema: dict[str, Any] = {
        "f": pl.Float64,
        "i": pl.Int64,
        "b": pl.Boolean,
        "s": pl.String,
        "d": pl.Datetime("us", "UTC"),
    }
    arrow_types = {
        "f": pa.float64(),
        "i": pa.int64(),
        "b": pa.bool_(),
        "s": pa.string(),
        "d": pa.timestamp("us", "UTC"),
    }
    dtypes = {"f": None, "i": "Int64", "b": "boolean", "s": None, "d": None}
    sources: list[object] = [
        rows,
        data,
        pl.DataFrame(rows, schema=polars_schema),
        pa.Table.from_pylist(rows, schema=pa.schema(list(arrow_types.items()))),
        pd.DataFrame({name: pd.Series(cells, dtype=dtypes[name]) for name, cells in data.items()}),
    ]
    tables = [Table.of(source) for source in sources]
    for table in tables:
        assert table.records() == tables[0].records()
        assert table.digest == tables[0].digest
    assert tables[0].records()[0] == {
        "f": 0.1,
        "i": 2**53 + 1,
        "b": True,
        "s": "雪",
        "d": "2024-01-02T03:04:05.123456Z",
    }


@pytest.mark.parametrize(
    ("series", "categories"),
    [
        (pl.Series("x", ["b", None, "a"], dtype=pl.Categorical), ("a", "b")),
        (pl.Series("x", ["b", None, "a"], dtype=pl.Enum(["b", "c", "a"])), ("b", "c", "a")),
    ],
)
def test_polars_categories(series: pl.Series, categories: tuple[str, ...]) -> None:
    column = Table.of(series.to_frame()).column("x")
    assert (column.kind, column.categories, column.scalars()) == ("category", categories, ["b", None, "a"])
    arrow = Table.of(series.to_frame().to_arrow()).column("x")
    assert (arrow.kind, arrow.scalars()) == ("category", ["b", None, "a"])
    assert set(arrow.categories or ()) >= {"a", "b"}


def test_polars_dates_and_decimals_and_nan() -> None:
    frame = pl.DataFrame(
        {
            "d": [dt.date(2024, 1, 2), None],
            "n": pl.Series(["1.5", None]).cast(pl.Decimal(10, 2)),
            "f": [float("nan"), 1.0],
        }
    )
    assert Table.of(frame).records() == [
        {"d": "2024-01-02T00:00:00Z", "n": 1.5, "f": None},
        {"d": None, "n": None, "f": 1.0},
    ]


def test_arrays() -> None:
    table = Table.of(np.array([[1.0, 2.0], [3.0, np.nan]]))
    assert table.records() == [{"x0": 1.0, "x1": 2.0}, {"x0": 3.0, "x1": None}]
    assert Table.of(np.array([[1, 2]]), names=["a", "b"]).records() == [{"a": 1, "b": 2}]
    assert [column.kind for column in Table.of(np.array([["a", 1], [None, 2]], dtype=object)).columns] == [
        "category",
        "integer",
    ]
    assert Table.of(np.array([["a"]])).records() == [{"x0": "a"}]


def test_data_frames_of_ones_own_class() -> None:
    class Frame(pd.DataFrame):
        pass

    assert Table.of(Frame({"a": [1]})).records() == [{"a": 1}]


def test_records_with_missing_keys() -> None:
    assert Table.of([{"a": 1}, {"b": "x"}]).records() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]


@pytest.mark.parametrize(
    "data",
    [
        {"a": [1, "x"]},
        {"a": [True, 2]},
        {"a": [2**63]},
        {"a": [1], "b": [1, 2]},
        {"a": [b"x"]},
        {"a": [{}]},
        {"a": np.array([1 + 2j])},
        np.zeros(3),
        np.zeros((1, 2, 3)),
        pd.DataFrame({"a": [dt.timedelta(1)]}),
        pd.DataFrame({"a": pd.cut([1.0, 2.0], 2)}),
        pd.DataFrame({"a": pd.Categorical([0.5])}),
        pd.DataFrame({"a": pd.Series([2**63], dtype="uint64")}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pl.DataFrame({"a": [[1]]}),
        pa.table({"a": [[1]]}),
        "text",
        7,
    ],
    ids=repr,
)
def test_what_no_request_could_carry_is_refused_in_one_line(data: object) -> None:
    with pytest.raises(WrongUse) as caught:
        Table.of(data)
    assert "\n" not in str(caught.value)


def test_wrong_number_of_names() -> None:
    with pytest.raises(WrongUse):
        Table.of(np.zeros((2, 2)), names=["a"])


def test_columns_rows_and_their_order() -> None:
    table = Table.of({"a": [1, 2, 3], "b": ["x", None, "z"]})
    assert table.select(["b", "a"]).take([2, 0]).records() == [{"b": "z", "a": 3}, {"b": "x", "a": 1}]
    assert table.take(np.array([True, False, True])).column("a").scalars() == [1, 3]
    assert table.without(["a"]).names == ("b",)
    with pytest.raises(NotFound, match="choose one of: a, b"):
        table.column("c")


def test_arrays_for_a_runtime_carry_nulls() -> None:
    arrays = Table.of({"i": [1, None], "b": [True, None], "n": [1, 2], "s": ["x", None], "f": [None, 1.0]}).arrays()
    assert arrays["i"].dtype == arrays["b"].dtype == np.float64
    assert np.isnan(arrays["i"][1].item())
    assert np.isnan(arrays["b"][1].item())
    assert arrays["n"].dtype == np.int64
    assert arrays["s"].tolist() == ["x", None]
    assert math.isnan(arrays["f"][0].item())


def test_the_digest_sees_every_change() -> None:
    base = {"a": [1.0, None], "b": ["x", "y"]}
    changed = [
        {"a": [1.0, 2.0], "b": ["x", "y"]},
        {"a": [1.0, None], "b": ["x", None]},
        {"a": [1.0, None], "c": ["x", "y"]},
        {"b": ["x", "y"], "a": [1.0, None]},
        {"a": [math.nextafter(1.0, 2.0), None], "b": ["x", "y"]},
        {"a": [None, 1.0], "b": ["x", "y"]},
        {"a": [1.0, None], "b": ["xy", ""]},
        {"a": [1, None], "b": ["x", "y"]},
    ]
    digests = [Table.of(data).digest for data in (base, *changed)]
    assert len(set(digests)) == len(digests)
    assert Table.of({"a": [-0.0]}).digest == Table.of({"a": [0.0]}).digest


def test_strings_are_text_when_they_are_too_many() -> None:
    few = [f"c{index % FEW_CATEGORIES}" for index in range(FEW_CATEGORIES)]
    comments = [f"c{index}" for index in range(FEW_CATEGORIES + 1)]
    repeated = [f"c{index % MOST_CATEGORIES}" for index in range(MOST_CATEGORIES * 3)]
    many = [f"c{index % (MOST_CATEGORIES + 1)}" for index in range(MOST_CATEGORIES * 3)]
    kinds = [Table.of({"x": values}).column("x").kind for values in (few, comments, repeated, many)]
    assert kinds == ["category", "text", "category", "text"]


CELLS = {
    "float": st.none() | st.floats(allow_infinity=False, allow_nan=False),
    "integer": st.none() | st.integers(-(2**63), 2**63 - 1),
    "boolean": st.none() | st.booleans(),
    "category": st.none() | st.text(max_size=5),
}


@given(st.sampled_from(sorted(CELLS)).flatmap(lambda kind: st.lists(CELLS[kind], min_size=1, max_size=20)))
def test_cells_survive_the_way_through_pandas_and_back(cells: list[Any]) -> None:
    table = Table.of({"x": cells})
    again = Table.of(table.to_pandas())
    assert table.column("x").scalars() == cells
    assert again.column("x").scalars() == cells
    assert again.digest == table.digest or not any(cell is not None for cell in cells)


def test_csv_keeps_codes_that_look_like_numbers(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("code,count\n007,1\n12,2\n,3\n")
    table = read_table(tmp_path / "codes.csv", texts=("code", "not there"))
    assert table.column("code").scalars() == ["007", "12", None]
    assert table.column("count").kind == "integer"


def test_csv_reads_every_digit(tmp_path: Path) -> None:
    number = 0.1 + 0.2
    path = tmp_path / "日本.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"f,s,i,d\r\n{number!r},a,1,2024-01-02T00:00:00Z\r\n,,2,\r\n".encode())
    table = read_table(path, datetimes=["d"])
    assert table.records() == [
        {"f": number, "s": "a", "i": 1, "d": "2024-01-02T00:00:00Z"},
        {"f": None, "s": None, "i": 2, "d": None},
    ]
    with gzip.open(tmp_path / "t.csv.gz", "wb") as stream:
        stream.write(path.read_bytes())
    assert read_table(tmp_path / "t.csv.gz", datetimes=["d"]).digest == table.digest


def test_parquet_of_pandas_keeps_dtypes_and_of_arrow_works_too(tmp_path: Path) -> None:
    letters = pd.Categorical(["b", "a"], categories=["b", "a", "z"], ordered=True)
    frame = pd.DataFrame({"c": letters, "b": pd.array([True, None], dtype="boolean")})
    frame.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").to_pandas(), frame)
    pl.DataFrame({"a": [1, None]}).write_parquet(tmp_path / "u.parquet")
    assert read_table(tmp_path / "u.parquet").records() == [{"a": 1}, {"a": None}]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("t.csv", b"", WrongUse),
        ("t.csv", b'a,b\n"x', WrongUse),
        ("t.csv", b"a\n\xff\xfe\xff", WrongUse),
        ("t.csv.gz", b"not gzip", WrongUse),
        ("t.csv.gz", gzip.compress(b"a\n1\n" * 1000)[:30], WrongUse),
        ("t.parquet", b"PAR1 and no more", WrongUse),
        ("t.xlsx", b"PK", WrongUse),
        ("folder.csv", None, NotFound),
    ],
)
def test_unreadable_tables_are_one_line(
    name: str, content: bytes | None, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(error) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_missing_table_and_missing_datetime_column(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_table(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(NotFound, match="no column 'when'"):
        read_table(tmp_path / "t.csv", datetimes=["when"])
