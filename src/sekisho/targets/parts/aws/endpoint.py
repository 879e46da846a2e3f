"""What an endpoint is to be: every name and number of a SageMaker deployment, derived from one plan.

Models and configurations are never changed in place: their names hold a digest of what they are, so a name stands for one
thing, and the one before is there to go back to.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.errors import WrongUse
from sekisho.targets.interface import Setting
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan

VARIANT: Final = "main"

_IMAGE: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[a-z0-9._/-]+)"
    r"(?::[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})"
)
_ROLE: Final = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]+")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_INSTANCE: Final = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._/-]*")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")

SETTINGS: Final = (
    Setting(
        name="bucket",
        help=Text(en="The S3 bucket for the model package", ja="モデルパッケージを置く S3 バケット"),
        required=True,
    ),
    Setting(
        name="prefix",
        help=Text(en="Where in the bucket the package goes", ja="バケット内でパッケージを置く位置"),
        default="sekisho",
    ),
    Setting(
        name="role",
        help=Text(en="The ARN of the role that the endpoint runs as", ja="エンドポイントの実行ロールの ARN"),
        required=True,
    ),
    Setting(
        name="image",
        help=Text(
            en="The image in Amazon ECR, with a tag or digest",
            ja="Amazon ECR 上のイメージ（タグまたはダイジェスト付き）",
        ),
        required=True,
    ),
    Setting(
        name="endpoint",
        help=Text(
            en="The name of the endpoint; the model's name if not given", ja="エンドポイント名。省略時はモデル名"
        ),
    ),
    Setting(
        name="instance-type",
        help=Text(en="What the endpoint runs on", ja="エンドポイントのインスタンスタイプ"),
        default="ml.m5.large",
    ),
    Setting(
        name="instances",
        help=Text(
            en="How many; infrastructure.replicas of the contract if not given",
            ja="台数。省略時は契約の infrastructure.replicas",
        ),
    ),
    Setting(
        name="kms-key",
        help=Text(en="The KMS key for the package and the disks", ja="パッケージとディスクを暗号化する KMS キー"),
    ),
    Setting(
        name="region",
        help=Text(
            en="The AWS region; that of the image if not given", ja="AWS リージョン。省略時はイメージのリージョン"
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One endpoint that serves one artifact.

    Attributes:
        name: The name that clients invoke.
        artifact: The digest of the artifact.
        version: The version of the artifact, as its makers count.
        bucket, key: Where the model package goes.
        image: The container image, in Amazon ECR.
        repository: The ARN of its repository.
        role: The ARN of the role that the endpoint runs as.
        partition, region: Where in AWS.
        instance_type, instances: What it runs on.
        kms_key: What encrypts the package and the disks; ``None`` for the defaults of the account.
        latency_p99_ms: The contract's objective, if it states one.

    """

    name: str
    artifact: str
    version: str
    bucket: str
    key: str
    image: str
    repository: str
    role: str
    partition: str
    region: str
    instance_type: str
    instances: int
    kms_key: str | None
    latency_p99_ms: float | None

    @property
    def package_uri(self) -> str:
        """Where SageMaker reads the model package."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def model(self) -> str:
        """The name of the model: a different image, role or artifact is a different model."""
        return _named(self.name, self.artifact, self.image, self.role, self.package_uri)

    @property
    def configuration(self) -> str:
        """The name of the endpoint configuration."""
        return _named(self.name, self.model, self.instance_type, str(self.instances), self.kms_key or "")

    @property
    def error_alarm(self) -> str:
        """The name of the alarm on failed invocations."""
        return f"{self.name}-errors"

    @property
    def latency_alarm(self) -> str:
        """The name of the alarm on slow answers."""
        return f"{self.name}-latency"


def endpoint_of(plan: Plan) -> Endpoint:
    """Return the endpoint that ``plan`` asks for.

    Raises:
        WrongUse: A setting is missing, or is not what its service accepts.

    """
    contract = plan.project.contract
    image = _matched("image", plan.setting("image"), _IMAGE, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/model:1.0.0")
    role = _matched("role", plan.setting("role"), _ROLE, "arn:aws:iam::123456789012:role/endpoint")
    bucket = _matched("bucket", plan.setting("bucket"), _BUCKET, "my-models")
    instance = _matched("instance-type", plan.setting("instance-type"), _INSTANCE, "ml.m5.large")
    region = _matched("region", plan.settings.get("region") or image["region"], _REGION, "eu-west-1")
    prefix = _matched("prefix", plan.settings.get("prefix") or "", _PREFIX, "models/production")[0].strip("/")
    name = _endpoint_name(plan.settings.get("endpoint") or contract.model.name)
    return Endpoint(
        name=name,
        artifact=plan.artifact.digest,
        version=plan.artifact.version,
        bucket=bucket[0],
        key="/".join(part for part in (prefix, name, plan.artifact.digest, "model.tar.gz") if part),
        image=image[0],
        repository=f"arn:{role['partition']}:ecr:{image['region']}:{image['account']}:repository/{image['repository']}",
        role=role[0],
        partition=role["partition"],
        region=region[0],
        instance_type=instance[0],
        instances=_count(plan.settings.get("instances"), contract.infrastructure.replicas),
        kms_key=plan.settings.get("kms-key") or None,
        latency_p99_ms=contract.serving.latency_p99_ms,
    )


def _named(stem: str, *parts: str) -> str:
    """Return a name of at most 63 letters, digits and hyphens that stands for ``parts``."""
    return f"{stem[:50].rstrip('-')}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def _endpoint_name(asked: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", asked).strip("-")[:50].rstrip("-")
    if not name:
        raise _refused("endpoint", "my-model")
    return name


def _matched(setting: str, value: str, pattern: re.Pattern[str], example: str) -> re.Match[str]:
    match = pattern.fullmatch(value)
    if match is None:
        raise _refused(setting, example)
    return match


def _count(asked: str | None, usual: int) -> int:
    if asked is None:
        return usual
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked) <= 1_000:
        raise _refused("instances", "2")
    return int(asked)


def _refused(setting: str, example: str) -> WrongUse:
    return WrongUse(
        Text(en=f"--{setting} is not what AWS accepts", ja=f"--{setting} が AWS で使える形式ではありません"),
        Text(en=f"give it the form of {example}", ja=f"{example} のような形で指定してください"),
    )
