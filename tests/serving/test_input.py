"""What does not fit the signature is refused with a stable code, and said without saying what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Running

GOOD: dict[str, Any] = {"age": 40.0, "income": None, "children": 2, "city": "Kyoto", "employed": True, "plan": "basic"}
ROW = list(GOOD.values())


def replaced(**cells: Any) -> bytes:
    return json.dumps({"features": {**GOOD, **cells}}).encode()


def literal(name: str, token: str) -> bytes:
    """Return a body in which one value is a token as it is."""
    return json.dumps({"features": {**GOOD, name: "@"}}).replace('"@"', token).encode()


MALFORMED = [
    b"",
    b"{",
    b'{"features": [1, 2',
    json.dumps({"features": ROW}).encode() + b" x",
    b"{'features': []}",
    b'{"features": [1,]}',
    b"// hello\n{}",
    literal("age", "0x10"),
    literal("age", "01"),
    literal("age", "NaN"),
    literal("age", "Infinity"),
    literal("age", "-Infinity"),
    literal("age", "1" * 1_000_000),
    literal("city", '"\\ud800"'),
    literal("city", '"').replace(b'"""', b'"\xff"'),
    b"\xef\xbb\xbf" + json.dumps({"features": ROW}).encode(),
    json.dumps({"features": ROW}).encode("utf-16"),
    b'{"features": ' + b"[" * 100_000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_not_json_is_refused(service: Running, body: bytes) -> None:
    for path in ("/predict", "/predict/batch", "/invocations"):
        answer = service.ask(path, body)
        assert (answer.status, answer.code) == (400, "malformed_json")
        assert len(answer.body) < 4096


UNFIT = [
    # body, status, code, field
    (b"null", 422, "wrong_type", None),
    (b"[]", 422, "wrong_type", None),
    (b"3", 422, "wrong_type", None),
    (b'"x"', 422, "wrong_type", None),
    (b"{}", 422, "missing_field", "features"),
    (b'{"features": null}', 422, "wrong_type", None),
    (b'{"features": 3}', 422, "wrong_type", None),
    (b'{"features": []}', 422, "wrong_count", None),
    (json.dumps({"features": ROW[:-1]}).encode(), 422, "wrong_count", None),
    (json.dumps({"features": [*ROW, 1]}).encode(), 422, "wrong_count", None),
    (json.dumps({"features": ROW, "x": 1}).encode(), 422, "unknown_field", "x"),
    (json.dumps({"features": ROW, "__class__": "x"}).encode(), 422, "unknown_field", "__class__"),
    (json.dumps({"features": {**GOOD, "constructor": 1}}).encode(), 422, "unknown_feature", "constructor"),
    (json.dumps({"features": {**GOOD, "x" * 1_000_000: 1}}).encode(), 422, "unknown_feature", None),
    (json.dumps({"features": {f"k{n}": n for n in range(100_000)}}).encode(), 422, "unknown_feature", "k0"),
    (json.dumps({"features": {name: GOOD[name] for name in list(GOOD)[1:]}}).encode(), 422, "missing_feature", "age"),
    (b'{"features": [1], "features": [1]}', 400, "duplicate_key", None),
    (replaced().replace(b'"age": 40.0', b'"age": 40.0, "age": 41.0'), 400, "duplicate_key", None),
    (replaced(age=None), 422, "null_not_allowed", "age"),
    (replaced(age=True), 422, "wrong_type", "age"),
    (replaced(age="40"), 422, "wrong_type", "age"),
    (replaced(age=" 1"), 422, "wrong_type", "age"),
    (replaced(age="nan"), 422, "wrong_type", "age"),
    (replaced(age=[1.0]), 422, "wrong_type", "age"),
    (replaced(age={}), 422, "wrong_type", "age"),
    (replaced(age=2**53 + 1), 422, "not_exact", "age"),
    (literal("age", "1e300"), 422, "not_finite", "age"),
    (literal("age", "1e400"), 422, "not_finite", "age"),
    (literal("age", "9" * 400), 422, "not_finite", "age"),
    (replaced(children=2.5), 422, "wrong_type", "children"),
    (replaced(children=True), 422, "wrong_type", "children"),
    (replaced(children=2**53 + 1), 422, "not_exact", "children"),
    (replaced(children=2**63), 422, "not_exact", "children"),
    (replaced(children=2**64), 422, "not_exact", "children"),
    (replaced(children=7), 422, "out_of_range", "children"),
    (replaced(employed=1), 422, "wrong_type", "employed"),
    (replaced(employed="true"), 422, "wrong_type", "employed"),
    (replaced(city=3), 422, "wrong_type", "city"),
    (replaced(city=True), 422, "wrong_type", "city"),
    (replaced(city="x" * 20_000), 422, "too_long", "city"),
    (replaced(plan="<script>alert(1)</script>"), 422, "unseen_category", "plan"),
    (replaced(plan=None), 422, "null_not_allowed", "plan"),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), UNFIT, ids=range(len(UNFIT)))
