"""``sekisho registry``, and the verbs that take a version of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sekisho.artifact.artifact import ModelArtifact
from sekisho.cli.main import run
from sekisho.text import set_language

Say = Callable[..., str]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    monkeypatch.setenv("SEKISHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEKISHO_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    set_language(None)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders: the versions 1.0.0 and 2.0.0, and another model that calls itself 1.0.0."""
    root = tmp_path_factory.mktemp("artifacts")
    features = pd.DataFrame({"size": [float(number) for number in range(40)]})
    for folder, version, factor in (("one", "1.0.0", 2), ("two", "2.0.0", 3), ("other", "1.0.0", 4)):
        target = features["size"] * factor
        model: Any = LinearRegression().fit(features, target)
        ModelArtifact(model, reference=features, target=target, name="flat", version=version, lock=False).save(
            root / folder
        )
    return root


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command that must pass, and return its output."""

    def said(*words: object, code: int = 0) -> str:
        assert run([str(word) for word in words]) == code, capsys.readouterr().err
        return capsys.readouterr().out

    return said


def test_the_whole_way(say: Say, artifacts: Path) -> None:
    assert "published" in say("registry", "push", artifacts / "one", "--reason", "first", "--by", "Ana")
    assert "was there already" in say("registry", "push", artifacts / "one")
    say("registry", "push", artifacts / "other", code=2)
    say("registry", "push", artifacts / "two")
    assert "champion: - → 1.0.0" in say("registry", "promote", "flat@1.0.0")
    between = dt.datetime.now(dt.UTC).isoformat()
    say("registry", "promote", "flat@2.0.0", "--expected", "1.0.0", "--reason", "より正確")
    assert "already" in say("registry", "promote", "flat@2.0.0")
    listed = json.loads(say("registry", "list", "flat", "--json"))
    assert [(each["version"], each["aliases"]) for each in listed] == [("1.0.0", []), ("2.0.0", ["champion"])]
    assert "rolled back" in say("registry", "rollback", "flat", "--reason", "errors")
    say("registry", "rollback", "flat", code=2)
    history = json.loads(say("registry", "history", "flat", "--json"))
    assert [event["deed"] for event in history] == ["published", "published", "promoted", "promoted", "rolled back"]
    assert history[0]["by"] == "Ana"
    assert history[3]["reason"] == "より正確"
    (live,) = json.loads(say("registry", "history", "flat", "--at", between, "--json"))
    assert (live["alias"], live["version"]) == ("champion", "1.0.0")
    assert json.loads(say("registry", "history", "flat", "--at", "2020-01-01", "--json")) == []
    assert say("registry", "verify").startswith("whole")
    assert "0 files" in say("registry", "gc", "--dry-run")
    assert say("registry", "fetch", "flat@champion", "--to", "out").strip() == str(Path.cwd() / "out")
    assert ModelArtifact.load("out").version == "1.0.0"


def test_a_damaged_registry_is_told_with_exit_code_1(say: Say, artifacts: Path) -> None:
    say("registry", "push", artifacts / "one")
    content = next(path for path in Path("registry/content").rglob("*") if path.is_file())
    content.write_bytes(b"rotten")
    assert "NOT WHOLE" in say("registry", "verify", code=1)
    assert json.loads(say("registry", "verify", "--json", code=1))["whole"] is False


def test_inspect_and_pack_know_the_registry(say: Say, artifacts: Path) -> None:
    place = ("--registry", "elsewhere")
    say("registry", "push", artifacts / "two", *place)
    say("registry", "promote", "flat@2.0.0", "--alias", "challenger", *place)
    found = json.loads(say("inspect", "flat@challenger", "--json", *place))
    assert (found["name"], found["version"]) == ("flat", "2.0.0")
    say("inspect", "flat@champion", *place, code=2)
    pd.DataFrame({"size": [1.0, 2.0, 3.0], "price": [2.0, 4.0, 6.0]}).to_csv("rows.csv", index=False)
    model = artifacts / "one" / "model.skops"
    say("pack", model, "--reference", "rows.csv", "--target", "price", "--name", "flat", "--version", "3.0.0",
        "--no-lock", "--push", *place)  # fmt: skip
    assert [each["version"] for each in json.loads(say("registry", "list", "--json", *place))] == ["2.0.0", "3.0.0"]


def test_the_contract_and_the_environment_say_where_the_registry_is(
    say: Say, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("project").mkdir()
    Path("project/sekisho.toml").write_text(
        '[model]\nname = "flat"\n[registry]\nlocation = "versions"\nalias = "live"\n'
    )
    say("registry", "push", artifacts / "one", "-C", "project")
    assert Path("project/versions/registry.json").is_file()
    assert "live: - → 1.0.0" in say("registry", "promote", "flat@1.0.0", "-C", "project")
    monkeypatch.setenv("SEKISHO_REGISTRY", "project/versions")
    assert "live" in say("registry", "list")


def test_signatures_are_asked_for_where_they_are_required(say: Say, artifacts: Path, tmp_path: Path) -> None:
    import shutil

    from sekisho.artifact.signing import new_key, sign_folder

    public = new_key(tmp_path / "release.key")
    shutil.copytree(artifacts / "one", "signed")
    say("registry", "push", "signed", "--key", public, code=3)
    say("registry", "push", "signed")
    sign_folder("signed", tmp_path / "release.key")
    say("registry", "fetch", "flat@1.0.0", "--key", public, code=3)
    say("registry", "push", "signed", "--key", public)
    assert "signed" in say("registry", "history", "flat")
    folder = Path(say("registry", "fetch", "flat@1.0.0", "--key", public).strip())
    assert (folder / "manifest.dsse.json").read_bytes() == Path("signed/manifest.dsse.json").read_bytes()
    stranger = new_key(tmp_path / "stranger.key")
    say("registry", "fetch", "flat@1.0.0", "--key", stranger, code=3)
    assert json.loads(say("registry", "list", "--json"))[0]["signed"] is True


def test_both_languages(say: Say, artifacts: Path) -> None:
    say("registry", "push", artifacts / "one")
    assert "バージョン" in say("--lang", "ja", "registry", "list")
    for verb in ("push", "list", "promote", "rollback", "history", "verify", "fetch", "gc"):
        assert "Example:" in say("registry", verb, "--help")
