"""Speaking to AWS: clients, and its errors as one line that says what to do."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import MissingExtra, SekishoError, TargetError, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.targets.interface import Step

_REFUSED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "403",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Amazon:
    """Clients of one region.

    Attributes:
        region: The region.
        endpoint_url: Where to speak to instead of AWS itself; ``None`` for AWS, or what the environment names.

    """

    region: str
    endpoint_url: str | None = None

    def client(self, service: str) -> Any:
        """Return the client of one service.

        Raises:
            MissingExtra: The AWS library is not installed.

        """
        session = _library("boto3").session.Session()
        return session.client(service, region_name=self.region, endpoint_url=self.endpoint_url)

    def validate(self, step: Step) -> None:
        """Hold a request against the service's own description of it; nothing is sent.

        Raises:
            TargetError: The service would not understand it.

        """
        validate = _library("botocore.validate").ParamValidator()
        service = _library("botocore.session").get_session().get_service_model(step.service)
        faults = validate.validate(dict(step.parameters), service.operation_model(step.operation).input_shape)
        if faults.has_errors():
            raise TargetError(
                Text(
                    en=f"{step.operation} is not a valid request: {faults.generate_report()}",
                    ja=f"{step.operation} のリクエストが正しくありません: {faults.generate_report()}",
                ),
                Text(en="check the settings", ja="設定を確認してください"),
            )


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the AWS library's errors into ours; they name the operation and the code, and never hold a credential."""
    library = _library("botocore.exceptions")
    try:
        yield
    except library.ClientError as error:
        raise _answered(error) from error
    except (library.NoCredentialsError, library.PartialCredentialsError, library.ProfileNotFound) as error:
        raise TargetError(
            Text(en="no AWS credentials were found", ja="AWS の認証情報が見つかりません"),
            Text(
                en="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                ja="AWS_PROFILE、または AWS_ACCESS_KEY_ID と AWS_SECRET_ACCESS_KEY を設定してください",
            ),
        ) from error
    except library.WaiterError as error:
        raise _waited(error) from error
    except library.BotoCoreError as error:
        raise TargetError(
            Text(
                en=f"AWS could not be reached: {type(error).__name__}",
                ja=f"AWS に接続できません: {type(error).__name__}",
            ),
            Text(
                en="check the network, the region and --endpoint-url",
                ja="ネットワーク、リージョン、--endpoint-url を確認してください",
            ),
        ) from error


def error_code(error: Exception) -> str:
    """Return the code of a client error, such as ``AccessDenied``."""
    response: Any = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _answered(error: Any) -> SekishoError:
    code, operation = error_code(error), error.operation_name
    if code in _REFUSED:
        return TargetError(
            Text(en=f"AWS refused {operation} ({code})", ja=f"AWS が {operation} を拒否しました（{code}）"),
            Text(
                en="check the credentials, and grant deployer-policy.json of `sekisho generate sagemaker`",
                ja="認証情報を確認し、`sekisho generate sagemaker` の deployer-policy.json の権限を付与してください",
            ),
        )
    if code == "NoSuchBucket":
        return WrongUse(
            Text(en="the S3 bucket does not exist", ja="S3 バケットが存在しません"),
            Text(
                en="create it, or name another with --bucket",
                ja="作成するか、--bucket で別のバケットを指定してください",
            ),
        )
    words = error.response.get("Error", {}).get("Message", "")
    return TargetError(
        Text(en=f"{operation} failed ({code}): {words}", ja=f"{operation} に失敗しました（{code}）: {words}"),
        Text(en="mend what it names, then deploy again", ja="示された点を直し、再度デプロイしてください"),
    )


def _waited(error: Any) -> TargetError:
    reason = (error.last_response or {}).get("FailureReason") or str(error.kwargs.get("reason", ""))
    return TargetError(
        Text(
            en=f"the endpoint did not come into service: {reason}", ja=f"エンドポイントが稼働状態になりません: {reason}"
        ),
        Text(
            en="read its log group /aws/sagemaker/Endpoints in CloudWatch",
            ja="CloudWatch のロググループ /aws/sagemaker/Endpoints を確認してください",
        ),
    )


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra("boto3", "sagemaker") from error
