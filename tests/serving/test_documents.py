"""The OpenAPI document does not lie: it is valid, its examples work, and what comes back is what it says."""

from __future__ import annotations

import html.parser
import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from sekisho.artifact.artifact import ModelArtifact
from sekisho.serving.problems import KINDS

from .conftest import Answer, Running


@pytest.fixture(scope="module")
def document(service: Running) -> Any:
    return service.ask("/openapi.json").json()


def check(document: Any, method: str, path: str, answer: Answer) -> None:
    """Hold an answer to what the document says of it."""
    described = document["paths"][path][method.lower()]["responses"]
    assert str(answer.status) in described, f"{path} {answer.status} is not documented"
    media_type = answer.headers["content-type"].partition(";")[0]
    content = described[str(answer.status)]["content"]
    assert media_type in content, f"{path} {answer.status} {media_type} is not documented"
    if "json" in media_type:
        schema = {**content[media_type]["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_it_is_a_valid_openapi_document(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["info"]["title"] == "churn"


EXAMPLE_ID = "0123456789-1"


def test_every_example_in_it_works(service: Running, document: Any) -> None:
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                if "example" not in content:
                    continue  # no text: other tests send such bodies
                example = content["example"]
                if "json" in media_type:
                    jsonschema.Draft202012Validator(content["schema"]).validate(example)
                body = example.encode() if isinstance(example, str) else json.dumps(example).encode()
                # Its id is what an outcome is told of.
                fields = {"content-type": media_type, "x-request-id": EXAMPLE_ID}
                answer = service.ask(path, body, method=method.upper(), headers=fields)
                assert answer.status == 200, answer
                check(document, method, path, answer)
                tried += 1
    assert tried == 15


def test_it_names_the_models_own_features(document: Any, loaded: ModelArtifact) -> None:
    schema = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    by_name, in_order = schema["properties"]["features"]["oneOf"]
    assert (
        list(by_name["properties"]) == list(loaded.signature.names) == [one["title"] for one in in_order["prefixItems"]]
    )
    features = by_name["properties"]
    assert features["children"]["type"] == "integer"
    assert (features["children"]["minimum"], features["children"]["maximum"]) == (0, 5)  # refused outside
    assert features["plan"]["enum"] == ["basic", "plus"]  # refused otherwise
    assert "18.0 to 89.0" in features["age"]["description"]  # only flagged outside
    assert features["city"]["type"] == ["string", "null"]
    assert "examples" not in features["income"]
    assert "Seen" not in features["income"].get("description", "")


ASKED: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", "/health", None, {}),
    ("GET", "/health/live", None, {}),
    ("GET", "/health/ready", None, {}),
    ("GET", "/ping", None, {}),
    ("GET", "/metrics", None, {}),
    ("GET", "/metrics", None, {"x-api-key": "wrong"}),
    ("GET", "/model/info", None, {}),
    ("GET", "/docs", None, {}),
    ("GET", "/openapi.json", None, {}),
    ("GET", "/health", None, {"x-a": "a" * 20_000}),
    ("GET", "/health?" + "a" * 4_000, None, {}),
    ("POST", "/predict", b"{", {}),
    ("POST", "/predict", {"features": []}, {}),
    ("POST", "/predict", b"x", {"content-type": "text/plain"}),
    ("POST", "/predict", {"features": {"age": 1}}, {}),
    ("POST", "/predict/batch", [], {}),
    ("POST", "/predict/batch", [{"features": []}] * 10_001, {}),
    ("POST", "/predict/batch", b" " * (8 * 2**20 + 1), {}),
    ("POST", "/invocations", {"instances": [3]}, {}),
    ("POST", "/invocations", b"1,2", {"content-type": "text/csv"}),
    ("POST", "/feedback", {"request_id": "x", "outcome": "perhaps"}, {}),
    ("POST", "/predict", {"features": []}, {"x-api-key": "wrong"}),
    ("POST", "/predict/batch", b"x", {"content-type": "application/vnd.apache.parquet"}),
    ("POST", "/predict/batch", b"x", {"content-encoding": "gzip"}),
    ("POST", "/predict/batch", b"x", {"content-encoding": "br"}),
    ("POST", "/invocations", [], {"accept": "text/html"}),
    ("GET", "/v2", None, {}),
    ("GET", "/v2/health/live", None, {}),
    ("GET", "/v2/health/ready", None, {}),
    ("GET", "/v2/models/churn", None, {}),
    ("GET", "/v2/models/churn/ready", None, {"x-api-key": "wrong"}),
    ("GET", "/v2/models/churn/versions/1.2.3/ready", None, {}),
    ("POST", "/v2/models/churn/infer", b"{", {}),
    ("POST", "/v2/models/churn/infer", {"inputs": []}, {}),
    ("POST", "/v2/models/churn/versions/1.2.3/infer", b"x", {"content-type": "text/plain"}),
]


@pytest.mark.parametrize(("method", "path", "body", "headers"), ASKED, ids=range(len(ASKED)))
def test_every_answer_is_documented(
    service: Running, document: Any, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    check(document, method, path.partition("?")[0], service.ask(path, body, method=method, headers=headers))


def test_documented_codes_are_all_there_are(document: Any) -> None:
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(KINDS)


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.outside: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in {"src", "href"} and value and not value.startswith("#"):
                self.outside.append(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize(("language", "heading"), [("en", "Features, in order"), ("ja", "特徴量（順番どおり）")])
def test_the_page_for_people_needs_nothing_from_elsewhere(service: Running, language: str, heading: str) -> None:
    answer = service.ask("/docs", headers={"accept-language": language})
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = _Page()
    page.feed(answer.body.decode())
    assert heading in page.words
    assert page.outside == []
    # Where the "type" of every problem leads to.
    assert set(KINDS) <= page.anchors
    assert {"age", "plan", "city"} <= set(page.words)
    assert service.ask(f"/docs?lang={language}").body == answer.body


def test_names_and_categories_become_text_on_the_page_not_markup(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from sekisho.artifact.signature import Feature, Output, Signature
    from sekisho.predict.rows import RowReader
    from sekisho.serving import openapi
    from sekisho.serving.page import page
    from sekisho.serving.protocols.interface import Model
    from sekisho.serving.protocols.native import native
    from sekisho.serving.settings import ServingSettings

    evil = '<script>alert("x")</script>'
    signature = Signature(
        features=(
            Feature(name=evil, kind="category", dtype="object", nullable=False, categories=(evil, "{{ 7 * 7 }}")),
        ),
        output=Output(task="regression"),
    )
    routes = native.routes(Model(signature=signature, reader=RowReader(signature), most_rows=10))
    facts = openapi.Facts(
        name="m",
        version="1",
        digest="d",
        runtime="onnx",
        model_type=evil,
        signature=signature,
        metadata={},
        routes=routes,
    )
    settings = ServingSettings()
    shown = page(facts, openapi.document([facts], settings), settings, "en").decode()
    assert "<script>" not in shown
    assert "{{ 7 * 7 }}" in shown
    assert "&lt;script&gt;" in shown
