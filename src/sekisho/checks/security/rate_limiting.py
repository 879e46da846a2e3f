"""security/rate-limiting: one caller gets what the limit allows, no more and no less, and others do not notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, failed, holds, verdict
from sekisho.probes.security.flood import Flood
from sekisho.text import Text

TOLERANCE: Final = 0.05
LATE_MS: Final = 50.0
"""A load generator that is later than this cannot keep the pace of a limit."""
BYPASS: Final = 0.9
"""The part of requests to another route that passes only where nobody counts them with the others."""
BEYOND_DOUBT: Final = 1.5
"""So many times what is allowed passes no correct limit, however unevenly requests come."""

# The box


@check(
    "security/rate-limiting",
    title=Text(en="API rate limiting", ja="APIのレート制限"),
    why=Text(
        en="Without a limit one caller's mistake takes the service from everybody else. A limit that each worker keeps for itself is as many "
        "times too high as there are workers.",
        ja="制限がないと、一人の呼び出しミスで全員のサービスが止まります。ワーカーごとに数える制限は、ワーカー数倍まで通してしまいます。",
    ),
    remedy=Text(
        en="state security.rate_limit (requests per second and key), and count in one place that all workers share",
        ja="security.rate_limit（キーあたり毎秒リクエスト数）を定め、全ワーカーで共有する場所で数えてください",
    ),
)
def rate_limiting(contract: Contract, flood: Flood) -> Verdict:
    """Ask that of three times the limit about the limit passes, the rest hears 429 and when to return, and other keys go on."""
    if contract.security.rate_limit is None or flood.limit is None:
        return failed(Text(en="no rate limit is stated", ja="レート制限が定められていません"))
    allowed = flood.limit * flood.seconds
    return verdict(
        _limited(flood, flood.limit),
        *_spread(flood),
        *_elsewhere(flood, flood.limit),
        *_refusals(flood),
        *_others(flood),
        limit=flood.limit,
        workers=flood.workers,
        sent=flood.sent,
        sent_per_second=flood.sent / flood.seconds,
        accepted=flood.accepted,
        accepted_per_second=flood.accepted / flood.seconds,
        allowed=allowed,
        limited=flood.limited,
        second_accepted=flood.second_accepted,
        busy_workers=flood.busy_workers,
        generator_lag_ms=flood.lag_p99_ms,
    )


def _limited(flood: Flood, limit: float) -> Finding:
    allowed = limit * flood.seconds
    slack = max(1.0, TOLERANCE * allowed)
    shared = min(flood.elsewhere_accepted or 0, max(allowed - flood.accepted, 0.0))  # what the batch route took of it
    seen = Text(
        en=f"{flood.accepted} of {flood.sent} requests passed in {flood.seconds:g} s, {allowed:g} were allowed "
        f"(workers: {flood.workers})",
        ja=f"{flood.seconds:g} 秒間に {flood.sent} 件中 {flood.accepted} 件が通過、許容は {allowed:g} 件（ワーカー {flood.workers}）",
    )
    half = flood.sent / 2
    if flood.accepted - flood.spoofed_accepted < BYPASS * half <= flood.spoofed_accepted:
        seen = Text(
            en=f"{seen.en}; {flood.spoofed_accepted} of them said that they come from elsewhere (X-Forwarded-For), and were believed",
            ja=f"{seen.ja}。うち {flood.spoofed_accepted} 件は X-Forwarded-For の申告を信じて通しています",
        )
    # What a pause saved up may pass after it, but never more than the limit gives from the first request on.
    too_many = flood.accepted > allowed + slack
    too_many &= flood.accepted_in_all > flood.burst + limit * flood.seconds_in_all + slack
    too_few = flood.accepted + shared < allowed - slack - limit * flood.pause
    if not too_many and not too_few and abs(flood.accepted + shared - allowed) > slack:
        seen = Text(
            en=f"{seen.en}, which a pause of {flood.pause:.2g} s explains",
            ja=f"{seen.ja}。差は {flood.pause:.2g} 秒の停止で説明できます",
        )
    if (too_many or too_few) and flood.lag_p99_ms > LATE_MS and flood.accepted <= BEYOND_DOUBT * allowed:
        return holds(
            None,
            Text(
                en=f"{seen.en}; but the load generator itself was {flood.lag_p99_ms:.0f} ms late: measure on a machine that is less busy",
                ja=f"{seen.ja}。ただし負荷生成側が {flood.lag_p99_ms:.0f} ms 遅れていました。空いているマシンで測り直してください",
            ),
        )
    if too_few and flood.heard is not None and flood.heard < allowed:
        return holds(
            None,
            Text(
                en=f"{seen.en}; but only {flood.heard} were answered in that time at all: the service or the machine is slower than the limit",
                ja=f"{seen.ja}。ただしその間に応答があったのは {flood.heard} 件だけで、サービスかマシンが制限値より遅い状態です",
            ),
        )
    return holds(not too_many and not too_few, seen)


def _spread(flood: Flood) -> Iterator[Finding]:
    """Ask that more than one worker was reached: a limit that each keeps for itself looks right when one answers all."""
    if flood.workers > 1 and flood.busy_workers is not None and flood.busy_workers < 2:
        yield holds(
            None,
            Text(
                en=f"nearly all requests went to one of {flood.workers} workers, so that it is not known whether they share the limit",
                ja=f"ほとんどのリクエストが {flood.workers} ワーカー中1つに届いたため、制限を共有しているか分かりません",
            ),
        )


def _elsewhere(flood: Flood, limit: float) -> Iterator[Finding]:
    """Ask that the batch route counts too: what passes on both together must not be more than the limit."""
    if flood.elsewhere_sent is None or flood.elsewhere_accepted is None:
        return
    allowed = limit * flood.seconds
    together = flood.accepted + flood.elsewhere_accepted
    if flood.elsewhere_accepted > BYPASS * flood.elsewhere_sent and together > BEYOND_DOUBT * allowed:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"the batch route has a limit of its own or none: {flood.elsewhere_accepted} of {flood.elsewhere_sent} more requests passed there",
                ja=f"バッチ用ルートの制限が別枠か、制限がありません: 追加の {flood.elsewhere_sent} 件中 {flood.elsewhere_accepted} 件が通過",
            ),
        )


def _refusals(flood: Flood) -> Iterator[Finding]:
    if flood.other:
        said = ", ".join(f"{count} × {status if status != '0' else '–'}" for status, count in flood.other.items())
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"neither success nor 429 (–: no answer): {said}", ja=f"成功でも429でもない応答（–: 無応答）: {said}"
            ),
        )
    if not flood.limited:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="nobody was told 429: what held requests back, if anything, was the service's own slowness",
                ja="429 の応答は1件もありません。通過数が抑えられていたとしても、サービス自体の遅さによるものです",
            ),
        )
    if flood.limited:
        missing = flood.limited - flood.retry_after
        yield holds(
            not missing,
            Text(en=f"{missing} refusals lack Retry-After", ja=f"{missing} 件の拒否に Retry-After がありません")
            if missing
            else Text(
                en=f"{flood.limited} were refused with 429 and Retry-After",
                ja=f"{flood.limited} 件は 429 と Retry-After で拒否",
            ),
        )


def _others(flood: Flood) -> Iterator[Finding]:
    if flood.second_sent is None or flood.second_accepted is None:
        yield holds(
            None,
            Text(
                en="no second key was given, so that it is not known whether others are affected; set the variable of "
                "security.probe_key_variable with _2 at its end",
                ja="2つ目のキーがなく、他の利用者への影響を確かめられません。security.probe_key_variable の名前に _2 を付けた環境変数を設定してください",
            ),
        )
        return
    hurt = flood.second_sent - flood.second_accepted
    yield holds(
        not hurt,
        Text(
            en=f"another caller lost {hurt} of {flood.second_sent} requests",
            ja=f"別の利用者も {flood.second_sent} 件中 {hurt} 件を失いました",
        )
        if hurt
        else Text(en="another caller was not affected", ja="別の利用者は影響を受けません"),
    )


# How it looks when it passes, and when it fails

_LIMITED: Final = {"rate_limit": 100}
_FLOOD: Final = Flood(
    limit=100,
    burst=100,
    workers=2,
    seconds=3,
    sent=900,
    accepted=301,
    limited=599,
    other={},
    retry_after=599,
    accepted_per_second=(101, 100, 100),
    accepted_in_all=462,
    seconds_in_all=3.6,
    pause=0.01,
    second_sent=15,
    second_accepted=15,
    lag_p99_ms=1.4,
)

rate_limiting.passes(example_contract(security=_LIMITED), _FLOOD)
rate_limiting.passes(  # after half a second in which the machine stood still
    example_contract(security=_LIMITED), replace(_FLOOD, accepted=340, accepted_in_all=455, pause=0.5)
)
rate_limiting.fails(  # most of what is allowed is refused
    example_contract(security=_LIMITED), replace(_FLOOD, accepted=120, limited=780, retry_after=780)
)
rate_limiting.fails(example_contract(), replace(_FLOOD, limit=None, sent=0, accepted=0, limited=0, retry_after=0))
rate_limiting.fails(  # no limit in force
    example_contract(security=_LIMITED),
    replace(_FLOOD, accepted=900, limited=0, retry_after=0, accepted_per_second=(300, 300, 300), accepted_in_all=1_080),
)
rate_limiting.fails(  # no limit, and a service that is as slow as the limit would be
    example_contract(security=_LIMITED),
    replace(_FLOOD, accepted=290, limited=0, retry_after=0, accepted_in_all=1_350, seconds_in_all=13.0, pause=0.7),
)
rate_limiting.fails(  # each of two workers counts for itself
    example_contract(security=_LIMITED),
    replace(
        _FLOOD, accepted=600, limited=300, retry_after=300, accepted_per_second=(200, 200, 200), accepted_in_all=920
    ),
)
rate_limiting.fails(  # the flood shuts others out
    example_contract(security=_LIMITED), replace(_FLOOD, second_accepted=2)
)
rate_limiting.fails(example_contract(security=_LIMITED), replace(_FLOOD, retry_after=0))
rate_limiting.fails(
    example_contract(security=_LIMITED), replace(_FLOOD, limited=500, retry_after=500, other={"503": 99})
)
rate_limiting.is_unknown(example_contract(security=_LIMITED), replace(_FLOOD, second_sent=None, second_accepted=None))
rate_limiting.fails(  # the batch route is a way round it
    example_contract(security=_LIMITED), replace(_FLOOD, elsewhere_sent=300, elsewhere_accepted=298)
)
rate_limiting.passes(  # both routes share the limit
    example_contract(security=_LIMITED),
    replace(
        _FLOOD,
        accepted=226,
        accepted_in_all=390,
        limited=674,
        retry_after=674,
        elsewhere_sent=300,
        elsewhere_accepted=75,
    ),
)
rate_limiting.is_unknown(  # one of two workers answered all
    example_contract(security=_LIMITED), replace(_FLOOD, busy_workers=1)
)
rate_limiting.is_unknown(  # the service is slower than its limit
    example_contract(security=_LIMITED), replace(_FLOOD, accepted=150, limited=60, retry_after=60, heard=210)
)
rate_limiting.is_unknown(  # the generator could not keep its own pace
    example_contract(security=_LIMITED), replace(_FLOOD, accepted=352, accepted_in_all=520, lag_p99_ms=240.0)
)
rate_limiting.fails(  # however late it was: twice as many is no accident
    example_contract(security=_LIMITED), replace(_FLOOD, accepted=600, accepted_in_all=920, lag_p99_ms=240.0)
)
