from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from sekisho.checks.quality.fairness import fairness as box
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.gate.attestations import Attestations
from sekisho.gate.probe import Progress
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Status
from sekisho.probes.quality.fairness import Fairness, fairness
from sekisho.probes.quality.fairness_reports import FairnessReports, fairness_reports
from sekisho.probes.resources.artifacts import files_at
from sekisho.probes.resources.scored import Scored

NOBODY = Attestations(contract=example_contract(), artifact="a" * 64, today=dt.date(2026, 11, 24))
MakeContract = Callable[..., Contract]
MakeScored = Callable[..., Scored]


def measured(asked: Contract, scored: Scored) -> Fairness:
    found = fairness.measure(asked.fairness, asked.quality, scored, Progress())
    assert isinstance(found, Fairness)
    return found


def applicants(rows: int, rates: dict[str, float], seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Applicants of several groups, and the answers of a model that approves the given share of each."""
    random = np.random.default_rng(seed)
    group = random.choice(list(rates), rows)
    given = (random.random(rows) < np.vectorize(rates.get)(group)).astype(int)
    label = np.where(random.random(rows) < 0.8, given, 1 - given)
    return pd.DataFrame({"sex": group, "x": random.normal(size=rows), "label": label}), given


def asked(contract: MakeContract, *notions: str, **more: object) -> Contract:
    settings: dict[str, object] = {"attributes": ["sex"], "reason": "equal access"} | more
    return contract(fairness=settings | ({"notions": list(notions)} if notions else {}))


def test_a_selection_rate_that_is_half_for_one_group_fails(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(2_000, {"male": 0.6, "female": 0.3})
    wanted = asked(contract, "selection_rate")
    found = measured(wanted, scored(frame, given))
    (gap,) = found.gaps
    assert (gap.higher, gap.lower) == ("male", "female")
    assert gap.ratio is not None
    assert gap.ratio.point == pytest.approx(0.5, abs=0.06)
    verdict = box.judge(wanted, found, None, NOBODY)
    assert verdict.status is Status.FAIL
    assert "four fifths" in verdict.summary.en


def test_a_ratio_of_93_hundredths_passes(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(6_000, {"male": 0.60, "female": 0.558})
    wanted = asked(contract, "selection_rate")
    verdict = box.judge(wanted, measured(wanted, scored(frame, given)), None, NOBODY)
    assert verdict.status is Status.PASS, verdict.summary.en


def test_few_approvals_are_compared_by_their_ratio(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(20_000, {"male": 0.06, "female": 0.03})
    wanted = asked(contract, "selection_rate")
    verdict = box.judge(wanted, measured(wanted, scored(frame, given)), None, NOBODY)
    assert verdict.status is Status.FAIL
    assert "four fifths" in verdict.summary.en


def test_too_few_rows_to_tell_are_unknown(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(150, {"male": 0.5, "female": 0.5}, seed=3)
    wanted = asked(contract, "selection_rate")
    verdict = box.judge(wanted, measured(wanted, scored(frame, given)), None, NOBODY)
    assert verdict.status is Status.UNKNOWN
    assert "cannot show" in verdict.summary.en


def test_small_groups_are_reported_and_not_scored(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(6_000, {"male": 0.5, "female": 0.5})
    frame.loc[:19, "sex"] = "other"
    given[:20] = 0
    wanted = asked(contract, "selection_rate")
    found = measured(wanted, scored(frame, given))
    assert found.not_scored == ("sex=other",)
    assert {rate.group: rate.rate is None for rate in found.rates} == {"female": False, "male": False, "other": True}
    assert box.judge(wanted, found, None, NOBODY).status is Status.PASS


def test_errors_that_hurt_one_group_fail(contract: MakeContract, scored: MakeScored) -> None:
    # The same share is approved in both groups, but of the worthy women a third is turned down.
    random = np.random.default_rng(5)
    sex, label = random.choice(["male", "female"], 6_000), random.integers(0, 2, 6_000)
    wrong = (sex == "female") & (random.random(6_000) < 0.33)
    given = np.where(wrong, 1 - label, label)
    frame = pd.DataFrame({"sex": sex, "x": random.normal(size=6_000), "label": label})
    assert box.judge(*_both(asked(contract, "selection_rate"), scored(frame, given))).status is Status.PASS
    for notion in ("true_positive_rate", "false_positive_rate", "error"):
        verdict = box.judge(*_both(asked(contract, notion), scored(frame, given)))
        assert verdict.status is Status.FAIL, notion


def _both(wanted: Contract, answers: Scored) -> tuple[Contract, Fairness, None, Attestations]:
    return wanted, measured(wanted, answers), None, NOBODY


def test_rates_are_those_of_fairlearns_definitions(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(3_000, {"male": 0.6, "female": 0.4})
    found = measured(asked(contract), scored(frame, given))
    rates = {(rate.notion, rate.group): rate.rate.point for rate in found.rates if rate.rate is not None}
    for group in ("male", "female"):
        rows = (frame["sex"] == group).to_numpy()
        label, answer = frame["label"].to_numpy()[rows], given[rows]
        assert rates["selection_rate", group] == pytest.approx(answer.mean())
        assert rates["true_positive_rate", group] == pytest.approx(answer[label == 1].mean())
        assert rates["false_positive_rate", group] == pytest.approx(answer[label == 0].mean())


def test_rates_and_gaps_are_those_of_fairlearn(contract: MakeContract, scored: MakeScored) -> None:
    from fairlearn import metrics

    frame, given = applicants(3_000, {"male": 0.6, "female": 0.4, "other": 0.5})
    found = {gap.notion: gap for gap in measured(asked(contract), scored(frame, given)).gaps}
    truth, groups = frame["label"].to_numpy(), frame["sex"]
    difference = metrics.demographic_parity_difference(truth, given, sensitive_features=groups)
    ratio = metrics.demographic_parity_ratio(truth, given, sensitive_features=groups)
    selection = found["selection_rate"]
    assert selection.gap.point == pytest.approx(difference)
    assert selection.ratio is not None
    assert selection.ratio.point == pytest.approx(ratio)
    for notion, rate in (
        ("true_positive_rate", metrics.true_positive_rate),
        ("false_positive_rate", metrics.false_positive_rate),
    ):
        frames = metrics.MetricFrame(metrics=rate, y_true=truth, y_pred=given, sensitive_features=groups)
        assert found[notion].least_point <= frames.difference() + 1e-12
        assert found[notion].gap.point <= frames.difference() + 1e-12
        assert max(found[notion].least_point, found[notion].gap.point) == pytest.approx(frames.difference(), abs=0.02)


def test_declared_bands_are_the_groups(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(9)
    age = random.integers(18, 90, 6_000)
    given = (random.random(6_000) < np.where(age >= 65, 0.2, 0.6)).astype(int)
    frame = pd.DataFrame({"age": age, "label": given})
    bands = [{"attribute": "age", "cuts": [25.0, 65.0]}]
    found = measured(asked(contract, "selection_rate", attributes=["age"], bands=bands), scored(frame, given))
    assert [rate.group for rate in found.rates] == ["25–65", "<25", "≥65"]
    (gap,) = found.gaps
    assert gap.lower == "≥65"


def test_a_score_that_tells_the_group_is_named(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(3)
    sex = random.choice(["male", "female"], 3_000)
    stated = np.clip(np.where(sex == "male", 0.45, 0.3) + random.normal(0, 0.05, 3_000), 0, 1)
    frame = pd.DataFrame({"sex": sex, "label": random.integers(0, 2, 3_000)})
    wanted = asked(contract, "selection_rate")
    found = measured(wanted, scored(frame, (stated > 0.9).astype(int), np.stack([1 - stated, stated], axis=1)))
    assert "(score)" in str(box.judge(wanted, found, None, NOBODY).figures["proxies"])


def test_values_that_are_too_low_for_one_group_fail(contract: MakeContract, scored: MakeScored) -> None:
    # Both groups are missed by as much; one always from below.
    random = np.random.default_rng(8)
    sex, truth = random.choice(["male", "female"], 4_000), random.normal(50, 10, 4_000)
    miss = np.abs(random.normal(0, 4, 4_000))
    given = truth + np.where(sex == "male", miss * random.choice([-1, 1], 4_000), -miss)
    frame = pd.DataFrame({"sex": sex, "label": truth})
    wanted = asked(contract, "error")
    verdict = box.judge(wanted, measured(wanted, scored(frame, given, task="regression")), None, NOBODY)
    assert verdict.status is Status.FAIL
    assert "mean_error" in verdict.summary.en


def test_groups_are_crossed(contract: MakeContract, scored: MakeScored) -> None:
    # Each attribute alone is fair; the crossing is not.
    random = np.random.default_rng(6)
    sex, region = random.choice(["male", "female"], 8_000), random.choice(["north", "south"], 8_000)
    rate = np.where((sex == "male") == (region == "north"), 0.7, 0.3)
    given = (random.random(8_000) < rate).astype(int)
    frame = pd.DataFrame({"sex": sex, "region": region, "label": given})
    wanted = asked(contract, "selection_rate", attributes=["sex", "region"])
    found = measured(wanted, scored(frame, given))
    widths = {gap.attribute: gap.gap.point for gap in found.gaps}
    assert widths["sex"] < 0.1
    assert widths["region"] < 0.1
    assert widths["sex × region"] > 0.3
    assert box.judge(wanted, found, None, NOBODY).status is Status.FAIL


def test_false_alarms_over_many_groups_are_rare(contract: MakeContract, scored: MakeScored) -> None:
    failed = 0
    for seed in range(40):
        frame, given = applicants(900, {f"g{place}": 0.5 for place in range(9)}, seed=seed)
        wanted = asked(contract, "selection_rate")
        failed += box.judge(wanted, measured(wanted, scored(frame, given)), None, NOBODY).status is Status.FAIL
    assert failed <= 4


def test_calibration_needs_no_gap_by_chance(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(7)
    stated = random.uniform(0.05, 0.95, 8_000)
    sex = random.choice(["male", "female"], 8_000)
    wanted = asked(contract, "calibration")

    def judged(right: np.ndarray) -> Status:
        frame = pd.DataFrame({"sex": sex, "label": (random.random(8_000) < right).astype(int)})
        answers = scored(frame, (stated > 0.5).astype(int), np.stack([1 - stated, stated], axis=1))
        return box.judge(wanted, measured(wanted, answers), None, NOBODY).status

    assert judged(stated) is Status.PASS
    assert judged(np.where(sex == "female", np.clip(stated - 0.25, 0, 1), stated)) is Status.FAIL


def test_values_are_compared_by_their_error(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(8)
    sex, truth = random.choice(["male", "female"], 4_000), random.normal(50, 10, 4_000)
    frame = pd.DataFrame({"sex": sex, "x": truth, "label": truth})
    wanted = asked(contract, "error")
    noise = random.normal(0, 1, 4_000)
    alike = measured(wanted, scored(frame, truth + 3 * noise, task="regression"))
    unlike = measured(wanted, scored(frame, truth + noise * np.where(sex == "male", 2, 6), task="regression"))
    assert box.judge(wanted, alike, None, NOBODY).status is Status.PASS
    assert box.judge(wanted, unlike, None, NOBODY).status is Status.FAIL
    assert alike.unit == pytest.approx(8.0, abs=0.5)


def test_bands_are_made_of_numbers(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(9)
    age = random.integers(18, 80, 6_000)
    given = (random.random(6_000) < np.where(age > 60, 0.3, 0.6)).astype(int)
    frame = pd.DataFrame({"age": age, "label": given})
    wanted = asked(contract, "selection_rate", attributes=["age"])
    found = measured(wanted, scored(frame, given))
    assert len(found.rates) == 4
    assert box.judge(wanted, found, None, NOBODY).status is Status.FAIL


def test_several_classes_are_compared_one_by_one(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(10)
    sex = random.choice(["male", "female"], 5_000)
    given = np.where(sex == "male", random.choice(["a", "b", "c"], 5_000), random.choice(["a", "b"], 5_000))
    frame = pd.DataFrame({"sex": sex, "label": random.choice(["a", "b", "c"], 5_000)})
    wanted = asked(contract, "selection_rate")
    found = measured(wanted, scored(frame, given))
    assert {gap.notion for gap in found.gaps} == {f"selection_rate [{label}]" for label in "abc"}
    assert box.judge(wanted, found, None, NOBODY).status is Status.FAIL


def test_a_feature_that_stands_in_for_an_attribute_is_named(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(6_000, {"male": 0.5, "female": 0.5})
    random = np.random.default_rng(11)
    frame["height"] = np.where(frame["sex"] == "male", 178, 165) + random.normal(0, 7, 6_000)
    frame["title"] = np.where(random.random(6_000) < 0.95, np.where(frame["sex"] == "male", "Mr", "Ms"), "Dr")
    wanted = asked(contract, "selection_rate")
    found = measured(wanted, scored(frame, given))
    said = {proxy.feature: proxy.explained for proxy in found.proxies}
    assert said["title"] > 0.8
    assert 0.3 < said["height"] < 0.6
    assert said["x"] < 0.01
    assert "height" in str(box.judge(wanted, found, None, NOBODY).figures["proxies"])


def test_attributes_marked_in_the_signature_count(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(2_000, {"male": 0.6, "female": 0.3})
    wanted = contract(fairness={"notions": ["selection_rate"], "reason": "equal access"})
    verdict = box.judge(wanted, measured(wanted, scored(frame, given, sensitive=("sex",))), None, NOBODY)
    assert verdict.status is Status.FAIL
    nothing = measured(wanted, scored(frame, given))
    assert nothing.attributes == ()
    assert box.judge(wanted, nothing, None, NOBODY).status is Status.UNKNOWN


def test_an_attribute_that_is_not_in_the_test_set_is_not_measured(contract: MakeContract, scored: MakeScored) -> None:
    frame, given = applicants(200, {"male": 0.6, "female": 0.3})
    with pytest.raises(NotMeasured, match="gender"):
        measured(asked(contract, attributes=["gender"]), scored(frame, given))


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ({"model": {"digest": "sha256:{model}"}}, Status.PASS),
        ({"artifact": "{other}"}, Status.FAIL),
        ({"subject": [{"digest": {"sha256": "{other}"}}]}, Status.FAIL),
        ({"data_digest": "{other}", "model_digest": "{model}"}, Status.PASS),
        ({"data_digest": "{other}"}, Status.PASS),
    ],
)
def test_a_report_must_speak_of_this_model(
    named: dict[str, object], status: Status, tmp_path: Path, contract: MakeContract, scored: MakeScored
) -> None:
    (tmp_path / "model.txt").write_text("tree\n")
    files = files_at(tmp_path / "model.txt")
    text = msgspec.json.encode(named).decode().replace("{model}", files.digest).replace("{other}", "ab" * 32)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "fairness.json").write_text(text)
    frame, given = applicants(6_000, {"male": 0.5, "female": 0.5})
    wanted = contract(
        model={"name": "example", "artifact": "model.txt"},
        fairness={"attributes": ["sex"], "notions": ["selection_rate"], "reason": "equal access"},
    )
    reports = fairness_reports.measure(Project(root=tmp_path, contract=wanted), files, None)
    assert isinstance(reports, FairnessReports)
    assert [report.file for report in reports.reports] == ["reports/fairness.json"]
    verdict = box.judge(wanted, measured(wanted, scored(frame, given)), reports, NOBODY)
    assert verdict.status is status, verdict.summary.en
