"""The error tree: one line each, the right exit code, and what the tree's own page says of it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from sekisho import errors
from sekisho.errors import ContractError, DeadlineExceeded, InvalidInput, MissingExtra, NotFound, SekishoError, WrongUse
from sekisho.text import Text, use_language

WHAT = Text(en="the door\nis shut", ja="扉が閉まっています")
REMEDY = Text(en="knock", ja="ノックしてください")


def test_an_error_is_one_line_in_the_language_in_use() -> None:
    error = NotFound(WHAT, REMEDY, where=Path("house/door"))
    assert str(error) == "house/door: the door is shut → knock"
    with use_language("ja"):
        assert str(error) == "house/door: 扉が閉まっています → ノックしてください"
    assert str(SekishoError(WHAT, REMEDY)) == "the door is shut → knock"


def test_contract_faults_are_one_line_each() -> None:
    error = ContractError([WrongUse(WHAT, REMEDY, where="f:1"), WrongUse(WHAT, REMEDY, where="f:9")])
    assert str(error).splitlines() == ["f:1: the door is shut → knock", "f:9: the door is shut → knock"]
    assert error.where == "f:1"
    with pytest.raises(ValueError, match="at least one"):
        ContractError([])


def test_wrong_use_is_told_from_what_could_not_run() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SekishoError)]
    assert {kind.__name__ for kind in kinds if kind.exit_code == 2} == {
        "WrongUse",
        "ContractError",
        "NotFound",
        "Conflict",
        "InvalidInput",
    }
    assert {kind.exit_code for kind in kinds} == {2, 3}


def test_the_page_of_the_tree_names_every_error_under_its_parent() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    line_of_descent: list[str] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^ {4}([│ ]*(?:[├└]── )?)([A-Z]\w+) {2,}", line)
        if found:
            depth = len(found[1]) // 4
            line_of_descent[depth:] = [found[2]]
            drawn[found[2]] = line_of_descent[depth - 1] if depth else "Exception"
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SekishoError)]
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in kinds}


def test_errors_that_carry_more() -> None:
    invalid = InvalidInput("wrong_type", WHAT, REMEDY, row=3, field="age")
    assert (invalid.code, invalid.row, invalid.field) == ("wrong_type", 3, "age")
    assert str(MissingExtra("boto3", "s3")) == "boto3 is not installed → pip install 'sekisho[s3]'"
    late = DeadlineExceeded(2.5)
    assert late.code == "deadline_exceeded"
    assert "2.5 s" in str(late)
