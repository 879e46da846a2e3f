"""The requests of a SageMaker deployment, as plain data: what is sent, what is shown by a dry run, and what is written down.

Shapes: *Amazon SageMaker API Reference*, *Amazon CloudWatch API Reference*.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sekisho.targets.interface import Step
from sekisho.targets.parts.aws.endpoint import VARIANT

if TYPE_CHECKING:
    from sekisho.targets.parts.aws.endpoint import Endpoint

Request = dict[str, Any]

START_SECONDS: Final = 600
"""How long a container may take to answer its first ping."""
OBSERVE_SECONDS: Final = 300
"""How long a new version serves part of the traffic, and then all of it, before the old one is let go."""


def steps(endpoint: Endpoint) -> tuple[Step, ...]:
    """Return every request of a first deployment, in order; the package itself is left out of the first."""
    return (
        Step(service="s3", operation="PutObject", parameters=package_request(endpoint)),
        Step(service="sagemaker", operation="CreateModel", parameters=model_request(endpoint)),
        Step(service="sagemaker", operation="CreateEndpointConfig", parameters=configuration_request(endpoint)),
        *(
            Step(service="cloudwatch", operation="PutMetricAlarm", parameters=alarm)
            for alarm in alarm_requests(endpoint)
        ),
        Step(service="sagemaker", operation="CreateEndpoint", parameters=creation_request(endpoint)),
    )


def update_step(endpoint: Endpoint) -> Step:
    """Return the request that takes the place of the last of :func:`steps` when the endpoint exists."""
    return Step(service="sagemaker", operation="UpdateEndpoint", parameters=update_request(endpoint))


def package_request(endpoint: Endpoint) -> Request:
    """Return where the model package goes, and how it is encrypted there."""
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": endpoint.kms_key} if endpoint.kms_key else {}
    return {"Bucket": endpoint.bucket, "Key": endpoint.key, "ContentType": "application/gzip", **encrypted}


def model_request(endpoint: Endpoint) -> Request:
    """Return the request for the model: our own container, without a way to the network."""
    return {
        "ModelName": endpoint.model,
        "PrimaryContainer": {"Image": endpoint.image, "ModelDataUrl": endpoint.package_uri},
        "ExecutionRoleArn": endpoint.role,
        "EnableNetworkIsolation": True,
        "Tags": _tags(endpoint),
    }


def configuration_request(endpoint: Endpoint) -> Request:
    """Return the request for the endpoint configuration."""
    variant = {
        "VariantName": VARIANT,
        "ModelName": endpoint.model,
        "InstanceType": endpoint.instance_type,
        "InitialInstanceCount": endpoint.instances,
        "InitialVariantWeight": 1.0,
        "ContainerStartupHealthCheckTimeoutInSeconds": START_SECONDS,
    }
    encrypted = {"KmsKeyId": endpoint.kms_key} if endpoint.kms_key else {}
    return {
        "EndpointConfigName": endpoint.configuration,
        "ProductionVariants": [variant],
        "Tags": _tags(endpoint),
        **encrypted,
    }


def creation_request(endpoint: Endpoint) -> Request:
    """Return the request for an endpoint that does not exist yet."""
    return {"EndpointName": endpoint.name, "EndpointConfigName": endpoint.configuration, "Tags": _tags(endpoint)}


def update_request(endpoint: Endpoint) -> Request:
    """Return the request that moves an endpoint to this configuration, and back by itself when an alarm is raised.

    One instance first, then all (blue/green, canary). A single instance cannot be divided: it is exchanged at once, still
    under the alarms.
    """
    routing: Request = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": OBSERVE_SECONDS}
    if endpoint.instances > 1:
        routing = {
            "Type": "CANARY",
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": OBSERVE_SECONDS,
        }
    return {
        "EndpointName": endpoint.name,
        "EndpointConfigName": endpoint.configuration,
        "RetainAllVariantProperties": False,
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": OBSERVE_SECONDS,
                "MaximumExecutionTimeoutInSeconds": 3_600,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [{"AlarmName": alarm["AlarmName"]} for alarm in alarm_requests(endpoint)]
            },
        },
    }


def alarm_requests(endpoint: Endpoint) -> tuple[Request, ...]:
    """Return the alarms that roll an update back: failed invocations, and answers slower than the contract allows."""
    errors = _alarm(endpoint, endpoint.error_alarm, "Invocation5XXErrors", Statistic="Average", Threshold=0.01)
    if endpoint.latency_p99_ms is None:
        return (errors,)
    microseconds = math.ceil(endpoint.latency_p99_ms * 1_000)
    return (
        errors,
        _alarm(
            endpoint, endpoint.latency_alarm, "ModelLatency", ExtendedStatistic="p99", Threshold=float(microseconds)
        ),
    )


def _alarm(endpoint: Endpoint, name: str, metric: str, **rule: object) -> Request:
    return {
        "AlarmName": name,
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint.name}, {"Name": "VariantName", "Value": VARIANT}],
        "Period": 60,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": _tags(endpoint),
        **rule,
    }


def _tags(endpoint: Endpoint) -> list[Request]:
    return [
        {"Key": "sekisho:artifact", "Value": endpoint.artifact},
        {"Key": "sekisho:version", "Value": endpoint.version},
    ]
