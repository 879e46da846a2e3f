"""monitoring/drift: the detector is silent when nothing has changed, and speaks when something has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.monitoring.drift_gauges import DriftGauges
from sekisho.probes.monitoring.drift_replay import POWER, DriftReplay, Noticed
from sekisho.probes.monitoring.reference import ReferenceOrigin
from sekisho.text import Text

_CHANGES: Final = {
    "shift": Text(en="a shift of half a standard deviation", ja="標準偏差の半分のずれ"),
    "mix": Text(en="a change in the mix of categories (PSI 0.2)", ja="カテゴリ構成の変化（PSI 0.2）"),
    "new category": Text(en="a new category", ja="新しいカテゴリ"),
    "nulls": Text(en="a surge of nulls", ja="欠損の急増"),
}

# The box


@check(
    "monitoring/drift",
    title=Text(en="Data drift is detected", ja="データドリフトの検知"),
    why=Text(
        en="A detector that alarms every other day is switched off within a week, and one that compares with the wrong data never alarms for the "
        "right reason. Both look like monitoring.",
        ja="一日おきに鳴る検知器は一週間で止められます。基準データを間違えた検知器は、正しい理由で鳴ることがありません。どちらも見かけは「監視中」です。",
    ),
    remedy=Text(
        en="correct for the number of columns, ask for an effect as well as for significance, and compare with the reference of this artifact; "
        "sekisho.DriftDetector does all three",
        ja="列数による多重検定の補正を行い、有意性に加えて効果量を条件とし、この成果物の基準データと比較してください。sekisho.DriftDetector はそのすべてを行います",
    ),
)
def drift(
    contract: Contract, origin: ReferenceOrigin | None, replay: DriftReplay, gauges: DriftGauges | None
) -> Verdict:
    """Ask for few false alarms, for power against four known changes, and for the reference of this very model."""
    findings = [*_origin(origin)]
    findings += _replayed(contract, replay)
    findings += _live(gauges)
    return verdict(
        *findings,
        detector=replay.detector,
        window_rows=replay.window_rows,
        clean_windows=replay.clean,
        false_alarms=replay.alarms,
        alarm_rate=replay.alarms / replay.clean if replay.clean else None,
        alarm_rate_high=replay.high if replay.clean else None,
        budget=replay.budget,
        power_low=min((each.low for each in replay.changes), default=None),
    )


def _origin(origin: ReferenceOrigin | None) -> Iterator[Finding]:
    if origin is None:
        return
    if origin.as_packed is False:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="the reference is not the one that was packed with this model: its digest is not in the manifest",
                ja="基準データがこのモデルと一緒に梱包されたものではありません（マニフェストのダイジェストと不一致）",
            ),
        )
    if origin.of_training is False:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="the reference of the artifact does not come from data.training",
                ja="成果物の基準データが data.training から作られたものではありません",
            ),
        )
    if origin.as_packed and origin.of_training:
        yield holds(
            True,  # noqa: FBT003
            Text(
                en="the reference is that of this model and its training set",
                ja="基準データはこのモデルとその学習データのものです",
            ),
        )


def _replayed(contract: Contract, replay: DriftReplay) -> Iterator[Finding]:
    if replay.failure is not None:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"the detector {replay.detector} raises {replay.failure}",
                ja=f"検知器 {replay.detector} が {replay.failure} を送出します",
            ),
        )
        return
    if not replay.clean:
        yield holds(
            None,
            Text(
                en="the detector could not be tried, because data.training names no readable table",
                ja="data.training に読み込める表がなく、検知器を試せません",
            ),
        )
        return
    yield _silent(contract, replay)
    for change in replay.changes:
        yield _noticed(change, replay)


def _silent(contract: Contract, replay: DriftReplay) -> Finding:
    per_month = contract.monitoring.windows_per_day * 30
    expected = replay.alarms / replay.clean * per_month
    seen = Text(
        en=f"{replay.alarms} of {replay.clean:,} unchanged windows alarm: about {expected:.3g} false alarms in 30 days "
        f"(at most {replay.high * per_month:.3g} at 95 %), the budget is {contract.monitoring.false_alarms_per_30_days:g}",
        ja=f"変化のない窓 {replay.clean:,} 個のうち {replay.alarms} 個で発報。30日あたり約 {expected:.3g} 回の誤報"
        f"（信頼度95%の上限 {replay.high * per_month:.3g} 回、許容 {contract.monitoring.false_alarms_per_30_days:g} 回）",
    )
    if replay.high <= replay.budget:
        return holds(True, seen)  # noqa: FBT003
    return holds(False if replay.low > replay.budget else None, seen)


def _noticed(change: Noticed, replay: DriftReplay) -> Finding:
    name = _CHANGES[change.change]
    met = change.low >= POWER
    where = "" if met else f" ({', '.join(change.missed[:4])})"
    return holds(
        met,
        Text(
            en=f"{name.en} is noticed in {change.caught} of {change.windows} windows of {replay.window_rows:,} rows{where}",
            ja=f"{name.ja}を {replay.window_rows:,} 行の窓 {change.windows} 個中 {change.caught} 個で検知{where}",
        ),
    )


def _live(gauges: DriftGauges | None) -> Iterator[Finding]:
    if gauges is None or not gauges.expected:
        return
    there = not gauges.missing
    missing = ", ".join(gauges.missing)
    yield holds(
        there,
        Text(
            en="the running service shows its drift as metrics",
            ja="稼働中のサービスがドリフトをメトリクスとして公開しています",
        )
        if there
        else Text(en=f"the running service does not show {missing}", ja=f"稼働中のサービスに {missing} がありません"),
    )


# How it looks when it passes, and when it fails


def _change(name: str, caught: int = 29, low: float = 0.902) -> Noticed:
    return Noticed(change=name, windows=29, caught=caught, low=low, missed=() if caught == 29 else ("income",))


_ORIGIN: Final = ReferenceOrigin(in_artifact=True, as_packed=True, of_training=True)
_REPLAY: Final = DriftReplay(
    detector="sekisho",
    window_rows=1_000,
    budget=1 / 720,
    clean=2_156,
    alarms=0,
    low=0.0,
    high=0.001388,
    changes=(_change("shift"), _change("mix"), _change("new category"), _change("nulls")),
    seconds_per_window=0.002,
    failure=None,
)
_NOT_TRIED: Final = replace(_REPLAY, clean=0, high=1.0, changes=(), seconds_per_window=0.0)
_GAUGES: Final = DriftGauges(expected=True, missing=())

drift.passes(example_contract(), _ORIGIN, _REPLAY, _GAUGES)
drift.passes(  # another team's detector, beside another team's service
    example_contract(monitoring={"windows_per_day": 1, "detector": "drift:detect"}),
    None,
    replace(_REPLAY, detector="drift:detect", budget=1 / 30, clean=89, high=0.0331),
    DriftGauges(expected=False, missing=()),
)
drift.fails(  # a test at 5 % for each of ten columns
    example_contract(), _ORIGIN, replace(_REPLAY, clean=200, alarms=78, low=0.33, high=0.45), _GAUGES
)
drift.fails(  # nulls are too much for it
    example_contract(), None, replace(_NOT_TRIED, detector="drift:detect", failure="ValueError"), None
)
drift.fails(  # asleep
    example_contract(), _ORIGIN, replace(_REPLAY, changes=(_change("shift", caught=3, low=0.03),)), _GAUGES
)
drift.fails(example_contract(), replace(_ORIGIN, as_packed=False), _NOT_TRIED, None)  # the reference of another model
drift.fails(example_contract(), replace(_ORIGIN, of_training=False), _REPLAY, _GAUGES)
drift.fails(example_contract(), _ORIGIN, _REPLAY, replace(_GAUGES, missing=("ml_drift_effect",)))
drift.is_unknown(example_contract(), _ORIGIN, replace(_REPLAY, clean=300, high=0.0099), _GAUGES)  # too few windows yet
drift.is_unknown(example_contract(), _ORIGIN, _NOT_TRIED, _GAUGES)
