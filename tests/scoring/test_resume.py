"""Whatever ends the work, going on gives the file that an undisturbed run gives, byte for byte."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.scoring.conftest import write

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Signature
from sekisho.errors import Conflict, WrongUse
from sekisho.scoring import tables, text_lines, work
from sekisho.scoring.formats import csv, json_lines
from sekisho.scoring.score import score_file

HERE = Path(__file__).parent


def wishes(spoiled: Path, folder: Path, suffix: str, name: str = "out") -> dict[str, Any]:
    return {
        "source": str(spoiled / f"rows.{suffix.removesuffix('.gz')}"),
        "out": str(folder / f"{name}.{suffix}"),
        "keep": ["id", "note"],
        "ignore_others": True,
        "bad_rows": str(folder / f"{name}.bad"),
    }


@pytest.fixture(scope="module")
def spoiled(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of which some do not fit."""
    found = frame.copy()
    found.loc[[4, 900, 901, 2_998], "plan"] = "gold"
    folder = tmp_path_factory.mktemp("spoiled")
    for suffix in ("csv", "parquet", "jsonl"):
        write(found, folder / f"rows.{suffix}")
    return folder


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[bytes, bytes]]:
    return {}


@pytest.fixture
def undisturbed(
    artifact: ModelArtifact, spoiled: Path, known: dict[str, tuple[bytes, bytes]], _pieces: None
) -> Callable[[str], tuple[bytes, bytes]]:
    """What a run gives that nothing cuts off."""

    def run(suffix: str) -> tuple[bytes, bytes]:
        if suffix not in known:
            given = wishes(spoiled, spoiled, suffix, "undisturbed")
            score_file(artifact, **given)
            known[suffix] = outcome(given)
        return known[suffix]

    return run


@pytest.fixture(autouse=True)
def _pieces(small_pieces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "COLUMN_ROWS", 150)
    monkeypatch.setattr(tables, "FEWEST_ROWS", 1)


class Stop(KeyboardInterrupt):
    """Ctrl-C, at a place of our choosing."""


