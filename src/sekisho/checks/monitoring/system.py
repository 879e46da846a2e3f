"""monitoring/system: Prometheus can read the service's metrics, and they count what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.monitoring.compose import ComposeMounts
from sekisho.probes.monitoring.scrape import Scrape
from sekisho.text import Text

MEDIA_TYPES: Final = {"text/plain", "application/openmetrics-text"}
FEW_SERIES: Final = 3
"""Series that strangers may add: a counter and a histogram may each meet a status for the first time."""
NEAR: Final = 2.5
"""How far, as a factor, the nearest bucket bounds may lie from the limit on either side."""

# The box


@check(
    "monitoring/system",
    title=Text(en="System metrics", ja="システムメトリクス"),
    why=Text(
        en="Alerts and dashboards are as good as the numbers under them. Metrics that cannot be parsed, that forget errors, or that each worker "
        "counts for itself look like quiet days.",
        ja="アラートもダッシュボードも、元の数字以上には良くなりません。読み取れない、エラーを数えない、ワーカーごとに別々のメトリクスは、"
        "異常があっても平穏に見えます。",
    ),
    remedy=Text(
        en="expose prometheus_client's text with its own content type, count every request with its status, and use its multiprocess mode "
        "when there are several workers",
        ja="prometheus_client のテキスト形式を正しいContent-Typeで返し、全リクエストをステータス別に数え、複数ワーカーでは multiprocess モードを使ってください",
    ),
)
def system(contract: Contract, scrape: Scrape, compose: ComposeMounts | None) -> Verdict:
    """Ask that metrics parse, that counters rose by exactly what was sent, and that strangers add no series."""
    findings = [_readable(scrape)]
    if scrape.parses:
        findings += [
            _counts(scrape),
            *_errors(scrape),
            *_latency(scrape, contract.serving.latency_p99_ms),
            *_steady(scrape),
        ]
    return verdict(
        *findings,
        *_compose(compose),
        families=len(scrape.families),
        counter=scrape.counter,
        good=scrape.good,
        bad=scrape.bad,
        counted_good=scrape.counted_good,
        counted_bad=scrape.counted_bad,
        histogram=scrape.histogram,
        observed=scrape.observed,
        new_series=scrape.new_series,
        workers=scrape.workers,
    )


def _readable(scrape: Scrape) -> Finding:
    place = f"{scrape.target} ({scrape.status}, {scrape.media_type or '–'})"
    if not scrape.parses:
        return holds(
            False,  # noqa: FBT003
            Text(en=f"Prometheus cannot read {place}", ja=f"Prometheus が {place} を読み取れません"),
        )
    right = scrape.media_type in MEDIA_TYPES
    return holds(
        right,
        Text(
            en=f"{len(scrape.families)} metrics can be read from {place}",
            ja=f"{place} から {len(scrape.families)} 個のメトリクスを読み取れます",
        )
        if right
        else Text(
            en=f"the content type of {place} is not that of an exposition",
            ja=f"{place} のContent-Typeがメトリクス形式ではありません",
        ),
    )


def _counts(scrape: Scrape) -> Finding:
    if scrape.counter is None or scrape.counted_good is None:
        return holds(
            False,  # noqa: FBT003
            Text(en="no counter rises when predictions are made", ja="予測しても増えるカウンターがありません"),
        )
    exact = scrape.counted_good == scrape.good if scrape.alone else scrape.counted_good >= scrape.good
    return holds(
        exact,
        Text(
            en=f"{scrape.counter} rose by {scrape.counted_good} for {scrape.good} predictions (workers: {scrape.workers})",
            ja=f"予測 {scrape.good} 件に対し {scrape.counter} の増加は {scrape.counted_good}（ワーカー {scrape.workers}）",
        ),
    )


def _errors(scrape: Scrape) -> Iterator[Finding]:
    if scrape.counter is None:
        return
    counted = scrape.counted_bad
    exact = counted is not None and (counted == scrape.bad if scrape.alone else counted >= scrape.bad)
    if counted is None:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="refused requests are counted together with answered ones: nothing tells the error rate",
                ja="拒否したリクエストが成功と区別されず、エラー率が分かりません",
            ),
        )
        return
    yield holds(
        exact,
        Text(
            en=f"{counted} of {scrape.bad} refused requests were counted as such",
            ja=f"拒否した {scrape.bad} 件のうち、エラーとして数えられたのは {counted} 件",
        ),
    )


def _latency(scrape: Scrape, limit_ms: float | None) -> Iterator[Finding]:
    if scrape.histogram is None or scrape.observed is None:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="no histogram of latencies rises with the predictions",
                ja="予測とともに増える応答時間のヒストグラムがありません",
            ),
        )
        return
    whole = scrape.observed in {scrape.good, scrape.good + scrape.bad} or (
        not scrape.alone and scrape.observed >= scrape.good
    )
    yield holds(
        whole,
        Text(
            en=f"{scrape.histogram} gained {scrape.observed} latencies from {scrape.good} answered and {scrape.bad} refused requests",
            ja=f"応答 {scrape.good} 件・拒否 {scrape.bad} 件に対し、{scrape.histogram} に増えた記録は {scrape.observed} 件",
        ),
    )
    if limit_ms is not None:
        limit = limit_ms / 1e3
        below = any(limit / NEAR <= bound <= limit for bound in scrape.bounds)
        above = any(limit <= bound <= limit * NEAR for bound in scrape.bounds)
        yield holds(
            below and above,
            Text(
                en=f"buckets stand on both sides of the limit of {limit_ms:g} ms",
                ja=f"基準 {limit_ms:g} ms の両側にバケットがあります",
            )
            if below and above
            else Text(
                en=f"no buckets stand near the limit of {limit_ms:g} ms on both sides, so that it cannot be read from the histogram",
                ja=f"基準 {limit_ms:g} ms の両側近くにバケットがなく、ヒストグラムから達成状況を読み取れません",
            ),
        )


def _steady(scrape: Scrape) -> Iterator[Finding]:
    few = scrape.new_series <= FEW_SERIES
    if scrape.alone or few:
        yield holds(
            few,
            Text(en="unknown paths, agents and ids add no series", ja="未知のパス・エージェント・IDで系列は増えません")
            if few
            else Text(
                en=f"unknown paths, agents and ids added {scrape.new_series} series: they grow without bound",
                ja=f"未知のパス・エージェント・IDで系列が {scrape.new_series} 増えました。際限なく増えます",
            ),
        )
    if scrape.alone:
        yield holds(
            scrape.agree,
            Text(en="no count falls from one scrape to the next", ja="繰り返し取得しても値は減りません")
            if scrape.agree
            else Text(
                en="counts fall from one scrape to the next: each worker counts for itself",
                ja="取得のたびに値が増減します。ワーカーごとに別々に数えています",
            ),
        )


def _compose(compose: ComposeMounts | None) -> Iterator[Finding]:
    if compose is None:
        yield holds(
            None,
            Text(en="the Compose file could not be read", ja="Compose ファイルを読み込めませんでした"),
        )
    elif compose.missing:
        missing = ", ".join(compose.missing)
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"{compose.file} mounts what does not exist: {missing}",
                ja=f"{compose.file} がマウントするファイルがありません: {missing}",
            ),
        )


# How it looks when it passes, and when it fails

_SCRAPE: Final = Scrape(
    target="/metrics",
    status=200,
    media_type="text/plain",
    parses=True,
    families={"ml_predictions": "counter", "ml_prediction_latency_seconds": "histogram"},
    good=40,
    bad=17,
    counted_good=40,
    counted_bad=17,
    counter="ml_predictions_total",
    histogram="ml_prediction_latency_seconds",
    observed=40,
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
    new_series=0,
    agree=True,
    workers=2,
    alone=True,
)
_NO_COMPOSE: Final = ComposeMounts(file=None, mounts=0, missing=())
_LIMIT: Final = {"latency_p99_ms": 50}

system.passes(example_contract(serving=_LIMIT), _SCRAPE, _NO_COMPOSE)
system.passes(  # others use the service too
    example_contract(), replace(_SCRAPE, alone=False, counted_good=131, observed=131, agree=False), _NO_COMPOSE
)
system.fails(  # bytes returned through JSON
    example_contract(),
    replace(_SCRAPE, media_type="application/json", parses=False, families={}, counter=None, histogram=None, bounds=()),
    _NO_COMPOSE,
)
system.fails(example_contract(), replace(_SCRAPE, counted_bad=0), _NO_COMPOSE)  # exceptions skip the counter
system.fails(example_contract(), replace(_SCRAPE, counted_bad=None), _NO_COMPOSE)
system.fails(  # each of two workers counts for itself
    example_contract(), replace(_SCRAPE, counted_good=23, observed=23, agree=False), _NO_COMPOSE
)
system.fails(example_contract(), replace(_SCRAPE, new_series=20), _NO_COMPOSE)  # the path is a label
system.fails(example_contract(serving={"latency_p99_ms": 900}), _SCRAPE, _NO_COMPOSE)
system.fails(
    example_contract(),
    _SCRAPE,
    ComposeMounts(file="docker-compose.yml", mounts=1, missing=("./monitoring/prometheus.yml",)),
)
system.is_unknown(example_contract(), _SCRAPE, None)
