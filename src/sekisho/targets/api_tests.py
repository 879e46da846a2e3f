"""Target: tests of a service that runs, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.targets.interface import GeneratedFile, Generator
from sekisho.targets.parts.golden import questions
from sekisho.targets.parts.header import header
from sekisho.targets.parts.templates import Comment, fill
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan

MOST_QUESTIONS: Final = 20

_HOW: Final = Text(
    en="""\
Tests of a running service: health, the answers that the artifact was packed with, wrong input, keys, time.

    {key}=… SEKISHO_URL=http://127.0.0.1:8000 pytest test_service.py""",
    ja="""\
動いているサービスの試験です: 稼働状態、成果物に記録された正解との一致、誤った入力、認証、応答時間。

    {key}=… SEKISHO_URL=http://127.0.0.1:8000 pytest test_service.py""",
)
_NO_SERVICE: Final = Text(
    en="no service answers at {url} ({error}): start it, or set SEKISHO_URL",
    ja="{url} でサービスが応答しません（{error}）。起動するか、SEKISHO_URL を設定してください",
)
_NO_KEY: Final = Text(
    en="the service asks for a key: set {key} to one with the scope predict",
    ja="サービスの利用には鍵が必要です。predict スコープの鍵を {key} に設定してください",
)


def _render(plan: Plan) -> tuple[GeneratedFile, ...]:
    contract, artifact = plan.project.contract, plan.artifact
    variable = contract.security.probe_key_variable
    asked = questions(artifact, most=MOST_QUESTIONS)
    content = fill(
        "test_service.py.j2",
        header=header(plan, "tests"),
        how=Comment(str(_HOW).replace("{key}", variable)),
        url=contract.serving.url or f"http://127.0.0.1:{contract.serving.port or 8000}",
        key_variable=variable,
        key_header=contract.security.key_header,
        authenticated=contract.security.authentication != "none",
        model_version=artifact.version,
        artifact=artifact.digest,
        latency_seconds=(contract.serving.latency_p99_ms or contract.serving.deadline_ms) / 1_000,
        classifies=not artifact.signature.output.numeric,
        no_service=str(_NO_SERVICE),
        no_key=str(_NO_KEY).replace("{key}", variable),
        golden=[
            {
                "features": question.features,
                "label": question.label,
                "probabilities": question.probabilities,
                "tolerance": question.tolerance,
            }
            for question in asked
        ],
    )
    return (GeneratedFile(path="test_service.py", content=content.encode()),)


generator = Generator(
    id="tests",
    title=Text(
        en="API tests: health, prediction, wrong input, keys, latency",
        ja="API の試験: 稼働・予測・誤入力・認証・応答時間",
    ),
    folder="tests/service",
    render=_render,
    following=Text(
        en='pytest {folder}, and tests.integration = ["pytest", "{folder}"] in sekisho.toml',
        ja='pytest {folder} を実行し、sekisho.toml に tests.integration = ["pytest", "{folder}"] と書いてください',
    ),
)
