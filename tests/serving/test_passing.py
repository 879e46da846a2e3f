"""An artifact is served only if the checkpoint has let it through, where that is asked for: at the start, and when it shall take over."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.private_keys import new_key
from sekisho.errors import ArtifactError, WrongUse
from sekisho.gate.passes import write_pass
from sekisho.serving.passing import check_pass
from sekisho.serving.settings import ServingSettings, settings_of

from .conftest import serving, until


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "gate.key"
    new_key(path, None)
    return path


def statement(artifact: str, *, result: str = "PASSED", complete: bool = True) -> str:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "m", "digest": {"sha256": artifact}}],
            "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
            "predicate": {
                "result": result,
                "configuration": [{"name": "sekisho.toml", "digest": {"sha256": "c" * 64}}],
                "passedTests": [],
                "warnedTests": [],
                "failedTests": [],
                "sekisho": {"complete": complete},
            },
        }
    )


def settings(key: Path, *passes: Path) -> ServingSettings:
    return settings_of(require_pass=True, passes=passes, trusted_keys=(key.with_name("gate.key.pub"),))


def test_a_pass_for_this_very_artifact_that_a_trusted_key_has_signed(key: Path, tmp_path: Path) -> None:
    digest = "a" * 64
    (tmp_path / "deep").mkdir()
    write_pass(tmp_path / "deep" / "other.dsse.json", statement("b" * 64), key)
    (tmp_path / "broken.dsse.json").write_text("{")
    asked = settings(key, tmp_path)
    with pytest.raises(ArtifactError, match="there is no pass"):
        check_pass(digest, asked)
    write_pass(tmp_path / "deep" / "pass.dsse.json", statement(digest), key)
    check_pass(digest, asked)
    check_pass(digest, settings(key, tmp_path / "deep" / "pass.dsse.json"))
    check_pass("f" * 64, ServingSettings())  # nobody asks for one


@pytest.mark.parametrize("told", [{"result": "FAILED"}, {"complete": False}])
def test_a_pass_that_does_not_let_through(key: Path, tmp_path: Path, told: dict[str, object]) -> None:
    write_pass(tmp_path / "pass.dsse.json", statement("a" * 64, **told), key)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="did not let this artifact through"):
        check_pass("a" * 64, settings(key, tmp_path))


def test_a_pass_that_somebody_else_has_signed_or_changed(key: Path, tmp_path: Path) -> None:
    new_key(tmp_path / "mallory.key", None)
    write_pass(tmp_path / "pass.dsse.json", statement("a" * 64), tmp_path / "mallory.key")
    with pytest.raises(ArtifactError, match="there is no pass"):
        check_pass("a" * 64, settings(key, tmp_path / "pass.dsse.json"))
    write_pass(tmp_path / "pass.dsse.json", statement("a" * 64), key)
    content = (tmp_path / "pass.dsse.json").read_text()
    for at in range(0, len(content), max(1, len(content) // 40)):
        changed = content[:at] + chr(ord(content[at]) ^ 1) + content[at + 1 :]
        (tmp_path / "pass.dsse.json").write_text(changed)
        with pytest.raises(ArtifactError):
            check_pass("a" * 64, settings(key, tmp_path / "pass.dsse.json"))


def test_who_asks_for_a_pass_says_whose_and_where(key: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="pass"):
        settings_of(require_pass=True)
    with pytest.raises(WrongUse, match="pass"):
        settings_of(require_pass=True, passes=(tmp_path,))


def test_it_is_asked_for_at_the_start_and_when_a_version_takes_over(
    price_artifact: Path, iris_artifact: Path, key: Path, tmp_path: Path
) -> None:
    terms: dict[str, Any] = {
        "require_pass": True,
        "passes": [str(tmp_path)],
        "trusted_keys": [str(key.with_name("gate.key.pub"))],
    }
    with pytest.raises(ArtifactError, match="pass"):
        sekisho.serve(price_artifact, port=0, **terms)
    write_pass(tmp_path / "pass.dsse.json", statement(ModelArtifact.load(price_artifact).digest), key)
    link = tmp_path / "current"
    link.symlink_to(price_artifact)
    with serving(link, **terms) as service:
        (tmp_path / "next").symlink_to(iris_artifact)
        (tmp_path / "next").replace(link)
        service.process.send_signal(signal.SIGHUP)
        line = until(lambda: [one for one in service.lines if '"change refused"' in one])[0]
        assert "there is no pass for this artifact" in line
        assert service.predict([100.0, 3]).status == 200
