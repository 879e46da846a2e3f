"""``sekisho keys``, ``sekisho sign``, ``sekisho verify`` and the pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.artifact.keys import TrustedKeys
from sekisho.cli.main import run
from sekisho.errors import IntegrityError, NotFound
from sekisho.gate.passes import read_pass, write_pass
from sekisho.text import set_language

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = Path(__file__).parents[1] / "artifact" / "old_formats" / "1"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    monkeypatch.delenv("SEKISHO_KEY_PASSPHRASE", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD, "artifact")
    yield
    set_language(None)


def test_the_road_from_a_key_to_a_verified_artifact(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "new", "release.key"]) == 0
    assert run(["sign", "artifact", "--key", "release.key"]) == 0
    capsys.readouterr()
    assert run(["verify", "artifact", "--key", "release.key.pub", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["golden_rows"] == 60
    assert run(["keys", "show", "release.key.pub", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == said["signed_by"]
    assert run(["inspect", "artifact", "--key", "release.key.pub", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signed_by"] == said["signed_by"]
    assert run(["inspect", "artifact"]) == 0
    assert "not verified" in capsys.readouterr().out


def test_unsigned_or_signed_by_somebody_else(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("release.key", "other.key"):
        assert run(["keys", "new", name]) == 0
    assert run(["verify", "artifact", "--key", "release.key.pub"]) == 3
    assert run(["sign", "artifact", "--key", "other.key"]) == 0
    assert run(["verify", "artifact", "--key", "release.key.pub"]) == 3
    assert run(["verify", "artifact"]) == 0
    assert "Signed by no key" in capsys.readouterr().out


def test_a_model_that_answers_otherwise_does_not_verify() -> None:
    import onnx
    from tests.attacks.bundle.hostile import forge

    model = onnx.load_from_string(Path("artifact/model.onnx").read_bytes())
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and values.size > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values + 0.5, tensor.name))
    forge(Path("artifact"), model__onnx=model.SerializeToString())
    assert run(["verify", "artifact"]) == 3


def test_passphrases_come_from_a_file_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("passphrase").write_text("correct horse\n")
    assert run(["keys", "new", "a.key", "--passphrase-file", "passphrase"]) == 0
    assert b"ENCRYPTED" in Path("a.key").read_bytes()
    assert run(["sign", "artifact", "--key", "a.key"]) == 2
    assert run(["sign", "artifact", "--key", "a.key", "--passphrase-file", "passphrase"]) == 0
    monkeypatch.setenv("SEKISHO_KEY_PASSPHRASE", "correct horse")
    assert run(["sign", "artifact", "--key", "a.key"]) == 0


def test_the_contract_may_want_a_signature(capsys: pytest.CaptureFixture[str]) -> None:
    Path("keys").mkdir()
    assert run(["keys", "new", "keys/release.key"]) == 0
    head = '[model]\nname = "churn"\n[security]\nrequire_signature = true\n'
    Path("sekisho.toml").write_text(head)
    assert run(["verify", "artifact", "-C", "."]) == 2
    assert "no key is trusted" in capsys.readouterr().err
    Path("sekisho.toml").write_text(head + 'trusted_keys = ["keys/release.key.pub"]\n')
    assert run(["verify", "artifact", "-C", "."]) == 3
    assert run(["generate", "docker"]) == 3
    assert run(["sign", "artifact", "--key", "keys/release.key"]) == 0
    assert run(["verify", "artifact", "-C", "."]) == 0


def statement(artifact: str, result: str = "PASSED") -> str:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "churn", "digest": {"sha256": artifact}}],
            "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
            "predicate": {
                "result": result,
                "configuration": [{"name": "sekisho.toml", "digest": {"sha256": "c" * 64}}],
                "passedTests": ["artifact/format"],
                "warnedTests": [],
                "failedTests": [],
                "sekisho": {"complete": True},
            },
        }
    )


def test_a_pass_is_signed_and_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "new", "gate.key"]) == 0
    assert run(["inspect", "artifact", "--json"]) == 0
    out = capsys.readouterr().out
    digest = json.loads(out[out.index("{") :])["digest"]
    write_pass(Path("pass.dsse.json"), statement(digest), Path("gate.key"))
    verify = ["verify", "pass.dsse.json", "--key", "gate.key.pub", "--artifact", "artifact"]
    assert run(verify) == 0
    assert "passed" in capsys.readouterr().out
    write_pass(Path("pass.dsse.json"), statement(digest, "FAILED"), Path("gate.key"))
    assert run(verify) == 1
    write_pass(Path("pass.dsse.json"), statement("0" * 64), Path("gate.key"))
    assert run(verify) == 3
    assert run(["verify", "pass.dsse.json"]) == 3  # nobody is trusted


@pytest.mark.parametrize("old", ["PASSED", "artifact/format", "churn"])
def test_a_pass_that_was_edited_is_none(old: str) -> None:
    import base64

    assert run(["keys", "new", "gate.key"]) == 0
    write_pass(Path("pass.dsse.json"), statement("a" * 64), Path("gate.key"))
    keys = TrustedKeys.read(["gate.key.pub"])
    assert read_pass(Path("pass.dsse.json"), keys).passed
    said = json.loads(Path("pass.dsse.json").read_bytes())
    payload = base64.b64decode(said["payload"]).replace(old.encode(), old[::-1].encode())
    said["payload"] = base64.b64encode(payload).decode()
    Path("pass.dsse.json").write_text(json.dumps(said, sort_keys=True, separators=(",", ":")))
    with pytest.raises(IntegrityError, match="not by the key"):
        read_pass(Path("pass.dsse.json"), keys)


@pytest.mark.parametrize("text", ["[]", "{}", '{"_type":"x"}', statement("a" * 64).replace("test-result", "link")])
def test_something_else_that_is_signed_is_no_pass(text: str) -> None:
    assert run(["keys", "new", "gate.key"]) == 0
    write_pass(Path("pass.dsse.json"), text, Path("gate.key"))
    with pytest.raises(IntegrityError):
        read_pass(Path("pass.dsse.json"), TrustedKeys.read(["gate.key.pub"]))


def test_there_is_no_pass() -> None:
    with pytest.raises(NotFound):
        read_pass(Path("missing"), TrustedKeys())


def test_a_signature_of_an_artifact_is_no_pass() -> None:
    assert run(["keys", "new", "gate.key"]) == 0
    assert run(["sign", "artifact", "--key", "gate.key"]) == 0
    with pytest.raises(IntegrityError):
        read_pass(Path("artifact/manifest.dsse.json"), TrustedKeys.read(["gate.key.pub"]))
