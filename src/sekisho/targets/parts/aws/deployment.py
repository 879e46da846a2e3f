"""Bringing an artifact to SageMaker, and taking it away again.

Each step may have been done by an earlier run that was interrupted: what exists under its name is what would be made, so it is
left as it is, and deploying again goes on where it stopped.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import NotFound, TargetError
from sekisho.targets.parts.aws import requests
from sekisho.targets.parts.aws.client import Amazon, error_code, one_line_errors
from sekisho.targets.parts.aws.endpoint import endpoint_of
from sekisho.targets.parts.aws.package import model_package
from sekisho.targets.parts.golden import differs, questions
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.targets.interface import Listener, Plan, Step
    from sekisho.targets.parts.aws.endpoint import Endpoint

LARGEST_PACKAGE: Final = 5 * 1024**3
"""In bytes: the most that S3 takes in one request."""
MOST_QUESTIONS: Final = 10


def plan_requests(plan: Plan) -> tuple[Step, ...]:
    """Return the requests of a first deployment, each held against the service's own description; nothing is sent."""
    endpoint = endpoint_of(plan)
    amazon = _amazon(plan, endpoint)
    planned = requests.steps(endpoint)
    for step in (*planned, requests.update_step(endpoint)):
        amazon.validate(step)
    return planned


def deploy(plan: Plan, listener: Listener) -> None:
    """Upload the package, make or update the endpoint, wait for it, and compare its answers with the golden rows.

    Raises:
        TargetError: AWS refused, the endpoint did not come into service, or it answers differently.

    """
    endpoint = endpoint_of(plan)
    amazon = _amazon(plan, endpoint)
    with one_line_errors():
        _upload(plan, endpoint, amazon, listener)
        sagemaker = amazon.client("sagemaker")
        listener(Text(en=f"model {endpoint.model}", ja=f"モデル {endpoint.model}"))
        _make(
            sagemaker.describe_model,
            {"ModelName": endpoint.model},
            sagemaker.create_model,
            requests.model_request(endpoint),
        )
        listener(Text(en=f"configuration {endpoint.configuration}", ja=f"設定 {endpoint.configuration}"))
        _make(
            sagemaker.describe_endpoint_config,
            {"EndpointConfigName": endpoint.configuration},
            sagemaker.create_endpoint_config,
            requests.configuration_request(endpoint),
        )
        listener(Text(en="alarms that roll an update back", ja="更新を自動で戻すアラーム"))
        for alarm in requests.alarm_requests(endpoint):
            amazon.client("cloudwatch").put_metric_alarm(**alarm)
        _move(sagemaker, endpoint, listener)
        _ask(plan, endpoint, amazon, listener)


def remove(plan: Plan, listener: Listener) -> None:
    """Delete the endpoint with its configuration, model and alarms; the package in S3 stays, as the record of what was live.

    Raises:
        NotFound: There is no such endpoint.

    """
    endpoint = endpoint_of(plan)
    amazon = _amazon(plan, endpoint)
    with one_line_errors():
        sagemaker = amazon.client("sagemaker")
        found = _found(sagemaker.describe_endpoint, {"EndpointName": endpoint.name})
        if found is None:
            raise NotFound(
                Text(en=f"there is no endpoint {endpoint.name}", ja=f"エンドポイント {endpoint.name} はありません"),
                Text(en="name it with --endpoint", ja="--endpoint で名前を指定してください"),
            )
        configuration = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
        listener(Text(en=f"deleting endpoint {endpoint.name}", ja=f"エンドポイント {endpoint.name} を削除"))
        sagemaker.delete_endpoint(EndpointName=endpoint.name)
        sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=endpoint.name)
        sagemaker.delete_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
        for variant in configuration["ProductionVariants"]:
            sagemaker.delete_model(ModelName=variant["ModelName"])
        amazon.client("cloudwatch").delete_alarms(AlarmNames=[endpoint.error_alarm, endpoint.latency_alarm])


def _amazon(plan: Plan, endpoint: Endpoint) -> Amazon:
    return Amazon(region=endpoint.region, endpoint_url=plan.settings.get("endpoint-url") or None)


