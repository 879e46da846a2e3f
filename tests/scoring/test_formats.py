"""Every format in and out gives the same answers, and identifiers come through."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet
from tests.scoring.conftest import NAMES, ROWS, lines_of, read, write

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import MissingExtra, NotFound, WrongUse
from sekisho.scoring import planning
from sekisho.scoring.score import score_file

SUFFIXES = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet", "arrow")


def check(found: pd.DataFrame, frame: pd.DataFrame, expected: Any) -> None:
    assert found["id"].tolist() == frame["id"].tolist()
    assert found["prediction"].tolist() == expected.values.tolist()
    for place, label in enumerate(("leaves", "stays")):
        assert found[f"probability_{label}"].tolist() == expected.probabilities[:, place].tolist()
    assert found["probability"].tolist() == expected.probabilities.max(axis=1).tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read(
    suffix: str, tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    source = write(frame, tmp_path / f"rows.{suffix}")
    done = score_file(artifact, source, tmp_path / "out.parquet", keep=["id"], ignore_others=True)
    assert (done.rows, done.answered, done.bad_rows) == (ROWS, ROWS, 0)
    check(read(tmp_path / "out.parquet"), frame, expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_written(
    suffix: str, tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    source = write(frame, tmp_path / "rows.parquet")
    out = tmp_path / f"out.{suffix}"
    score_file(artifact, source, out, keep=["id", "note"], ignore_others=True)
    found = read(out)
    check(found, frame, expected)
    assert found["note"].tolist() == frame["note"].tolist()
    note = json.loads((tmp_path / f"out.{suffix}.sekisho.json").read_text())
    assert note["model_version"] == "1.2.3"
    assert note["artifact"] == f"sha256:{artifact.digest}"
    assert not (tmp_path / f"out.{suffix}.partial").exists()


def test_the_model_stands_in_the_metadata(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    source = write(frame, tmp_path / "rows.csv")
    score_file(artifact, source, tmp_path / "out.parquet", ignore_others=True)
    score_file(artifact, source, tmp_path / "out.arrow", ignore_others=True)
    for schema in (parquet.read_schema(tmp_path / "out.parquet"), feather.read_table(tmp_path / "out.arrow").schema):
        assert schema.metadata[b"sekisho.artifact"] == f"sha256:{artifact.digest}".encode()
        assert schema.metadata[b"sekisho.model_version"] == b"1.2.3"


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_pieces_of_text_come_together(
    suffix: str, tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    source = write(frame, tmp_path / f"rows.{suffix}")
    score_file(artifact, source, tmp_path / f"out.{suffix}", keep=["id", "note"], ignore_others=True, workers=3)
    found = read(tmp_path / f"out.{suffix}")
    check(found, frame, expected)
    assert found["note"].tolist() == frame["note"].tolist()


def test_all_columns_are_kept_in_their_order(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    for suffix in ("csv", "jsonl", "parquet"):
        source = write(frame, tmp_path / f"rows.{suffix}")
        score_file(artifact, source, tmp_path / f"out.{suffix}", keep_all=True)
        found = read(tmp_path / f"out.{suffix}")
        assert list(found.columns[: len(frame.columns)]) == list(frame.columns)
        assert list(found.columns[len(frame.columns) :]) == [
            "prediction", "probability", "probability_leaves", "probability_stays", "flags",
        ]  # fmt: skip
        assert found["city"].fillna("").tolist() == frame["city"].fillna("").tolist()
        assert pd.to_numeric(found["income"]).tolist()[:1] == frame["income"].tolist()[:1]


def test_columns_may_come_in_any_order_with_a_mark(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    turned = frame[[*reversed(NAMES), "id"]]
    (tmp_path / "rows.csv").write_text("\ufeff" + turned.to_csv(index=False, lineterminator="\r\n"))
    score_file(artifact, tmp_path / "rows.csv", tmp_path / "out.csv", keep=["id"])
    check(read(tmp_path / "out.csv"), frame, expected)


def test_a_text_without_names(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any) -> None:
    frame[list(NAMES)].to_csv(tmp_path / "rows.csv", index=False, header=False)
    score_file(artifact, tmp_path / "rows.csv", tmp_path / "out.csv")
    assert read(tmp_path / "out.csv")["prediction"].tolist() == expected.values.tolist()


def test_rows_as_lists_and_wrapped(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any) -> None:
    rows = [list(json.loads(line).values()) for line in lines_of(frame[list(NAMES)]).splitlines()]
    for name, lines in (("lists", rows), ("wrapped", [{"features": row} for row in rows])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        score_file(artifact, tmp_path / f"{name}.jsonl", tmp_path / f"{name}.csv")
        assert read(tmp_path / f"{name}.csv")["prediction"].tolist() == expected.values.tolist()


def test_json_values_pass_through_by_the_letter(tmp_path: Path, artifact: ModelArtifact) -> None:
    row = {"age": 40, "income": 9.5, "children": 1, "city": "Nara", "employed": True, "plan": "plus"}
    extras: list[Any] = [12345678901234567890, {"a": [1, None]}, "text", None, True]
    lines = [json.dumps({"key": extra, **row}) for extra in extras]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    score_file(artifact, tmp_path / "rows.jsonl", tmp_path / "out.jsonl", keep=["key"])
    assert [json.loads(line)["key"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == extras
    score_file(artifact, tmp_path / "rows.jsonl", tmp_path / "out.csv", keep=["key"])
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert found["key"].tolist() == ["12345678901234567890", '{"a":[1,null]}', "text", "", "true"]


@pytest.mark.parametrize("how", ["folder", "pattern"])
def test_a_folder_or_pattern_of_parts(
    how: str, tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, start in enumerate(range(0, ROWS, 700)):
        part = frame.iloc[start : start + 700]
        write(part if number % 2 else part[list(reversed(frame.columns))], parts / f"part-{number}.csv.gz")
    (parts / "_SUCCESS").write_text("")
    source = parts if how == "folder" else f"{parts}/part-*.csv.gz"
    score_file(artifact, source, tmp_path / "out.csv", keep=["id"], ignore_others=True)
    check(read(tmp_path / "out.csv"), frame, expected)


def test_standard_input_and_output(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = io.BytesIO()
    with ipc.new_stream(sink, (table := pa.Table.from_pandas(frame[["id", *NAMES]])).schema) as writer:
        writer.write_table(table, max_chunksize=500)
    texts = {
        "csv": frame.to_csv(index=False).encode(),
        "jsonl": gzip.compress(lines_of(frame)),
        "arrow": sink.getvalue(),
    }
    for name, text in texts.items():
        out = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text))))
        monkeypatch.setattr(sys, "stdout", out)
        score_file(artifact, "-", "-", input_format=name, output_format="arrow", keep=["id"], ignore_others=True)
        check(ipc.open_stream(out.buffer.getvalue()).read_pandas(), frame, expected)


def test_a_large_row_group_is_read_in_pieces(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    many = pd.concat([frame] * 12, ignore_index=True)
    many.to_parquet(tmp_path / "rows.parquet", row_group_size=len(many))
    done = score_file(artifact, tmp_path / "rows.parquet", tmp_path / "out.parquet", keep=["id"], ignore_others=True)
    assert done.rows == len(many) == 36_000
    assert read(tmp_path / "out.parquet")["prediction"].tolist() == expected.values.tolist() * 12


def test_dictionaries_and_narrow_numbers(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    narrow = frame.assign(
        city=frame["city"].astype("category"),
        plan=frame["plan"].astype("category"),
        children=frame["children"].astype("int8"),
    )
    narrow.to_parquet(tmp_path / "rows.parquet")
    score_file(artifact, tmp_path / "rows.parquet", tmp_path / "out.parquet", keep=["id", "city"], ignore_others=True)
    check(read(tmp_path / "out.parquet"), frame, expected)


def test_no_rows_are_no_answers(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    for suffix in ("csv", "parquet", "arrow"):
        write(frame.head(0), tmp_path / f"rows.{suffix}")
        done = score_file(artifact, tmp_path / f"rows.{suffix}", tmp_path / f"out.{suffix}", ignore_others=True)
        assert done.rows == 0
        assert len(read(tmp_path / f"out.{suffix}")) == 0
    (tmp_path / "empty.jsonl").write_text("")
    assert score_file(artifact, tmp_path / "empty.jsonl", tmp_path / "empty.csv").rows == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.parquet", b"id,age\n1,2\n"),
        ("rows.arrow", b"no arrow"),
        ("rows.arrow", b""),
        ("rows.jsonl", b"\x00\x01"),
        ("rows.jsonl", b'"text"\n'),
        ("rows.csv", b"\xff\xfe\x00\n1,2,3\n"),
        ("rows.csv.gz", gzip.compress(b"age,income\n" * 9_000)[:40]),
        ("rows.txt", b""),
    ],
)
def test_what_is_no_table_is_one_line(name: str, content: bytes, tmp_path: Path, artifact: ModelArtifact) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WrongUse) as caught:
        score_file(artifact, tmp_path / name, tmp_path / "out.csv")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "out.csv.partial").exists()


def test_a_file_that_is_cut_off_is_told(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = frame.assign(id=[str(value) for value in np.random.default_rng(0).random(ROWS)])
    whole = gzip.compress(random.to_csv(index=False).encode())
    (tmp_path / "rows.csv.gz").write_bytes(whole[: len(whole) - 50])
    with pytest.raises(WrongUse, match="ends too soon"):
        score_file(artifact, tmp_path / "rows.csv.gz", tmp_path / "out.csv", keep_all=True)
    assert not (tmp_path / "out.csv").exists()


def test_what_is_not_there(tmp_path: Path, artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound):
        score_file(artifact, tmp_path / "none.csv", tmp_path / "out.csv")
    with pytest.raises(WrongUse, match="--input-format"):
        score_file(artifact, "-", tmp_path / "out.csv")
    monkeypatch.setattr(planning, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pyarrow"):
        score_file(artifact, tmp_path / "none.csv", tmp_path / "out.csv")
