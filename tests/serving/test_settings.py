"""Settings: typed, checked against the network, and taken from a contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.contract.loader import load_project
from sekisho.errors import WrongUse
from sekisho.serving import settings as module
from sekisho.serving.contracted import contracted
from sekisho.serving.model import with_policies
from sekisho.serving.settings import Limits, ServingSettings, settings_of


def test_defaults_are_safe() -> None:
    settings = settings_of()
    assert settings.is_loopback
    assert not settings.open
    assert not settings.trust
    assert settings.limits == Limits()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert settings_of(host=host).is_loopback


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.1", "example.org", "127.0.0.1.evil.example", "2130706433"]
)
def test_the_network_needs_keys_or_an_explicit_word(host: str) -> None:
    with pytest.raises(WrongUse):
        settings_of(host=host)
    assert settings_of(host=host, key_file="keys").key_file == Path("keys")
    assert settings_of(host=host, open=True).open


@pytest.mark.parametrize(
    "given",
    [
        {"workers": 0},
        {"workers": 2.5},
        {"port": 65_536},
        {"port": "8000"},
        {"deadline_ms": 0},
        {"rate_limit": 0},
        {"rate_limit": float("nan")},
        {"rate_limit": float("inf")},
        {"grace_seconds": float("inf")},
        {"log_predictions": 1.1},
        {"out_of_range": "ignore"},
        {"limits": {"rows": 0}},
        {"limits": {"roes": 5}},
        {"key_header": "X-Key:"},
        {"nonsense": 1},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(WrongUse) as raised:
        settings_of(**given)
    assert next(iter(given)) in str(raised.value)


def test_settings_reach_a_worker_as_they_are() -> None:
    settings = settings_of(
        key_file="a/b", ledger=Path("c"), limits={"rows": 5}, companions=[["x", "y"]], redacted=["é"]
    )
    assert module.decode(module.encode(settings)) == settings


def test_a_contract_states_the_service(tmp_path: Path) -> None:
    (tmp_path / "sekisho.toml").write_text(
        'format = 1\n[model]\nname = "m"\n'
        "[serving]\nport = 9000\nworkers = 3\ndeadline_ms = 500\nmaximum_rows = 7\nmaximum_body_bytes = 2048\n"
        '[security]\nkey_file = "k"\nkey_header = "X-Key"\nrate_limit = 5.0\nburst = 9\nout_of_range = "reject"\n'
        '[monitoring]\nlog_predictions = 0.5\nredacted = ["name"]\n'
    )
    settings = settings_of(**contracted(load_project(tmp_path)))
    assert (settings.port, settings.workers, settings.deadline_ms) == (9000, 3, 500)
    assert (settings.limits.rows, settings.limits.body_bytes) == (7, 2048)
    assert settings.key_file == tmp_path / "k"
    assert settings.ledger == tmp_path / ".sekisho" / "predictions.sqlite"
    assert (settings.key_header, settings.rate_limit, settings.burst) == ("X-Key", 5.0, 9)
    assert (settings.out_of_range, settings.unseen_category) == ("reject", None)
    assert (settings.log_predictions, settings.redacted) == (0.5, ("name",))


def test_policies_of_the_service_come_before_those_of_the_signature() -> None:
    feature = Feature(name="f", kind="float", dtype="float64", nullable=False, out_of_range="reject")
    signature = Signature(features=(feature,), output=Output(task="regression"))
    assert with_policies(signature, ServingSettings()) is signature
    stated = with_policies(signature, ServingSettings(out_of_range="accept", unseen_category="reject"))
    assert stated.features[0] == msgspec.structs.replace(feature, out_of_range="accept", unseen_category="reject")
