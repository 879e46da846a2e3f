"""testing/load: a load that does not wait was run, kept with all that is needed to repeat it, and the service has not become slower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.inference.latency import Latency
from sekisho.probes.infrastructure.capacity import Capacity, Step
from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.testing.baseline import SAME_RATE, Baseline
from sekisho.text import Text

SLOWER: Final = 1.1
"""So many times the percentiles of the last release are still no regression."""
LATE: Final = 0.25
"""The part of the limit by which the load generator may itself be late."""

# The box


@check(
    "testing/load",
    title=Text(en="Load test", ja="負荷試験"),
    why=Text(
        en="A client that waits for each answer before it asks again hides every stall. Errors answered fast make the percentiles look better.",
        ja="答えを待ってから次を送るクライアントは、停滞を覆い隠します。素早く返るエラーは、百分位数を見かけ上よくします。",
    ),
    remedy=Text(
        en="keep an open-loop scenario with its histogram and machine facts (sekisho load --save), and compare it with that of the last release",
        ja="到着率固定のシナリオをヒストグラムとマシン情報とともに残し（sekisho load --save）、前回リリースの結果と比較してください",
    ),
)
def load(contract: Contract, load: Latency, baseline: Baseline, capacity: Capacity | None) -> Verdict:
    """Ask that the scenario ran as it was due, that nothing failed, and that it is not surely slower than the last release.

    The largest rate that one replica bears is shown beside it where the contract states a peak to look for.
    """
    limit = contract.serving.latency_p99_ms or 0.0
    failed = sum(load.unexpected.values()) + load.unreadable
    return verdict(
        holds(
            True if load.lag_p99_ms <= LATE * limit else None,
            Text(
                en=f"{load.sent:,} requests at {load.rate:g}/s for {load.seconds:g} s, each sent when it was due (at most {load.lag_p99_ms:.3g} ms late)",
                ja=f"毎秒 {load.rate:g} 件で {load.seconds:g} 秒、{load.sent:,} 件を予定時刻どおりに送信（遅れは最大 {load.lag_p99_ms:.3g} ms）",
            ),
        ),
        holds(
            not failed,
            Text(
                en=f"{failed} of them failed"
                + (f" ({load.unreadable} with a status of success)" * bool(load.unreadable)),
                ja=f"失敗は {failed} 件" + (f"（うち {load.unreadable} 件は成功ステータス）" * bool(load.unreadable)),
            )
            if failed
            else Text(en="none failed", ja="失敗はありません"),
        ),
        *_percentiles(load),
        *_sustained(capacity),
        _compared(load, baseline),
        rate=load.rate,
        seconds=load.seconds,
        sent=load.sent,
        failed=failed,
        baseline=baseline.file,
        generator_lag_ms=load.lag_p99_ms,
        sustained_per_second=None if capacity is None else capacity.sustained,
        bound=None if capacity is None else capacity.bound,
        p50_ms=_point(load.percentiles, "p50"),
        p50_low_ms=_bound(load.percentiles, "p50", "low"),
        p50_high_ms=_bound(load.percentiles, "p50", "high"),
        p99_ms=_point(load.percentiles, "p99"),
        p99_low_ms=_bound(load.percentiles, "p99", "low"),
        p99_high_ms=_bound(load.percentiles, "p99", "high"),
        last_p50_ms=_point(baseline.percentiles, "p50"),
        last_p99_ms=_point(baseline.percentiles, "p99"),
    )


def _point(percentiles: Mapping[str, Interval], name: str) -> float | None:
    return percentiles[name].point if name in percentiles else None


def _bound(percentiles: Mapping[str, Interval], name: str, side: Literal["low", "high"]) -> float | None:
    return getattr(percentiles[name], side) if name in percentiles else None


def _percentiles(load: Latency) -> Iterator[Finding]:
    if load.percentiles:
        said = ", ".join(f"{name} {interval} ms" for name, interval in load.percentiles.items())
        yield holds(True, Text(en=f"{said} (95 %)", ja=f"{said}（95%区間）"))  # noqa: FBT003


def _sustained(capacity: Capacity | None) -> Iterator[Finding]:
    if capacity is None:
        return
    limit = {
        "service": Text(en="then the service was the limit", ja="限界はサービス側"),
        "generator": Text(
            en="then the load generator was the limit: it bears at least that",
            ja="限界は負荷生成側で、少なくともこれだけ耐えます",
        ),
        "memory": Text(en="then its memory had grown too much to go on", ja="メモリーが増えすぎたため中止"),
        "rate-limit": Text(en="then the rate limit of the one key was met", ja="限界は1つのキーのレート制限"),
    }[capacity.bound]
    yield holds(
        True,  # noqa: FBT003
        Text(
            en=f"one replica sustained {capacity.sustained:g} requests/s within {capacity.limit_ms:g} ms; {limit.en}",
            ja=f"1レプリカは {capacity.limit_ms:g} ms 以内で毎秒 {capacity.sustained:g} 件を維持（{limit.ja}）",
        ),
    )


def _compared(load: Latency, baseline: Baseline) -> Finding:
    if baseline.file is None:
        return holds(
            True,  # noqa: FBT003
            Text(
                en="no earlier release is named to compare with (tests.load_baseline); scenario, histogram and machine are kept as evidence",
                ja="比較対象の前回リリースは指定されていません（tests.load_baseline）。シナリオ・ヒストグラム・マシン情報は証拠として保存済みです",
            ),
        )
    if not baseline.is_whole:
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"{baseline.file} did not send what was due: a client that waits for answers hides every stall",
                ja=f"{baseline.file} は予定の件数を送っていません。応答を待つクライアントは停滞を隠します",
            ),
        )
    if not baseline.same_machine or abs(load.rate - baseline.rate) > SAME_RATE * baseline.rate:
        return holds(
            None,
            Text(
                en=f"{baseline.file} was measured on another machine or at another rate ({baseline.rate:g}/s): the two cannot be compared",
                ja=f"{baseline.file} は別のマシンか別の頻度（毎秒 {baseline.rate:g} 件）での結果のため、比較できません",
            ),
        )
    pairs = {
        name: (old, load.percentiles[name]) for name, old in baseline.percentiles.items() if name in load.percentiles
    }
    slower = [name for name, (old, new) in pairs.items() if new.low > SLOWER * old.high]
    if slower:
        old, new = pairs[slower[0]]
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"it has become slower: {slower[0]} was {old} ms in the last release and is {new} ms",
                ja=f"前回リリースより遅くなっています: {slower[0]} が {old} ms から {new} ms",
            ),
        )
    return holds(
        bool(pairs) or None,
        Text(en="it is not slower than the last release", ja="前回リリースより遅くなっていません")
        if pairs
        else Text(
            en=f"{baseline.file} holds no percentile to compare", ja=f"{baseline.file} に比較できる百分位数がありません"
        ),
    )


# How it looks when it passes, and when it fails

_CONTRACT: Final = example_contract(serving={"latency_p99_ms": 100, "rate_per_second": 50})
_P95: Final = Interval(point=12.0, low=11.0, high=13.5)
_LOAD: Final = Latency(
    rate=50,
    seconds=8,
    sent=400,
    unexpected={},
    percentiles={"p50": Interval(point=6.0, low=5.8, high=6.2), "p95": _P95},
    edges_ms=(1.0, 10.0, 30.0),
    counts=(360, 40),
    largest_ms=27.0,
    lag_p99_ms=0.9,
    first_ms=12.0,
    first_ok=True,
    start_seconds=1.1,
    cores=2,
)
_LAST: Final = Baseline(file="load.json", rate=50, percentiles={"p95": _P95}, same_machine=True)
_NONE: Final = Baseline(file=None, rate=0.0, percentiles={}, same_machine=False)
_STEP: Final = Step(rate=120, sent=360, succeeded=360, limited=0, p99_ms=12.0, lag_ms=0.4, held=True)
_BEARS: Final = Capacity(
    limit_ms=100,
    workers=1,
    needed=120,
    hold=_STEP,
    hold_p99=Interval(point=12.0, low=11.0, high=19.0),
    steps=(_STEP,),
    sustained=260,
    bound="service",
    soak=None,
    cores=2,
)

load.passes(_CONTRACT, _LOAD, _NONE, None)
load.passes(_CONTRACT, _LOAD, _LAST, None)
load.passes(_CONTRACT, _LOAD, _LAST, _BEARS)
load.fails(_CONTRACT, _LOAD, replace(_LAST, is_whole=False), None)  # one client after another
load.fails(_CONTRACT, replace(_LOAD, unexpected={"503": 3}), _NONE, None)
load.fails(_CONTRACT, replace(_LOAD, read=400, unreadable=10), _NONE, None)
load.fails(_CONTRACT, replace(_LOAD, percentiles={"p95": Interval(point=22.0, low=19.0, high=26.0)}), _LAST, None)
load.is_unknown(_CONTRACT, _LOAD, replace(_LAST, same_machine=False), None)
load.is_unknown(_CONTRACT, _LOAD, replace(_LAST, rate=200), None)
load.is_unknown(_CONTRACT, replace(_LOAD, lag_p99_ms=60.0), _NONE, None)
