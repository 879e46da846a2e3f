"""``sekisho ledger``: what is in a book, all of it, without somebody, without what is old, and whether it is whole."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.cli.main import run
from sekisho.ledger.keys import read_keys
from sekisho.ledger.personal import treatment
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
from sekisho.text import set_language

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = BookModel(digest="d" * 64, version="1.2.0", names=("customer", "age"))
NOW = dt.datetime.now(dt.UTC)


def at(days: float) -> str:
    return (NOW - dt.timedelta(days=days)).isoformat(timespec="milliseconds")[:-6] + "Z"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    monkeypatch.chdir(tmp_path)
    yield
    set_language(None)


@pytest.fixture(params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    address = str(tmp_path / "b.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres").url()
    assert run(["ledger", "key", "k1"]) == 0
    (tmp_path / "keys").write_text(capsys.readouterr().out)
    keys = read_keys(tmp_path / "keys")
    seal = treatment("encrypt", keys)
    assert seal is not None
    with PredictionBook(address) as opened:
        for number, days in enumerate((100, 50, 0.01)):
            person = f"person-{number}"
            opened.write(
                MODEL,
                [
                    Entry(
                        f"r{number}",
                        at(days),
                        1.5,
                        False,
                        [[seal("customer", person), 30 + number]],
                        ["yes"],
                        [0.75],
                        {0: ["null:age"]} if number else {},
                        [keys.first.digest("subject", person)],
                    )
                ],
            )
        opened.add_outcome("r1", 0, "no", at=at(0))
    return address


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    try:
        ended: object = run(["ledger", *words])
    except SystemExit as error:
        ended = error.code
    assert ended == code
    return capsys.readouterr().out


def test_stats(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "stats", "--ledger", book, "--json"))
    assert (found["rows"], found["requests"], found["outcomes"], found["first_at"]) == (3, 3, 1, at(100))
    assert found["models"] == [{"digest": "d" * 64, "version": "1.2.0", "rows": 3, "last_at": at(0.01)}]
    assert "Predictions\t3" in said(capsys, "stats", "--ledger", book)


def test_export_gives_every_row_with_its_outcome(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in said(capsys, "export", "--ledger", book).splitlines()]
    assert [row["request_id"] for row in rows] == ["r0", "r1", "r2"]
    assert rows[1] | {"features": {}, "subject": ""} == {
        "request_id": "r1",
        "row": 0,
        "at": at(50),
        "model": "d" * 64,
        "version": "1.2.0",
        "features": {},
        "prediction": "yes",
        "probability": 0.75,
        "flags": ["null:age"],
        "latency_ms": 1.5,
        "subject": "",
        "outcome": "no",
        "outcome_at": at(0),
    }
    assert "person" not in json.dumps(rows)
    shown = said(
        capsys, "export", "--ledger", book, "--reveal", "--key-file", "keys", "--since", at(60), "--until", at(1)
    )
    assert json.loads(shown)["features"] == {"customer": "person-1", "age": 31}
    table = list(
        csv.DictReader(io.StringIO(said(capsys, "export", "--ledger", book, "--format", "csv", "--model", "1.2.0")))
    )
    assert [row["features.age"] for row in table] == ["30", "31", "32"]
    assert table[1]["outcome"] == "no"
    assert said(capsys, "export", "--ledger", book, "--model", "9") == ""


def test_erase_and_the_record_of_it(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("erase", "--ledger", book, "--subject", "person-1", "--key-file", "keys", "--by", "desk", "--json")
    done = json.loads(said(capsys, *words))
    assert (done["rows"], done["outcomes"], done["by_whom"]) == (1, 1, "desk")
    assert "person-1" not in json.dumps(done)
    assert json.loads(said(capsys, *words)) == done
    assert json.loads(said(capsys, "erase", "--ledger", book, "--request", "r2", "--json"))["rows"] == 1
    left = json.loads(said(capsys, "stats", "--ledger", book, "--json"))
    assert (left["rows"], len(left["erasures"])) == (1, 2)
    assert json.loads(said(capsys, "verify", "--ledger", book, "--json"))["whole"]


def test_a_person_may_be_named_on_standard_input(
    book: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("person-0\n"))
    done = said(capsys, "erase", "--ledger", book, "--subject", "-", "--key-file", "keys", "--json")
    assert json.loads(done)["rows"] == 1


@pytest.mark.parametrize("words", [(), ("--subject", "x"), ("--subject", "x", "--request", "y")])
def test_erase_must_know_whom(words: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    PredictionBook(tmp_path / "b").close()
    said(capsys, "erase", "--ledger", "b", *words, code=2)


def test_retain(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capsys, "retain", "--ledger", book, "--days", "90", "--json"))["rows"] == 1
    assert json.loads(said(capsys, "retain", "--ledger", book, "--days", "90", "--json"))["rows"] == 0
    assert json.loads(said(capsys, "retain", "--ledger", book, "--days", "10", "--json"))["rows"] == 1
    assert json.loads(said(capsys, "stats", "--ledger", book, "--json"))["rows"] == 1


def test_retain_is_in_doubt_when_everything_would_go(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "believe-clock" in said(capsys, "retain", "--ledger", book, "--days", "0.001", code=1)
    assert json.loads(said(capsys, "stats", "--ledger", book, "--json"))["rows"] == 3
    said(capsys, "retain", "--ledger", book, "--days", "0.001", "--believe-clock")
    assert json.loads(said(capsys, "stats", "--ledger", book, "--json"))["rows"] == 0


def test_verify_names_what_is_torn(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capsys, "verify", "--ledger", book, "--json")) == {
        "whole": True,
        "chunks": 3,
        "rows": 3,
        "repeated_ids": 0,
        "faults": [],
    }
    with PredictionBook(book) as opened, opened.database.transaction() as execute:
        execute("UPDATE answers_2 SET entries = ? WHERE sequence = 1", ("[[",))
        execute("UPDATE answers_2 SET rows = 7 WHERE sequence = 2")
        execute("DELETE FROM ids_2 WHERE sequence = 3")
    found = json.loads(said(capsys, "verify", "--ledger", book, "--json", code=1))
    assert (found["whole"], found["rows"], len(found["faults"])) == (False, 2, 3)


def test_the_book_and_the_keys_of_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sekisho.toml").write_text(
        "[model]\nname = 'm'\n[ledger]\nlocation = 'sub/b.sqlite'\nkey_file = 'keys'\nsubject = 'customer'\n"
        "[monitoring]\nretention_days = 30\n"
    )
    assert "there is no book" not in said(capsys, "stats", code=2)
    assert run(["ledger", "key", "k1"]) == 0
    (tmp_path / "keys").write_text(capsys.readouterr().out)
    with PredictionBook(tmp_path / "sub" / "b.sqlite") as opened:
        opened.write(MODEL, [Entry("r", at(0), 1.0, False, [["ann", 3]], ["yes"], None, {})])
    assert json.loads(said(capsys, "stats", "--json"))["rows"] == 1
    assert json.loads(said(capsys, "erase", "--subject", "ann", "--json"))["rows"] == 1
    assert json.loads(said(capsys, "retain", "--json"))["rows"] == 0


def test_a_password_is_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://someone:5ecret@127.0.0.1:1/none"
    assert run(["ledger", "stats", "--ledger", url]) == 3
    told = capsys.readouterr()
    assert "5ecret" not in told.out + told.err
    assert "someone@127.0.0.1:1/none" in told.err
    for wrong in ("postgresql://u:5ecret@h:port/x", "mysql://u:5ecret@h/x", "postgresql://u:5ecret@[h/x"):
        assert run(["ledger", "stats", "--ledger", wrong]) == 2
        assert "5ecret" not in capsys.readouterr().err


@pytest.mark.slow
def test_export_takes_little_memory(tmp_path: Path) -> None:
    with PredictionBook(tmp_path / "b") as opened:
        for chunk in range(200):
            rows: list[Any] = [["x" * 200, number] for number in range(1_000)]
            opened.write(MODEL, [Entry(f"r{chunk}", at(0), 1.0, False, rows, ["yes"] * 1_000, None, {})])
    command = [sys.executable, "-m", "sekisho", "ledger", "export", "--ledger", str(tmp_path / "b")]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert len((tmp_path / "out").read_bytes().splitlines()) == 200_000
    assert used.ru_maxrss < 400 * 1024
