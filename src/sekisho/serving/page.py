"""The page at ``/docs``: every route, feature and problem on one page that needs nothing from elsewhere."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from sekisho.predict.cells import expected
from sekisho.serving.problems import KINDS
from sekisho.text import Language, Text

if TYPE_CHECKING:
    from sekisho.artifact.signature import Feature
    from sekisho.serving.openapi import Facts
    from sekisho.serving.settings import ServingSettings

_WORDS: Final[dict[str, Text]] = {
    "routes": Text(en="Routes", ja="ルート"),
    "features": Text(en="Features, in order", ja="特徴量（順番どおり）"),
    "problems": Text(en="Problems", ja="エラー"),
    "try": Text(en="Try it", ja="試してみる"),
    "method": Text(en="Method", ja="メソッド"),
    "path": Text(en="Path", ja="パス"),
    "purpose": Text(en="For", ja="用途"),
    "name": Text(en="Name", ja="名前"),
    "accepts": Text(en="Accepts", ja="受け付ける値"),
    "seen": Text(en="Seen in training", ja="学習時に現れた値"),
    "unknown": Text(en="Otherwise", ja="それ以外の値"),
    "example": Text(en="Example", ja="例"),
    "status": Text(en="Status", ja="ステータス"),
    "code": Text(en="Code", ja="コード"),
    "meaning": Text(en="Meaning", ja="意味"),
    "answer": Text(
        en="The answer names the prediction, its probability, the model version, and every value that the model does not know.",
        ja="応答には、予測値、その確率、モデルのバージョンと、モデルが知らない値が含まれます。",
    ),
    "machine": Text(en="For programs: /openapi.json", ja="プログラム向け: /openapi.json"),
    "errors": Text(
        en="Errors are problem details (RFC 9457) with a stable code; row counts from 0.",
        ja="エラーは RFC 9457 の problem details 形式で、code は変わりません。row は 0 から数えます。",
    ),
}
_POLICIES: Final[dict[str, Text]] = {
    "reject": Text(en="refused (422)", ja="拒否（422）"),
    "flag": Text(en="answered, with a flag", ja="フラグ付きで応答"),
    "accept": Text(en="answered", ja="そのまま応答"),
}
_PURPOSES: Final[dict[str, Text]] = {
    "/predict": Text(en="Predict one row", ja="1行を予測する"),
    "/predict/batch": Text(en="Predict many rows", ja="複数行を予測する"),
    "/invocations": Text(en="Predict rows, as SageMaker and MLflow ask", ja="SageMaker・MLflow の形式で予測する"),
    "/feedback": Text(en="Tell the outcome of an earlier request", ja="以前のリクエストの結果を知らせる"),
    "/models": Text(en="What is served", ja="提供中のモデルを返す"),
    "/model/info": Text(en="What is known of the model", ja="モデルの情報を返す"),
    "/health": Text(en="Whether the service is healthy", ja="サービスが正常かを返す"),
    "/health/live": Text(en="Whether the process is alive", ja="プロセスが生きているかを返す"),
    "/health/ready": Text(en="Whether a prediction would be answered", ja="予測に応答できるかを返す"),
    "/ping": Text(en="The same, as SageMaker asks", ja="同上（SageMaker の形式）"),
    "/metrics": Text(en="Metrics for Prometheus, over all workers", ja="全ワーカーの Prometheus メトリクスを返す"),
    "/docs": Text(en="This page", ja="このページ"),
    "/openapi.json": Text(en="These routes, for programs", ja="OpenAPI 文書"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    name: str
    accepts: str
    seen: str
    otherwise: str
    example: str


def page(facts: Facts, described: dict[str, Any], settings: ServingSettings, language: Language) -> bytes:
    """Return the page in one language, UTF-8.

    Args:
        facts: What is known of the model.
        described: The OpenAPI document.
        settings: How the service runs.
        language: The language.

    """
    environment = Environment(
        loader=PackageLoader("sekisho.serving"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    example = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    routes = [
        (method.upper(), path, _PURPOSES[path].of(language) if path in _PURPOSES else operation["summary"])
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    words = {name: text.of(language) for name, text in _WORDS.items()}
    shown = environment.get_template("docs.html.j2").render(
        language=language,
        facts=facts,
        words=words,
        routes=routes,
        features=[_line(feature, language) for feature in facts.signature.features],
        problems=[(kind.status, kind.code, kind.title.of(language)) for kind in KINDS.values()],
        command=_command(example, settings),
    )
    return shown.encode()


def _line(feature: Feature, language: Language) -> _Line:
    seen, policy = "", ""
    if feature.minimum is not None:
        seen, policy = f"{feature.minimum} – {feature.maximum}", feature.out_of_range
    elif feature.categories is not None:
        names = [str(category) for category in feature.categories[:20]]
        seen, policy = ", ".join(names) + (", …" if len(feature.categories) > 20 else ""), feature.unseen_category
    return _Line(
        name=feature.name,
        accepts=expected(feature).of(language),
        seen="" if feature.personal else seen,
        otherwise=_POLICIES[policy].of(language) if policy else "",
        example="" if feature.personal else msgspec.json.encode(feature.example).decode(),
    )


def _command(example: object, settings: ServingSettings) -> str:
    key = [f" -H '{settings.key_header}: $KEY'".replace("'", '"')] if settings.key_file is not None else []
    host = settings.host if settings.is_loopback else "localhost"
    body = shlex.quote(msgspec.json.encode(example).decode())
    lines = [f"curl http://{host}:{settings.port}/predict", *key, " -H 'Content-Type: application/json'", f" -d {body}"]
    return " \\\n ".join(lines)