def _upload(plan: Plan, endpoint: Endpoint, amazon: Amazon, listener: Listener) -> None:
    client = amazon.client("s3")
    with model_package(plan.artifact) as package, package.path.open("rb") as body:
        if package.size > LARGEST_PACKAGE:
            raise TargetError(
                Text(en="the model package is larger than 5 GiB", ja="モデルパッケージが 5 GiB を超えています"),
                Text(en="keep the large files in the image", ja="大きなファイルはイメージに含めてください"),
            )
        listener(
            Text(
                en=f"package of {package.size:,} bytes to {endpoint.package_uri}",
                ja=f"パッケージ（{package.size:,} バイト）を {endpoint.package_uri} へ",
            )
        )
        checksum = base64.b64encode(bytes.fromhex(package.digest)).decode()
        try:
            client.put_object(
                **requests.package_request(endpoint),
                Body=body,
                ChecksumSHA256=checksum,
                IfNoneMatch="*",
                Metadata={"sha256": package.digest},
            )
        except client.exceptions.ClientError as error:
            if error_code(error) not in {"PreconditionFailed", "412"}:
                raise
            _compare(client, endpoint, package.digest)


def _compare(client: Any, endpoint: Endpoint, digest: str) -> None:
    """Make sure that the package that is there already is the same one."""
    present = client.head_object(Bucket=endpoint.bucket, Key=endpoint.key)["Metadata"].get("sha256")
    if present != digest:
        raise TargetError(
            Text(en="another file lies where the package should go", ja="パッケージの置き場所に別のファイルがあります"),
            Text(
                en="find out who wrote it, then choose another --prefix",
                ja="書き込んだ者を確認し、別の --prefix を指定してください",
            ),
            where=endpoint.package_uri,
        )


def _make(
    describe: Callable[..., Any], name: dict[str, str], create: Callable[..., Any], request: requests.Request
) -> None:
    if _found(describe, name) is None:
        create(**request)


def _found(describe: Callable[..., Any], name: dict[str, str]) -> dict[str, Any] | None:
    """Return what a describing call says; ``None`` when there is no such thing."""
    from botocore.exceptions import ClientError

    try:
        description: dict[str, Any] = describe(**name)
    except ClientError as error:
        if error_code(error) in {"ValidationException", "ResourceNotFound"}:
            return None
        raise
    return description


def _move(sagemaker: Any, endpoint: Endpoint, listener: Listener) -> None:
    """Make the endpoint, or move it to the new configuration, and wait."""
    found = _found(sagemaker.describe_endpoint, {"EndpointName": endpoint.name})
    if found is None:
        listener(Text(en=f"creating endpoint {endpoint.name}", ja=f"エンドポイント {endpoint.name} を作成"))
        sagemaker.create_endpoint(**requests.creation_request(endpoint))
    elif found["EndpointConfigName"] != endpoint.configuration:
        listener(Text(en=f"updating endpoint {endpoint.name}", ja=f"エンドポイント {endpoint.name} を更新"))
        sagemaker.update_endpoint(**requests.update_request(endpoint))
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint.name)
    live = sagemaker.describe_endpoint(EndpointName=endpoint.name)
    if live["EndpointConfigName"] != endpoint.configuration:
        raise TargetError(
            Text(
                en=f"an alarm rolled the update back to {live['EndpointConfigName']}",
                ja=f"アラームにより {live['EndpointConfigName']} へ自動で戻されました",
            ),
            Text(
                en="read the alarms and the endpoint's logs in CloudWatch",
                ja="CloudWatch でアラームとエンドポイントのログを確認してください",
            ),
        )


def _ask(plan: Plan, endpoint: Endpoint, amazon: Amazon, listener: Listener) -> None:
    asked = questions(plan.artifact, most=MOST_QUESTIONS)
    listener(Text(en=f"comparing {len(asked)} golden answers", ja=f"検証用データの既知の正解 {len(asked)} 件と照合"))
    client = amazon.client("sagemaker-runtime")
    for question in asked:
        answer = client.invoke_endpoint(
            EndpointName=endpoint.name,
            ContentType="application/json",
            Accept="application/json",
            Body=question.invocation,
        )
        if differs(question, answer["Body"].read()):
            raise TargetError(
                Text(
                    en="the endpoint answers differently from the artifact's golden rows",
                    ja="エンドポイントの応答が、成果物に記録された正解と一致しません",
                ),
                Text(
                    en="compare the image and the package with the artifact that was checked",
                    ja="イメージとパッケージが、検査した成果物と同じか確認してください",
                ),
                where=endpoint.name,
            )