def test_what_does_not_fit_is_refused_naming_the_place(
    service: Running, body: bytes, status: int, code: str, field: str | None
) -> None:
    answer = service.ask("/predict", body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.json().get("field") == field
    assert answer.json()["status"] == status
    assert len(answer.body) < 4096
    assert b"script" not in answer.body


@pytest.mark.parametrize(
    "token",
    ["1e-400", "-0.0", "5e-324", "0." + "0" * 100_000 + "1", "4E+00001", "40", "4.0e1", "40.000000000000000000001"],
)
def test_strange_but_legal_numbers_are_served(service: Running, token: str) -> None:
    assert service.ask("/predict", literal("age", token)).status == 200


def test_a_whole_number_may_be_written_with_a_point(service: Running) -> None:
    plain, pointed = (service.ask("/predict", literal("children", token)).json() for token in ("3", "3.0"))
    assert plain["probabilities"] == pointed["probabilities"]


def test_minus_zero_is_zero(service: Running) -> None:
    plain, minus = (service.ask("/predict", literal("age", token)).json() for token in ("0.0", "-0.0"))
    assert plain["probabilities"] == minus["probabilities"]


def test_one_bad_row_refuses_the_batch_naming_it(service: Running) -> None:
    before = service.metric("ml_predictions_total", status="success")
    rows: list[dict[str, Any]] = [{"features": dict(GOOD)} for _ in range(100)]
    rows[57]["features"]["age"] = "old"
    answer = service.ask("/predict/batch", rows)
    assert (answer.status, answer.code) == (422, "wrong_type")
    assert (answer.json()["row"], answer.json()["field"]) == (57, "age")
    rows[57]["features"]["age"] = 40.0
    rows[99]["features"]["children"] = 9
    answer = service.ask("/predict/batch", rows)
    assert (answer.code, answer.json()["row"], answer.json()["field"]) == ("out_of_range", 99, "children")
    many = [{"features": dict(GOOD)} for _ in range(600)]
    many[400]["features"]["plan"] = "none"
    answer = service.ask("/predict/batch", many)
    assert (answer.code, answer.json()["row"], answer.json()["field"]) == ("unseen_category", 400, "plan")
    assert service.metric("ml_predictions_total", status="success") == before


def test_edges_of_a_batch(open_service: Running) -> None:
    row = {"features": [5.0, 3.0, 1.5, 0.2]}
    assert open_service.ask("/predict/batch", []).code == "no_rows"
    assert open_service.ask("/predict/batch", [row] * 50).json()["count"] == 50
    answer = open_service.ask("/predict/batch", [row] * 51)
    assert (answer.status, answer.code) == (413, "too_many_rows")
    assert open_service.ask("/predict/batch", {"features": [1]}).code == "wrong_type"
    assert open_service.ask("/invocations", {"instances": []}).code == "no_rows"
    assert open_service.ask("/invocations", {"instances": [row["features"]] * 51}).code == "too_many_rows"
    lines = b"5,3,1.5,0.2\n" * 51
    assert open_service.ask("/invocations", lines, headers={"content-type": "text/csv"}).code == "too_many_rows"


INVOCATIONS: list[tuple[Any, str]] = [
    ({}, "missing_field"),
    ({"instances": [[5, 3, 1, 0.2]], "inputs": [[5, 3, 1, 0.2]]}, "missing_field"),
    ({"rows": []}, "unknown_field"),
    ({"instances": 3}, "wrong_type"),
    ({"instances": [3]}, "wrong_type"),
    ({"instances": [[1, 2]]}, "wrong_count"),
    ({"dataframe_split": {"data": [[1, 2, 3, 4]]}}, "missing_field"),
    ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "unknown_feature"),
    ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 1]]}}, "duplicate_key"),
    ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "wrong_count"),
    ({"inputs": {"a": [1], "b": [1, 2]}}, "wrong_count"),
    ("text", "wrong_type"),
    ([3], "wrong_type"),
]


