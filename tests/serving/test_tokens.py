"""Callers with tokens: what they may ask, for how long, and what nobody hears of a token that is none."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sekisho.serving.guards.keys import new_key
from sekisho.serving.guards.tokens.judging import caller_id

from .conftest import Answer, Running, serving, start, until
from .guards.issuing import (
    AUDIENCE,
    CURVE,
    EDWARDS,
    ISSUER,
    RSA,
    STRANGER,
    Provider,
    encoded,
    key_set,
    providing,
)
from .test_access import ROUTES

TERMS: dict[str, Any] = {"token_issuer": ISSUER, "token_audience": AUDIENCE}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing(key_set(RSA, CURVE)) as running:
        yield running


@pytest.fixture(scope="module")
def grpc_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def tokens(
    people_artifact: Path, provider: Provider, grpc_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A service that takes keys and tokens, behind a proxy: so that each test can come from an address of its own."""
    secret, line = new_key("app", ("predict",))
    key_file = tmp_path_factory.mktemp("tokens") / "keys"
    key_file.write_text(line)
    with serving(
        people_artifact,
        key_file=key_file,
        token_keys=provider.url,
        token_leeway_seconds=0.0,
        trusted_proxies=["127.0.0.0/8"],
        grpc_port=grpc_port,
        access_log_per_second=100_000,
        **TERMS,
    ) as running:
        until(lambda: ask(running, "/docs", CURVE.issue()).status == 200)
        running.keys = {"app": secret}
        yield running


def ask(service: Running, path: str, token: str, body: Any = None, **more: Any) -> Answer:
    address = {"x-forwarded-for": f"203.0.113.{hash(token) % 250}"}
    headers = {"authorization": f"Bearer {token}", **address, **more.pop("headers", {})}
    return service.ask(path, body, key="", headers=headers, **more)


def test_a_token_does_what_its_scopes_say(tokens: Running, good: dict[str, Any]) -> None:
    assert ask(tokens, "/predict", CURVE.issue(), {"features": good}).status == 200
    assert ask(tokens, "/predict", RSA.issue(scope=None, scp=["predict"]), {"features": good}).status == 200
    assert tokens.predict(good, key=tokens.keys["app"]).status == 200
    assert tokens.predict(good, key=CURVE.issue()).status == 200  # the header of keys is as good a place
    for method, path, body, scope in ROUTES:
        for held in ("predict", "metrics", "admin", ""):
            answer = ask(tokens, path, CURVE.issue(scope=held), body, method=method)
            allowed = held == "admin" or bool(held and scope in {"any", held})
            assert (answer.status == 403) == (not allowed), (path, held, answer)
            if not allowed:
                assert answer.code == "scope_missing"
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert ask(tokens, "/health", CURVE.issue(scope="")).status == 200
    assert ask(tokens, "/health", "garbage").status == 200


def test_every_token_that_is_none_hears_the_same(tokens: Running, good: dict[str, Any]) -> None:
    head, payload, _ = CURVE.issue().split(".")
    bad = {
        "expired": CURVE.issue(exp=int(time.time()) - 1),
        "not yet": CURVE.issue(nbf=int(time.time()) + 60),
        "audience": CURVE.issue(aud="other"),
        "issuer": CURVE.issue(iss="https://evil.example"),
        "stranger": STRANGER.issue(),
        "unknown key": EDWARDS.issue(),
        "path": CURVE.issue(head={"kid": "../../../../dev/null"}),
        "brings its key": STRANGER.issue(head={"jwk": STRANGER.public}),
        "none": f"{encoded(json.dumps({'alg': 'none'}).encode())}.{payload}.",
        "no signature": f"{head}.{payload}.{'A' * 86}",
        "empty": "..",
        "large": CURVE.issue(more="x" * 7_000),
    }
    answers = {why: ask(tokens, "/predict", token, {"features": good}) for why, token in bad.items()}
    assert {why: answer.status for why, answer in answers.items()} == dict.fromkeys(bad, 401)
    heard = {
        (answer.code, answer.headers["www-authenticate"], str({**answer.json(), "request_id": ""}))
        for answer in answers.values()
    }
    assert len(heard) == 1
    assert answers["expired"].code == "token_invalid"
    assert 'error="invalid_token"' in answers["expired"].headers["www-authenticate"]
    assert ask(tokens, "/predict", "sk_nobody", {"features": good}).code == "key_unknown"
    assert tokens.ask("/predict", {"features": good}, key="").code == "key_missing"


def test_a_token_in_the_wrong_place_is_none(tokens: Running) -> None:
    token = CURVE.issue(scope="admin")
    assert tokens.ask(f"/metrics?access_token={token}&token={token}", key="").status == 401
    for headers in (
        {"cookie": f"access_token={token}"},
        {"authorization": f"Basic {token}"},
        {"authorization": f"JWT {token}"},
        {"authorization": token},
        {"proxy-authorization": f"Bearer {token}"},
    ):
        assert tokens.ask("/metrics", key="", headers=headers).status == 401
    assert ask(tokens, "/metrics", token).status == 200
    assert tokens.ask("/metrics", key="nobody", headers={"authorization": f"Bearer {token}"}).status == 401
    request = f"GET /metrics HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n"
    twice = request + "Authorization: Bearer x\r\nConnection: close\r\n\r\n"
    assert tokens.raw(twice.encode()).startswith(b"HTTP/1.1 400 ")
    assert tokens.raw((request + "Connection: close\r\n\r\n").encode()).startswith(b"HTTP/1.1 200 ")


