"""Settings: typed, checked against the network, and taken from a contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.contract.loader import load_project
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract, FeatureTerms
from sekisho.errors import WrongUse
from sekisho.serving import settings as module
from sekisho.serving.contracted import contracted
from sekisho.serving.model import with_policies
from sekisho.serving.schema import feature_schema
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
    settings = settings_of(key_file="a/b", ledger="c", limits={"rows": 5}, companions=[["x", "y"]], redacted=["é"])
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
    assert settings.ledger == str(tmp_path / ".sekisho" / "predictions.sqlite")
    assert (settings.key_header, settings.rate_limit, settings.burst) == ("X-Key", 5.0, 9)
    assert (settings.out_of_range, settings.unseen_category) == ("reject", None)
    assert (settings.log_predictions, settings.redacted) == (0.5, ("name",))


def test_policies_of_the_service_come_before_those_of_the_signature() -> None:
    feature = Feature(name="f", kind="float", dtype="float64", nullable=False, out_of_range="reject")
    signature = Signature(features=(feature,), output=Output(task="regression"))
    assert with_policies(signature, ServingSettings()) is signature
    stated = with_policies(signature, ServingSettings(out_of_range="accept", unseen_category="reject"))
    assert stated.features[0] == msgspec.structs.replace(feature, out_of_range="accept", unseen_category="reject")


def terms(**more: Any) -> ServingSettings:
    return ServingSettings(features=(FeatureTerms(name="f", **more),))


def test_the_contract_speaks_of_single_features() -> None:
    some = Feature(name="f", kind="float", dtype="float64", nullable=True, personal=True)
    other = msgspec.structs.replace(some, name="g")
    signature = Signature(features=(some, other), output=Output(task="regression"))
    words = {"unit": "EUR", "description": "Net income", "personal": False, "sensitive": True}
    found, untouched = with_policies(signature, terms(null="flag", out_of_range="reject", **words)).features
    assert (found.null, found.nullable, found.out_of_range, found.unseen_category) == ("flag", True, "reject", "flag")
    assert (found.unit, found.description, found.personal, found.sensitive) == ("EUR", "Net income", True, True)
    assert untouched == other
    refusing = with_policies(signature, terms(null="reject")).features[0]
    assert not refusing.takes_null
    assert feature_schema(refusing)["type"] == "number"
    both = msgspec.structs.replace(terms(out_of_range="accept"), out_of_range="reject")
    assert [each.out_of_range for each in with_policies(signature, both).features] == ["accept", "reject"]


def test_what_the_model_cannot_do_is_not_promised() -> None:
    whole = Feature(name="f", kind="integer", dtype="int64", nullable=False)
    signature = Signature(features=(whole,), output=Output(task="regression"))
    with pytest.raises(WrongUse, match="missing value"):
        with_policies(signature, terms(null="accept"))
    with pytest.raises(WrongUse, match="has not"):
        with_policies(signature, ServingSettings(features=(FeatureTerms(name="wage"),)))


def test_features_of_the_contract_reach_the_settings(tmp_path: Path) -> None:
    contract = msgspec.convert(
        {"model": {"name": "m"}, "features": [{"name": "f", "null": "flag", "unit": "EUR"}]}, Contract
    )
    settings = settings_of(**contracted(Project(root=tmp_path, contract=contract)))
    assert settings.features == (FeatureTerms(name="f", null="flag", unit="EUR"),)


def test_policies_and_units_are_in_the_schema() -> None:
    feature = Feature(
        name="f", kind="float", dtype="float64", nullable=True, minimum=0.0, maximum=1.0, unit="EUR", null="flag"
    )
    schema = feature_schema(feature)
    assert schema["type"] == ["number", "null"]
    assert schema["description"] == (
        "Unit: EUR. Seen in training: 0.0 to 1.0. Answered with a flag: values outside, null."
    )


TOKENS = {"token_keys": "https://issuer.example/keys", "token_issuer": "https://issuer.example", "token_audience": "us"}


def test_tokens_are_enough_for_the_network() -> None:
    settings = settings_of(host="0.0.0.0", **TOKENS)
    assert settings.asks_who
    assert not settings_of().asks_who
    assert module.decode(module.encode(settings)) == settings


@pytest.mark.parametrize("missing", TOKENS)
def test_tokens_of_anybody_or_for_anybody_are_refused(missing: str) -> None:
    with pytest.raises(WrongUse):
        settings_of(**{name: value for name, value in TOKENS.items() if name != missing})
    with pytest.raises(WrongUse):
        settings_of(**{**TOKENS, missing: ""})


@pytest.mark.parametrize(
    "address",
    [
        "http://issuer.example/keys",
        "http://127.0.0.1.evil.example/keys",
        "http://127.0.0.1@evil.example/keys",
        "https://user:secret@issuer.example/keys",
        "https://",
        "https://issuer.example:99999/",
        "https://[::1/keys",
        "https://issuer.example/ keys",
        "https://issuer.example/\nkeys",
    ],
)
def test_keys_that_others_could_replace_on_the_way_are_refused(address: str) -> None:
    with pytest.raises(WrongUse):
        settings_of(**{**TOKENS, "token_keys": address})
    assert settings_of(**{**TOKENS, "token_keys": "http://127.0.0.1:8080/keys"}).asks_who


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["RS256", "HS512"], [], ["ES256K"], ["rs256"]])
def test_tokens_that_everybody_can_sign_are_refused(algorithms: list[str]) -> None:
    with pytest.raises(WrongUse):
        settings_of(**TOKENS, token_algorithms=algorithms)


@pytest.mark.parametrize("network", ["*", "0.0.0.0/0", "::/0", "10.0.0.1/8", "proxy.example", "", "10.0.0.0/33"])
def test_proxies_are_networks_and_not_everybody(network: str) -> None:
    with pytest.raises(WrongUse):
        settings_of(trusted_proxies=["10.0.0.0/8", network])


def test_a_contract_asks_for_tokens(tmp_path: Path) -> None:
    path = tmp_path / "sekisho.toml"
    words = 'format = 1\n[model]\nname = "m"\n[security]\nauthentication = "token"\ntrusted_proxies = ["10.0.0.0/8"]\n'
    path.write_text(words)
    with pytest.raises(WrongUse):
        contracted(load_project(tmp_path))
    words += 'key_file = "k"\ntoken_keys = "keys.json"\ntoken_issuer = "i"\ntoken_audience = "a"\ntoken_scope_prefix = "m:"\n'
    path.write_text(words)
    settings = settings_of(**contracted(load_project(tmp_path)))
    assert settings.token_keys == str(tmp_path / "keys.json")
    assert (settings.token_issuer, settings.token_audience, settings.token_scope_prefix) == ("i", "a", "m:")
    assert settings.key_file == tmp_path / "k"
    assert settings.trusted_proxies == ("10.0.0.0/8",)
    path.write_text(words.replace('"token"', '"none"'))
    assert not settings_of(**contracted(load_project(tmp_path))).asks_who


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"workers": "S3cret"}, "must be: `int`"),
        ({"workers": 0}, "must be: `int` >= 1"),
        ({"out_of_range": "S3cret"}, "reject, flag, accept"),
        ({"token_algorithms": ["S3cret"]}, "RS256, "),
        ({"limits": {"rows": "S3cret"}}, "must be: `int` ($.rows)"),
        ({"limits": {"S3cret": 1}}, "body_bytes, rows"),
        ({"trusted_proxies": ["S3cret"]}, "10.0.0.0/8"),
        ({"rate_limit": 1.0, "rate_store": "redis://user:S3cret@ho st"}, "must be: "),
        ({"key_header": "S3cret "}, "must be: "),
    ],
)
def test_what_is_wrong_is_said_in_both_languages_and_never_repeated(given: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongUse) as refused:
        settings_of(**given)
    for text in (refused.value.what, refused.value.remedy):
        assert text.en != text.ja
        assert "S3cret" not in text.en + text.ja
    assert says in refused.value.remedy.en
