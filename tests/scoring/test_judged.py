"""Rows are judged as the service judges them; those that cannot be answered are named, and stop the run or stand apart."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.scoring.conftest import NAMES, read, write

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import InvalidInput, WrongUse
from sekisho.predict import csv_text
from sekisho.predict.predictor import Predictor
from sekisho.scoring.running import BadInput
from sekisho.scoring.score import score_file

GOOD = ["40.0", "9000.5", "1", "Nara", "True", "plus"]
CELLS = [
    (place, cell)
    for place, cells in {
        0: ["", "nan", "NaN", "inf", "-inf", " 40", "40 ", "\t40", "+40", "4e1", ".5", "5.", "0x10", "1e400", "1_0", "true",
            "9007199254740993", "9007199254740992", "1e300", "-1", "١", "4,0"],
        1: ["", "nan", "-5", "1e-400", '"9000.5"', "5e-324"],
        2: ["", "1.0", "0x1", "0X1", " 1", "007", "+1", "-0", "99", "9223372036854775808", "1e0", "true"],
        3: ["", "nowhere", " Nara", "x", "日本", '"Nara"', '"Na""ra"', '"two\nlines"', "nan"],
        4: ["", "true", "TRUE", "tRuE", "False", " true", "1", "0", "yes"],
        5: ["", "basic", "gold", "0x1", '"plus"', "plus "],
    }.items()
    for cell in cells
]  # fmt: skip


def judged(artifact: ModelArtifact, text: bytes) -> tuple[list[str], Any]:
    """Return the code of each row, or its flags, as the service judges a body of CSV; and its answers."""
    predictor = Predictor(artifact.signature, artifact.runtime())
    codes = []
    rows = []
    for number, values in enumerate(csv_text.read_rows(text, artifact.signature)):
        try:
            rows.append(predictor.reader.read(values, row=number))
            findings = predictor.prepare(rows[-1:]).findings
            if findings is None:
                codes.append("")
            elif findings.refusals:
                codes.append(findings.refusals[0].code)
            else:
                codes.append(",".join(map(str, findings.flags[0])))
        except InvalidInput as error:
            codes.append(error.code)
    return codes, None


def outcome(folder: Path, rows: int) -> list[str]:
    """Return the same of an output and the rows set aside."""
    aside = [json.loads(line) for line in (folder / "bad.jsonl").read_text().splitlines()]
    codes: list[str | None] = [None] * rows
    for line in aside:
        codes[line["row"] - 1] = line["code"]
    flags = iter(read(folder / "out.csv")["flags"].tolist())
    return [next(flags) if code is None else code for code in codes]


@pytest.mark.parametrize("texts", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["alone", "beside texts"])
def test_every_cell_of_csv_is_judged_by_the_rules(texts: bool, tmp_path: Path, artifact: ModelArtifact) -> None:
    lines = [",".join([*GOOD[:place], cell, *GOOD[place + 1 :]]) for place, cell in CELLS if cell != "4,0"]
    text = ",".join(NAMES) + "\n" + "\n".join(lines) + "\n"
    expected, _ = judged(artifact, text.encode())
    if texts:
        text = "\n".join(f"{line},{'note' if not number else 'x 0x1'}" for number, line in enumerate(_lines(text)))
    (tmp_path / "rows.csv").write_text(text)
    for number, line in enumerate(_lines(text)[1:]):  # each alone too: then the fast way decides by itself
        single = tmp_path / f"{number}"
        single.mkdir()
        (single / "rows.csv").write_text(f"{_lines(text)[0]}\n{','.join(GOOD)}{',x' if texts else ''}\n{line}\n")
        score_file(
            artifact, single / "rows.csv", single / "out.csv", bad_rows=single / "bad.jsonl", ignore_others=texts
        )
        assert outcome(single, 2) == ["", expected[number]], line
    score_file(
        artifact, tmp_path / "rows.csv", tmp_path / "out.csv", bad_rows=tmp_path / "bad.jsonl", ignore_others=texts
    )
    assert outcome(tmp_path, len(expected)) == expected


def _lines(text: str) -> list[str]:
    """Return the lines of a text, those inside quotes together."""
    found: list[str] = []
    for line in text.rstrip("\n").split("\n"):
        if found and found[-1].count('"') % 2:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_bad_rows_stand_apart_with_their_number(
    suffix: str, tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, expected: Any
) -> None:
    spoiled = frame.copy()
    bad = [3, 57, 58, 1_200, 2_999]
    spoiled.loc[bad[:4], "plan"] = "SECRET-4111"
    spoiled.loc[bad[4:], "children"] = 77
    source = write(spoiled, tmp_path / f"rows.{suffix}")
    aside = tmp_path / "bad.jsonl"
    done = score_file(artifact, source, tmp_path / "out.csv", keep=["id"], ignore_others=True, bad_rows=aside)
    assert (done.rows, done.answered, done.bad_rows) == (3_000, 2_995, 5)
    told = [json.loads(line) for line in aside.read_text().splitlines()]
    assert [line["row"] for line in told] == [place + 1 for place in bad]
    assert [line["code"] for line in told] == ["unseen_category"] * 4 + ["out_of_range"]
    assert [line["field"] for line in told] == ["plan"] * 4 + ["children"]
    assert "SECRET-4111" in str(told[0]["values"])
    found = read(tmp_path / "out.csv")
    left = [row for row in range(3_000) if row not in bad]
    assert found["id"].tolist() == frame["id"].iloc[left].tolist()
    assert found["probability_stays"].tolist() == expected.probabilities[left, 1].tolist()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_first_bad_row_stops_the_run_and_its_value_is_not_told(
    suffix: str, tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame
) -> None:
    spoiled = frame.copy()
    spoiled.loc[[57, 58], "plan"] = "SECRET-4111"
    source = write(spoiled, tmp_path / f"rows.{suffix}")
    with pytest.raises(BadInput) as caught:
        score_file(artifact, source, tmp_path / "out.csv", ignore_others=True)
    assert f"rows.{suffix}: row 58, plan: the model has never seen this category" in str(caught.value)
    assert "--bad-rows" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"rows.{suffix}"]


def test_so_many_may_be_bad_and_no_more(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    spoiled = frame.copy()
    spoiled.loc[[5, 6, 7], "plan"] = "gold"
    source = write(spoiled, tmp_path / "rows.csv")
    wishes: Any = {"ignore_others": True, "bad_rows": tmp_path / "bad.jsonl"}
    with pytest.raises(BadInput, match="more than 2 rows cannot be answered; row 8, plan"):
        score_file(artifact, source, tmp_path / "out.csv", max_bad=2, **wishes)
    assert not (tmp_path / "out.csv").exists()
    assert score_file(artifact, source, tmp_path / "out.csv", max_bad=3, resume=True, **wishes).bad_rows == 3


def test_lines_that_are_none_are_named(tmp_path: Path, artifact: ModelArtifact) -> None:
    good = ",".join(GOOD)
    text = f'{",".join(NAMES)}\n{good}\n1,2\n\n{good}\n{good},7\n"a"b,1,2,3,4,5\n'.encode() + b"\xff,1,1,x,true,plus\n"
    (tmp_path / "rows.csv").write_bytes(text + good.encode())
    done = score_file(artifact, tmp_path / "rows.csv", tmp_path / "out.csv", bad_rows=tmp_path / "bad.jsonl")
    told = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(line["row"], line["code"]) for line in told] == [
        (2, "wrong_count"), (4, "wrong_count"), (5, "malformed_csv"), (6, "malformed_csv"),
    ]  # fmt: skip
    assert done.answered == 3
    good_line = json.dumps(dict(zip(NAMES, [40, 1.5, 1, "Nara", True, "plus"], strict=True)))
    lines = [
        good_line,
        "{",
        good_line[:-1] + ',"extra":1}',
        '{"age":1}',
        good_line.replace('"age": 40', '"age":1,"age":2'),
        "[1]",
        "",
        good_line.replace("40", "NaN"),
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    score_file(artifact, tmp_path / "rows.jsonl", tmp_path / "out.jsonl", bad_rows=tmp_path / "bad2.jsonl")
    told = [json.loads(line) for line in (tmp_path / "bad2.jsonl").read_text().splitlines()]
    assert [(line["row"], line["code"]) for line in told] == [
        (2, "malformed_json"), (3, "unknown_feature"), (4, "missing_feature"), (5, "duplicate_key"), (6, "wrong_count"), (7, "malformed_json"),
    ]  # fmt: skip


def test_columns_that_do_not_fit_are_one_line(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    def refuse(table: pd.DataFrame, match: str, **wishes: Any) -> None:
        for suffix in ("csv", "parquet", "jsonl"):
            source = write(table, tmp_path / f"rows.{suffix}")
            with pytest.raises(WrongUse, match=match) as caught:
                score_file(artifact, source, tmp_path / "out.csv", **wishes)
            assert "\n" not in str(caught.value)

    plain = frame[list(NAMES)]
    refuse(plain.drop(columns=["age", "city"]), "columns are missing: age, city")
    refuse(frame, "no such features: id, note")
    refuse(frame, "no such features: note", keep=["id"])
    refuse(plain, "no column 'id' to keep", keep=["id"])
    refuse(frame.rename(columns={"note": "prediction"}), "'prediction' cannot be kept", keep_all=True)
    (tmp_path / "twice.csv").write_text("age,age,income,children,city,employed,plan\n1,1,1,1,x,true,plus\n")
    with pytest.raises(WrongUse, match="'age' stands twice"):
        score_file(artifact, tmp_path / "twice.csv", tmp_path / "out.csv")
    (tmp_path / "bare.csv").write_text("1,1,1\n")
    with pytest.raises(WrongUse, match="3 cells where the model has 6 features"):
        score_file(artifact, tmp_path / "bare.csv", tmp_path / "out.csv")


def test_a_column_of_another_type_is_refused(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame[list(NAMES)])
    lists = pa.array([[1.0]] * len(frame))
    parquet.write_table(table.set_column(0, "age", lists), tmp_path / "lists.parquet")
    with pytest.raises(WrongUse, match="'age' holds no single values"):
        score_file(artifact, tmp_path / "lists.parquet", tmp_path / "out.csv")
    parquet.write_table(table.set_column(0, "age", table.column("city")), tmp_path / "texts.parquet")
    with pytest.raises(BadInput, match="row 1, age"):
        score_file(artifact, tmp_path / "texts.parquet", tmp_path / "out.csv")


def test_parts_with_other_columns_are_refused(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    (tmp_path / "parts").mkdir()
    write(frame, tmp_path / "parts" / "1.parquet")
    write(frame.assign(id=range(len(frame))), tmp_path / "parts" / "2.parquet")
    with pytest.raises(WrongUse, match="other types than in the first table"):
        score_file(artifact, tmp_path / "parts", tmp_path / "out.csv", keep=["id"], ignore_others=True)
    write(frame.drop(columns="id"), tmp_path / "parts" / "2.parquet")
    with pytest.raises(WrongUse, match="no column 'id'"):
        score_file(artifact, tmp_path / "parts", tmp_path / "out.csv", keep=["id"], ignore_others=True)


def test_nothing_is_written_over_what_is_read(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    source = write(frame, tmp_path / "rows.csv")
    (tmp_path / "link.csv").symlink_to(source)
    before = source.read_bytes()
    for out, aside in ((source, None), (tmp_path / "out.csv", source), (tmp_path / "link.csv", None)):
        with pytest.raises(WrongUse, match="one file would be read and written"):
            score_file(artifact, source, out, bad_rows=aside, overwrite=True, ignore_others=True)
    with pytest.raises(WrongUse, match="written twice"):
        score_file(artifact, source, tmp_path / "out.csv", bad_rows=tmp_path / "out.csv", ignore_others=True)
    assert source.read_bytes() == before


def test_what_a_text_cannot_hold_goes_into_columns(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame
) -> None:
    table = pa.Table.from_pandas(frame[list(NAMES)].head(50))
    days = pa.array([dt.date(2026, 1, 1)] * 50)
    table = table.append_column("tags", pa.array([["a", "b"]] * 50)).append_column("day", days)
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(WrongUse, match="'tags' cannot be passed through to a text"):
        score_file(artifact, tmp_path / "rows.parquet", tmp_path / "out.csv", keep_all=True)
    score_file(artifact, tmp_path / "rows.parquet", tmp_path / "out.parquet", keep=["tags", "day"])
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.column("tags").equals(table.column("tags"))
    score_file(artifact, tmp_path / "rows.parquet", tmp_path / "out.csv", keep=["day"], ignore_others=True)
    assert read(tmp_path / "out.csv")["day"].tolist() == ["2026-01-01"] * 50
    ones = pd.DataFrame({f"x{number}": [1.0] * len(frame) for number in range(400)})
    wide = pd.concat([frame[list(NAMES)], ones], axis=1)
    write(wide, tmp_path / "wide.parquet")
    assert score_file(artifact, tmp_path / "wide.parquet", tmp_path / "wide.csv", keep_all=True).rows == len(wide)
