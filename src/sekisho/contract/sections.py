"""The sections of ``sekisho.toml``: what production requires of a model.

Each section is a frozen struct whose defaults are those of the checklist. Paths are relative to the folder of the
contract. A value of ``None`` means that nobody has stated it, and the boxes that need it say so.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sekisho.text import Text

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]
Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Line = Annotated[str, Meta(min_length=1)]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)",
        extra={
            "expected": Text(
                en="at most 100 letters, digits, dots, hyphens and underscores that begin with a letter or digit",
                ja="英数字で始まる、英数字・ドット・ハイフン・下線の100文字以内の名前",
            )
        },
    ),
]
Digest = Annotated[
    str,
    Meta(
        pattern=r"^(sha256:)?[0-9a-f]{64}$(?!\n)",
        extra={"expected": Text(en="a SHA-256 of 64 hexadecimal digits", ja="16進数64桁のSHA-256")},
    ),
]
Currency = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{3}$(?!\n)",
        extra={"expected": Text(en="a currency code of three capital letters", ja="大文字3文字の通貨コード")},
    ),
]
ProjectPath = Annotated[
    str,
    Meta(
        min_length=1,
        extra={
            "inside": True,
            "expected": Text(en="a path inside the project's folder", ja="プロジェクトのフォルダー内のパス"),
        },
    ),
]
"""A file or folder of the project, from the folder of the contract; never outside it."""
Policy = Literal["reject", "flag", "accept"]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section."""


