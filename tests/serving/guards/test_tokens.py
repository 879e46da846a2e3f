"""Tokens: those of the issuer, for this service, now; every other is nobody's, and says so in the same words."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sekisho.errors import MissingExtra, NotFound, WrongUse
from sekisho.serving.guards.tokens.judging import LONGEST_TOKEN, MOST_REMEMBERED, Terms, TokenJudge, caller_id
from sekisho.serving.guards.tokens.keys import read_key_set
from sekisho.serving.guards.tokens.source import AGAIN_SECONDS, EVERY_SECONDS, UNKNOWN_SECONDS, KeySource

from .issuing import (
    AUDIENCE,
    CURVE,
    EDWARDS,
    ISSUER,
    RSA,
    STRANGER,
    Provider,
    Signer,
    claimed,
    encoded,
    key_set,
    providing,
)

ALGORITHMS = ("RS256", "ES256", "EdDSA")
TERMS = Terms(issuer=ISSUER, audience=AUDIENCE, algorithms=ALGORITHMS)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(RSA, CURVE, EDWARDS))
    return path


@pytest.fixture
def judge(file: Path) -> TokenJudge:
    return TokenJudge(KeySource(str(file), ALGORITHMS), TERMS)


def good(judge: TokenJudge, token: str) -> bool:
    return judge.find(token.encode()) is not None


@pytest.mark.parametrize("signer", [RSA, CURVE, EDWARDS], ids=lambda signer: signer.algorithm)
def test_a_token_of_each_algorithm_is_good(judge: TokenJudge, signer: Signer) -> None:
    ends = time.time() + 60
    bearer = judge.find(signer.issue(exp=ends, scope="openid predict metrics").encode())
    assert bearer is not None
    assert bearer.caller.scopes == {"predict", "metrics"}
    assert bearer.caller.id == caller_id(ISSUER, "someone")
    assert bearer.ends == pytest.approx(ends + TERMS.leeway)


def test_a_token_as_libraries_make_it_is_good(judge: TokenJudge) -> None:
    made = jwt.encode(claimed(aud=["other", AUDIENCE]), RSA.private, algorithm="RS256", headers={"kid": "rsa-1"})
    assert good(judge, made)


NOW = 1_000_000_000


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"iss": ISSUER + "/"},
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": [[AUDIENCE]]},
        {"aud": {AUDIENCE: True}},
        {"exp": None},
        {"exp": NOW - 10},
        {"exp": str(2 * NOW)},
        {"exp": True},
        {"exp": -1},
        {"exp": [2 * NOW]},
        {"exp": 10**400},
        {"exp": 2**53 + 2},
        {"nbf": 4 * NOW},
        {"nbf": "0"},
        {"nbf": 10**400},
        {"iat": 4 * NOW},
        {"iat": {}},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": ["someone"]},
        {"scope": 5},
        {"scope": None, "scp": {"predict": True}},
        {"scope": None, "scp": [["predict"]]},
    ],
    ids=str,
)
def test_claims_that_are_not_as_they_must_be(judge: TokenJudge, claims: dict[str, Any]) -> None:
    assert not good(judge, CURVE.issue(**claims))


@pytest.mark.parametrize(
    "head",
    [
        {"kid": "unknown"},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "x" * 300},
        {"kid": 5},
        {"kid": ["ec-1"]},
        {"kid": "rsa-1"},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "https://evil.example/keys"},
        {"jwk": STRANGER.public},
        {"x5c": ["MIIB"]},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"alg": None},
        {"typ": "logout+jwt"},
        {"typ": 5},
    ],
    ids=str,
)
def test_heads_that_ask_for_more_or_for_something_else(judge: TokenJudge, head: dict[str, Any]) -> None:
    assert not good(judge, CURVE.issue(head=head))


def test_a_token_without_a_signature_is_none(judge: TokenJudge) -> None:
    payload = encoded(json.dumps(claimed()).encode())
    for algorithm in ("none", "None", "NONE", "", "ES256"):
        head = encoded(json.dumps({"alg": algorithm, "kid": "ec-1"}).encode())
        assert not good(judge, f"{head}.{payload}.")
        assert not good(judge, f"{head}.{payload}")
        assert not good(judge, f"{head}.{payload}.{encoded(bytes(64))}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_secret_to_sign_with(judge: TokenJudge, algorithm: str) -> None:
    public = RSA.private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), der, json.dumps(RSA.public).encode(), RSA.public["n"].encode()):
        head = {"alg": algorithm, "kid": "rsa-1", "typ": "JWT"}
        signed = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claimed()).encode())}"
        signature = hmac.digest(secret, signed.encode(), "sha" + algorithm[2:])
        assert not good(judge, f"{signed}.{encoded(signature)}")


def test_a_stranger_who_calls_their_key_as_ours_is_called(judge: TokenJudge) -> None:
    assert not good(judge, STRANGER.issue())


def test_claims_of_one_token_under_the_signature_of_another(judge: TokenJudge) -> None:
    head, payload, signature = CURVE.issue().split(".")
    _, other, _ = CURVE.issue(scope="admin").split(".")
    assert good(judge, f"{head}.{payload}.{signature}")
    assert not good(judge, f"{head}.{other}.{signature}")


@given(st.integers(0, 10_000), st.sampled_from("ABCZaz019-_=. +/\n"))
def test_one_letter_changed_and_it_is_no_token(place: int, letter: str) -> None:
    token = TOKEN
    at = place % len(token)
    changed = token[:at] + letter + token[at + 1 :]
    assert (JUDGE.find(changed.encode()) is not None) == (changed == token)


TOKEN = EDWARDS.issue(exp=int(time.time()) + 86_400)  # longer than the tests may take


class _Fixed:
    """Keys that stay."""

    epoch = 0
    keys = read_key_set(key_set(EDWARDS), ALGORITHMS)

    def miss(self) -> None:
        """Nobody is asked."""


JUDGE = TokenJudge(_Fixed(), TERMS)  # type: ignore[arg-type] # a source in all that is asked of it


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b'"word"',
        b"null",
        b"",
        b"{",
        b"\xff",
        b"[" * 5_000,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
        b'{"exp":1e400}',
        b'{"exp":NaN}',
        b'{"exp":Infinity}',
    ],
)
def test_payloads_that_are_no_claims(judge: TokenJudge, payload: bytes) -> None:
    head = json.dumps({"alg": "EdDSA", "kid": "ed-1"}).encode()
    assert not good(judge, EDWARDS.sign(head, payload))
    assert not good(judge, EDWARDS.sign(payload, json.dumps(claimed()).encode()))


def test_numbers_and_names_that_two_readers_would_read_differently(judge: TokenJudge) -> None:
    head = json.dumps({"alg": "EdDSA", "kid": "ed-1"}).encode()
    claims = json.dumps(claimed(exp=None, scope="predict"))
    after = int(time.time()) + 600
    assert good(judge, EDWARDS.sign(head, (claims[:-1] + f', "exp": {after}}}').encode()))
    for more in (
        '"exp": 1e400',
        f'"exp": {after}, "exp": {after + 1}',
        f'"exp": {after}, "scope": "admin"',
        '"exp": NaN',
    ):
        assert not good(judge, EDWARDS.sign(head, (claims[:-1] + f", {more}}}").encode()))
    twice = b'{"alg": "EdDSA", "kid": "ed-1", "alg": "EdDSA"}'
    assert not good(judge, EDWARDS.sign(twice, json.dumps(claimed()).encode()))


def test_a_huge_token_is_not_even_read(judge: TokenJudge) -> None:
    token = CURVE.issue(more="x" * 200_000).encode()
    began = time.perf_counter()
    assert judge.find(token) is None
    assert judge.find(b"." * LONGEST_TOKEN) is None
    assert judge.find(b"\xff.\xff.\xff") is None
    assert time.perf_counter() - began < 0.05
    assert good(judge, CURVE.issue(more="x" * 4_000))


def test_what_is_remembered_ends_with_the_token(file: Path) -> None:
    clock = Clock(time.time())
    judge = TokenJudge(KeySource(str(file), ALGORITHMS), TERMS, clock=clock)
    early = CURVE.issue(nbf=clock.now + 100, iat=clock.now, exp=clock.now + 200)
    assert not good(judge, early)
    clock.now += 100
    assert good(judge, early)
    clock.now += 101.9
    assert good(judge, early)  # two seconds of leeway
    clock.now += 0.2
    assert not good(judge, early)
    clock.now -= 100
    assert good(judge, early)


def test_other_keys_forget_what_the_old_ones_said(file: Path) -> None:
    judge = TokenJudge(KeySource(str(file), ALGORITHMS), TERMS)
    token = CURVE.issue()
    assert good(judge, token)
    file.write_bytes(key_set(RSA))
    assert judge.source.refresh()
    assert not good(judge, token)
    assert good(judge, RSA.issue())
    for garbage in (b"garbage", b"{}", b'{"keys": []}', b'{"keys": 5}', b"[" * 100_000):
        file.write_bytes(garbage)
        with pytest.raises(WrongUse):
            judge.source.refresh()
        assert not judge.source.refresh()  # it is complained about once
        assert good(judge, RSA.issue())
    file.unlink()
    with pytest.raises(NotFound):
        judge.source.refresh()
    assert good(judge, RSA.issue())


def test_no_more_tokens_are_remembered_than_there_is_room_for(judge: TokenJudge) -> None:
    for number in range(MOST_REMEMBERED + 20):
        assert good(judge, EDWARDS.issue(sub=str(number)))
    assert len(judge._remembered) == MOST_REMEMBERED


def test_a_caller_is_known_and_not_named() -> None:
    names = [caller_id(ISSUER, word) for word in ("someone@example.org", 'a"b\nc', "x" * 5_000, "ops")]
    assert len(set(names)) == 4
    assert all(len(name) == 22 and name.replace(":", "").isalnum() for name in names)
    assert caller_id("a", "bc") != caller_id("ab", "c")
    digest = hashlib.sha256(b'["https://issuer.example", "someone"]').hexdigest()
    assert caller_id(ISSUER, "someone") == f"token:{digest[:16]}"


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "predict admin"}, {"predict", "admin"}),
        ({"scope": None, "scp": "metrics"}, {"metrics"}),
        ({"scope": None, "scp": ["predict", "other"]}, {"predict"}),
        ({"scope": "", "scp": ["admin"]}, set()),
        ({"scope": "PREDICT predict2 xadmin"}, set()),
        ({"scope": "predict\tadmin"}, set()),
        ({"scope": None}, set()),
        ({"scope": None, "roles": ["admin"]}, set()),
    ],
    ids=str,
)
def test_scopes(judge: TokenJudge, claims: dict[str, Any], scopes: set[str]) -> None:
    bearer = judge.find(CURVE.issue(**claims).encode())
    assert bearer is not None
    assert bearer.caller.scopes == scopes


def test_scopes_with_a_prefix(file: Path) -> None:
    terms = Terms(issuer=ISSUER, audience=AUDIENCE, algorithms=ALGORITHMS, scope_prefix="model:")
    bearer = TokenJudge(KeySource(str(file), ALGORITHMS), terms).find(CURVE.issue(scope="model:predict admin").encode())
    assert bearer is not None
    assert bearer.caller.scopes == {"predict"}


# The keys


def weak() -> Signer:
    return Signer(
        id="weak", algorithm="RS256", private=rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    )


def other_curve() -> Signer:
    return Signer(id="other", algorithm="ES384", private=ec.generate_private_key(ec.SECP384R1()))


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": encoded(b"x" * 32), "kid": "k", "alg": "HS256"},
        {**CURVE.public, "use": "enc"},
        {**CURVE.public, "key_ops": ["encrypt"]},
        {**CURVE.public, "key_ops": "verify"},
        {**CURVE.public, "alg": "HS256"},
        {**CURVE.public, "alg": ["ES256"]},
        {**CURVE.public, "crv": "P-999"},
        {**CURVE.public, "x": encoded(b"\1" * 32)},
        {**CURVE.public, "x": 5},
        {**CURVE.public, "kid": "x" * 300},
        {**RSA.public, "n": encoded(b"\xff" * 4_000)},
        {**RSA.public, "e": None},
        {**EDWARDS.public, "crv": "X25519"},
        {"kty": ["RSA"]},
        {},
        weak().public,
        other_curve().public,
    ],
    ids=lambda entry: json.dumps(entry)[:60],
)
def test_keys_that_cannot_be_used_are_left_out(entry: dict[str, Any]) -> None:
    with pytest.raises(WrongUse):
        read_key_set(json.dumps({"keys": [entry]}).encode(), ALGORITHMS)
    kept = read_key_set(json.dumps({"keys": [entry, EDWARDS.public, "word", None]}).encode(), ALGORITHMS)
    assert [key.id for key in kept.keys] == ["ed-1"]


def test_a_key_is_for_its_own_algorithms_alone() -> None:
    untold = {name: value for name, value in RSA.public.items() if name != "alg"}
    keys = read_key_set(json.dumps({"keys": [untold, CURVE.public]}).encode(), (*ALGORITHMS, "PS256"))
    assert keys.keys[0].algorithms == {"RS256", "PS256"}
    assert keys.find("rsa-1", "ES256") is None
    assert keys.find("ec-1", "RS256") is None


def test_a_token_without_a_key_id_is_enough_where_there_is_one_key(file: Path) -> None:
    judge = TokenJudge(KeySource(str(file), ALGORITHMS), TERMS)
    assert good(judge, CURVE.issue(head={"kid": None}))
    file.write_bytes(key_set(CURVE, Signer(id="ec-2", algorithm="ES256", private=STRANGER.private)))
    judge.source.refresh()
    assert not good(judge, CURVE.issue(head={"kid": None}))
    assert good(judge, CURVE.issue())


@pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b"[]", b'{"keys": []}', b"x" * 1_000_000])
def test_a_service_does_not_start_with_keys_of_no_use(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(WrongUse):
        KeySource(str(tmp_path / "keys"), ALGORITHMS)
    with pytest.raises(NotFound):
        KeySource(str(tmp_path / "missing"), ALGORITHMS)


@pytest.mark.parametrize("library", ["jwt", "cryptography"])
def test_a_library_that_is_missing_is_missed_at_the_start(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"sekisho\[jwt\]"):
        KeySource("https://issuer.example/keys", ALGORITHMS)


def settle(source: KeySource) -> bool:
    """Ask if it is time, wait for the answer, and take it."""
    changed = source.refresh()
    if source._thread is not None:
        source._thread.join(10)
    return source.refresh() or changed


def test_an_address_is_asked_now_and_then() -> None:
    clock = Clock(1_000.0)
    with providing(key_set(RSA)) as provider:
        source = KeySource(provider.url, ALGORITHMS, clock=clock)
        assert provider.asked == []  # not while the service is made
        judge = TokenJudge(source, TERMS)
        assert not judge.is_able
        assert settle(source)
        assert judge.is_able
        assert good(judge, RSA.issue())
        clock.now += EVERY_SECONDS - 1
        assert not settle(source)
        assert len(provider.asked) == 1
        clock.now += 2
        assert not settle(source)  # asked, and told the same
        assert len(provider.asked) == 2


def test_keys_are_rotated_and_anybody_can_only_ask_for_that_once_a_minute() -> None:
    clock = Clock(1_000.0)
    with providing(key_set(RSA)) as provider:
        source = KeySource(provider.url, ALGORITHMS, clock=clock)
        judge = TokenJudge(source, TERMS)
        settle(source)
        provider.body = key_set(CURVE)
        clock.now += 1
        assert not good(judge, CURVE.issue())
        assert settle(source)
        assert good(judge, CURVE.issue())
        assert not good(judge, RSA.issue())  # the key is gone
        for number in range(50):
            clock.now += 1
            assert not good(judge, CURVE.issue(head={"kid": f"made-up-{number}"}))
            settle(source)
        assert len(provider.asked) == 2
        clock.now += UNKNOWN_SECONDS
        assert not good(judge, CURVE.issue(head={"kid": "made-up"}))
        settle(source)
        assert len(provider.asked) == 3
        # A token whose key is known and whose signature is bad asks for nothing.
        clock.now += UNKNOWN_SECONDS
        assert not good(judge, STRANGER.issue())
        settle(source)
        assert len(provider.asked) == 3


def spoil_status(provider: Provider) -> None:
    provider.status = 500


def spoil_words(provider: Provider) -> None:
    provider.body = b"<html>"


def spoil_size(provider: Provider) -> None:
    provider.body = key_set(RSA) + b" " * 2_000_000


def spoil_place(provider: Provider) -> None:
    provider.status, provider.location = 302, provider.url.replace("/keys", "/elsewhere")


@pytest.mark.parametrize("spoil", [spoil_status, spoil_words, spoil_size, spoil_place])
def test_the_last_good_keys_stay(spoil: Any) -> None:
    clock = Clock(1_000.0)
    with providing(key_set(RSA)) as provider:
        source = KeySource(provider.url, ALGORITHMS, clock=clock)
        judge = TokenJudge(source, TERMS)
        settle(source)
        spoil(provider)
        clock.now += EVERY_SECONDS + 1
        with pytest.raises((OSError, WrongUse)):
            settle(source)
        assert good(judge, RSA.issue())
        assert "/elsewhere" not in provider.asked


def test_an_address_that_does_not_answer_is_asked_again_soon() -> None:
    clock = Clock(1_000.0)
    with providing(key_set(RSA)) as provider:
        url = provider.url
    source = KeySource(url, ALGORITHMS, clock=clock)
    with pytest.raises(OSError, match="refused"):
        settle(source)
    assert not TokenJudge(source, TERMS).is_able
    clock.now += AGAIN_SECONDS + 1
    with pytest.raises(OSError, match="refused"):
        settle(source)
