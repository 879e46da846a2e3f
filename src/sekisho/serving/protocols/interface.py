"""What every protocol gives: routes that turn bodies into rows and answers into bodies, compiled once for a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.serving.http.forms import JSON, Form, Offer
from sekisho.serving.routing import Model, Notice, Question, Reach, Reply, Route, Written

if TYPE_CHECKING:
    from sekisho.text import Text

__all__ = ["JSON", "Form", "Model", "Notice", "Offer", "Question", "Reach", "Reply", "Route", "WireProtocol", "Written"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WireProtocol:
    """One unit of the shelf.

    Attributes:
        id: Its name.
        title: Who speaks it.
        routes: Compiles its routes for a model.
        notices: Its other routes.

    """

    id: str
    title: Text
    routes: Callable[[Model], Sequence[Route]]
    notices: Callable[[Model], Sequence[Notice]] = lambda _model: ()
