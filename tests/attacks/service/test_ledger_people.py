"""D07, K10, L08, L09, L11: what of people is written, that they can be erased, that old rows go, and outcomes belong to what was answered."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.attacks.service.books import PERSONAL, pack_people, person
from tests.serving.conftest import Running, children, command_of, serving, until

from sekisho.artifact.artifact import ModelArtifact
from sekisho.ledger.keys import new_key, read_keys
from sekisho.ledger.personal import opened
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook

if TYPE_CHECKING:
    from sekisho.ledger.predictions import PredictionRecord

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_people(tmp_path_factory.mktemp("people") / "people")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret" / "keys"
    path.parent.mkdir()
    path.write_text(new_key("k1") + "\n")
    path.chmod(0o600)
    return path


def records(book: Path) -> list[PredictionRecord]:
    with PredictionBook(book) as read:
        return read.recent(10_000)


def flushed(running: Running, rows: int) -> None:
    until(lambda: running.metric("ml_ledger_written_total") == rows)


def ask_in_every_way(running: Running) -> int:
    """Ask for people over every route, alone and together, rightly and wrongly; return how many rows were answered."""
    assert running.ask("/predict", {"features": person(1)}).status == 200
    assert running.ask("/predict", {"features": list(person(2).values())}).status == 200
    few = [{"features": person(number)} for number in range(3, 6)]
    many = [{"features": person(number)} for number in range(10, 110)]
    for rows in (few, many):
        assert running.ask("/predict/batch", rows).status == 200
    frame = {"dataframe_split": {"columns": [*person(0)], "data": [list(person(n).values()) for n in range(200, 300)]}}
    assert running.ask("/invocations", frame).status == 200
    table = "name,email,postcode,age\n" + "".join(
        f"{','.join(map(str, person(n).values()))}\n" for n in range(300, 400)
    )
    assert running.ask("/invocations", table.encode(), headers={"content-type": "text/csv"}).status == 200
    for wrong in ({**person(8), "age": "old"}, {**person(8), "Zoe Quill": 1}, [*person(8).values(), "zq8@corp.test"]):
        assert running.ask("/predict", {"features": wrong}).status == 422
    return 2 + 3 + 100 + 100 + 100


@pytest.mark.parametrize(
    "how", ["encrypt", *(pytest.param(how, marks=pytest.mark.slow) for how in ("drop", "mask", "hash"))]
)
def test_l08_personal_values_are_nowhere_in_the_clear(people: Path, tmp_path: Path, key_file: Path, how: str) -> None:
    book = tmp_path / "book" / "b.sqlite"
    settings: dict[str, Any] = {} if how in {"drop", "mask"} else {"ledger_key_file": key_file}
    with serving(people, ledger=book, ledger_personal=how, **settings) as running:
        rows = ask_in_every_way(running)
        flushed(running, rows)
        told = [running.ask(path).body for path in ("/metrics", "/openapi.json", "/docs", "/model/info")]
    found = records(book)
    assert len(found) == rows
    held = b"".join([path.read_bytes() for path in book.parent.iterdir()])
    for secret in (
        b"Zoe Quill",
        b"corp.test",
        b"999-0",
        *(word.hex().encode() for word in (b"Zoe Quill", b"corp.test")),
    ):
        assert secret not in held
        assert secret.decode() not in "".join(running.lines)
        assert secret not in b"".join(told)
    assert key_file.read_bytes().partition(b":")[2].strip() not in held
    check_shown(found, how, key_file)


def check_shown(found: list[PredictionRecord], how: str, key_file: Path) -> None:
    """Look at what stands in the place of personal values."""
    keys = read_keys(key_file)
    for record in found:
        assert record.features["age"] == 41.5
        shown = {name: record.features.get(name) for name in PERSONAL}
        if how == "drop":
            assert set(record.features) == {"age"}
        elif how == "mask":
            assert set(shown.values()) == {"mask:"}
        elif how == "hash":
            assert all(re.fullmatch(r"hash:k1:[0-9a-f]{32}", str(value)) for value in shown.values())
        else:
            assert opened("name", shown["name"], keys).startswith("Zoe Quill ")  # type: ignore[union-attr]
    if how == "hash":  # equal values can be joined, others not
        assert len({record.features["email"] for record in found}) == len(found)


@pytest.mark.parametrize("by", ["feature", pytest.param("header", marks=pytest.mark.slow)])
def test_l09_a_person_is_erased_from_everywhere(people: Path, tmp_path: Path, key_file: Path, by: str) -> None:
    book = tmp_path / "book" / "b.sqlite"
    settings = {"ledger_subject": "email"} if by == "feature" else {"ledger_subject_header": "X-Customer"}
    theirs = "zq1@corp.test" if by == "feature" else "customer-1"
    with serving(people, ledger=book, ledger_key_file=key_file, **settings) as running:
        for number in (1, 2, 1):
            head = {"x-customer": f"customer-{number}", "x-request-id": f"of-{number}-{uuid.uuid4()}"}
            assert running.ask("/predict", {"features": person(number)}, headers=head).status == 200
        batch = [{"features": person(1 + row % 2)} for row in range(100)]
        assert running.ask("/predict/batch", batch, headers={"x-customer": "customer-1"}).status == 200
        flushed(running, 103)
        erased = erase(book, theirs, key_file)
        assert erased["rows"] == (52 if by == "feature" else 102)
        assert theirs not in json.dumps(erased)
        assert erase(book, theirs, key_file) == erased
        assert running.ask("/predict", {"features": person(3)}, headers={"x-customer": "customer-3"}).status == 200
        flushed(running, 104)
        assert running.metric("ml_ledger_dropped_total") == 0
    left = records(book)
    assert len(left) == 104 - erased["rows"]
    assert read_keys(key_file).first.digest("subject", theirs) not in {record.subject for record in left}


def erase(book: Path, subject: str, key_file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "sekisho", "ledger", "erase", "--subject", subject, "--json", "--by", "desk"]
    command += ["--ledger", str(book), "--key-file", str(key_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_l09_two_subjects_in_one_request_are_refused(people: Path, tmp_path: Path, key_file: Path) -> None:
    body = json.dumps({"features": person(1)}).encode()
    with serving(
        people, ledger=tmp_path / "b", ledger_key_file=key_file, ledger_subject_header="X-Customer"
    ) as running:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Customer: a\r\nX-Customer: b\r\n"
        answer = running.raw(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_l11_the_service_itself_erases_what_is_too_old(people: Path, tmp_path: Path) -> None:
    book = tmp_path / "b.sqlite"
    now = dt.datetime.now(dt.UTC)
    model = BookModel(digest=ModelArtifact.load(people).digest, version="1.0.0", names=("age",))
    with PredictionBook(book) as written:
        for days in (200, 91, 89, 1, 0.1):
            at = (now - dt.timedelta(days=days)).isoformat(timespec="milliseconds")[:-6] + "Z"
            written.write(model, [Entry(f"age-{days}", at, 1.0, False, [[41.5]], [True], None, {})])
    with serving(people, ledger=book, retention_days=90) as running:
        until(lambda: any("old predictions erased" in line for line in running.lines))
    assert [record.request_id for record in records(book)] == ["age-89", "age-1", "age-0.1"]


@pytest.mark.parametrize("zone", ["America/St_Johns", pytest.param("Asia/Tokyo", marks=pytest.mark.slow)])
def test_d07_all_times_are_rfc_3339_in_utc(people: Path, tmp_path: Path, zone: str) -> None:
    book = tmp_path / "b.sqlite"
    with serving(people, ledger=book, environment={"TZ": zone}) as running:
        answer = running.ask("/predict", {"features": person(1)}, headers={"x-request-id": "one"})
        assert running.ask("/feedback", {"request_id": "one", "outcome": True}).status == 200
    with PredictionBook(book) as read:
        (record,), (outcome,) = read.recent(5), read.outcomes()
    logged = [json.loads(line)["time"] for line in running.lines]
    now = dt.datetime.now(dt.UTC)
    for moment in (answer.json()["timestamp"], record.at, outcome.at, *logged):
        assert RFC_3339.fullmatch(moment), moment
        assert abs((now - dt.datetime.fromisoformat(moment)).total_seconds()) < 120


def test_outcomes_belong_to_what_was_answered(people: Path, tmp_path: Path) -> None:
    book = tmp_path / "b.sqlite"
    with serving(people, ledger=book, workers=2) as running:

        def tell(name: str, row: int, outcome: object) -> Any:
            return running.ask("/feedback", {"request_id": name, "row": row, "outcome": outcome})

        for attempt in range(10):  # whichever worker answers, and whichever is told, at once
            name = f"a-{attempt}"
            batch = [{"features": person(row)} for row in range(3)]
            assert running.ask("/predict/batch", batch, headers={"x-request-id": name}).status == 200
            assert tell(name, 2, True).status == 200
        assert tell("a-1", 2, True).status == 200
        assert tell("a-1", 2, False).status == 200
        out_of_range = tell("a-1", 3, True)
        assert (out_of_range.status, out_of_range.code, out_of_range.json()["field"]) == (404, "unknown_row", "row")
        unknown = tell("b-1", 0, True)
        assert (unknown.status, unknown.code) == (404, "unknown_request")
        wrong: tuple[Any, ...] = ("yes", 3, None, [], {"a": 1}, 10**40)
        for impossible in wrong:
            assert tell("a-1", 0, impossible).status == 422
    with PredictionBook(book) as read:
        told = read.outcomes()
    assert len(told) == 10
    assert [outcome.value for outcome in told if outcome.request_id == "a-1"] == [False]


@pytest.mark.slow
def test_k10_no_route_erases_or_exports(people: Path, tmp_path: Path) -> None:
    with serving(people, ledger=tmp_path / "b.sqlite") as running:
        for method in ("GET", "POST", "DELETE", "PUT"):
            for path in ("/ledger", "/ledger/erase", "/ledger/export", "/erase", "/export", "/predictions"):
                assert running.ask(path, None if method == "GET" else {}, method=method).status in {404, 405, 501}


@pytest.mark.slow
def test_l06_the_password_of_the_database_is_nowhere(people: Path, postgres: Any) -> None:
    address = postgres.url().replace("postgres:@", "postgres:5ecretWord@")
    assert "5ecretWord" in address
    with serving(people, ledger=address, ledger_durability="durable") as running:
        assert running.ask("/predict", {"features": person(1)}).status == 200
        told = [
            running.ask(path).body.decode() for path in ("/metrics", "/openapi.json", "/docs", "/health", "/model/info")
        ]
        processes = [running.process.pid, *children(running.process.pid)]
        commands = [command_of(one) for one in processes[1:]]
        folders = [Path(word) for line in commands for word in line.split() if "sekisho-run-" in word]
        kept = [path.read_bytes() for path in {folder / "settings.json" for folder in folders}]
    assert len(kept) == 1
    assert b"postgresql://" in kept[0]
    for found in (*told, *commands, *running.lines, *(content.decode() for content in kept)):
        assert "5ecretWord" not in found
