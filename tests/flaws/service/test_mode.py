"""Batches that answer otherwise than single rows, or that fail without saying which row."""

from __future__ import annotations

import pytest
from tests.flaws.service.conftest import Edits, Judge

from sekisho.gate.verdict import Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BOX = "inference/mode"
ASKED = ("[serving]\n", '[serving]\nmode = "real-time"\nfreshness_seconds = 1\n')


def edits(*changes: tuple[str, str]) -> Edits:
    return {"sekisho.toml": (ASKED,), "app.py": changes}


def test_the_twin(judge: Judge) -> None:
    item = judge(BOX, edits())
    assert item.status is Status.PASS, item.verdict.summary.en


def test_f33a_the_batch_route_skips_a_step(judge: Judge) -> None:
    flaw = ("answered(rows),", "answered([{k: float(round(v)) for k, v in row.items()} for row in rows]),")
    assert judge(BOX, edits(flaw)).status is Status.FAIL


def test_f33b_one_bad_row_fails_all_without_a_name(judge: Judge) -> None:
    flaw = ("rows = [values_of(decoded(row, Row, row=index), row=index)", "rows = [values_of(decoded(row, Row))")
    item = judge(BOX, edits(flaw))
    assert item.status is Status.FAIL
    assert "which row" in item.verdict.summary.en


def test_f33b_one_bad_row_is_a_500(judge: Judge) -> None:
    flaw = (
        "rows = [values_of(decoded(row, Row, row=index), row=index)",
        "rows = [msgspec.json.decode(row)['features']['age'] + 0 and {}",
    )
    assert judge(BOX, edits(flaw)).status is Status.FAIL
