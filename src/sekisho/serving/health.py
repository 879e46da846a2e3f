"""Health that tells the truth: alive, ready, and what the metrics say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.serving.front import Place
from sekisho.serving.http.forms import Offer
from sekisho.serving.metrics.exposition import MEDIA_TYPE

if TYPE_CHECKING:
    from sekisho.serving.desk import Desk
    from sekisho.serving.front import Front
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.metrics.exposition import Exposition
    from sekisho.serving.routing import Notice

_ENCODER = msgspec.json.Encoder()


class Health:
    """Answers the health routes and the metrics.

    Args:
        front: Sends answers.
        desk: Knows what the model is up to.
        exposition: Renders the metrics.
        version: The model's version.
        model_type: The model's class.

    """

    def __init__(self, front: Front, desk: Desk, exposition: Exposition, *, version: str, model_type: str) -> None:
        self._front = front
        self._desk = desk
        self._exposition = exposition
        self._model = {"model_version": version, "model_type": model_type}

    def place(self, notice: Notice) -> Place:
        """Return where a protocol's own way of asking goes."""

        def go(exchange: Exchange) -> None:
            is_ready = self.is_ready
            self._front.answer(
                exchange, 200 if is_ready or not notice.tells else 503, _ENCODER.encode(notice.says(is_ready))
            )

        return Place(path=notice.path, methods=("GET", "HEAD"), scope=None, offer=Offer(), go=go)

    def places(self) -> tuple[Place, ...]:
        """Return where the routes are."""
        routes = {
            "/health": self._health,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/ping": self._ping,
        }
        reading = ("GET", "HEAD")
        return (
            *(Place(path=path, methods=reading, scope=None, offer=Offer(), go=go) for path, go in routes.items()),
            Place(path="/metrics", methods=reading, scope="metrics", offer=Offer(), go=self._metrics),
        )

    @property
    def is_ready(self) -> bool:
        """Whether a prediction asked for now would be answered: the model is sound, and the queue is not full."""
        return self._desk.state == "ready" and not self._desk.is_full

    def _health(self, exchange: Exchange) -> None:
        self._say(exchange, {"status": "healthy" if self.is_ready else self._trouble()})

    def _live(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200, _ENCODER.encode({"status": "alive"}))

    def _ready(self, exchange: Exchange) -> None:
        self._say(exchange, {"status": "ready" if self.is_ready else self._trouble()})

    def _ping(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200 if self.is_ready else 503, b"{}")

    def _metrics(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200, self._exposition.render(), media_type=MEDIA_TYPE)

    def _say(self, exchange: Exchange, members: dict[str, Any]) -> None:
        body = _ENCODER.encode({**members, **self._model})
        self._front.answer(exchange, 200 if self.is_ready else 503, body)

    def _trouble(self) -> str:
        return "overloaded" if self._desk.state == "ready" else self._desk.state
