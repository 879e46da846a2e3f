"""Keeps what became of every flaw: see :mod:`tests.flaws.record`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from tests.flaws.record import JUDGED, kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note the outcome of a test that judged something."""
    report = yield
    if report.when == "call":  # type: ignore[attr-defined]
        function = getattr(item, "function", None)
        kept(item.name, "" if function is None else inspect.getsource(function), report.outcome)  # type: ignore[attr-defined]
    if report.when == "teardown":  # type: ignore[attr-defined]
        JUDGED.clear()
    return report
