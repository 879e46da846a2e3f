"""How a service runs: every setting, its default, and what it may be."""

from __future__ import annotations

import difflib
import ipaddress
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from sekisho.contract.sections import FeatureTerms
from sekisho.errors import WrongUse
from sekisho.ledger.address import checked
from sekisho.ledger.personal import Treatment
from sekisho.predict.batching import Wish
from sekisho.serving.unfit import wanted
from sekisho.text import Text, verbatim

Policy = Literal["reject", "flag", "accept"]
TokenAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that are verified with a public key. There is no other way to sign a token."""
Seconds = Annotated[float, Meta(gt=0.0, le=3_600.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]

PUBLIC_ROUTES: Final = ("/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready")


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one connection may take.

    Attributes:
        head_bytes: Bytes of all header fields of a request together.
        headers: How many header fields.
        target_bytes: Bytes of the request target.
        body_bytes: Bytes of a body.
        rows: Rows of a request.
        head_seconds: How long a request's head may take to arrive, from its first byte or the beginning of the connection.
        body_seconds: How long a body may take to arrive.
        idle_seconds: How long a connection may be silent between two requests.
        write_seconds: How long a client may refuse to read an answer.
        connections: Connections of one worker.
        pipeline: Requests of one connection that may wait for their answers.

    """

    head_bytes: Annotated[int, Meta(ge=1_024, le=1_048_576)] = 16 * 1024
    headers: Annotated[int, Meta(ge=8, le=1_000)] = 64
    target_bytes: Annotated[int, Meta(ge=64, le=65_536)] = 2 * 1024
    body_bytes: Annotated[int, Meta(ge=1_024, le=2**31)] = 8 * 1024 * 1024
    rows: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_000
    head_seconds: Seconds = 10.0
    body_seconds: Seconds = 30.0
    idle_seconds: Seconds = 75.0
    write_seconds: Seconds = 30.0
    connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 4_096
    pipeline: Annotated[int, Meta(ge=1, le=10_000)] = 256


class ServingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a service runs.

    Attributes:
        host, port: Where it listens; port 0 takes a free one. Without a key file only loopback addresses are possible, unless it is ``open``.
        grpc_port: Where it speaks the Open Inference Protocol over gRPC besides; ``None``: nowhere.
        certificate, private_key: The chain and the key, in PEM, with which the service speaks TLS; ``None``: it does not.
        client_authority: Whose certificates callers must show; ``None``: they need none.
        workers: Processes that answer.
        key_file: The file of API keys; ``None`` lets everybody on this machine ask.
        token_keys: The public keys (a JWK set) of whoever issues bearer tokens: a file, or an address that is asked now and then; ``None``
            takes no tokens.
        token_issuer, token_audience: Who must have issued a token, and for whom (``iss``, ``aud``).
        token_algorithms: How it may be signed.
        token_scope_prefix: What its scopes begin with, such as ``model:``; what follows is one of ours.
        token_leeway_seconds: By how much the clocks of issuer and service may differ.
        open: Whether everybody who reaches the port may ask, because somebody else has seen who they are: a gateway, a platform.
        key_header: The header that carries a key; ``Authorization: Bearer`` works as well.
        public_routes: Paths that need no key.
        trusted_proxies: Networks of the proxies before the service, which alone are believed when they say who their caller is.
        allowed_hosts: Values of the ``Host`` header that are answered, without port; empty: this machine's loopback names when there
            is no key file (so that no web page can reach the service by a name that it controls), any name otherwise.
        rate_limit: Requests per second and caller; ``None``: no limit. Holds over all workers together; every ten rows of a batch cost as
            much as one more request.
        burst: Requests that a caller may send at once after a pause; ``None``: those of one second.
        rate_store: The Redis in which limits are kept that hold over machines, such as ``rediss://limits.example:6379/0``; its password may
            stand in ``SEKISHO_RATE_STORE_PASSWORD``. ``None``: each machine keeps its own.
        rate_store_down: What is done while it does not answer: each machine keeps its own limits, or requests are refused.
        ledger: The book of predictions: a file, or ``postgresql://user@host:5432/database``, whose password may stand in
            ``SEKISHO_LEDGER_PASSWORD``; ``None`` keeps none.
        ledger_durability: Whether an answer is sent at once (``window``), or once it is in the book (``durable``).
        ledger_down: What is done while the book cannot be written: predictions go on, or are refused. A durable book refuses them.
        ledger_personal: What is written of personal features.
        ledger_key_file: The secret keys of the book.
        ledger_subject: The feature that says whom a row is about.
        ledger_subject_header: The request header that says so.
        retention_days: How many days a prediction is kept; ``None``: for ever.
        log_predictions: The fraction of requests that go into the book.
        redacted: Features that are left out of the book, besides those that the signature calls personal.
        deadline_ms: How long a request may take, in milliseconds.
        limits: What one connection may take.
        batching: Whether requests that wait at the same time are run as one batch: if the model gains from it, always, or never.
        queue: Requests of one worker that may wait for the model; more are turned away.
        model_processes: Child processes of one worker that run the model, when it is not an ONNX graph.
        model_memory: Bytes of data that such a child may hold; 0: no limit.
        start_seconds: How long the model may take to load.
        grace_seconds: How long requests under way may take after the service was told to end.
        out_of_range, unseen_category: What is done with values that the model does not know, for all features; ``None`` leaves it to
            the signature.
        features: What is known of single features, and what is done with values of theirs that the model does not know.
        trust: Whether formats that run code on load may be read.
        trusted_types: Types that a skops file may hold beyond the curated list.
        trusted_keys: Files of public keys whose signatures of the artifact count.
        require_signature: Whether one of them must have signed it.
        require_pass: Whether the checkpoint must have let it through: a pass that one of them has signed.
        passes: Where passes are: files, or folders that hold files ending in ``.dsse.json``.
        library_mismatch: Whether a model that was saved with other versions of its libraries is refused, or served with a warning in the log.
        access_log_per_second: Lines about single requests, a second and worker, before the log only counts them.
        companions: Commands that run beside the service and end with it.
        watcher: The command that watches a model for drift: it runs beside the service once for every live version that knows what it was
            trained on, with ``--model`` and ``--artifact``; empty: none does.
        default_model: The model that answers where none is named; ``None``: the first.
        registry: Where versions come from that are given as ``NAME@VERSION``: a folder or ``s3://bucket/prefix``; ``None``: as the environment
            says, else the folder ``registry``.
        registry_endpoint: The S3 server to speak to instead of AWS.
        follow: Whether the service follows the aliases of the registry: where one moves, the version that it stands for takes over.
        follow_seconds: How often they are looked at.
        keep_previous: Whether a version that was live stays loaded until the next one was, so that it can be live again at once.

    """

    host: Annotated[str, Meta(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8_000
    grpc_port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    client_authority: Path | None = None
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    key_file: Path | None = None
    token_keys: Annotated[str, Meta(min_length=1, max_length=2_048)] | None = None
    token_issuer: Annotated[str, Meta(min_length=1, max_length=2_048)] | None = None
    token_audience: Annotated[str, Meta(min_length=1, max_length=2_048)] | None = None
    token_algorithms: Annotated[tuple[TokenAlgorithm, ...], Meta(min_length=1)] = ("RS256", "ES256", "EdDSA")
    token_scope_prefix: Annotated[str, Meta(pattern=r"^[!#-\[\]-~]{0,256}\Z")] = ""
    token_leeway_seconds: Annotated[float, Meta(ge=0.0, le=300.0)] = 60.0
    open: bool = False
    key_header: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$(?!\n)")] = "X-API-Key"
    public_routes: tuple[str, ...] = PUBLIC_ROUTES
    trusted_proxies: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    rate_limit: Annotated[float, Meta(gt=0.0, le=1e9)] | None = None
    burst: Annotated[int, Meta(ge=1)] | None = None
    rate_store: Annotated[str, Meta(pattern=r"^(rediss?|unix)://[!-~]+\Z", max_length=2_048)] | None = None
    rate_store_down: Literal["local", "refuse"] = "local"
    ledger: Annotated[str, Meta(min_length=1, max_length=4_096)] | None = None
    ledger_durability: Literal["window", "durable"] = "window"
    ledger_down: Literal["serve", "refuse"] = "serve"
    ledger_personal: Treatment = "drop"
    ledger_key_file: Path | None = None
    ledger_subject: Annotated[str, Meta(min_length=1)] | None = None
    ledger_subject_header: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$(?!\n)")] | None = None
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    log_predictions: Fraction = 1.0
    redacted: tuple[str, ...] = ()
    deadline_ms: Annotated[int, Meta(ge=1, le=600_000)] = 10_000
    limits: Limits = msgspec.field(default_factory=Limits)
    batching: Wish = "measured"
    queue: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_024
    model_processes: Annotated[int, Meta(ge=1, le=64)] = 4
    model_memory: Annotated[int, Meta(ge=0)] = 4 * 2**30
    start_seconds: Seconds = 60.0
    grace_seconds: Seconds = 30.0
    out_of_range: Policy | None = None
    unseen_category: Policy | None = None
    features: tuple[FeatureTerms, ...] = ()
    trust: bool = False
    trusted_types: tuple[str, ...] = ()
    trusted_keys: tuple[Path, ...] = ()
    require_signature: bool = False
    require_pass: bool = False
    passes: tuple[Path, ...] = ()
    library_mismatch: Literal["refuse", "warn"] = "refuse"
    access_log_per_second: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
    companions: tuple[tuple[str, ...], ...] = ()
    watcher: tuple[str, ...] = ()
    default_model: str | None = None
    registry: str | None = None
    registry_endpoint: str | None = None
    follow: bool = False
    follow_seconds: Seconds = 3.0
    keep_previous: bool = True

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return _is_loopback(self.host)

    @property
    def asks_who(self) -> bool:
        """Whether a caller must show a key or a token."""
        return self.key_file is not None or self.token_keys is not None

    @property
    def deadline_seconds(self) -> float:
        """How long a request may take, in seconds."""
        return self.deadline_ms / 1_000.0


def settings_of(**given: Any) -> ServingSettings:
    """Return the settings that are given by name, all others at their defaults.

    Raises:
        WrongUse: One is unknown or cannot be what it is, or the service would be open to the network without keys.

    """
    fields = {field.name: field.type for field in msgspec.structs.fields(ServingSettings)}
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1)
            raise _unfit(
                Text(en=f"there is no setting {name}", ja=f"{name} という設定はありません"), close[0] if close else ""
            )
        try:
            plain = str(value) if name == "ledger" and isinstance(value, Path) else value
            read[name] = msgspec.convert(plain, fields[name], dec_hook=_path)
        except msgspec.ValidationError as error:
            raise _unfit(
                Text(en=f"the setting {name} cannot be this", ja=f"設定 {name} にこの値は使えません"),
                wanted(error, fields[name]),
            ) from None
    settings = ServingSettings(**read)
    check_exposure(settings)
    _check_tokens(settings)
    _check_proxies(settings)
    _check_book(settings)
    if settings.rate_store is not None and settings.rate_limit is None:
        raise _unfit(
            Text(en="a store for limits needs a limit", ja="制限の保存先には、制限の指定が必要です"), "--rate-limit"
        )
    if settings.require_pass and not (settings.passes and settings.trusted_keys):
        raise _unfit(
            Text(
                en="a pass needs trusted keys, and a place where it is",
                ja="通行証の確認には、信頼する鍵と通行証の場所が必要です",
            ),
            "--trusted-key, --pass",
        )
    if settings.certificate is None and (settings.private_key or settings.client_authority):
        raise _unfit(Text(en="TLS needs a certificate", ja="TLS には証明書が必要です"), "--certificate")
    return settings


def check_exposure(settings: ServingSettings) -> None:
    """Refuse a service that anybody on the network could use.

    Raises:
        WrongUse: The host is not a loopback address, and there are neither keys nor tokens.

    """
    if not settings.asks_who and not settings.is_loopback and not settings.open:
        raise WrongUse(
            Text(
                en=f"without a key file the service listens on loopback only, not on {settings.host}",
                ja=f"鍵ファイルなしでは {settings.host} で待ち受けできません。ループバックアドレスのみ使えます",
            ),
            Text(
                en="give --key-file FILE; or --open, if callers are authenticated before they get here",
                ja="--key-file FILE を指定するか、手前で呼び出し元を認証している場合は --open を付けてください",
            ),
        )


def is_address(location: str) -> bool:
    """Whether the keys of tokens are asked for over the network, and are no file."""
    return location.lower().startswith(("https://", "http://"))


def _check_tokens(settings: ServingSettings) -> None:
    """Refuse tokens that anybody could have issued, or for anybody, and keys that anybody on the way could replace."""
    if (settings.token_keys is None) != (settings.token_issuer is None) or (settings.token_keys is None) != (
        settings.token_audience is None
    ):
        raise WrongUse(
            Text(
                en="tokens need all three: token_keys, token_issuer and token_audience",
                ja="トークンを使うには token_keys、token_issuer、token_audience の3つが必要です",
            ),
            Text(
                en="give --token-keys, --token-issuer and --token-audience together",
                ja="--token-keys、--token-issuer、--token-audience をまとめて指定してください",
            ),
        )
    address = settings.token_keys or ""
    if not is_address(address):
        return
    try:
        parts = urlsplit(address)
        secure = parts.scheme == "https" or _is_loopback(parts.hostname or "")
        sound = bool(parts.hostname) and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        secure = sound = False
    if not secure or not sound or not address.isascii() or not address.isprintable() or " " in address:
        raise _unfit(
            Text(
                en="the setting token_keys cannot be this: keys come over https, or http from this machine, without a password",
                ja="設定 token_keys にこの値は使えません。https（このマシンなら http も可）で、パスワードを含まない URL にしてください",
            ),
            "",
        )


def _check_book(settings: ServingSettings) -> None:
    """Refuse a book whose keys are missing, or whose address is none."""
    if settings.ledger is not None:
        checked(settings.ledger)
    named = settings.ledger_subject or settings.ledger_subject_header
    if settings.ledger_key_file is None and (settings.ledger_personal in {"hash", "encrypt"} or named):
        raise _unfit(
            Text(
                en="keyed hashes and encryption need a key: ledger_key_file",
                ja="鍵付きハッシュと暗号化には鍵が必要です: ledger_key_file",
            ),
            "sekisho ledger key",
        )


def _check_proxies(settings: ServingSettings) -> None:
    """Refuse what is no network, or every network: then any caller could say where they come from."""
    for word in settings.trusted_proxies:
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            raise _unfit(
                Text(
                    en="the setting trusted_proxies cannot be this: it holds no network",
                    ja="設定 trusted_proxies にこの値は使えません。ネットワークではありません",
                ),
                Text(
                    en="write it like 10.0.0.0/8, with no bits set after the prefix",
                    ja="10.0.0.0/8 のように、プレフィックスより後ろのビットを 0 にして書いてください",
                ),
            ) from None
        if network.prefixlen == 0:
            raise _unfit(
                Text(
                    en="the setting trusted_proxies cannot be this: everybody would be a proxy",
                    ja="設定 trusted_proxies にこの値は使えません。全員がプロキシになってしまいます",
                ),
                "",
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _unfit(what: Text, hint: Text | str) -> WrongUse:
    see = Text(en="see sekisho serve --help", ja="sekisho serve --help を確認してください")
    return WrongUse(what, hint if isinstance(hint, Text) else verbatim(hint) if hint else see)


def _path(kind: type, value: object) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise NotImplementedError


def encode(settings: ServingSettings) -> bytes:
    """Return settings as JSON, for a worker."""
    return msgspec.json.encode(settings, enc_hook=str)


def decode(data: bytes) -> ServingSettings:
    """Return the settings that :func:`encode` wrote."""
    return msgspec.json.decode(data, type=ServingSettings, dec_hook=_path)