def test_the_log_names_neither_token_nor_subject(tokens: Running, good: dict[str, Any]) -> None:
    subject = 'somebody@example.org\n{"level":"error"}'
    token = CURVE.issue(sub=subject)
    wrong = STRANGER.issue(sub=subject)
    answer = ask(tokens, "/predict", token, {"features": good}, headers={"x-request-id": "of-a-token"})
    assert answer.status == 200
    ask(tokens, "/predict", wrong, {"features": good}, headers={"x-request-id": "of-none"})
    lines = until(
        lambda: [line for line in tokens.lines if "of-a-token" in line or "of-none" in line][1:] and tokens.lines
    )
    (one,) = [json.loads(line) for line in lines if '"of-a-token"' in line]
    (other,) = [json.loads(line) for line in lines if '"of-none"' in line]
    assert one["caller"] == caller_id(ISSUER, subject)
    assert other["caller"].startswith("203.0.113.")
    everything = "".join(lines)
    for secret in (*token.split("."), *wrong.split("."), "somebody", ISSUER):
        assert secret not in everything


def test_tokens_and_addresses_over_grpc(tokens: Running, grpc_port: int) -> None:
    def told(*metadata: tuple[str, str]) -> tuple[grpc.StatusCode, str]:
        try:
            ask_metadata(b"", metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            return error.code(), str(trailers.get("code"))
        return grpc.StatusCode.OK, ""

    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        ask_metadata = channel.unary_unary("/inference.GRPCInferenceService/ServerMetadata")
        address = ("x-forwarded-for", "198.51.100.77")
        given = ("authorization", f"Bearer {CURVE.issue()}")
        assert told(address) == (grpc.StatusCode.UNAUTHENTICATED, "key_missing")
        assert told(address, given) == (grpc.StatusCode.OK, "")
        assert told(address, given, ("authorization", "Bearer x")) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "malformed_http",
        )
        answers = {told(address, ("authorization", f"Bearer {STRANGER.issue()}")) for _ in range(30)}
        assert answers == {
            (grpc.StatusCode.UNAUTHENTICATED, "token_invalid"),
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_guesses"),
        }
        assert told(address, given) == (grpc.StatusCode.OK, "")


def again_and_again(service: Running, token: str, features: Any, seconds: float) -> list[tuple[float, int]]:
    """Send the very same bytes on one connection, and return when each was sent and what came back."""
    body = json.dumps({"features": features}).encode()
    request = (
        f"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-Forwarded-For: 198.51.100.1\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    came = []
    ends = time.time() + seconds
    with service.connect() as connection:
        while time.time() < ends:
            sent = time.time()
            connection.sendall(request)
            received = connection.recv(65_536)
            came.append((sent, int(received.split()[1])))
            time.sleep(0.005)
    return came


def test_a_head_is_not_remembered_longer_than_its_token(tokens: Running, good: dict[str, Any]) -> None:
    expires = time.time() + 1.5
    came = again_and_again(tokens, CURVE.issue(exp=expires), good, 2.5)
    assert {status for sent, status in came if sent < expires - 0.1} == {200}
    assert {status for sent, status in came if sent > expires} <= {401, 429}
    assert came[-1][0] > expires


def test_wrong_tokens_get_slow_for_their_address_alone(tokens: Running, good: dict[str, Any]) -> None:
    def status(token: str, hops: str) -> int:
        return ask(tokens, "/predict", token, {"features": good}, headers={"x-forwarded-for": hops}).status

    statuses = Counter(status(f"a.b{number}.c", f"{number}.1.1.1, 198.51.100.9") for number in range(1, 60))
    assert statuses[401] >= 20
    assert statuses[429] >= 30
    assert status(CURVE.issue(), "198.51.100.9") == 200
    assert status("a.b.c", "198.51.100.10") == 401


def test_keys_come_and_go_while_it_runs(people_artifact: Path, good: dict[str, Any]) -> None:
    numbers = itertools.count(1)
    proxies = ["127.0.0.1"]
    with (
        providing(b"not yet") as provider,
        serving(people_artifact, token_keys=provider.url, trusted_proxies=proxies, **TERMS) as running,
    ):

        def predict(token: str) -> Answer:
            fresh = {"x-forwarded-for": f"192.0.{next(numbers)}.1"}
            return ask(running, "/predict", token, {"features": good}, headers=fresh)

        old, new = RSA.issue(), EDWARDS.issue()
        # Without any keys no token is good or bad.
        answer = predict(old)
        assert (answer.status, answer.code) == (503, "tokens_unreadable")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert running.predict(good).code == "key_missing"
        assert running.ask("/health").status == 200
        provider.body = key_set(RSA)
        until(lambda: predict(old).status == 200, 12)
        # One token of a key that nobody knows is enough to have them asked for.
        provider.body = key_set(EDWARDS)
        until(lambda: predict(new).status == 200, 5)
        assert predict(old).status == 401
        assert {status for _, status in again_and_again(running, old, good, 0.05)} == {401}
        # Another one is not, for a minute.
        asked = len(provider.asked)
        assert predict(CURVE.issue()).status == 401
        time.sleep(1.2)
        assert predict(CURVE.issue()).status == 401
        assert len(provider.asked) == asked
        assert [line for line in running.lines if "keys for tokens read again" in line][1:]


def test_a_service_does_not_start_with_a_set_of_no_use(people_artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}')
    running = start(people_artifact, wait=False, token_keys=str(tmp_path / "keys.json"), **TERMS)
    assert running.process.wait(60) != 0
    running.end()
    assert any("keys for tokens" in line for line in running.lines)
