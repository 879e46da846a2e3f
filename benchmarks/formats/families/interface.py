"""What a family of models gives: named examples, each trained on one of the data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.formats.data import Data

from sekisho.text import Text


def fit(model: Any, data: Data) -> Any:
    """Fit an estimator that has scikit-learn's ``fit``."""
    return model.fit(data.rows, data.answers)


def ask(model: Any, rows: Any) -> Any:
    """Return what the model's own library answers: probabilities where it has them, else its predictions."""
    if callable(getattr(model, "predict_proba", None)):
        return model.predict_proba(rows)
    return model.predict(rows)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One model.

    Attributes:
        name: What it is called in the table, such as the name of its class.
        data: Makes the data set that it is trained on; see :mod:`benchmarks.formats.data`.
        make: Returns the model, untrained.
        fit: Trains it and returns the trained model, which is what ``sekisho.pack`` is given.
        ask: Returns what the model's own library answers to rows: class probabilities ``(n, k)``, labels or numbers ``(n,)``.
        pack: Further arguments of ``sekisho.pack``. None of them may lower the guard: an example that needs ``trusted_types`` shows as
            one that needs a flag.

    """

    name: str
    data: Callable[[], Data]
    make: Callable[[], Any]
    fit: Callable[[Any, Data], Any] = fit
    ask: Callable[[Any, Any], Any] = ask
    pack: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Models of one kind.

    Attributes:
        id: Orders the families in the table: ``10-linear``.
        title: What they are called.
        library: The distribution that they come from.
        examples: In the order of the table.

    """

    id: str
    title: Text
    library: str
    examples: tuple[Example, ...]
