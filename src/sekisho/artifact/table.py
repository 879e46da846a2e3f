"""A table as Sekisho sees it: named columns of six kinds, whatever library it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.column import Column, Kind, Scalar
from sekisho.artifact.sources import arrow, pandas, polars, python
from sekisho.errors import MissingExtra, NotFound, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Kind", "Scalar", "Table", "read_table"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Table:
    """Named columns of one length.

    Attributes:
        columns: In the order of their source; no two share a name.

    """

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, data: object, names: Sequence[str] | None = None) -> Table:
        """Return the table of ``data``.

        Args:
            data: A DataFrame of pandas or polars, a ``pyarrow.Table``, a NumPy array of shape ``(n, k)``, a mapping of names
                to lists, a list of mappings, or a table (returned as it is). A single column of text may also come as a series, a
                list of strings or an array of shape ``(n,)``.
            names: The names of the columns; needed for nothing but an array, whose columns are else ``x0``, ``x1``, ..., and a list
                of strings, whose column is else ``text``.

        Raises:
            WrongUse: ``data`` is no table, its columns differ in length or share a name, or one holds what JSON cannot carry.

        """
        data = _one_column(data, names)
        columns = _columns(data, names)
        _agree(columns)
        if names is not None and tuple(names) != tuple(column.name for column in columns):
            return cls(columns=columns).select(names)
        return cls(columns=columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.columns[0]) if self.columns else 0

    def __len__(self) -> int:
        return self.rows

    def column(self, name: str) -> Column:
        """Return the column ``name``.

        Raises:
            NotFound: There is none.

        """
        for column in self.columns:
            if column.name == name:
                return column
        raise _no_column(name, self.names)

    def select(self, names: Sequence[str]) -> Table:
        """Return the columns ``names``, in that order.

        Raises:
            NotFound: One is not there.

        """
        return Table(columns=tuple(self.column(name) for name in names))

    def without(self, names: Sequence[str]) -> Table:
        """Return all columns but ``names``."""
        return Table(columns=tuple(column for column in self.columns if column.name not in names))

    def take(self, indexes: NDArray[np.generic] | Sequence[int] | slice) -> Table:
        """Return the rows at ``indexes`` (integers or a mask of bool), in that order."""
        return Table(columns=tuple(column.take(indexes) for column in self.columns))

    def records(self) -> list[dict[str, Scalar]]:
        """Return every row as a mapping of JSON values."""
        names = self.names
        return [
            dict(zip(names, cells, strict=True))
            for cells in zip(*(column.scalars() for column in self.columns), strict=True)
        ]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return one array a column as :meth:`Runtime.run <sekisho.artifact.formats.interface.Runtime.run>` takes them."""
        return {column.name: column.array() for column in self.columns}

    @property
    def digest(self) -> str:
        """SHA-256 of names, kinds and cells, in hexadecimal: the same for the same cells from any library or file format."""
        digest = hashlib.sha256(b"sekisho table 1")
        for column in self.columns:
            column.feed(digest)
        return digest.hexdigest()

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame whose columns have the dtypes that they came with.

        Raises:
            MissingExtra: pandas is not installed.

        """
        _need("pandas")
        return pandas.to_frame(self.columns)


def read_table(path: Path | str, *, datetimes: Sequence[str] = (), texts: Sequence[str] = ()) -> Table:
    """Read a table from a file.

    Args:
        path: ``.csv`` or ``.csv.gz`` (UTF-8, with or without a byte order mark; types are told as pandas tells them), or ``.parquet``.
        datetimes: The columns of a CSV file that hold moments (ISO 8601), which are else read as strings.
        texts: The columns of a CSV file that hold strings even where they look like numbers, such as codes with leading zeros; one that is
            not there is no fault.

    Raises:
        NotFound: There is no such file.
        WrongUse: Its name has another ending, or its content is not what its name says.
        MissingExtra: The library that reads it is not installed.

    """
    path = Path(path)
    if not path.is_file():
        raise NotFound(
            Text(en="there is no such file", ja="ファイルがありません"),
            Text(en="check the path", ja="パスを確認してください"),
            where=path,
        )
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return _read_csv(path, datetimes, texts)
    if name.endswith((".parquet", ".pq")):
        return _read_parquet(path)
    raise WrongUse(
        Text(en="a table is .csv, .csv.gz or .parquet", ja="表は .csv、.csv.gz、.parquet のいずれかです"),
        Text(en="save the table in one of these formats", ja="いずれかの形式で保存し直してください"),
        where=path,
    )


def _read_csv(path: Path, datetimes: Sequence[str], texts: Sequence[str]) -> Table:
    pd = _need("pandas")
    strings = dict.fromkeys(texts, "string")
    try:
        frame = pd.read_csv(path, encoding="utf-8-sig", low_memory=False, dtype=strings, **_exact_floats(pd))
        for name in datetimes:
            frame[name] = pd.to_datetime(frame[name], format="ISO8601")
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        OSError,
        EOFError,
        ValueError,
    ) as error:
        raise _unreadable(path, "CSV", error) from error
    except KeyError as error:
        raise _no_column(str(error.args[0]), tuple(map(str, frame.columns)), where=path) from error
    return Table.of(frame)


def _exact_floats(pd: Any) -> dict[str, str]:
    """Return what makes pandas read every float as it was written; from 3.1 on it does so by itself."""
    major, minor = (int(part) for part in pd.__version__.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def _read_parquet(path: Path) -> Table:
    pyarrow = _need("pyarrow", extra="check")
    parquet = _need("pyarrow.parquet", extra="check")
    try:
        table = parquet.read_table(path, memory_map=False)
        # pandas' own notes in the file say which dtype each column had. What was read is given away column by column.
        told = b"pandas" in (table.schema.metadata or {})
        data = table.to_pandas(split_blocks=True, self_destruct=True) if told else table
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, "Parquet", error) from error
    return Table.of(data)


def _one_column(data: Any, names: Sequence[str] | None) -> Any:
    """Return texts that came without a table (a series, a list of strings, an array of shape ``(n,)``) as a table of one column."""
    name = names[0] if names is not None and len(names) == 1 else "text"
    if isinstance(data, np.ndarray):
        is_text = data.ndim == 1 and (
            data.dtype.kind in "UT" or (data.dtype == object and _strings_alone(data.tolist()))
        )
        return {name: data} if is_text else data
    if isinstance(data, list | tuple):
        return {name: list(data)} if _strings_alone(data) else data
    if type(data).__name__ == "Series" and type(data).__module__.partition(".")[0] in {"pandas", "polars"}:
        own = data.name if isinstance(data.name, str) and data.name else name
        return data.to_frame(own) if hasattr(data, "to_frame") else data
    return data


def _strings_alone(values: Sequence[object]) -> bool:
    return any(isinstance(value, str) for value in values) and all(
        value is None or isinstance(value, str) for value in values
    )


def _columns(data: object, names: Sequence[str] | None) -> tuple[Column, ...]:
    if isinstance(data, Table):
        return data.columns
    if isinstance(data, np.ndarray):
        return python.of_array(data, names)
    if isinstance(data, Mapping):
        return python.of_mapping(data)
    if (
        isinstance(data, Sequence)
        and not isinstance(data, str | bytes)
        and all(isinstance(row, Mapping) for row in data)
    ):
        return python.of_records(data)
    # A foreign class is told by the name of its library, so that none is imported in vain.
    known: Any = data
    for kind in type(data).__mro__:
        match kind.__module__.partition(".")[0], kind.__name__:
            case "pandas", "DataFrame":
                return pandas.of_frame(known)
            case "polars", "DataFrame":
                return polars.of_frame(known)
            case "pyarrow", "Table" | "RecordBatch":
                return arrow.of_table(known)
    given = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    raise WrongUse(
        Text(en=f"{given} is not a table", ja=f"{given} は表ではありません"),
        Text(
            en="give a DataFrame, a 2-D array, a dict of lists or a list of dicts",
            ja="DataFrame、2次元配列、リストの辞書、辞書のリストのいずれかを渡してください",
        ),
    )


def _agree(columns: tuple[Column, ...]) -> None:
    names = [column.name for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise WrongUse(
            Text(en=f"two columns are named {twice!r}", ja=f"列名 {twice!r} が重複しています"),
            Text(en="give every column its own name", ja="列ごとに異なる名前を付けてください"),
        )
    if len({len(column) for column in columns}) > 1:
        raise WrongUse(
            Text(en="the columns differ in length", ja="列の長さが揃っていません"),
            Text(en="give every column the same number of rows", ja="すべての列を同じ行数にしてください"),
        )


def _need(library: str, extra: str = "pack") -> Any:
    import importlib

    try:
        return importlib.import_module(library)
    except ImportError:
        raise MissingExtra(library.partition(".")[0], extra) from None


def _no_column(name: str, names: tuple[str, ...], where: Path | None = None) -> NotFound:
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return NotFound(
        Text(en=f"there is no column {name!r}", ja=f"列 {name!r} がありません"),
        Text(en=f"choose one of: {shown}", ja=f"次から選んでください: {shown}"),
        where=where,
    )


def _unreadable(path: Path, format_name: str, error: Exception) -> WrongUse:
    reason = " ".join(str(error).split())[:200]
    return WrongUse(
        Text(
            en=f"this is not a readable {format_name} file ({reason})", ja=f"{format_name} として読めません（{reason}）"
        ),
        Text(en="write the file again, whole and in UTF-8", ja="ファイルを UTF-8 で完全な形に書き出し直してください"),
        where=path,
    )
