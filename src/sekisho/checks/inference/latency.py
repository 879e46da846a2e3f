"""inference/latency: answers come in time at the stated rate, the slowest hundredth included, and so does the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.inference.latency import Latency
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

FIRST_TIMES: Final = 3.0
"""How many times the limit the first answer may take."""
FIRST_LEAST_MS: Final = 500.0
"""What it may take in any case: one answer is a single measurement."""
LAG: Final = 0.25
"""The part of the limit by which the load generator may be late before a failure could be its own."""

# The box


@check(
    "inference/latency",
    title=Text(en="Response time meets the requirement", ja="応答時間が要件を満たしている"),
    why=Text(
        en="A mean hides the requests that users complain about, and a test that waits for each answer before it sends the next hides "
        "the waiting itself. The slowest hundredth at the real rate is what production feels.",
        ja="平均値では、利用者が不満に思う遅いリクエストが見えません。応答を待ってから次を送る試験では、待ち時間そのものが隠れます。"
        "実際の頻度で送り続けたときの、遅い側1%が本番の体感です。",
    ),
    remedy=Text(
        en="warm the model up before readiness, look for work on the request path (lazy imports, logging, locks), or add workers",
        ja="準備完了の前にモデルを暖機し、リクエスト処理中の余分な処理（遅延import、ログ、ロック）を見直すか、ワーカーを増やしてください",
    ),
)
def latency(contract: Contract, load: Latency) -> Verdict:
    """Ask that the upper bound of the 99th percentile meets the limit, that every answer succeeds, and the first is no exception."""
    limit = contract.serving.latency_p99_ms
    p99 = load.percentiles.get("p99")
    return verdict(
        _in_time(limit, p99, load),
        _succeeded(load),
        *_first(limit, load),
        limit_ms=limit,
        rate=load.rate,
        sent=load.sent,
        p50_ms=_point(load, "p50"),
        p95_ms=_point(load, "p95"),
        p99_ms=_point(load, "p99"),
        p99_high_ms=None if p99 is None else p99.high,
        largest_ms=load.largest_ms,
        first_ms=load.first_ms,
        start_seconds=load.start_seconds,
        generator_lag_ms=load.lag_p99_ms,
        cores=load.cores,
    )


def _point(load: Latency, name: str) -> float | None:
    return load.percentiles[name].point if name in load.percentiles else None


def _in_time(limit: float | None, p99: Interval | None, load: Latency) -> Finding:
    if limit is None:
        return holds(
            None,
            Text(en="serving.latency_p99_ms is not stated", ja="serving.latency_p99_ms が指定されていません"),
        )
    if p99 is None:
        return holds(
            None,
            Text(
                en=f"{load.sent} requests are too few to bound the 99th percentile",
                ja=f"{load.sent} 件では99パーセンタイルの上限を示せません",
            ),
        )
    seen = Text(
        en=f"p99 {p99.point:.3g} ms, at most {p99.high:.3g} ms at 95 %, at {load.rate:g} requests/s; the limit is {limit:g} ms",
        ja=f"毎秒 {load.rate:g} 件で p99 は {p99.point:.3g} ms、信頼度95%の上限は {p99.high:.3g} ms（基準 {limit:g} ms）",
    )
    met = p99.high <= limit
    if not met and load.lag_p99_ms > LAG * limit:
        # the time from the moment due counts the generator's own lateness too: too strict to fail the service on
        return holds(
            None,
            Text(
                en=f"{seen.en}; but the load generator itself was up to {load.lag_p99_ms:.3g} ms late",
                ja=f"{seen.ja}。ただし負荷生成側の遅れが最大 {load.lag_p99_ms:.3g} ms ありました",
            ),
        )
    return holds(met, seen)


def _succeeded(load: Latency) -> Finding:
    if load.unreadable:
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"{load.unreadable} of {load.read} answers with a status of success hold no prediction: errors answered as success do not count",
                ja=f"成功ステータスの応答 {load.read} 件中 {load.unreadable} 件に予測がありません。成功を装ったエラーは数えません",
            ),
        )
    if load.unexpected:
        said = ", ".join(f"{count} × {status if status != '0' else '–'}" for status, count in load.unexpected.items())
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"not every request succeeded: {said} of {load.sent} (–: no answer)",
                ja=f"成功しなかったリクエストがあります: {load.sent} 件中 {said}（–: 無応答）",
            ),
        )
    return holds(
        True,  # noqa: FBT003
        Text(en=f"all {load.sent:,} requests succeeded", ja=f"{load.sent:,} 件すべて成功"),
    )


def _first(limit: float | None, load: Latency) -> Iterator[Finding]:
    if load.first_ms is None or limit is None:
        return
    allowed = max(FIRST_TIMES * limit, FIRST_LEAST_MS)
    in_time = load.first_ms <= allowed and load.first_ok is not False
    yield holds(
        in_time,
        Text(
            en=f"the first answer after readiness took {load.first_ms:.3g} ms"
            + ("" if in_time else f"; it may take {allowed:g} ms and must succeed"),
            ja=f"準備完了後の最初の応答は {load.first_ms:.3g} ms"
            + ("" if in_time else f"。{allowed:g} ms 以内に成功する必要があります"),
        ),
    )


# How it looks when it passes, and when it fails


def _bounds(p50: float, p95: float, p99: float, high: float) -> dict[str, Interval]:
    return {
        "p50": Interval(point=p50, low=p50 * 0.98, high=p50 * 1.02),
        "p95": Interval(point=p95, low=p95 * 0.95, high=p95 * 1.05),
        "p99": Interval(point=p99, low=p99 * 0.9, high=high),
    }


_ASKED: Final = {"latency_p99_ms": 100, "rate_per_second": 100}
_LOAD: Final = Latency(
    rate=100,
    seconds=8,
    sent=800,
    unexpected={},
    percentiles=_bounds(2.1, 4.0, 61.0, 80.0),
    edges_ms=(1.0, 3.0, 9.0, 27.0, 81.0),
    counts=(600, 150, 40, 10),
    largest_ms=80.0,
    lag_p99_ms=1.2,
    first_ms=9.5,
    first_ok=True,
    start_seconds=0.8,
    cores=2,
)

latency.passes(example_contract(serving=_ASKED), _LOAD)
latency.fails(  # 1.5 % of the requests are slow: the mean is 8 ms
    example_contract(serving=_ASKED), replace(_LOAD, percentiles=_bounds(2.1, 4.0, 401.0, 409.0), largest_ms=412.0)
)
latency.fails(  # met by the figure, not by its bound
    example_contract(serving=_ASKED), replace(_LOAD, percentiles=_bounds(2.1, 4.0, 96.0, 131.0))
)
latency.fails(example_contract(serving=_ASKED), replace(_LOAD, first_ms=6_012.0))  # imports when first asked
latency.fails(example_contract(serving=_ASKED), replace(_LOAD, unexpected={"500": 12, "0": 1}))
latency.fails(
    example_contract(serving=_ASKED), replace(_LOAD, read=800, unreadable=20)
)  # errors in the clothes of success
latency.is_unknown(  # slow, but so was the generator
    example_contract(serving=_ASKED), replace(_LOAD, percentiles=_bounds(30.0, 90.0, 140.0, 190.0), lag_p99_ms=88.0)
)
latency.is_unknown(example_contract(), _LOAD)
latency.is_unknown(
    example_contract(serving=_ASKED), replace(_LOAD, percentiles={"p50": Interval(point=2.0, low=1.9, high=2.1)})
)
