"""Names and numbers of an endpoint: what AWS accepts, and one name for one thing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import WrongUse
from sekisho.targets.interface import Plan
from sekisho.targets.parts.aws import policies, requests
from sekisho.targets.parts.aws.client import Amazon
from sekisho.targets.parts.aws.endpoint import endpoint_of

PlanMaker = Callable[..., Plan]

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@pytest.mark.parametrize("model", ["a", "Example_1.0", "n" * 100, "a" + "-" * 60 + "b", "x.-_.y"])
def test_names_are_what_sagemaker_accepts(plan_of: PlanMaker, model: str) -> None:
    endpoint = endpoint_of(plan_of(model={"name": model}))
    for name in (endpoint.name, endpoint.model, endpoint.configuration):
        assert NAME.fullmatch(name), name


@pytest.mark.parametrize(
    "change",
    [
        {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/model:1.0.1"},
        {"role": "arn:aws:iam::123456789012:role/other"},
        {"bucket": "other-models"},
        {"prefix": "elsewhere"},
    ],
)
def test_another_model_has_another_name(plan_of: PlanMaker, change: dict[str, str]) -> None:
    assert endpoint_of(plan_of()).model != endpoint_of(plan_of(settings=change)).model


@pytest.mark.parametrize("change", [{"instances": "3"}, {"instance-type": "ml.m5.xlarge"}, {"kms-key": "alias/other"}])
def test_another_configuration_has_another_name(plan_of: PlanMaker, change: dict[str, str]) -> None:
    one, other = endpoint_of(plan_of()), endpoint_of(plan_of(settings=change))
    assert one.model == other.model
    assert one.configuration != other.configuration


def test_another_artifact_is_another_model_and_package(plan_of: PlanMaker, regression_artifact: ModelArtifact) -> None:
    one, other = endpoint_of(plan_of()), endpoint_of(plan_of(artifact=regression_artifact))
    assert one.model != other.model
    assert one.key != other.key
    assert regression_artifact.digest in other.key


WRONG = {
    "image": ["model:1", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/model", "$(id)", ""],
    "role": ["role/endpoint", "arn:aws:iam::1:role/x", "arn:aws:s3:::x", ""],
    "bucket": ["My_Bucket", "a", "b/c", "s3://bucket", ""],
    "instance-type": ["m5.large", "ml.m5", "ml.m5.large; id"],
    "instances": ["0", "-1", "1.5", "many", "１", "1001"],
    "region": ["mars", "eu-west-1;"],
    "prefix": ["a*b", "${x}", "a b"],
    "endpoint": ["---", "日本"],
}


@pytest.mark.parametrize(("setting", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_aws_would_not_accept_is_refused_by_name(plan_of: PlanMaker, setting: str, value: str) -> None:
    with pytest.raises(WrongUse, match=f"--{setting}"):
        endpoint_of(plan_of(settings={setting: value}))


@pytest.mark.parametrize("settings", [{}, {"instances": "4"}, {"kms-key": "arn:aws:kms:eu-west-1:123456789012:key/1"}])
@pytest.mark.parametrize("serving", [{}, {"latency_p99_ms": 12.5}])
def test_every_request_is_what_its_service_describes(
    plan_of: PlanMaker, settings: dict[str, str], serving: dict[str, Any]
) -> None:
    endpoint = endpoint_of(plan_of(settings=settings, serving=serving))
    for step in (*requests.steps(endpoint), requests.update_step(endpoint)):
        Amazon(region=endpoint.region).validate(step)


def test_a_wrong_request_would_be_found(plan_of: PlanMaker) -> None:
    from dataclasses import replace

    from sekisho.errors import TargetError

    step = requests.update_step(endpoint_of(plan_of()))
    with pytest.raises(TargetError, match="DeploymentConfigs"):
        Amazon(region="eu-west-1").validate(replace(step, parameters={**step.parameters, "DeploymentConfigs": {}}))


def test_an_update_begins_with_one_instance_and_can_go_back(plan_of: PlanMaker) -> None:
    serving = {"latency_p99_ms": 12.5}
    many, one = (
        requests.update_request(endpoint_of(plan_of(settings={"instances": n}, serving=serving))) for n in "41"
    )
    routing = many["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert (routing["Type"], routing["CanarySize"]) == ("CANARY", {"Type": "INSTANCE_COUNT", "Value": 1})
    alone = one["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert alone["Type"] == "ALL_AT_ONCE"
    assert len(many["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]) == 2


def test_the_latency_alarm_counts_in_microseconds(plan_of: PlanMaker) -> None:
    _, latency = requests.alarm_requests(endpoint_of(plan_of(serving={"latency_p99_ms": 12.5})))
    assert (latency["MetricName"], latency["Threshold"], latency["ExtendedStatistic"]) == (
        "ModelLatency",
        12_500.0,
        "p99",
    )


def test_policies_allow_no_more_than_is_needed(plan_of: PlanMaker) -> None:
    endpoint = endpoint_of(plan_of())
    for policy in (policies.execution_policy(endpoint), policies.deployer_policy(endpoint)):
        for statement in policy["Statement"]:
            assert not any("*" in action for action in statement["Action"])
            resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
            if "*" in resources:
                assert statement["Action"] in (["ecr:GetAuthorizationToken"], ["cloudwatch:PutMetricData"])
    passing = policies.deployer_policy(endpoint)["Statement"][-1]
    assert passing["Resource"] == endpoint.role
    assert passing["Condition"]["StringEquals"]["iam:PassedToService"] == "sagemaker.amazonaws.com"
