"""Target: Amazon SageMaker, with our own container."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.targets.interface import Deployer, GeneratedFile, Generator, Setting
from sekisho.targets.parts.aws import deployment, policies, requests
from sekisho.targets.parts.aws.endpoint import SETTINGS, endpoint_of
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan

ENDPOINT_URL = Setting(
    name="endpoint-url",
    help=Text(en="Speak to this address instead of AWS", ja="AWS の代わりに接続するアドレス"),
)


def _render(plan: Plan) -> tuple[GeneratedFile, ...]:
    endpoint = endpoint_of(plan)
    bodies = {
        "create-model": requests.model_request(endpoint),
        "create-endpoint-config": requests.configuration_request(endpoint),
        "create-endpoint": requests.creation_request(endpoint),
        "update-endpoint": requests.update_request(endpoint),
        **{f"put-metric-alarm-{alarm['AlarmName']}": alarm for alarm in requests.alarm_requests(endpoint)},
        "execution-role-trust": policies.trust_policy(),
        "execution-role-policy": policies.execution_policy(endpoint),
        "deployer-policy": policies.deployer_policy(endpoint),
    }
    return tuple(
        GeneratedFile(path=f"sagemaker/{name}.json", content=(json.dumps(body, indent=2) + "\n").encode())
        for name, body in bodies.items()
    )


generator = Generator(
    id="sagemaker",
    title=Text(
        en="Amazon SageMaker: every request of a deployment, and the least rights it needs",
        ja="Amazon SageMaker: デプロイの全リクエストと、必要最小限の権限",
    ),
    folder="deploy",
    render=_render,
    following=Text(
        en="give the two policies to their roles, push the image of `sekisho generate docker` to ECR, then: sekisho deploy sagemaker --help",
        ja="2つのポリシーを各ロールに付与し、`sekisho generate docker` のイメージを ECR に push してから、sekisho deploy sagemaker --help を見てください",
    ),
    settings=SETTINGS,
)

deployer = Deployer(
    id="sagemaker",
    title=Text(en="Amazon SageMaker, with our own container", ja="Amazon SageMaker（独自コンテナ）"),
    settings=(*SETTINGS, ENDPOINT_URL),
    plan=deployment.plan_requests,
    deploy=deployment.deploy,
    remove=deployment.remove,
)
