"""Tokens of an identity provider: forged, misused, and made to hurt."""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Answer
from tests.attacks.service.own import LIMITS, Workshop, configuration, questions_about_people, target_of
from tests.attacks.service.target import Target
from tests.serving.conftest import until
from tests.serving.guards.issuing import (
    AUDIENCE,
    CURVE,
    EDWARDS,
    ISSUER,
    RSA,
    STRANGER,
    claimed,
    encoded,
    key_set,
    providing,
)

KINDS = auth = Chapter("auth")
LIMIT_MS = 50.0
HOUR = 3_600

K08 = auth(
    "K08",
    ("JWT: the usual forgeries", "JWT の典型的な偽造"),
    ("401, whatever was wrong in the same words", "401。理由によらず同じ文言"),
)
K09 = auth(
    "K09",
    ("JWT by the back door", "JWT の裏口"),
    ("401 within 50 ms; nothing is fetched or opened", "50 ms 以内に 401。取得もファイルを開くこともしない"),
)


@configuration("tokens")
def _tokens(workshop: Workshop) -> Iterator[Target]:
    """Tokens of a provider of ours, behind a proxy: so that each attack comes from an address of its own."""
    from tests.serving.conftest import serving

    folder = workshop.place("tokens")
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    with (
        providing(key_set(RSA, CURVE)) as provider,
        providing(key_set(STRANGER)) as evil,
        serving(
            workshop.people,
            token_keys=provider.url,
            token_issuer=ISSUER,
            token_audience=AUDIENCE,
            token_leeway_seconds=0.0,
            trusted_proxies=["127.0.0.0/8"],
        ) as running,
    ):
        target = target_of(running, questions_about_people(), limits=LIMITS, guarded="/model/info")
        target.more |= {"provider": provider, "evil": evil, "fifo": fifo}
        target.headers["Authorization"] = f"Bearer {CURVE.issue(exp=int(time.time()) + 10 * HOUR, scope='admin')}"
        running.key = None
        until(lambda: target.ask("/model/info").status == 200)
        yield target


_addresses = itertools.count(1)


def ask(target: Target, token: str, path: str = "/model/info") -> Answer:
    """Ask with a token, from an address of its own."""
    number = next(_addresses)
    headers = {"authorization": f"Bearer {token}", "x-forwarded-for": f"198.18.{number >> 8}.{number & 255}"}
    return target.ask(path, headers=headers)


def hs_by(public: bytes, algorithm: str = "HS256") -> str:
    """Return a token that is signed with bytes that everybody knows."""
    import hashlib
    import hmac

    head = encoded(json.dumps({"alg": algorithm, "kid": RSA.id, "typ": "at+jwt"}).encode())
    signed = f"{head}.{encoded(json.dumps(claimed()).encode())}"
    kind = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{signed}.{encoded(hmac.new(public, signed.encode(), kind).digest())}"


