"""The dashboard is one that Grafana can place, and hides nothing behind anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.targets.interface import Plan
from sekisho.targets.parts.monitoring.files import DASHBOARD, dashboard_files

PlanMaker = Callable[..., Plan]


def dashboard(plan: Plan) -> dict[str, Any]:
    (file,) = dashboard_files(plan)
    assert file.path == DASHBOARD
    assert isinstance(file.content, bytes)
    read: dict[str, Any] = json.loads(file.content)
    return read


def test_panels_do_not_overlap_and_fit(plan_of: PlanMaker) -> None:
    places = [panel["gridPos"] for panel in dashboard(plan_of())["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_every_panel_says_what_it_shows_and_asks_the_data_source(plan_of: PlanMaker) -> None:
    read = dashboard(plan_of())
    ids = [panel["id"] for panel in read["panels"]]
    assert len(ids) == len(set(ids))
    for panel in read["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert 'job="example"' in target["expr"]
    assert [variable["name"] for variable in read["templating"]["list"]] == ["datasource"]


def test_shows_classes_only_where_there_are_any(plan_of: PlanMaker, regression_artifact: ModelArtifact) -> None:
    def asks_for_classes(plan: Plan) -> bool:
        return any("by_class" in target["expr"] for panel in dashboard(plan)["panels"] for target in panel["targets"])

    assert asks_for_classes(plan_of())
    assert not asks_for_classes(plan_of(artifact=regression_artifact))


def test_has_a_uid_of_its_own(plan_of: PlanMaker) -> None:
    uids = {dashboard(plan_of(model={"name": name}))["uid"] for name in ("a", "b", "A")}
    assert len(uids) == 3
    assert all(len(uid) <= 40 for uid in uids)


@pytest.mark.parametrize("word", ["<script>", "{{7*7}}"])
def test_hostile_words_stay_out_of_it(plan_of: PlanMaker, word: str) -> None:
    assert word not in json.dumps(dashboard(plan_of()), ensure_ascii=False)
