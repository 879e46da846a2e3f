"""The tutorial is walked as it stands: its files are written, its commands run, and they end as it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.contract.writing import write_contract
from sekisho.text import LANGUAGES, Language

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent.parent / "docs"


def page(language: Language) -> str:
    return (DOCS / ("tutorial.md" if language == "en" else "tutorial.ja.md")).read_text(encoding="utf-8")


def files_on(text: str) -> dict[str, str]:
    """Return every file that the tutorial shows, by its name."""
    return dict(re.findall(r"(?ms)^```(?:python|toml)\n# (\S+)\n(.*?)^```$", text))


def commands_on(text: str) -> list[str]:
    return re.findall(r"(?m)^\$ (.*)$", "".join(re.findall(r"(?ms)^```console\n(.*?)^```$", text)))


class Traveller:
    """Types the commands of the tutorial in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # as on a machine where the environment is active
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SEKISHO")}
        self.environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "LANG": "C"}

    def type(self, command: str, *, ends: int = 0) -> str:
        ended = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == ends, f"{command}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout + ended.stderr

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run ``sekisho serve`` on a free port and tell ``ask.py`` where."""
        command = ["sekisho", "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                ready: dict[str, Any] = next(
                    line for line in map(json.loads, process.stdout) if line["event"] == "ready"
                )
                self.environment["SERVICE"] = ready["url"]
                yield
            finally:
                process.terminate()
                process.stdout.read()
        assert process.returncode == 0


def test_both_languages_show_the_same_files_and_commands() -> None:
    english, japanese = files_on(page("en")), files_on(page("ja"))
    contracts = [english.pop("sekisho.toml"), japanese.pop("sekisho.toml")]
    assert english == japanese
    assert commands_on(page("en")) == commands_on(page("ja"))
    one, other = map(tomllib.loads, contracts)
    for reasons in (one, other):
        del reasons["quality"]["reason"], reasons["not_applicable"][0]["reason"]
    assert one == other


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_contract_loads(language: Language, tmp_path: Path) -> None:
    write_contract(tmp_path, tomllib.loads(files_on(page(language))["sekisho.toml"]), language)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_is_walked(tmp_path: Path) -> None:
    files, commands = files_on(page("en")), commands_on(page("en"))
    walked: list[str] = []
    traveller = Traveller(tmp_path)

    def step(command: str, *, ends: int = 0) -> str:
        walked.append(command)
        return traveller.type(command, ends=ends)

    step("sekisho init tumour")
    walked.append("cd tumour")
    project = traveller.folder = tmp_path / "tumour"
    for name in ("train.py", "ask.py", "drifted.py"):
        (project / name).write_text(files[name])
    step("python train.py")
    assert "RandomForestClassifier" in step("sekisho inspect artifact")
    shutil.copyfile(project / "artifact" / "model.skops", project / "model.skops")
    step("sekisho pack model.skops --reference data/training.csv --target benign --out other --name tumour")

    contract = tomllib.loads(files["sekisho.toml"])
    write_contract(project, contract, "en", replace=True)
    shown = step("sekisho serve --new-key my-app >> keys")
    traveller.environment["KEY"] = shown.split()[-1]
    assert traveller.environment["KEY"] not in (project / "keys").read_text()

    whole = step("sekisho check", ends=1)
    assert "not applicable  quality/fairness" in whole
    assert re.search(r"pass +quality/requirements", whole)
    assert re.search(r"pass +security/authentication", whole)
    assert not re.search(r"(?m)^\s*\S fail\b", whole)
    step("sekisho explain quality/requirements")
    step("sekisho check quality/requirements artifact", ends=1)
    contract["quality"]["threshold"] = 0.95
    write_contract(project, contract, "en", replace=True)
    (item,) = json.loads(traveller.type("sekisho check quality/requirements --json 2>progress", ends=1))["items"]
    assert item["status"] == "fail"
    assert "can be luck" in item["summary"]
    assert "test on more rows" in item["remedy"]
    contract["quality"]["threshold"] = 0.88
    write_contract(project, contract, "en", replace=True)

    with traveller.served():
        walked.append("sekisho serve")
        answer = json.loads(step("python ask.py"))
        assert answer["prediction"] in {0, 1}
        assert answer["flags"] == []
        step("python drifted.py")
        step("sekisho watch --once")
    assert "188 rows answered" in step("sekisho batch artifact data/test.csv scores.csv --keep benign")
    step("sekisho drift data/training.csv data/test.csv")
    drift = step("sekisho drift data/training.csv data/drifted.csv --html drift.html", ends=1)
    assert re.search(r"mean radius\tdrift", drift)
    assert (project / "drift.html").exists()

    for command in (
        "sekisho generate",
        "sekisho generate docker",
        "sekisho generate compose",
        "sekisho generate tests --out tests/service",
        "sekisho deploy",
    ):
        step(command)
    assert sorted(walked) == sorted(commands)
