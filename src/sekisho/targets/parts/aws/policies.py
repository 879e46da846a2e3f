"""The least rights that an endpoint needs to run, and a person or a pipeline to deploy it.

Format: *IAM JSON policy reference*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sekisho.targets.parts.aws.endpoint import Endpoint

Policy = dict[str, Any]


def trust_policy() -> Policy:
    """Return who may take the execution role: SageMaker alone."""
    return _policy(
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
    )


def execution_policy(endpoint: Endpoint) -> Policy:
    """Return what the endpoint may do: read its package and image, write its logs and metrics."""
    return _policy(
        _allow("ReadPackage", ["s3:GetObject"], _packages(endpoint)),
        _allow(
            "ReadImage",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            endpoint.repository,
        ),
        _allow("EnterRegistry", ["ecr:GetAuthorizationToken"], "*"),
        _allow(
            "WriteLogs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            _arn(endpoint, "logs", "log-group:/aws/sagemaker/Endpoints/*"),
        ),
        _allow("WriteMetrics", ["cloudwatch:PutMetricData"], "*")
        | {"Condition": {"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker", "/aws/sagemaker/*"]}}},
        *([_allow("Decrypt", ["kms:Decrypt"], endpoint.kms_key)] if endpoint.kms_key else []),
    )


def deployer_policy(endpoint: Endpoint) -> Policy:
    """Return what ``sekisho deploy sagemaker`` may do, and nothing that another endpoint needs."""
    own = [
        _arn(endpoint, "sagemaker", f"{kind}/{endpoint.name.lower()}*")
        for kind in ("model", "endpoint-config", "endpoint")
    ]
    return _policy(
        _allow("WritePackage", ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"], _packages(endpoint)),
        _allow(
            "Deploy",
            [
                f"sagemaker:{verb}{thing}"
                for thing in ("Model", "EndpointConfig", "Endpoint")
                for verb in ("Create", "Describe", "Delete")
            ]
            + ["sagemaker:UpdateEndpoint", "sagemaker:InvokeEndpoint", "sagemaker:AddTags"],
            own,
        ),
        _allow(
            "Watch",
            [
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:DeleteAlarms",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:TagResource",
            ],
            _arn(endpoint, "cloudwatch", f"alarm:{endpoint.name}-*"),
        ),
        _allow("HandOverRole", ["iam:PassRole"], endpoint.role)
        | {"Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}},
        *(
            [_allow("Encrypt", ["kms:GenerateDataKey", "kms:Decrypt", "kms:CreateGrant"], endpoint.kms_key)]
            if endpoint.kms_key
            else []
        ),
    )


def _packages(endpoint: Endpoint) -> str:
    folder = endpoint.key.rsplit("/", 2)[0]
    return f"arn:{endpoint.partition}:s3:::{endpoint.bucket}/{folder}/*"


def _arn(endpoint: Endpoint, service: str, resource: str) -> str:
    account = endpoint.role.split(":")[4]
    return f"arn:{endpoint.partition}:{service}:{endpoint.region}:{account}:{resource}"


def _allow(name: str, actions: list[str], resource: str | list[str]) -> Policy:
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resource}


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}