@pytest.mark.parametrize(("body", "code"), INVOCATIONS, ids=range(len(INVOCATIONS)))
def test_invocations_refuse_what_is_no_table(open_service: Running, body: Any, code: str) -> None:
    assert open_service.ask("/invocations", body).code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no_rows"),
        (b"1,2,3\n", "wrong_count"),
        (b"1,2,3,nan\n", "wrong_type"),
        (b"1,2,3,1_000\n", "wrong_type"),
        (b"1,2,3,\n", "null_not_allowed"),
        (b'1,2,3,"4\n', "malformed_csv"),
        (b"1,2,3,\xff\n", "malformed_csv"),
        (b"1,2,3,1e999\n", "not_finite"),
    ],
)
def test_csv_that_does_not_fit_is_refused(open_service: Running, body: bytes, code: str) -> None:
    assert open_service.ask("/invocations", body, headers={"content-type": "text/csv"}).code == code


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=" + "-" * 1000,
        "application/octet-stream",
        "application/json; charset=utf-16",
        "application/problem+json",
        "application/vnd.bentoml+pickle",
        "application/python-pickle",
        "",
    ],
)
def test_other_media_types_are_refused(service: Running, media_type: str) -> None:
    answer = service.ask("/predict", replaced(), headers={"content-type": media_type})
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert answer.headers["accept-post"] == "application/json"


@pytest.mark.parametrize(
    "media_type", ["application/JSON", 'application/json;charset="UTF-8"', "application/json; charset=utf-8"]
)
def test_json_may_be_spelled_as_the_standard_allows(service: Running, media_type: str) -> None:
    assert service.ask("/predict", replaced(), headers={"content-type": media_type}).status == 200


def test_compressed_bodies_are_refused_unread(service: Running) -> None:
    answer = service.ask("/predict", b"\x1f\x8b" + b"\0" * 100, headers={"content-encoding": "gzip"})
    assert (answer.status, answer.code) == (415, "unsupported_encoding")


def test_problems_speak_japanese_to_those_who_read_it(service: Running) -> None:
    answer = service.ask("/predict", replaced(age="x"), headers={"accept-language": "ja-JP,ja;q=0.9"}).json()
    assert answer["title"] == "値の型が違います"
    assert answer["code"] == "wrong_type"


def test_no_answer_and_no_log_line_holds_what_was_sent(service: Running) -> None:
    secret = "SECRET-4111111111111111"
    for cells in ({"age": secret}, {"city": secret}, {"plan": secret}, {secret: 1}):
        body = service.ask("/predict", replaced(**cells)).body.decode()
        # An unknown name is named; no value ever is.
        assert secret not in body or secret in cells
    service.ask("/predict?" + secret, replaced())
    service.ask("/" + secret)
    assert service.ask("/health").status == 200
    assert not [line for line in service.lines if secret in line]


def test_bad_requests_are_counted(service: Running) -> None:
    before = service.metric("ml_predictions_total", status="rejected")
    problems = service.metric("ml_problems_total", code="wrong_type")
    for _ in range(5):
        service.ask("/predict", replaced(age="x"))
    assert service.metric("ml_predictions_total", status="rejected") == before + 5
    assert service.metric("ml_problems_total", code="wrong_type") == problems + 5
