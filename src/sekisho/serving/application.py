"""The FastAPI application: the routes that are not asked often, and the place for a team's own.

The hot routes never come here. Importing FastAPI takes longer than loading a model, so a worker does it beside answering.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import FastAPI, Request, Response

from sekisho.errors import InvalidInput, LedgerError
from sekisho.predict import json_text
from sekisho.predict.cells import LARGEST_INTEGER
from sekisho.serving import openapi, problems
from sekisho.serving.logs import timestamp
from sekisho.serving.page import page
from sekisho.serving.problems import Problem
from sekisho.serving.recorder import FLUSH_SECONDS
from sekisho.text import LANGUAGES, Language, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Output
    from sekisho.ledger.predictions import PredictionBook
    from sekisho.predict.answers import Prediction
    from sekisho.serving.openapi import Facts
    from sekisho.serving.settings import ServingSettings


SECONDS_TO_APPEAR: Final = 3 * FLUSH_SECONDS
"""How long an answer may take to be in the book."""


class _Feedback(msgspec.Struct, forbid_unknown_fields=True):
    request_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$(?!\n)")]
    outcome: float | int | str | bool | dict[str, float | int | str | bool | None]
    row: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0


def build(models: Sequence[Facts], settings: ServingSettings, book: Callable[[], PredictionBook | None]) -> FastAPI:
    """Return the application.

    Args:
        models: What is known of each model; the first answers where none is named.
        settings: How the service runs.
        book: Gives the book of predictions, if there is one.

    """
    facts = models[0]
    by_name = {one.name: one for one in models}
    application = FastAPI(title=facts.name, version=facts.version, openapi_url=None, docs_url=None, redoc_url=None)
    described = openapi.document(models, settings)
    encoded = msgspec.json.encode(described)
    pages = {language: page(facts, described, settings, language) for language in LANGUAGES}

    @application.api_route("/openapi.json", methods=["GET", "HEAD"])
    async def document() -> Response:
        return Response(encoded, media_type="application/json")

    @application.api_route("/docs", methods=["GET", "HEAD"])
    async def docs(request: Request) -> Response:
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
        language: Language = "ja" if asked[:2].lower() == "ja" else "en"
        fields = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'", "x-frame-options": "DENY"}
        return Response(pages[language], media_type="text/html; charset=utf-8", headers=fields)

    @application.post("/feedback")
    @application.post("/models/{name}/feedback")
    async def feedback(request: Request, name: str = facts.name) -> Response:
        body = await request.body()
        try:
            told = _read_feedback(body, by_name[name])
        except InvalidInput as error:
            return _problem(problems.of_input(error), request)
        kept = book()
        if kept is None:
            return _problem(Problem(kind=problems.NO_LEDGER), request)
        try:
            problem = await _note(kept, told)
        except LedgerError:
            problem = Problem(kind=problems.LEDGER_UNAVAILABLE, fields=problems.retry_after(1))
        if problem is not None:
            return _problem(problem, request)
        return Response(msgspec.json.encode({"status": "recorded"}), media_type="application/json")

    return application


async def _note(book: PredictionBook, told: _Feedback) -> Problem | None:
    """Write an outcome down; a later one for the same row takes its place.

    Raises:
        LedgerError: The book cannot be used.

    """
    rows = await asyncio.to_thread(book.rows_of, told.request_id)
    ends = time.monotonic() + SECONDS_TO_APPEAR
    while rows is None and time.monotonic() < ends:
        # It may have been answered a moment ago, by any worker.
        await asyncio.sleep(FLUSH_SECONDS / 2)
        rows = await asyncio.to_thread(book.rows_of, told.request_id)
    if rows is None:
        return Problem(kind=problems.UNKNOWN_REQUEST)
    if told.row >= rows:
        return Problem(kind=problems.UNKNOWN_ROW, field="row")
    at = timestamp(time.time())
    await asyncio.to_thread(book.add_outcome, told.request_id, told.row, told.outcome, at=at)
    return None


def _read_feedback(body: bytes, facts: Facts) -> _Feedback:
    value = json_text.parse(body)
    if isinstance(value, dict):
        # A number with an integral value is a whole number, as in JSON Schema.
        labels = not facts.signature.output.numeric
        value = {name: _whole(one) if labels or name == "row" else one for name, one in value.items()}
    try:
        told = msgspec.convert(value, _Feedback)
    except msgspec.ValidationError:
        raise InvalidInput(
            "wrong_type",
            Text(en="the body is no outcome", ja="本文が結果の形ではありません"),
            Text(
                en='send {"request_id": "...", "row": 0, "outcome": ...}',
                ja='{"request_id": "...", "row": 0, "outcome": ...} を送ってください',
            ),
        ) from None
    if not _is_outcome(told.outcome, facts.signature.output):
        raise InvalidInput(
            "unknown_class",
            Text(en="the outcome is not one that the model could predict", ja="モデルが予測し得る値ではありません"),
            Text(
                en="send a class of the model, or a number for a regressor; several answers by name",
                ja="モデルのクラス、回帰なら数値を送ってください。答えが複数なら名前ごとに送ってください",
            ),
            field="outcome",
        )
    return told


def _whole(value: object) -> object:
    if isinstance(value, dict):
        return {name: one if isinstance(one, dict) else _whole(one) for name, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_outcome(outcome: Prediction, output: Output) -> bool:
    if not output.outputs:
        return not isinstance(outcome, dict) and _is_possible(outcome, output.classes)
    return (
        isinstance(outcome, dict)
        and outcome.keys() == {one.name for one in output.outputs}
        and all(_is_possible(outcome[one.name], one.classes) for one in output.outputs)
    )


def _is_possible(outcome: Scalar, classes: tuple[Scalar, ...] | None) -> bool:
    if classes is None:
        if isinstance(outcome, bool) or not isinstance(outcome, int | float):
            return False
        return math.isfinite(outcome) if isinstance(outcome, float) else abs(outcome) <= LARGEST_INTEGER
    return any(outcome == label and isinstance(outcome, bool) == isinstance(label, bool) for label in classes)


def _problem(problem: Problem, request: Request) -> Response:
    language: Language = "ja" if request.headers.get("accept-language", "")[:2].lower() == "ja" else "en"
    body = problems.encode(problem, language=language, request_id=request.state.request_id)
    return Response(body, status_code=problem.status, media_type="application/problem+json")