class Model(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model that is to go live."""

    name: Name
    artifact: ProjectPath = "artifact"
    owner: Line | None = None
    training_command: tuple[str, ...] = ()
    training_seconds_limit: Positive = 900.0
    reproducibility: Literal["bitwise", "numeric", "statistical"] = "numeric"


class Registry(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the versions of the model are kept, and which of them is live."""

    location: Line = "registry"
    alias: Name = "champion"


class Data(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tables that the model was trained and is judged on (CSV or Parquet)."""

    training: ProjectPath | None = None
    test: ProjectPath | None = None
    production: ProjectPath | None = None
    target: Line | None = None
    positive: str | int | bool | None = None
    identifier: Line | None = None
    time: Line | None = None
    production_window: Line | None = None
    largest_age_days: Positive = 366.0
    as_of: dt.date | None = None
    group: Line | None = None
    ignored: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()


class Requirement(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more metric that must meet a threshold, beside that of ``quality.metric``."""

    metric: Line
    threshold: float
    reason: Line


class Rule(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the answer must follow, or not follow, a change of one feature."""

    kind: Literal["monotonic", "invariant", "scale", "additive"]
    feature: Line
    direction: Literal["up", "down"] = "up"
    change: Literal["value", "case", "blanks"] = "value"
    by: float = 2.0
    effect: float | None = None
    outcome: str | int | bool | None = None
    tolerance: Annotated[float, Meta(ge=0.0)] = 1e-6
    largest_share: Fraction = 0.02


class Quality(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How good the model must be. The bound of the confidence interval must meet the threshold, not the point."""

    metric: Line | None = None
    threshold: float | None = None
    reason: Line | None = None
    requirements: tuple[Requirement, ...] = ()
    class_minimum: Fraction | None = None
    champion: ProjectPath | None = None
    largest_loss_to_champion: Fraction = 0.01
    slices: tuple[Line, ...] = ()
    slice_minimum: float | None = None
    largest_slice_loss: Annotated[float, Meta(ge=0.0)] | None = None
    largest_calibration_error: Fraction | None = None
    confidence: Annotated[float, Meta(gt=0.5, lt=1.0)] = 0.95
    resamples: Annotated[int, Meta(ge=200, le=100_000)] = 2_000
    smallest_class: Count = 30
    largest_overlap: Fraction = 0.01
    largest_duplication: Fraction = 0.05
    examples: Annotated[int, Meta(ge=10, le=1_000_000)] = 1_000
    seed: Annotated[int, Meta(ge=0)] = 20_240_601
    hard_rows: ProjectPath | None = None
    hard_tolerance: Annotated[float, Meta(ge=0.0)] = 0.0
    rules: tuple[Rule, ...] = ()


class Bands(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an attribute of numbers is cut into groups."""

    attribute: Line
    cuts: tuple[float, ...]


class Fairness(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which groups must be treated alike, and how alike."""

    attributes: tuple[str, ...] = ()
    notions: tuple[
        Literal["selection_rate", "true_positive_rate", "false_positive_rate", "error", "calibration"], ...
    ] = (
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
    )
    reason: Line | None = None
    largest_gap: Fraction = 0.10
    smallest_group: Count = 30
    proxy_threshold: Fraction = 0.30
    bands: tuple[Bands, ...] = ()


class Mapping(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to speak to a service that follows none of the known protocols.

    ``request`` is the JSON body of a prediction, with ``"{features}"`` standing for the list of values in the order
    of the signature or ``"{named}"`` for the object of values by name. ``label`` and ``probability`` say where the answer
    stands, as keys and indexes joined by dots (``result.0.label``).
    """

    predict: Line = "/predict"
    batch: Line | None = None
    health: Line = "/health"
    ready: Line | None = None
    metrics: Line | None = "/metrics"
    info: Line | None = None
    request: Line = '{"features": "{features}"}'
    label: Line = "prediction"
    probability: Line | None = None


class ServedModel(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several models in one service."""

    name: Name
    artifact: Line


class Serving(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inference service: Sekisho's own unless ``command`` or ``url`` names another."""

    command: tuple[str, ...] = ()
    url: Line | None = None
    protocol: Line = "native"
    mapping: Mapping = field(default_factory=Mapping)
    host: Line = "127.0.0.1"
    port: Port = 8000
    grpc_port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    certificate: Line | None = None
    private_key: Line | None = None
    client_authority: Line | None = None
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    deadline_ms: Annotated[int, Meta(ge=1, le=600_000)] = 10_000
    batching: Literal["measured", "always", "never"] = "measured"
    latency_p99_ms: Positive | None = None
    rate_per_second: Positive | None = None
    load_seconds: Annotated[float, Meta(ge=1.0, le=3_600.0)] = 8.0
    start_seconds: Positive = 60.0
    mode: Literal["real-time", "batch"] | None = None
    freshness_seconds: Positive | None = None
    mode_reason: Line | None = None
    maximum_body_bytes: Annotated[int, Meta(ge=1_024)] = 8 * 1024 * 1024
    maximum_rows: Count = 10_000
    models: tuple[ServedModel, ...] = ()
    follow: bool = False


class Infrastructure(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service runs, and for how much traffic."""

    dockerfile: ProjectPath | None = None
    compose: ProjectPath | None = None
    manifests: ProjectPath | None = None
    lock: ProjectPath | None = None
    peak_per_second: Positive | None = None
    peak_source: Line | None = None
    headroom: Annotated[float, Meta(ge=1.0, le=10.0)] = 1.2
    soak_seconds: Annotated[float, Meta(ge=3.0, le=86_400.0)] = 15.0
    replicas: Count = 1
    monthly_budget: Positive | None = None
    currency: Currency = "USD"


class Security(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may ask, how often, and what is done with values that the model has never seen."""

    authentication: Literal["api-key", "token", "none"] = "api-key"
    key_file: Line | None = None
    token_keys: Line | None = None
    token_issuer: Line | None = None
    token_audience: Line | None = None
    token_scope_prefix: Line | None = None
    key_header: Line = "X-API-Key"
    probe_key_variable: Line = "SEKISHO_PROBE_KEY"
    public_routes: tuple[str, ...] = (
        "/health",
        "/health/live",
        "/health/ready",
        "/ping",
        "/v2/health/live",
        "/v2/health/ready",
    )
    trusted_proxies: tuple[Line, ...] = ()
    rate_limit: Positive | None = None
    burst: Count | None = None
    rate_store: Line | None = None
    rate_store_down: Literal["local", "refuse"] = "local"
    out_of_range: Policy = "flag"
    unseen_category: Policy = "flag"
    trusted_keys: tuple[Line, ...] = ()
    require_signature: bool = False
    require_pass: bool = False
    passes: tuple[ProjectPath, ...] = ()
    library_mismatch: Literal["refuse", "warn"] = "refuse"
    advisories: Line | None = None
    tls: Literal["service", "proxy"] | None = None
    public_url: Line | None = None
    certificate_authority: ProjectPath | None = None
    at_rest: Line | None = None


class FeatureTerms(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people know of one feature, and what is done with values of it that the model does not know."""

    name: Line
    unit: Line | None = None
    description: Line | None = None
    personal: bool | None = None
    sensitive: bool | None = None
    out_of_range: Policy | None = None
    unseen_category: Policy | None = None
    null: Policy | None = None


class Monitoring(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written down, and when somebody is called."""

    log_predictions: Fraction = 1.0
    retention_days: Count = 90
    redacted: tuple[str, ...] = ()
    detector: Line | None = None
    window_rows: Annotated[int, Meta(ge=50)] = 1_000
    false_alarms_per_30_days: Positive = 1.0
    windows_per_day: Positive = 24.0
    smallest_effect: Fraction = 0.10
    label_delay_days: Annotated[float, Meta(ge=0.0)] | None = None
    on_call: Line | None = None


class Ledger(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The book of predictions: where it is, what it may lose, and what becomes of people in it."""

    location: Line | None = None
    durability: Literal["window", "durable"] = "window"
    down: Literal["serve", "refuse"] = "serve"
    personal: Literal["drop", "mask", "hash", "encrypt"] = "drop"
    key_file: Line | None = None
    subject: Line | None = None
    subject_header: Line | None = None


class Rollout(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a new version takes over."""

    strategy: Literal["canary", "blue-green", "shadow", "ab"] | None = None
    steps: tuple[Fraction, ...] = (0.01, 0.1, 0.5, 1.0)
    largest_loss: Fraction = 0.01


class Documents(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The documents that people read before and after the model goes live."""

    folder: ProjectPath = "docs"
    api: ProjectPath | None = None
    model_card: ProjectPath | None = None
    operations: ProjectPath | None = None
    rollback: ProjectPath | None = None
    troubleshooting: ProjectPath | None = None


class Tests(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tests of the project."""

    unit: tuple[str, ...] = ()
    integration: tuple[str, ...] = ()
    ab_plan: ProjectPath | None = None
    load_baseline: ProjectPath | None = None


class SignOff(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only a person can state, for one box and one artifact."""

    box: Line
    statement: Line
    author: Line
    reviewer: Line
    artifact: Digest
    issued: dt.date
    expires: dt.date
    evidence: ProjectPath | None = None


class Waiver(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave to go live without one box: whose, why, and until when."""

    box: Line
    reason: Line
    owner: Line
    expires: dt.date


class NotApplicable(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A box that does not apply to this project, and why."""

    box: Line
    reason: Line
    owner: Line


class Contract(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of ``sekisho.toml``."""

    model: Model
    registry: Registry = field(default_factory=Registry)
    data: Data = field(default_factory=Data)
    quality: Quality = field(default_factory=Quality)
    fairness: Fairness = field(default_factory=Fairness)
    serving: Serving = field(default_factory=Serving)
    infrastructure: Infrastructure = field(default_factory=Infrastructure)
    security: Security = field(default_factory=Security)
    monitoring: Monitoring = field(default_factory=Monitoring)
    ledger: Ledger = field(default_factory=Ledger)
    rollout: Rollout = field(default_factory=Rollout)
    documents: Documents = field(default_factory=Documents)
    tests: Tests = field(default_factory=Tests)
    features: tuple[FeatureTerms, ...] = ()
    sign_offs: tuple[SignOff, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    not_applicable: tuple[NotApplicable, ...] = ()
    format: Literal[1] = 1
