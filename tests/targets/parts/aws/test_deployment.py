"""Deploying to SageMaker: the package on a real S3 server, the requests in the shapes of the services."""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import msgspec
import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import MissingExtra, NotFound, TargetError, WrongUse
from sekisho.targets.interface import Plan
from sekisho.targets.parts.aws import deployment, requests
from sekisho.targets.parts.aws.client import Amazon, one_line_errors
from sekisho.targets.parts.aws.endpoint import Endpoint, endpoint_of
from sekisho.targets.parts.aws.package import model_package
from sekisho.targets.parts.golden import questions
from sekisho.text import Text

PlanMaker = Callable[..., Plan]

pytestmark = pytest.mark.usefixtures("credentials")


def say_nothing(words: Text) -> None:
    """Listen, and keep it to oneself."""


def upload(plan: Plan, s3: str) -> Endpoint:
    endpoint = endpoint_of(plan)
    with one_line_errors():
        deployment._upload(plan, endpoint, Amazon(region="eu-west-1", endpoint_url=s3), say_nothing)
    return endpoint


@pytest.mark.slow
def test_the_package_lies_in_s3_as_it_was_made(plan_of: PlanMaker, s3: str) -> None:
    plan = plan_of(settings={"prefix": "whole"})
    endpoint = upload(plan, s3)
    stored = boto3.client("s3", endpoint_url=s3, region_name="eu-west-1").get_object(
        Bucket=endpoint.bucket, Key=endpoint.key
    )
    with model_package(plan.artifact) as package:
        assert hashlib.sha256(stored["Body"].read()).hexdigest() == package.digest


@pytest.mark.slow
def test_uploading_again_changes_nothing(plan_of: PlanMaker, s3: str) -> None:
    plan = plan_of(settings={"prefix": "twice"})
    endpoint = upload(plan, s3)
    client = boto3.client("s3", endpoint_url=s3, region_name="eu-west-1")
    before = client.head_object(Bucket=endpoint.bucket, Key=endpoint.key)["LastModified"]
    upload(plan, s3)
    assert client.head_object(Bucket=endpoint.bucket, Key=endpoint.key)["LastModified"] == before


@pytest.mark.slow
def test_somebody_elses_file_is_not_replaced(plan_of: PlanMaker, s3: str) -> None:
    plan = plan_of(settings={"prefix": "taken"})
    endpoint = endpoint_of(plan)
    client = boto3.client("s3", endpoint_url=s3, region_name="eu-west-1")
    client.put_object(Bucket=endpoint.bucket, Key=endpoint.key, Body=b"theirs")
    with pytest.raises(TargetError, match="another file lies"):
        upload(plan, s3)
    assert client.get_object(Bucket=endpoint.bucket, Key=endpoint.key)["Body"].read() == b"theirs"


