"""``sekisho batch``: exit codes, summaries, what a person reads, and how interrupted work is told of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import sekisho
from sekisho.cli.main import run
from sekisho.text import set_language

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"size": random.uniform(20, 200, 300), "rooms": random.integers(1, 7, 300)})
    price = 3.0 * frame["size"] + 20.0 * frame["rooms"] + random.normal(0, 1, 300)
    folder = tmp_path_factory.mktemp("artifacts") / "price"
    sekisho.pack(LinearRegression().fit(frame, price), frame, price, folder=folder, name="price", lock=False)
    return folder


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def batch(*arguments: object) -> tuple[int, str, str]:
        try:
            code = run(["batch", *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return batch


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("id,size,rooms\n01,100.5,3\n02,50,2\n03,500,1\n")
    return path


def test_a_table_is_scored(call: Call, artifact: Path, table: Path, tmp_path: Path) -> None:
    code, out, err = call(artifact, table, tmp_path / "out.csv", "--keep", "id")
    assert (code, err) == (0, "")
    assert out.startswith("3 rows answered by price 1.0.0 in ")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "id,prediction,flags"
    assert [line.split(",")[0] for line in lines[1:]] == ["01", "02", "03"]
    assert [line.split(",")[2] for line in lines[1:]] == ["", "", "out_of_range:size"]


def test_a_summary_for_programs(call: Call, artifact: Path, table: Path, tmp_path: Path) -> None:
    code, out, _ = call(artifact, table, tmp_path / "out.parquet", "--ignore-others", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["rows"] == told["answered"] == 3
    assert told["bad_rows"] == 0
    assert told["artifact"].startswith("sha256:")
    assert told["seconds"] > 0
    assert told["rows_per_second"] > 0
    assert told["peak_memory_bytes"] > 2**20


def test_a_contract_states_the_policies(call: Call, artifact: Path, table: Path, tmp_path: Path) -> None:
    (tmp_path / "sekisho.toml").write_text('[model]\nname = "price"\n\n[security]\nout_of_range = "reject"\n')
    code, out, err = call(artifact, table, tmp_path / "out.csv", "--ignore-others", "-C", tmp_path)
    assert (code, out) == (2, "")
    assert f"{table}: row 3, size: the value is outside the range that the model was trained on" in err
    assert "500" not in err.replace(str(tmp_path), "")
    code, _, err = call(
        artifact, table, tmp_path / "out.csv", "--ignore-others", "-C", tmp_path, "--bad-rows", tmp_path / "bad.jsonl"
    )
    assert code == 0
    assert "1 rows could not be answered" in err
    assert json.loads((tmp_path / "bad.jsonl").read_text())["values"]["size"] == 500


@pytest.mark.parametrize("language", ["en", "ja"])
def test_wrong_use_is_one_line(language: str, call: Call, artifact: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for arguments in (
        (artifact, table, out),
        (artifact, tmp_path / "none.csv", out),
        (artifact, table, tmp_path / "out.xlsx", "--ignore-others"),
        (artifact, table, out, "--max-bad", 3),
        (artifact, table, "-", "--ignore-others", "--format", "parquet"),
        (artifact, table, "-", "--ignore-others", "--format", "csv", "--resume"),
        (artifact, "-", out),
        (tmp_path / "none", table, out),
        (artifact, table, out, "--format", "xml"),
    ):
        code, told, err = call("--lang", language, *arguments)
        assert (code, told) == (2, ""), err
        assert len(err.splitlines()) == 1
        assert "Traceback" not in err
        assert (language == "ja") == any("ぁ" <= letter <= "ん" for letter in err)
    assert not out.exists()


def test_standard_input_and_output(artifact: Path, table: Path) -> None:
    command = [sys.executable, "-m", "sekisho", "batch", str(artifact), "-", "-", "--input-format", "csv"]
    command += ["--format", "jsonl", "--keep", "id", "--json"]
    ended = subprocess.run(command, input=table.read_bytes(), capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line)["id"] for line in ended.stdout.splitlines()] == ["01", "02", "03"]
    assert json.loads(ended.stderr)["rows"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_is_told_and_gone_on_with(
    number: signal.Signals, code: int, artifact: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"size":100.5,"rooms":3}\n' * 100_000)
    command = [sys.executable, "-m", "sekisho", "batch", str(artifact), str(source), str(out)]
    environment = {**os.environ, "SEKISHO_LANG": "en"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    journal = Path(f"{out}.partial") / "journal"
    ends = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size) and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.005)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it was done before the signal came")
    assert process.returncode == code, err
    assert err.splitlines()[-1] == f"finished rows are kept in {out}.partial; go on with the same command and --resume"
    assert not out.exists()
    ended = subprocess.run([*command, "--resume", "--json"], capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout)
    assert told["rows"] == 100_000
    assert told["resumed_rows"] > 0
    assert out.read_bytes().count(b"\n") == 100_000


def test_work_that_was_begun_is_one_line_too(call: Call, artifact: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    (tmp_path / "out.csv.partial").mkdir()
    (tmp_path / "out.csv.partial" / "plan.json").write_text('{"format": 1, "artifact": "other"}')
    for more, words in (((), "go on with --resume"), (("--resume",), "begin anew with --overwrite")):
        code, _, err = call(artifact, table, out, "--ignore-others", *more)
        assert code == 2
        assert len(err.splitlines()) == 1
        assert words in err
    assert call(artifact, table, out, "--ignore-others", "--overwrite")[0] == 0
    assert out.exists()


def test_a_version_of_a_registry(call: Call, artifact: Path, table: Path, tmp_path: Path) -> None:
    registry = sekisho.Registry(tmp_path / "registry")
    registry.push(artifact)
    registry.promote("price@1.0.0")
    code, out, err = call(
        "price@champion", table, tmp_path / "out.csv", "--ignore-others", "--registry", tmp_path / "registry"
    )
    assert code == 0, err
    assert "price 1.0.0" in out
