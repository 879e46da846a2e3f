"""inference/latency: never passes when a bound, a status or the first answer is beyond what was asked."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sekisho.checks.inference.latency import _LOAD, latency
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Status, Verdict
from sekisho.probes.inference.latency import Latency
from sekisho.probes.statistics.intervals import Interval

times = st.floats(0.1, 20_000, allow_nan=False)


def judge(limit: float, load: Latency) -> Verdict:
    return latency.judge(
        contract=example_contract(serving={"latency_p99_ms": limit, "rate_per_second": 100}), load=load
    )


@given(
    limit=times,
    point=times,
    reach=st.floats(1.0, 5.0),
    first=times,
    lag=times,
    unexpected=st.dictionaries(st.sampled_from(["0", "429", "500"]), st.integers(1, 9), max_size=2),
)
def test_a_pass_means_that_everything_was_in_time(
    limit: float, point: float, reach: float, first: float, lag: float, unexpected: dict[str, int]
) -> None:
    p99 = Interval(point=point, low=point, high=point * reach)
    load = replace(
        _LOAD, percentiles={"p99": p99}, first_ms=first, first_ok=True, lag_p99_ms=lag, unexpected=unexpected
    )
    found = judge(limit, load)
    in_time = p99.high <= limit and not unexpected and first <= max(3 * limit, 500)
    assert (found.status is Status.PASS) is in_time
    if p99.high > limit and not unexpected and first <= max(3 * limit, 500):
        # only a generator that was itself late can excuse the service, and then nothing is known
        assert found.status is (Status.UNKNOWN if lag > limit / 4 else Status.FAIL)
