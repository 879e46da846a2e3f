"""infrastructure/resources: what the deployment files grant is what the service was seen to need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.infrastructure.limits import DeclaredLimits, Limits
from sekisho.probes.infrastructure.needs import Needs
from sekisho.text import Text

LEAST: Final = 1.3
"""So many times the measured peak a memory limit must be."""
ADVISED_LIMIT: Final = 1.5
ADVISED_REQUEST: Final = 1.2
_MIB: Final = 2**20

# The box


@check(
    "infrastructure/resources",
    title=Text(en="CPU, memory and GPU estimated", ja="CPU・メモリー・GPU の見積もり"),
    why=Text(
        en="A memory limit below the real peak kills the service at the largest legal request; one far above it is paid for every hour.",
        ja="実際のピークを下回るメモリー上限は、正当な最大リクエストでサービスを落とします。逆に過大な上限は、毎時間の無駄な費用になります。",
    ),
    remedy=Text(
        en="write the measured figures into the deployment files: a memory limit of 1.5 times the peak, a request of 1.2 times the usual load",
        ja="実測値をデプロイ用ファイルに反映してください。メモリー上限はピークの1.5倍、要求値は通常負荷の1.2倍が目安です",
    ),
)
def resources(contract: Contract, needs: Needs, declared: DeclaredLimits) -> Verdict:
    """Ask that every container of the service has a memory limit with room above the measured peak."""
    peak = contract.infrastructure.peak_per_second or contract.serving.rate_per_second
    busy = None if peak is None else needs.processor_seconds / 1_000 * peak / contract.infrastructure.replicas
    findings = [finding for each in declared.containers for finding in _granted(each, needs, busy)]
    return verdict(
        *(findings or [_nobody(declared)]),
        peak_mib=round(needs.peak_bytes / _MIB, 1),
        load_mib=round(needs.load_bytes / _MIB, 1),
        rest_mib=round(needs.rest_bytes / _MIB, 1),
        largest_rows=needs.largest_rows,
        workers=needs.workers,
        processor_seconds_per_1000=needs.processor_seconds,
        processors_at_peak=None if busy is None else round(busy, 3),
        advised_limit_mib=round(needs.peak_bytes * ADVISED_LIMIT / _MIB),
        advised_request_mib=round(needs.load_bytes * ADVISED_REQUEST / _MIB),
    )


def _nobody(declared: DeclaredLimits) -> Finding:
    files = ", ".join(declared.files)
    return holds(
        None,
        Text(en=f"{files} describe no container of the service", ja=f"{files} にサービスのコンテナがありません"),
    )


def _granted(each: Limits, needs: Needs, busy: float | None) -> Iterator[Finding]:
    place = f"{each.file}, {each.container}"
    peak = needs.peak_bytes / _MIB
    if each.memory_limit is None:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"{place}: no memory limit; {peak:.0f} MiB were used with requests of {needs.largest_rows:,} rows",
                ja=f"{place}: メモリー上限がありません（{needs.largest_rows:,} 行のリクエストで {peak:.0f} MiB 使用）",
            ),
        )
    else:
        limit = each.memory_limit / _MIB
        yield holds(
            limit >= LEAST * peak,
            Text(
                en=f"{place}: the memory limit is {limit:.0f} MiB, {limit / peak:.2g} times the peak of {peak:.0f} MiB "
                f"(requests of {needs.largest_rows:,} rows); at least {LEAST:g} times is asked",
                ja=f"{place}: メモリー上限 {limit:.0f} MiB は、ピーク {peak:.0f} MiB（{needs.largest_rows:,} 行のリクエスト）の"
                f" {limit / peak:.2g} 倍（{LEAST:g} 倍以上が必要）",
            ),
        )
    if each.memory_request is not None:
        asked, load = each.memory_request / _MIB, needs.load_bytes / _MIB
        yield holds(
            asked >= load,
            Text(
                en=f"{place}: it requests {asked:.0f} MiB and uses {load:.0f} MiB under load",
                ja=f"{place}: 要求値 {asked:.0f} MiB に対し、負荷時の使用量は {load:.0f} MiB",
            ),
        )
    if each.processor_limit is not None and busy is not None:
        yield holds(
            each.processor_limit >= busy,
            Text(
                en=f"{place}: {each.processor_limit:g} processors, the stated traffic takes {busy:.2g}",
                ja=f"{place}: CPU 上限 {each.processor_limit:g}、想定トラフィックでの必要量 {busy:.2g}",
            ),
        )


# How it looks when it passes, and when it fails

_NEEDS: Final = Needs(
    workers=1,
    rest_bytes=110 * _MIB,
    load_bytes=140 * _MIB,
    peak_bytes=900 * _MIB,
    largest_rows=10_000,
    processor_seconds=0.4,
)
_LIMITS: Final = Limits(
    file="compose.yaml",
    container="service",
    memory_limit=1_536 * _MIB,
    memory_request=256 * _MIB,
    processor_limit=1.0,
    processor_request=None,
)


def _declared(limits: Limits) -> DeclaredLimits:
    return DeclaredLimits(files=("compose.yaml",), containers=(limits,))


resources.passes(example_contract(), _NEEDS, _declared(_LIMITS))
resources.fails(example_contract(), _NEEDS, _declared(replace(_LIMITS, memory_limit=512 * _MIB)))
resources.fails(example_contract(), _NEEDS, _declared(replace(_LIMITS, memory_limit=None)))
resources.fails(example_contract(), _NEEDS, _declared(replace(_LIMITS, memory_request=64 * _MIB)))
resources.fails(  # the peak takes 1.2 processors
    example_contract(infrastructure={"peak_per_second": 3_000}), _NEEDS, _declared(_LIMITS)
)
resources.is_unknown(example_contract(), _NEEDS, DeclaredLimits(files=("compose.yaml",), containers=()))