@pytest.mark.slow
def test_a_wrong_key_is_one_clear_line(plan_of: PlanMaker, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-of-somebody")
    with pytest.raises(TargetError, match=r"AWS refused PutObject.*credentials") as caught:
        upload(plan_of(settings={"prefix": "wrong"}), s3)
    assert "wrong-secret-of-somebody" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_credentials_is_one_clear_line(plan_of: PlanMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(TargetError, match="no AWS credentials"):
        upload(plan_of(), "http://127.0.0.1:9")


def test_nobody_at_the_address_is_one_clear_line(plan_of: PlanMaker) -> None:
    with pytest.raises(TargetError, match="could not be reached"):
        upload(plan_of(), "http://127.0.0.1:9")


@pytest.fixture
def sagemaker(amazon_shapes: str) -> Any:
    """A fresh account with a bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{amazon_shapes}/moto-api/reset", method="POST")).close()
    boto3.client("s3", endpoint_url=amazon_shapes, region_name="eu-west-1").create_bucket(
        Bucket="my-models", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return boto3.client("sagemaker", endpoint_url=amazon_shapes, region_name="eu-west-1")


def will_answer(url: str, artifact: ModelArtifact, *, rightly: bool) -> None:
    """Say what the stand-in for the endpoint will answer: it runs no container."""
    asked = questions(artifact, most=deployment.MOST_QUESTIONS)
    labels = [question.label if rightly else asked[0].label for question in asked]
    results = [
        {
            "Body": json.dumps({"predictions": [label]}),
            "ContentType": "application/json",
            "InvokedProductionVariant": "main",
        }
        for label in labels
    ]
    body = json.dumps({"account_id": "123456789012", "region": "eu-west-1", "results": results}).encode()
    request = urllib.request.Request(f"{url}/moto-api/static/sagemaker/endpoint-results", data=body, method="POST")
    urllib.request.urlopen(request).close()


def test_deploys_waits_and_compares(plan_of: PlanMaker, sagemaker: Any, amazon_shapes: str) -> None:
    plan = plan_of(settings={"endpoint-url": amazon_shapes, "instances": "2"}, serving={"latency_p99_ms": 50.0})
    endpoint = endpoint_of(plan)
    will_answer(amazon_shapes, plan.artifact, rightly=True)
    told: list[str] = []
    deployment.deploy(plan, lambda words: told.append(str(words)))
    live = sagemaker.describe_endpoint(EndpointName=endpoint.name)
    assert (live["EndpointStatus"], live["EndpointConfigName"]) == ("InService", endpoint.configuration)
    model = sagemaker.describe_model(ModelName=endpoint.model)
    assert model["PrimaryContainer"]["ModelDataUrl"] == endpoint.package_uri
    assert model["ExecutionRoleArn"] == endpoint.role
    alarms = boto3.client("cloudwatch", endpoint_url=amazon_shapes, region_name="eu-west-1").describe_alarms()[
        "MetricAlarms"
    ]
    assert {alarm["AlarmName"] for alarm in alarms} == {endpoint.error_alarm, endpoint.latency_alarm}
    assert any("golden" in line for line in told)


def test_deploying_again_goes_on_where_it_stopped(plan_of: PlanMaker, sagemaker: Any, amazon_shapes: str) -> None:
    plan = plan_of(settings={"endpoint-url": amazon_shapes})
    for _ in range(2):
        will_answer(amazon_shapes, plan.artifact, rightly=True)
        deployment.deploy(plan, say_nothing)
    assert len(sagemaker.list_models()["Models"]) == 1
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1


def test_an_endpoint_that_answers_wrongly_is_found(plan_of: PlanMaker, sagemaker: Any, amazon_shapes: str) -> None:
    plan = plan_of(settings={"endpoint-url": amazon_shapes})
    will_answer(amazon_shapes, plan.artifact, rightly=False)
    with pytest.raises(TargetError, match="answers differently"):
        deployment.deploy(plan, say_nothing)


def test_removes_what_it_made_and_keeps_the_package(plan_of: PlanMaker, sagemaker: Any, amazon_shapes: str) -> None:
    plan = plan_of(settings={"endpoint-url": amazon_shapes})
    endpoint = endpoint_of(plan)
    will_answer(amazon_shapes, plan.artifact, rightly=True)
    deployment.deploy(plan, say_nothing)
    deployment.remove(plan, say_nothing)
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
    boto3.client("s3", endpoint_url=amazon_shapes, region_name="eu-west-1").head_object(
        Bucket=endpoint.bucket, Key=endpoint.key
    )
    with pytest.raises(NotFound, match=endpoint.name):
        deployment.remove(plan, say_nothing)


@pytest.mark.usefixtures("sagemaker")
def test_a_missing_bucket_is_named(plan_of: PlanMaker, amazon_shapes: str) -> None:
    with pytest.raises(WrongUse, match="--bucket"):
        deployment.deploy(plan_of(settings={"endpoint-url": amazon_shapes, "bucket": "no-such-bucket"}), say_nothing)


def test_a_dry_run_sends_nothing(plan_of: PlanMaker) -> None:
    planned = deployment.plan_requests(plan_of(settings={"endpoint-url": "http://127.0.0.1:9"}))
    assert [step.operation for step in planned] == [
        "PutObject",
        "CreateModel",
        "CreateEndpointConfig",
        "PutMetricAlarm",
        "CreateEndpoint",
    ]
    assert msgspec.json.encode(planned)
    assert requests.steps(endpoint_of(plan_of())) == planned


def test_without_the_library_it_says_what_to_install(plan_of: PlanMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("boto3", "botocore.validate", "botocore.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    for act in (deployment.plan_requests, lambda plan: deployment.deploy(plan, say_nothing)):
        with pytest.raises(MissingExtra, match=r"pip install 'sekisho\[sagemaker\]'"):
            act(plan_of())
