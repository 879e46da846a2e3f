"""An identity provider of our own: keys of every kind, tokens good and bad, and a small server that gives the keys out."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "models"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One key pair of the provider."""

    id: str
    algorithm: str
    private: Any

    @property
    def public(self) -> dict[str, Any]:
        """Return the public half as a JWK."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        members: dict[str, Any] = json.loads(kind.to_jwk(self.private.public_key()))
        members.pop("key_ops", None)
        return {**members, "kid": self.id, "use": "sig", "alg": self.algorithm}

    def sign(self, head: bytes, payload: bytes) -> str:
        """Return a token of exactly these bytes."""
        signed = f"{encoded(head)}.{encoded(payload)}"
        kind = jwt.get_algorithm_by_name(self.algorithm)
        return f"{signed}.{encoded(kind.sign(signed.encode(), self.private))}"

    def issue(self, *, head: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a token that is good but for what is given; a claim that is ``None`` is left out."""
        whole = {"alg": self.algorithm, "kid": self.id, "typ": "at+jwt", **(head or {})}
        whole = {name: value for name, value in whole.items() if value is not None}
        return self.sign(json.dumps(whole).encode(), json.dumps(claimed(**claims)).encode())


def claimed(**claims: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "exp": now + 600, "iat": now, "scope": "predict"}
    return {name: value for name, value in {**usual, **claims}.items() if value is not None}


RSA = Signer(id="rsa-1", algorithm="RS256", private=rsa.generate_private_key(public_exponent=65_537, key_size=2_048))
CURVE = Signer(id="ec-1", algorithm="ES256", private=ec.generate_private_key(ec.SECP256R1()))
EDWARDS = Signer(id="ed-1", algorithm="EdDSA", private=ed25519.Ed25519PrivateKey.generate())
STRANGER = Signer(id="ec-1", algorithm="ES256", private=ec.generate_private_key(ec.SECP256R1()))
"""Calls their key as ours is called."""


def key_set(*signers: Signer) -> bytes:
    return json.dumps({"keys": [signer.public for signer in signers]}).encode()


@dataclass(kw_only=True)
class Provider:
    """A provider that gives out keys."""

    url: str
    body: bytes
    status: int = 200
    location: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def providing(body: bytes) -> Iterator[Provider]:
    """Give out keys on a free port of this machine."""
    provider = Provider(url="", body=body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            self.send_response(provider.status)
            if provider.location:
                self.send_header("Location", provider.location)
            self.send_header("Content-Length", str(len(provider.body)))
            self.end_headers()
            self.wfile.write(provider.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
