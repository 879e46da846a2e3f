"""infrastructure/traffic: the service holds the expected peak, and holds it for long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.infrastructure.capacity import LARGEST_ERROR_SHARE, Capacity, Soak, Step
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

LARGEST_DRIFT: Final = 1.1
"""How many times slower answers may be after the soak."""
NOISE_MS: Final = 2.0
"""What a busy machine makes of any percentile."""
SMALL_GROWTH: Final = 0.02
"""The part of its memory that a service may gain in the soak: allocators keep what they were given."""

# The box


@check(
    "infrastructure/traffic",
    title=Text(en="Handles expected traffic", ja="想定トラフィックに対応できる"),
    why=Text(
        en="Capacity that was guessed is found out on the busiest day. A service that holds the peak for a minute may still run out of memory in ten.",
        ja="見積もりだけの処理能力は、最も忙しい日に露呈します。1分間は耐えても、10分後にメモリーを使い果たすサービスもあります。",
    ),
    remedy=Text(
        en="state infrastructure.peak_per_second with its source; add workers or replicas, or make the request path shorter",
        ja="想定ピーク infrastructure.peak_per_second を根拠とともに書き、ワーカーやレプリカを増やすか、リクエスト処理を軽くしてください",
    ),
)
def traffic(contract: Contract, capacity: Capacity) -> Verdict:
    """Ask that each replica holds its part of the peak and some more, and that memory and latency stay flat below that."""
    asked = contract.infrastructure
    return verdict(
        _held(capacity, capacity.hold, capacity.needed),
        *_soaked(capacity.soak),
        _sourced(asked.peak_source),
        peak_per_second=asked.peak_per_second,
        replicas=asked.replicas,
        needed_per_replica=capacity.needed,
        sustained_per_replica=capacity.sustained,
        bound=capacity.bound,
        p99_ms=capacity.hold.p99_ms,
        limit_ms=capacity.limit_ms,
        soak_seconds=None if capacity.soak is None else capacity.soak.seconds,
        cores=capacity.cores,
    )


def _sourced(source: str | None) -> Finding:
    if source is None:
        return holds(
            None,
            Text(
                en="nobody has stated where the peak comes from (infrastructure.peak_source)",
                ja="ピークの根拠（infrastructure.peak_source）が示されていません",
            ),
        )
    return holds(True, Text(en=f"the peak comes from: {source}", ja=f"ピークの根拠: {source}"))  # noqa: FBT003


def _held(capacity: Capacity, hold: Step, needed: float) -> Finding:
    p99 = capacity.hold_p99
    bound = (
        Text(en="", ja="") if p99 is None else Text(en=f", at most {p99.high:.3g} ms", ja=f"、上限 {p99.high:.3g} ms")
    )
    seen = Text(
        en=f"at {needed:g} requests/s {hold.succeeded:,} of {hold.sent:,} succeeded, p99 {hold.p99_ms:.3g} ms{bound.en} "
        f"(limit {capacity.limit_ms:g} ms); the load rose to {capacity.sustained:g}/s before answers came late",
        ja=f"毎秒 {needed:g} 件で {hold.sent:,} 件中 {hold.succeeded:,} 件成功、p99 {hold.p99_ms:.3g} ms{bound.ja}"
        f"（基準 {capacity.limit_ms:g} ms）。限界は毎秒 {capacity.sustained:g} 件",
    )
    if p99 is None:
        return holds(
            None,
            Text(
                en=f"{seen.en}; too few requests to bound the 99th percentile",
                ja=f"{seen.ja}。件数が少なく99パーセンタイルの上限を示せません",
            ),
        )
    met = p99.high <= capacity.limit_ms and hold.sent - hold.succeeded <= LARGEST_ERROR_SHARE * hold.sent
    if not met and hold.limited > LARGEST_ERROR_SHARE * hold.sent:
        return holds(
            None,
            Text(
                en=f"{hold.limited:,} of {hold.sent:,} requests met the rate limit of the one key that the probe has: the service itself was not tried",
                ja=f"{hold.sent:,} 件中 {hold.limited:,} 件が、検査用キー1つ分のレート制限に達しました。サービス自体の能力は測れていません",
            ),
        )
    if not met and hold.lag_ms > capacity.limit_ms / 4 and hold.succeeded == hold.sent:
        return holds(
            None,
            Text(
                en=f"{seen.en}; but the load generator itself was up to {hold.lag_ms:.3g} ms late",
                ja=f"{seen.ja}。ただし負荷生成側の遅れが最大 {hold.lag_ms:.3g} ms ありました",
            ),
        )
    return holds(met, seen)


def _soaked(soak: Soak | None) -> Iterator[Finding]:
    if soak is None:
        return
    lasted = Text(
        en=f"{soak.seconds:g} s at {soak.rate:.4g} requests/s",
        ja=f"毎秒 {soak.rate:.4g} 件を {soak.seconds:g} 秒",
    )
    yield holds(
        soak.failed <= LARGEST_ERROR_SHARE * soak.sent,
        Text(
            en=f"{lasted.en}: {soak.failed} of {soak.sent:,} failed",
            ja=f"{lasted.ja}: {soak.sent:,} 件中 {soak.failed} 件失敗",
        ),
    )
    yield _flat_memory(soak)
    yield _flat_latency(soak)


def _flat_latency(soak: Soak) -> Finding:
    pairs = {name: (soak.before_ms[name], soak.after_ms[name]) for name in soak.before_ms if name in soak.after_ms}
    if not pairs:
        return holds(
            None,
            Text(
                en="the soak had too few requests to tell whether answers become slower",
                ja="長時間試験の件数が少なく、応答が遅くなっていくかを判断できません",
            ),
        )
    slower = [name for name, (before, after) in pairs.items() if after.low > LARGEST_DRIFT * before.high + NOISE_MS]
    name = slower[0] if slower else next(iter(pairs))
    before, after = pairs[name]
    return holds(
        not slower,
        Text(
            en=f"under a light load {name} was {before} ms before it and {after} ms after it",
            ja=f"軽い負荷での {name} は試験前 {before} ms、試験後 {after} ms",
        ),
    )


def _flat_memory(soak: Soak) -> Finding:
    growth = soak.growth_per_request
    if growth is None:
        return holds(
            None,
            Text(
                en="nobody can tell from here how much memory the service holds",
                ja="サービスのメモリー使用量を確認できません",
            ),
        )
    gained = max(soak.memory[-1] - soak.memory[0], 0) / soak.memory[0]
    leaks = growth.low > 0 and gained > SMALL_GROWTH
    megabytes = soak.memory[-1] / 2**20
    words = Text(
        en=f"memory stays flat at {megabytes:.0f} MiB",
        ja=f"メモリーは {megabytes:.0f} MiB で横ばい",
    )
    if leaks:
        words = Text(
            en=f"memory grows by {growth.point / 1024:.3g} KiB a request (at least {growth.low / 1024:.3g}), to {megabytes:.0f} MiB",
            ja=f"メモリーがリクエストごとに {growth.point / 1024:.3g} KiB（少なくとも {growth.low / 1024:.3g}）増え、{megabytes:.0f} MiB に達しました",
        )
    return holds(not leaks, words)


# How it looks when it passes, and when it fails

_STEP: Final = Step(rate=240, sent=960, succeeded=960, limited=0, p99_ms=12.0, lag_ms=0.4, held=True)
_MIB: Final = 2**20
_MEDIAN: Final = Interval(point=5.0, low=4.8, high=5.2)
_SOAK: Final = Soak(
    rate=182,
    seconds=15,
    sent=2_730,
    failed=0,
    memory=(150 * _MIB, 150 * _MIB, 150 * _MIB + 4096),
    growth_per_request=Interval(point=1.0, low=-4.0, high=6.0),
    before_ms={"p50": _MEDIAN, "p95": Interval(point=9.0, low=8.0, high=10.5)},
    after_ms={"p50": _MEDIAN, "p95": Interval(point=9.4, low=8.1, high=10.9)},
)
_HELD: Final = Capacity(
    limit_ms=100,
    workers=1,
    needed=240,
    hold=_STEP,
    hold_p99=Interval(point=12.0, low=11.0, high=19.0),
    steps=(_STEP, replace(_STEP, rate=480, succeeded=300, p99_ms=900, held=False)),
    sustained=260,
    bound="service",
    soak=_SOAK,
    cores=2,
)
_ASKED: Final = {"peak_per_second": 200, "peak_source": "the access log of the busiest day"}

traffic.passes(example_contract(infrastructure=_ASKED), _HELD)
traffic.fails(  # 120 requests a second where 240 are needed
    example_contract(infrastructure=_ASKED),
    replace(
        _HELD,
        hold=replace(_STEP, succeeded=560, p99_ms=2_400, held=False),
        hold_p99=Interval(point=2_400, low=2_100, high=2_700),
        sustained=120,
    ),
)
traffic.fails(  # a leak of 1 MiB a request
    example_contract(infrastructure=_ASKED),
    replace(
        _HELD,
        soak=replace(
            _SOAK,
            memory=(150 * _MIB, 900 * _MIB, 1_800 * _MIB),
            growth_per_request=Interval(point=1.0 * _MIB, low=0.9 * _MIB, high=1.1 * _MIB),
        ),
    ),
)
traffic.fails(
    example_contract(infrastructure=_ASKED),
    replace(_HELD, soak=replace(_SOAK, after_ms={"p50": Interval(point=48.0, low=41.0, high=52.0)})),
)
traffic.is_unknown(example_contract(infrastructure={"peak_per_second": 200}), _HELD)
traffic.is_unknown(  # the key's own rate limit was met
    example_contract(infrastructure=_ASKED),
    replace(_HELD, hold=replace(_STEP, succeeded=400, limited=560, held=False), bound="rate-limit"),
)
