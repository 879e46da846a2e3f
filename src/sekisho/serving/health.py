"""Health that tells the truth: alive, and ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.serving.front import Place
from sekisho.serving.http.forms import Offer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.serving.desk import Desk
    from sekisho.serving.front import Front
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.routing import Notice

_ENCODER = msgspec.json.Encoder()
_READING = ("GET", "HEAD")


class Health:
    """Answers the health routes of one model.

    Args:
        front: Sends answers.
        desk: Knows what the model is up to.
        version: The model's version.
        model_type: The model's class.
        states: Tells what every model of the service is up to, by name; empty if there is only one.

    """

    def __init__(
        self,
        front: Front,
        desk: Desk,
        *,
        version: str,
        model_type: str,
        states: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._front = front
        self._desk = desk
        self._model = {"model_version": version, "model_type": model_type}
        self._states = states

    def place(self, notice: Notice, path: str) -> Place:
        """Return where a protocol's own way of asking goes that is counted under ``path``."""

        def go(exchange: Exchange) -> None:
            is_ready = self.is_ready
            self._front.answer(
                exchange, 200 if is_ready or not notice.tells else 503, _ENCODER.encode(notice.says(is_ready))
            )

        return Place(path=path, methods=_READING, scope=None, offer=Offer(), go=go)

    def places(self) -> tuple[Place, ...]:
        """Return where the routes of the service are. They speak of the model that answers where none is named, and tell of the others."""
        routes = {
            "/health": self._health,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/ping": self._ping,
        }
        return tuple(
            Place(path=path, methods=_READING, scope=None, offer=Offer(), go=go) for path, go in routes.items()
        )

    def places_below(self, path: str) -> tuple[Place, ...]:
        """Return where the routes of this model are, below its own path."""
        routes = {f"{path}/health": self._health, f"{path}/health/ready": self._ready}
        return tuple(
            Place(path=path, methods=_READING, scope=None, offer=Offer(), go=go) for path, go in routes.items()
        )

    @property
    def state(self) -> str:
        """What the model is up to, in a word."""
        return "ready" if self.is_ready else self._trouble()

    @property
    def is_ready(self) -> bool:
        """Whether a prediction asked for now would be answered: the model is sound, the book is there, and the queue is not full."""
        return self._desk.state == "ready" and self._desk.has_book and not self._desk.is_full

    @property
    def _is_sound(self) -> bool:
        """Whether the model answers. To be overloaded is no illness: who is started anew for it answers even fewer."""
        return self._desk.state == "ready" and self._desk.has_book

    def _health(self, exchange: Exchange) -> None:
        self._say(exchange, {"status": "healthy" if self.is_ready else self._trouble()}, well=self._is_sound)

    def _live(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200, _ENCODER.encode({"status": "alive"}))

    def _ready(self, exchange: Exchange) -> None:
        self._say(exchange, {"status": "ready" if self.is_ready else self._trouble()}, well=self.is_ready)

    def _ping(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200 if self._is_sound else 503, b"{}")

    def _say(self, exchange: Exchange, members: dict[str, Any], *, well: bool) -> None:
        states = self._states()
        body = _ENCODER.encode({**members, **self._model, **({"models": states} if states else {})})
        self._front.answer(exchange, 200 if well else 503, body)

    def _trouble(self) -> str:
        if self._desk.state != "ready":
            return self._desk.state
        return "overloaded" if self._desk.has_book else "ledger_unavailable"
