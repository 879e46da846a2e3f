"""What an answer gives away, and how its code and row are found whatever framework wrote it."""

from __future__ import annotations

import msgspec
import pytest

from sekisho.probes.resources.exposure import code_of, exposed, is_problem, marks_place, names_row
from sekisho.probes.wire.message import Reply


def reply(body: object, *, media_type: str = "application/json", status: int = 422) -> Reply:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Reply(status=status, headers={"content-type": media_type}, body=data)


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ("X has 3 features, but RandomForestClassifier is expecting 10 features as input.", "exception"),
        ("could not convert string to float: 'x'", "exception"),
        ("Input X contains NaN.\nRandomForestClassifier does not accept missing values", "exception"),
        ("KeyError: 'age'", "exception"),
        ("ValueError('no')", "exception"),
        ("The feature names should match those that were passed during fit.", "exception"),
        ("'NoneType' object has no attribute 'shape'", "exception"),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT", "exception"),
        ("Found unknown categories ['x'] in column 2 during transform", "exception"),
        ('Traceback (most recent call last):\n  File "/app/main.py", line 3, in f', "traceback"),
        ("cannot open /app/model/model.joblib", "path"),
        ("/usr/local/lib/python3.11/site-packages/sklearn/base.py", "path"),
        (r"C:\models\model.pkl", "path"),
    ],
)
def test_what_gives_the_service_away_is_seen(detail: str, kind: str) -> None:
    assert kind in exposed(reply({"detail": detail}))


@pytest.mark.parametrize(
    "body",
    [
        {"type": "https://example.org/problems/wrong_type", "title": "Wrong type", "status": 422, "code": "wrong_type"},
        {
            "detail": [
                {"type": "float_parsing", "loc": ["body", "features", 0], "msg": "Input should be a valid number"}
            ]
        },
        {"error": "invalid_request", "message": "The field age must be a number between 0 and 120."},
        {"title": "Not Found", "status": 404, "detail": "there is no route /predictx"},
        {"detail": "Method Not Allowed"},
        {"title": "Internal Server Error", "status": 500},
        {"error": {"code": "ValidationException", "message": "Validation Error: the feature names are age and plan"}},
        {"ValidationError": ["age"]},
        {"detail": "値の型が正しくありません"},
        {"detail": "There was an error parsing the body"},
    ],
)
def test_an_honest_refusal_gives_nothing_away(body: object) -> None:
    assert exposed(reply(body), ("SECRET-1",)) == ()


def test_a_value_that_comes_back_is_seen() -> None:
    assert exposed(reply({"detail": [{"input": "SECRET-4111"}]}), ("SECRET-4111",)) == ("value",)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "about:blank", "code": "wrong_type"}, "wrong_type"),
        ({"detail": [{"type": "float_parsing", "msg": "…"}]}, "float_parsing"),
        ({"error": {"code": 17, "message": "…"}}, "17"),
        ({"error": "invalid_request"}, "invalid_request"),
        ({"detail": "Something went wrong"}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_the_code_is_found(body: object, code: str | None) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"code": "wrong_type", "row": 3, "field": "age"}, True),
        ({"detail": [{"loc": ["body", 3, "features", 0]}]}, True),
        ({"detail": "row 3: wrong type"}, True),
        ({"detail": "3 行目ではなく行 3 が誤りです"}, True),
        ({"errors": [{"pointer": "/3/features/age"}]}, True),
        ({"detail": [{"loc": ["body", 2, "features", 3]}]}, True),  # cannot be told from a row
        ({"code": "wrong_type", "row": 2}, False),
        ({"detail": "one of the rows is wrong"}, False),
        ({"status": 3}, False),
        ({"detail": [3, 4]}, False),
        ({"row": True}, False),
    ],
)
def test_the_row_is_found(body: object, named: bool) -> None:
    assert names_row(body, 3) is named


def test_a_problem_names_its_own_status() -> None:
    body = {"title": "Wrong type", "status": 422}
    assert is_problem(reply(body, media_type="application/problem+json"))
    assert not is_problem(reply(body))
    assert not is_problem(reply(body, media_type="application/problem+json", status=400))
    assert not is_problem(reply(b"[]", media_type="application/problem+json"))


@pytest.mark.parametrize(
    "detail",
    [
        "SELECT id, age FROM customers WHERE age = ?",
        "insert failed: INSERT INTO book (id) VALUES (1)",
        "no such column: income",
        "SQLSTATE[42000]",
    ],
)
def test_a_query_of_a_database_is_seen(detail: str) -> None:
    assert exposed(reply({"detail": detail})) == ("query",)


def test_a_header_gives_away_as_a_body_does() -> None:
    headers = {"x-error": "/srv/app/model.py", "server": "/usr/bin/x"}
    assert exposed(Reply(status=500, headers=headers, body=b"{}")) == ("path",)


@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ({"predictions": [1, 1, 1, {"error": "wrong_type"}, 1]}, True),
        ([{"prediction": 3}, {"prediction": 3}, {"prediction": 3}, None, {"prediction": 3}], True),
        ({"predictions": [1, 1, 1, 3, 1]}, False),
        ({"predictions": [1, 1, 1, 1]}, False),
        ({"predictions": [{"error": "x"}] * 5}, False),
        ({"predictions": [1, {"error": "wrong_type"}, 1, 1, 1]}, False),
        ("row 3", False),
    ],
)
def test_a_fault_in_the_place_of_a_row_is_seen(body: object, marked: bool) -> None:
    assert marks_place(body, 3, 5) is marked