def stop_at(monkeypatch: pytest.MonkeyPatch, write_number: int, error: BaseException, part: float = 0.5) -> None:
    """Let one write of the work folder be cut off by an error."""
    whole, left = work._write, [write_number]

    def write(file: Any, content: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            whole(file, content[: int(len(content) * part)])
            raise error
        whole(file, content)

    monkeypatch.setattr(work, "_write", write)


def outcome(given: dict[str, Any]) -> tuple[bytes, bytes]:
    return Path(given["out"]).read_bytes(), Path(given["bad_rows"]).read_bytes()


@pytest.mark.parametrize(
    ("suffix", "number"),
    [
        *(("csv", number) for number in (1, 2, 3, 17, 40)),
        ("csv.gz", 16),
        ("jsonl", 31),
        ("parquet", 9),
        ("parquet", 20),
    ],
)
def test_what_was_cut_off_is_gone_on_with(
    suffix: str,
    number: int,
    spoiled: Path,
    artifact: ModelArtifact,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: Callable[[str], tuple[bytes, bytes]],
    tmp_path: Path,
) -> None:
    expected = undisturbed(suffix)
    given = wishes(spoiled, tmp_path, suffix)
    with monkeypatch.context() as patched:
        stop_at(patched, number, Stop() if number % 2 else OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises((Stop, OSError)):
            score_file(artifact, **given)
    assert not Path(given["out"]).exists()
    with pytest.raises(Conflict, match="--resume"):
        score_file(artifact, **given)
    done = score_file(artifact, **given, resume=True)
    assert done.rows == 3_000
    assert done.bad_rows == 4
    assert (done.resumed_rows > 0) == (number > 3)
    assert outcome(given) == expected
    assert not list(tmp_path.glob("*.partial"))


def test_finished_rows_are_not_scored_again(
    spoiled: Path, artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = wishes(spoiled, tmp_path, "csv")
    with monkeypatch.context() as patched:
        stop_at(patched, 60, Stop())
        with pytest.raises(Stop):
            score_file(artifact, **given)
    asked: list[int] = []
    run = artifact.runtime().run_groups  # type: ignore[attr-defined]

    def counted(feeds: Any) -> Any:
        asked.append(len(next(iter(feeds.values()))))
        return run(feeds)

    monkeypatch.setattr(artifact.runtime(), "run_groups", counted)
    done = score_file(artifact, **given, resume=True)
    golden = len(artifact.golden.rows)
    assert done.resumed_rows > 1_000
    assert sum(asked) <= 3_000 - done.resumed_rows + golden


@pytest.mark.parametrize(
    ("suffix", "seed"),
    [
        ("csv", 0),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [("csv", 1), ("parquet", 0), ("parquet", 1)]),
    ],
)
def test_killed_at_any_moment(
    suffix: str,
    seed: int,
    spoiled: Path,
    artifact: ModelArtifact,
    undisturbed: Callable[[str], tuple[bytes, bytes]],
    tmp_path: Path,
) -> None:
    expected = undisturbed(suffix)
    chosen = random.Random(f"{suffix}{seed}")
    given = wishes(spoiled, tmp_path, suffix) | {"artifact": str(artifact.folder), "resume": True}
    first = run_apart(given, {"write": chosen.randint(1, 25), "part": chosen.random()})
    assert first.returncode == -signal.SIGKILL
    assert not Path(given["out"]).exists()
    last = run_apart(given, {"write": 0, "part": 1})
    assert json.loads(last.stdout)["rows"] == 3_000
    assert outcome(given) == expected


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "parquet"])
def test_killed_again_and_again(
    suffix: str, spoiled: Path, artifact: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (text_lines, csv, json_lines):
        monkeypatch.setattr(module, "TEXT_BYTES", 8_000)  # as in the processes that are killed
    whole = wishes(spoiled, tmp_path, suffix, "undisturbed")
    score_file(artifact, **whole)
    expected = outcome(whole)
    chosen = random.Random(suffix)
    given = wishes(spoiled, tmp_path, suffix) | {"artifact": str(artifact.folder), "resume": True}
    killed = 0
    while True:
        ended = run_apart(given, {"write": chosen.randint(2, 12), "part": chosen.random()})
        if ended.returncode == 0:
            break
        killed += 1
        assert ended.returncode == -signal.SIGKILL
    assert killed >= 3
    assert outcome(given) == expected


@pytest.mark.slow
def test_killed_from_outside(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    write(pd.concat([frame] * 60, ignore_index=True), tmp_path / "rows.csv")
    whole = wishes(tmp_path, tmp_path, "csv", "undisturbed")
    score_file(artifact, **whole)
    expected = outcome(whole)
    given = wishes(tmp_path, tmp_path, "csv")
    command = [sys.executable, "-m", "sekisho", "batch", str(artifact.folder), given["source"], given["out"]]
    command += ["--keep", "id", "--keep", "note", "--ignore-others", "--bad-rows", given["bad_rows"], "--resume"]
    chosen = random.Random(0)
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        journal = Path(f"{given['out']}.partial") / "journal"
        ends = time.monotonic() + 60
        while process.poll() is None and not journal.exists() and time.monotonic() < ends:
            time.sleep(0.01)
        time.sleep(chosen.random() * 0.3)
        process.kill()
        process.wait()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert outcome(given) == expected


def run_apart(given: dict[str, Any], kill: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / "interrupted.py"), json.dumps(given), json.dumps(kill)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def begun(spoiled: Path, artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Work that was interrupted half-way."""
    given = wishes(spoiled, tmp_path, "csv")
    with monkeypatch.context() as patched:
        stop_at(patched, 50, Stop())
        with pytest.raises(Stop):
            score_file(artifact, **given)
    return given


@pytest.mark.parametrize("file", ["rows", "aside", "journal"])
@pytest.mark.parametrize("how", ["changed", "cut off", "gone"])
def test_damaged_work_is_done_again(
    file: str,
    how: str,
    begun: dict[str, Any],
    spoiled: Path,
    artifact: ModelArtifact,
    undisturbed: Callable[[str], tuple[bytes, bytes]],
) -> None:
    expected = undisturbed("csv")
    path = Path(f"{begun['out']}.partial") / file
    content = bytearray(path.read_bytes())
    if how == "changed":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    elif how == "cut off":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    score_file(artifact, **begun, resume=True)
    assert outcome(begun) == expected


def test_other_work_is_not_gone_on_with(
    begun: dict[str, Any], spoiled: Path, artifact: ModelArtifact, tmp_path: Path
) -> None:
    source = Path(begun["source"])
    facts, whole = source.stat(), source.read_bytes()
    with pytest.raises(WrongUse, match="changed since: the options"):
        score_file(artifact, **begun | {"keep": ["id"]}, resume=True)
    with pytest.raises(WrongUse, match="the policies"):
        score_file(artifact, **begun, resume=True, signature=_flagging(artifact.signature))
    again = ModelArtifact.load(artifact.folder or "")
    again._parts = _other_digest(again._parts)
    with pytest.raises(WrongUse, match="changed since: the model"):
        score_file(again, **begun, resume=True)
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    with pytest.raises(WrongUse, match="changed since: the input"):
        score_file(artifact, **begun, resume=True)
    # The same size and time, but other bytes.
    content = bytearray(source.read_bytes())
    content[-3] ^= 1
    source.write_bytes(content)
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(WrongUse, match="changed since: the input"):
        score_file(artifact, **begun, resume=True)
    source.write_bytes(whole)
    assert score_file(artifact, **begun, overwrite=True).resumed_rows == 0


def _flagging(signature: Signature) -> Signature:
    import msgspec

    return msgspec.structs.replace(
        signature,
        features=tuple(msgspec.structs.replace(each, unseen_category="accept") for each in signature.features),
    )


def _other_digest(parts: Any) -> Any:
    import dataclasses

    import msgspec

    manifest = msgspec.structs.replace(parts.manifest, version="9.9.9")
    return dataclasses.replace(parts, manifest=manifest)


def test_two_at_one_output(begun: dict[str, Any], artifact: ModelArtifact) -> None:
    lock = os.open(f"{begun['out']}.partial/lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(Conflict, match="another process"):
            score_file(artifact, **begun, resume=True)
    finally:
        os.close(lock)


def test_an_output_that_exists_is_left_alone(spoiled: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    given = wishes(spoiled, tmp_path, "csv")
    Path(given["out"]).write_text("precious")
    with pytest.raises(Conflict, match="exists already"):
        score_file(artifact, **given)
    assert Path(given["out"]).read_text() == "precious"
    score_file(artifact, **given, overwrite=True)
    assert "precious" not in Path(given["out"]).read_text()


def test_an_input_that_changes_meanwhile_gives_no_output(
    spoiled: Path, artifact: ModelArtifact, tmp_path: Path
) -> None:
    given = wishes(spoiled, tmp_path, "csv")

    def touch(rows: int, share: float) -> None:
        os.utime(given["source"], ns=(0, rows))

    with pytest.raises(WrongUse, match="changed while it was read"):
        score_file(artifact, **given, listener=touch)
    assert not Path(given["out"]).exists()


@pytest.mark.slow
def test_a_disk_that_is_full(
    spoiled: Path, artifact: ModelArtifact, undisturbed: Callable[[str], tuple[bytes, bytes]], tmp_path: Path
) -> None:
    """The system itself refuses: the process may write no file larger than this."""
    given = wishes(spoiled, tmp_path, "csv")
    command = [sys.executable, "-m", "sekisho", "batch", str(artifact.folder), given["source"], given["out"]]
    command += ["--keep", "id", "--keep", "note", "--ignore-others", "--bad-rows", given["bad_rows"], "--resume"]
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); sys.argv = sys.argv[1:]; runpy.run_module('sekisho', run_name='__main__')"
    refused = subprocess.run(
        [sys.executable, "-c", limited, "sekisho", *command[3:]], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 3, refused.stderr
    assert "the file grew too large" in refused.stderr
    assert "--resume" in refused.stderr
    assert not Path(given["out"]).exists()
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    expected = undisturbed("csv")
    assert outcome(given) == expected
