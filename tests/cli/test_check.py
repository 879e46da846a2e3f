"""``sekisho check`` and ``sekisho explain``: exit codes, what is printed where, and files."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

import pytest

from sekisho.cli import judging
from sekisho.cli.main import run
from sekisho.contract.boxes import BOXES
from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.graph import Units
from sekisho.gate.probe import Progress, probe
from sekisho.gate.verdict import Verdict, holds, verdict
from sekisho.text import Text, set_language, verbatim

WORDS = Text(en="words", ja="言葉")
BOX = "security/rate-limiting"
LINE = re.compile(r"^  [✓✗?!–] \S+ {2}\S+/\S+ {2}.+$")


@dataclass(frozen=True, kw_only=True)
class Flood:
    accepted: int


class Out:
    """What a command printed."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def read(self) -> tuple[str, str]:
        captured = self._capture.readouterr()
        return captured.out, captured.err


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    return Out(capsys)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One check and one probe are installed; returns a list that grows with each measurement."""
    calls: list[int] = []

    @probe("security/flood", title=Text(en="Flood", ja="過負荷"), seconds=2)
    def flood(contract: Contract, progress: Progress) -> Flood:
        calls.append(1)
        progress.advance(0.5)
        return Flood(accepted=80)

    @check(
        BOX, title=Text(en="Rate limit", ja="レート制限"), why=WORDS, remedy=Text(en="Set it.", ja="設定してください。")
    )
    def box(contract: Contract, flood: Flood) -> Verdict:
        limit = contract.security.rate_limit or 100
        return verdict(holds(flood.accepted <= limit, verbatim(f"{flood.accepted} of {limit:g} a second")))

    box.passes(Contract(model={"name": "x"}), Flood(accepted=1))  # type: ignore[arg-type]
    units = Units.of((box,), (flood,))
    monkeypatch.setattr(Units, "installed", classmethod(lambda cls: units))
    return calls


@pytest.fixture
def project(tmp_path: Path, measured: list[int]) -> Path:
    folder = tmp_path / "credit"
    folder.mkdir()
    (folder / "sekisho.toml").write_text('[model]\nname = "credit"\n', encoding="utf-8")
    return folder


def sekisho(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def on_a_terminal(work: Callable[[], int], monkeypatch: pytest.MonkeyPatch, columns: int = 100) -> tuple[int, str]:
    """Run ``work`` with both outputs on a pseudo-terminal, and return its exit code and what it showed."""
    leader, follower = pty.openpty()
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    shown: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the other end was closed
            while chunk := os.read(leader, 65_536):
                shown.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with monkeypatch.context() as patched, os.fdopen(follower, "w", encoding="utf-8", buffering=1) as terminal:
        patched.setenv("COLUMNS", str(columns))
        patched.setenv("TERM", "xterm-256color")
        patched.setattr(sys, "stdout", terminal)
        patched.setattr(sys, "stderr", terminal)
        code = work()
    reader.join()
    os.close(leader)
    return code, b"".join(shown).decode()


# -- Exit codes and output --------------------------------------------------------------------------------------------


def test_forty_lines_by_section_and_exit_1_when_not_all_let_through(project: Path, out: Out) -> None:
    assert sekisho("check", "-C", project) == 1
    printed, errors = out.read()
    lines = printed.splitlines()
    boxes = [line for line in lines if LINE.match(line)]
    assert [line.split()[2] for line in boxes] == list(BOXES)
    assert sum(not line.startswith(" ") for line in lines) == 8 + 2
    assert f"  ✓ pass  {BOX}  Rate limit: 80 of 100 a second" in lines
    assert lines[-2] == "1 of 40 boxes let this model through; 0 failed, 39 could not be judged."
    assert lines[-1] == f"Report: {project.resolve() / '.sekisho' / 'report' / 'index.html'}"
    assert errors == "Flood …\n"
    assert (project / ".sekisho" / "report" / "index.html").is_file()


def test_exit_0_when_every_judged_box_lets_through(project: Path, out: Out) -> None:
    assert sekisho("check", BOX, "-C", project) == 0
    assert "The one judged box lets this model through (a choice of the boxes)." in out.read()[0]


def test_exit_1_when_the_box_fails(project: Path, out: Out) -> None:
    with (project / "sekisho.toml").open("a") as file:
        file.write("[security]\nrate_limit = 10\n")
    assert sekisho("check", BOX, "-C", project) == 1
    assert "✗ fail" in out.read()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["security/rate-limit"], "security/rate-limiting"),
        (["--service", "ftp://x"], "ftp://x"),
        (["--serv", "http://x"], "--service"),
        (["-C", "/nonexistent"], "/nonexistent"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    project: Path, out: Out, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(project)
    assert sekisho("check", *arguments) == 2
    printed, errors = out.read()
    assert printed == ""
    assert len(errors.splitlines()) == 1
    assert said in errors


def test_a_ledger_that_cannot_be_used_is_exit_3(project: Path, out: Out) -> None:
    (project / ".sekisho").mkdir()
    (project / ".sekisho" / "ledger.sqlite").write_bytes(b"no book" * 1_000)
    assert sekisho("check", "-C", project) == 3
    assert len(out.read()[1].splitlines()) == 1


@pytest.mark.parametrize("debug", [True, False])
def test_where_a_probe_failed_is_shown_only_with_debug(
    project: Path, out: Out, monkeypatch: pytest.MonkeyPatch, *, debug: bool
) -> None:
    @probe("security/flood", title=Text(en="Flood", ja="過負荷"))
    def flood(contract: Contract) -> Flood:
        raise ValueError("the-words-of-the-error")

    units = Units.of(Units.installed().checks.values(), (flood,))
    monkeypatch.setattr(Units, "installed", classmethod(lambda cls: units))
    monkeypatch.setattr(logging.getLogger("sekisho"), "handlers", [])
    monkeypatch.setattr(logging.getLogger("sekisho"), "level", logging.NOTSET)
    assert sekisho("check", BOX, "-C", project, *(["--debug"] if debug else [])) == 1
    printed, errors = out.read()
    assert "the probe security/flood failed (ValueError)" in printed
    assert "the-words-of-the-error" not in printed
    assert ("the-words-of-the-error" in errors) == debug
    assert ("Traceback" in errors) == debug


def test_json_for_programs(project: Path, out: Out) -> None:
    assert sekisho("check", "--json", "-C", project) == 1
    data = json.loads(out.read()[0])
    assert data["verdict"] == "fail"
    assert [item["id"] for item in data["items"]] == list(BOXES)
    (passed,) = [item for item in data["items"] if item["status"] == "pass"]
    assert passed["evidence"] == [data["evidence"][0]["id"]]
    assert data["evidence"][0]["fact"] == {"accepted": 80}


def test_japanese(project: Path, out: Out) -> None:
    assert sekisho("check", "--lang", "ja", "-C", project) == 1
    printed, _ = out.read()
    assert f"  ✓ 合格  {BOX}  レート制限: 80 of 100 a second" in printed.splitlines()
    assert "セキュリティ: 未測定" in printed
    assert "40 項目中 1 項目が通過" in printed


def test_report_in_every_form(project: Path, out: Out, tmp_path: Path) -> None:
    assert sekisho("check", BOX, "-C", project, "--report", tmp_path / "out") == 0
    assert out.read()[0].splitlines()[-1] == f"Report: {tmp_path / 'out' / 'index.html'}"
    names = {"index.html", "report.md", "report.json", "junit.xml", "report.sarif"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}


def test_fresh_measures_again(project: Path, measured: list[int]) -> None:
    for options in ([], [], ["--fresh"]):
        sekisho("check", BOX, "-C", project, *options)
    assert len(measured) == 2


def test_another_service_is_judged_under_a_contract_of_its_own(project: Path, out: Out) -> None:
    sekisho("check", BOX, "-C", project, "--json")
    plain = json.loads(out.read()[0])
    sekisho("check", BOX, "-C", project, "--json", "--service", "http://127.0.0.1:9")
    other = json.loads(out.read()[0])
    assert (plain["service"], other["service"]) == (None, "http://127.0.0.1:9")
    assert plain["contract"] != other["contract"]
    assert other["evidence"][0]["command"].endswith("--fresh --service http://127.0.0.1:9")


# -- On a terminal ----------------------------------------------------------------------------------------------------


def test_a_terminal_shows_bars_then_colours(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, shown = on_a_terminal(lambda: sekisho("check", "-C", project), monkeypatch)
    assert code == 1
    assert "\x1b[" in shown
    assert "Flood" in shown
    assert "The checkpoint" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert all(box in plain for box in BOXES)
    assert "Rate limit: 80 of 100 a second" in plain


def test_every_line_keeps_to_the_width_of_the_terminal(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, shown = on_a_terminal(lambda: sekisho("check", "-C", project), monkeypatch, columns=72)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    boxes = [line for line in plain.splitlines() if re.match(r"[✓✗?] ", line)]
    assert len(boxes) == 40
    assert max(map(len, boxes)) <= 72


def test_the_bars_forget_a_probe_that_has_ended(measured: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    bars = judging.Bars()
    (maker,) = Units.installed().makers.values()
    bars.advanced(maker, 0.5)  # a report that comes late, from a probe that was given up
    bars.closed()


# -- Explain ----------------------------------------------------------------------------------------------------------


def test_explain_says_all_of_a_box(measured: list[int], out: Out) -> None:
    assert sekisho("explain", BOX) == 0
    printed, _ = out.read()
    for words in ("Rate limit", "Why", "words", "Flood (security/flood, ~2 s)", "Set it.", "✓ pass: 1 of 100 a second"):
        assert words in printed


def test_explain_without_a_box_lists_all(measured: list[int], out: Out) -> None:
    assert sekisho("explain") == 0
    printed, _ = out.read()
    assert [line.split()[0] for line in printed.splitlines() if line.startswith("  ")] == list(BOXES)


def test_explain_as_json(measured: list[int], out: Out) -> None:
    assert sekisho("explain", BOX, "--json") == 0
    box = json.loads(out.read()[0])
    assert box["probes"] == [{"id": "security/flood", "title": "Flood", "seconds": 2, "exclusive": False}]
    assert box["examples"] == [{"status": "pass", "summary": "1 of 100 a second"}]


def test_explain_an_unknown_box_names_the_nearest(measured: list[int], out: Out) -> None:
    assert sekisho("explain", "security/rate-limitin") == 2
    assert BOX in out.read()[1]


def test_explain_a_box_without_a_check(measured: list[int], out: Out) -> None:
    assert sekisho("explain", "quality/fairness") == 0
    assert "no check for this box is installed" in out.read()[0]


@pytest.mark.parametrize("verb", ["check", "explain"])
def test_help_shows_an_example(verb: str, out: Out) -> None:
    assert sekisho(verb, "--help") == 0
    assert f"sekisho {verb} " in out.read()[0]
