"""The tables of the project: what the model was trained on, what it is judged on, and what it meets in production."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Column, Table, read_table
from sekisho.contract.project import Project
from sekisho.contract.sections import Data
from sekisho.errors import NotMeasured, SekishoError
from sekisho.gate.probe import resource
from sekisho.probes.resources.logged import Logged
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class DataSet:
    """One table, its columns told apart.

    Attributes:
        full: Every column.
        table: The features: every column but the target, the identifier, the time, the group and those that the contract ignores.
        target: What is to be predicted, if the contract names it and the table holds it.
        identifiers: What tells one row from another.
        times: When each row was.
        digest: SHA-256 of the table and of what its columns are, in hexadecimal.

    """

    full: Table
    table: Table
    target: Column | None
    identifiers: Column | None
    times: Column | None
    digest: str


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TrainingSet(DataSet):
    """The rows that the model was trained on."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TestSet(DataSet):
    """The rows that the model is judged on and has never seen."""

    __test__: ClassVar[bool] = False  # no test, whatever pytest makes of its name


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class ProductionSample(DataSet):
    """Rows as they come in production; they need hold neither target nor identifier.

    Attributes:
        source: ``file``, or ``ledger`` when they are what the service has written down.

    """

    source: Literal["file", "ledger"] = "file"


DataSetT = TypeVar("DataSetT", bound=DataSet)


@resource(title=Text(en="Read the training set", ja="学習データを読み込み"))
def training_set(project: Project, artifact: ModelArtifact | None) -> Iterator[TrainingSet]:
    """Yield ``data.training``."""
    yield _read(project, "training", TrainingSet, artifact)


@resource(title=Text(en="Read the test set", ja="テストデータを読み込み"))
def test_set(project: Project, artifact: ModelArtifact | None) -> Iterator[TestSet]:
    """Yield ``data.test``."""
    yield _read(project, "test", TestSet, artifact)


@resource(title=Text(en="Read the production sample", ja="本番サンプルを読み込み"))
def production_sample(
    project: Project, logged: Logged | None, artifact: ModelArtifact | None
) -> Iterator[ProductionSample]:
    """Yield ``data.production``; where none is named, what the service of the project has written down."""
    if project.contract.data.production is not None or logged is None:
        yield _read(project, "production", ProductionSample, artifact)
        return
    table = logged.table()
    yield ProductionSample(
        full=table,
        table=table,
        target=None,
        identifiers=None,
        times=logged.times(),
        digest=logged.digest,
        source="ledger",
    )


def _read(project: Project, field: str, kind: type[DataSetT], artifact: ModelArtifact | None) -> DataSetT:
    data = project.contract.data
    relative: str | None = getattr(data, field)
    if relative is None:
        raise NotMeasured(
            Text(en=f"data.{field} is not stated", ja=f"data.{field} が指定されていません"),
            Text(
                en=f"name the table (CSV or Parquet) under [data] {field} in sekisho.toml",
                ja=f"sekisho.toml の [data] {field} に表（CSV か Parquet）を指定してください",
            ),
        )
    path = project.path(relative)
    try:
        # A CSV file does not tell codes from numbers; the model that was trained on them does.
        full = read_table(path, texts=() if artifact is None else artifact.signature.texts)
    except SekishoError as error:
        raise NotMeasured(error.what, error.remedy, where=error.where or path) from error
    if not full.rows:
        raise NotMeasured(
            Text(en="the table has no rows", ja="表に行がありません"),
            Text(en="write its rows", ja="データを書き出してください"),
            where=path,
        )
    try:
        return told_apart(full, data, kind)
    except NotMeasured as error:
        raise NotMeasured(error.what, error.remedy, where=path) from error


def told_apart(full: Table, data: Data, kind: type[DataSetT]) -> DataSetT:
    """Return the table with its columns told apart as the contract says.

    Raises:
        NotMeasured: A column that the contract names is not there (a production sample may lack all of them).

    """
    named = {"target": data.target, "identifier": data.identifier, "time": data.time}
    lenient = issubclass(kind, ProductionSample)
    for role, name in named.items():
        if name is not None and name not in full.names and not lenient:
            raise NotMeasured(
                Text(en=f"there is no column {name!r} (data.{role})", ja=f"列 {name!r}（data.{role}）がありません"),
                Text(
                    en=f"name one of its columns: {', '.join(full.names[:12])}",
                    ja=f"次の列から指定してください: {', '.join(full.names[:12])}",
                ),
            )
    roles = {role: full.column(name) if name in full.names else None for role, name in named.items() if name} | {
        role: None for role, name in named.items() if not name
    }
    aside = {*(name for name in (*named.values(), data.group) if name), *data.ignored}
    words = "\n".join([full.digest, *(f"{role}={name}" for role, name in named.items()), *sorted(aside)])
    return kind(
        full=full,
        table=full.without(tuple(aside)),
        target=roles["target"],
        identifiers=roles["identifier"],
        times=roles["time"],
        digest=hashlib.sha256(words.encode()).hexdigest(),
    )