def pem_of(signer: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    public: bytes = signer.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def unsigned(algorithm: str, signature: str = "") -> str:
    head = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    return f"{head}.{encoded(json.dumps(claimed(scope='admin')).encode())}.{signature}"


def now() -> int:
    return int(time.time())


def _spliced() -> str:
    mine, other = CURVE.issue(scope="predict").split("."), CURVE.issue(scope="admin").split(".")
    return f"{mine[0]}.{other[1]}.{mine[2]}"


FORGED: dict[str, Callable[[], str]] = {
    **{f"alg-{word}": partial(unsigned, word) for word in ("none", "None", "NONE", "nOnE", "")},
    "alg-none-signed": lambda: unsigned("none", "A" * 86),
    **{f"{name.lower()}-by-the-public-key": partial(hs_by, pem_of(RSA), name) for name in ("HS256", "HS384", "HS512")},
    "hs256-by-the-public-key-without-its-last-line": lambda: hs_by(pem_of(RSA).rstrip()),
    "hs256-by-the-jwk": lambda: hs_by(json.dumps(RSA.public).encode()),
    "hs256-by-nothing": lambda: hs_by(b""),
    "wrong-audience": lambda: CURVE.issue(aud="other"),
    "audience-among-none": lambda: CURVE.issue(aud=[]),
    "audience-with-a-tail": lambda: CURVE.issue(aud=AUDIENCE + "-staging"),
    "no-audience": lambda: CURVE.issue(aud=None),
    "wrong-issuer": lambda: CURVE.issue(iss="https://issuer.example.evil"),
    "no-issuer": lambda: CURVE.issue(iss=None),
    "expired": lambda: CURVE.issue(exp=now() - 1),
    "expired-long-ago": lambda: CURVE.issue(exp=0),
    "not-yet": lambda: CURVE.issue(nbf=now() + 60),
    "issued-in-the-future": lambda: CURVE.issue(iat=now() + HOUR),
    "no-exp": lambda: CURVE.issue(exp=None),
    "no-sub": lambda: CURVE.issue(sub=None),
    "unknown-crit": lambda: CURVE.issue(head={"crit": ["exp-policy"], "exp-policy": 1}),
    "crit-that-is-no-list": lambda: CURVE.issue(head={"crit": "b64"}),
    "unencoded-payload": lambda: CURVE.issue(head={"crit": ["b64"], "b64": False}),
    "stranger": STRANGER.issue,
    "unknown-key": EDWARDS.issue,
    "another-algorithm-of-the-key": lambda: CURVE.issue(head={"alg": "ES384"}),
    "no-signature": lambda: CURVE.issue().rpartition(".")[0] + ".",
    "signature-of-another": lambda: (
        CURVE.issue(sub="one").rpartition(".")[0] + "." + CURVE.issue(sub="two").rpartition(".")[2]
    ),
    "claims-of-another": _spliced,
    "zero-signature": lambda: CURVE.issue().rpartition(".")[0] + "." + encoded(b"\0" * 64),
    "encrypted": lambda: CURVE.issue() + ".x.y",
    "nested": lambda: CURVE.issue(head={"cty": "JWT"}).replace(".", "..", 1),
    "id-token-type": lambda: CURVE.issue(head={"typ": "secevent+jwt"}),
}


def _refused(make: Callable[[Target], str], limit: float = 0.0) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        provider, evil = target.more["provider"], target.more["evil"]
        token = make(target)
        asked = len(evil.asked)
        answer = ask(target, token)
        expect(answer.status == 401 or (len(token) > 10_000 and answer.status == 431), f"{answer.status} {answer.code}")
        if limit:
            within(answer.milliseconds, limit, "the answer")
        if answer.status == 401:
            body = {**answer.json(), "request_id": ""}
            usual = {**ask(target, "a.b.c").json(), "request_id": ""}
            expect(body == usual, f"it says why: {body}")
        expect(len(evil.asked) == asked, "what the token names was fetched")
        expect(not [path for path in provider.asked if path != "/keys"], "another path was asked for")
        try:
            os.close(os.open(target.more["fifo"], os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            expect(error.errno == errno.ENXIO, f"{error}")
        else:
            expect(False, "the file that the token names is open")
        return Outcome(
            seen=f"{answer.status} {answer.code}", figures={"ms": round(answer.milliseconds, 1)} if limit else {}
        )

    return run


def _forged(forge: Callable[[], str]) -> Callable[[Target], str]:
    return lambda target: forge()


for name, forge in FORGED.items():
    K08.add(name, _refused(_forged(forge)), on="tokens")


def raw_claims(text: str) -> str:
    """Return a well-signed token whose claims are exactly these bytes."""
    return CURVE.sign(json.dumps({"alg": CURVE.algorithm, "kid": CURVE.id, "typ": "at+jwt"}).encode(), text.encode())


def raw_head(text: str) -> str:
    return CURVE.sign(text.encode(), json.dumps(claimed()).encode())


def stated(**claims: object) -> str:
    """Return claims as JSON, of which some are given as they shall be written."""
    whole = json.dumps({**claimed(), **{name: f"@{name}@" for name in claims}})
    for name, written in claims.items():
        whole = whole.replace(f'"@{name}@"', str(written))
    return whole


BACK_DOORS: dict[str, Callable[[Target], str]] = {
    "exp-1e400": lambda t: raw_claims(stated(exp="1e400")),
    "exp-10-to-the-400": lambda t: raw_claims(stated(exp=10**400)),
    "exp-infinity": lambda t: raw_claims(stated(exp="Infinity")),
    "exp-nan": lambda t: raw_claims(stated(exp="NaN")),
    "exp-string": lambda t: raw_claims(stated(exp=f'"{now() + HOUR}"')),
    "exp-true": lambda t: raw_claims(stated(exp="true")),
    "exp-list": lambda t: raw_claims(stated(exp=f"[{now() + HOUR}]")),
    "exp-object": lambda t: raw_claims(stated(exp="{}")),
    "exp-minus-1": lambda t: raw_claims(stated(exp="-1")),
    "exp-5000-digits": lambda t: raw_claims(stated(exp="9" * 4_000)),
    "nbf-string": lambda t: raw_claims(stated(nbf='"0"')),
    "nbf-nan": lambda t: raw_claims(stated(nbf="NaN")),
    "200-KB": lambda t: CURVE.issue(more="x" * 200_000),
    "12-KB": lambda t: CURVE.issue(more="x" * 9_000),
    "200-KB-of-blanks": lambda t: "." * 200_000,
    "jku": lambda t: STRANGER.issue(head={"jku": t.more["evil"].url}),
    "x5u": lambda t: STRANGER.issue(head={"x5u": t.more["evil"].url}),
    "jwk": lambda t: STRANGER.issue(head={"jwk": STRANGER.public}),
    "x5c": lambda t: STRANGER.issue(head={"x5c": ["MIIB"]}),
    "jku-with-our-kid": lambda t: STRANGER.issue(head={"jku": t.more["evil"].url, "kid": CURVE.id}),
    "kid-dev-null": lambda t: STRANGER.issue(head={"kid": "../../../../../../dev/null"}),
    "kid-of-a-fifo": lambda t: STRANGER.issue(head={"kid": str(t.more["fifo"])}),
    "kid-url": lambda t: STRANGER.issue(head={"kid": t.more["evil"].url}),
    "kid-injection": lambda t: STRANGER.issue(head={"kid": "x' UNION SELECT 'k"}),
    "kid-number": lambda t: STRANGER.issue(head={"kid": 1}),
    "kid-null": lambda t: STRANGER.issue(head={"kid": None}),
    "kid-100-KB": lambda t: STRANGER.issue(head={"kid": "k" * 5_000}),
    "list-payload": lambda t: raw_claims(json.dumps([claimed()])),
    "string-payload": lambda t: raw_claims('"hello"'),
    "empty-payload": lambda t: raw_claims(""),
    "payload-cut-off": lambda t: raw_claims(json.dumps(claimed())[:-1]),
    "payload-with-a-tail": lambda t: raw_claims(json.dumps(claimed()) + "{}"),
    "payload-utf-16": lambda t: CURVE.sign(
        json.dumps({"alg": "ES256", "kid": CURVE.id}).encode(), json.dumps(claimed()).encode("utf-16")
    ),
    "deep-payload": lambda t: raw_claims('{"a":' + "[" * 2_000 + "]" * 2_000 + "}"),
    "duplicate-exp": lambda t: raw_claims(f'{{"exp": 1, {json.dumps(claimed())[1:]}'),
    "duplicate-scope": lambda t: raw_claims(json.dumps(claimed())[:-1] + ', "scope": "admin"}'),
    "duplicate-aud": lambda t: raw_claims(json.dumps(claimed())[:-1] + f', "aud": "{AUDIENCE}"}}'),
    "duplicate-alg": lambda t: raw_head(f'{{"alg": "none", "alg": "ES256", "kid": "{CURVE.id}"}}'),
    "alg-list": lambda t: raw_head(f'{{"alg": ["ES256"], "kid": "{CURVE.id}"}}'),
    "alg-number": lambda t: raw_head(f'{{"alg": 256, "kid": "{CURVE.id}"}}'),
    "head-list": lambda t: raw_head("[]"),
    "head-null": lambda t: raw_head("null"),
    "compressed": lambda t: CURVE.issue(head={"zip": "DEF"}),
    "padding": lambda t: "=.".join(CURVE.issue().split(".")) + "=",
    "standard-alphabet": lambda t: CURVE.issue(more="\u00ff\u00fe" * 20).replace("_", "/").replace("-", "+") + "+",
    "line-breaks": lambda t: CURVE.issue().replace(".", ".%0a"),
    "dots": lambda t: "..",
    "one-part": lambda t: "eyJhbGciOiJub25lIn0",
    "many-parts": lambda t: ".".join("abcdefgh" for _ in range(300)),
    "scope-list-of-lists": lambda t: raw_claims(stated(scope='[["admin"]]')),
    "sub-list": lambda t: raw_claims(stated(sub='["a"]')),
    "sub-empty": lambda t: raw_claims(stated(sub='""')),
    "iss-list": lambda t: raw_claims(stated(iss=f'["{ISSUER}"]')),
}
"""``scope-list-of-lists`` may be taken as a token without scopes, which opens nothing."""

for name, make in BACK_DOORS.items():
    if name != "scope-list-of-lists":
        K09.add(name, _refused(make, LIMIT_MS), on="tokens")


@K09.attack("scope-list-of-lists", on="tokens")
def _scopes(target: Target) -> Outcome:
    answer = ask(target, BACK_DOORS["scope-list-of-lists"](target), "/metrics")
    expect(answer.status in {401, 403}, f"{answer.status}")
    return Outcome(seen=str(answer.status))


@K08.attack("good-ones-are-taken", on="tokens")
def _good(target: Target) -> Outcome:
    for token in (CURVE.issue(), RSA.issue(), CURVE.issue(aud=["x", AUDIENCE]), CURVE.issue(nbf=now() - 5)):
        answer = ask(target, token)
        expect(answer.status == 200, f"a good token gets {answer.status}")
    return Outcome(seen="200")


@K08.attack("never-in-the-log", on="tokens")
def _not_logged(target: Target) -> Outcome:
    tokens = [CURVE.issue(sub="somebody-4711"), STRANGER.issue(sub="somebody-4711"), unsigned("none")]
    for token in tokens:
        ask(target, token)
        target.ask(f"/metrics?access_token={token}")
        target.ask("/health", headers={"cookie": f"token={token}"})
    time.sleep(0.5)
    assert target.process is not None
    written = "".join(target.process.lines())
    for secret in ("somebody-4711", ISSUER, *(part for token in tokens for part in token.split(".") if len(part) > 20)):
        expect(secret not in written, "a piece of a token stands in the log")
    return Outcome(seen="in no line")
