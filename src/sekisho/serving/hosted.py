"""One version of one model in one worker: its routes, its desk, its counters, its part of the book, and the model itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from sekisho.predict.rows import RowReader
from sekisho.serving.bookkeeping import open_recorder
from sekisho.serving.desk import Desk
from sekisho.serving.front import Place
from sekisho.serving.health import Health
from sekisho.serving.http.forms import Offer
from sekisho.serving.metrics.catalogue import MODEL_GAUGES, of_model
from sekisho.serving.metrics.cells import Cells, Layout
from sekisho.serving.model import Model, with_policies
from sekisho.serving.openapi import Facts, info_of
from sekisho.serving.protocols.interface import Model as Shape
from sekisho.serving.protocols.interface import WireProtocol
from sekisho.serving.tally import ModelTally
from sekisho.shelf import units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.signature import Signature
    from sekisho.serving.front import Front
    from sekisho.serving.guards.rate import RateLimit
    from sekisho.serving.guards.rate_store import SharedRateLimit
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.layout import RunFolder
    from sekisho.serving.lineup import Served
    from sekisho.serving.logs import Log
    from sekisho.serving.protocols.interface import Route
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.tally import Tally

PROTOCOLS: Final = "sekisho.serving.protocols"
VERSION: Final = "{version}"
"""What stands for a version in the paths that are counted and logged."""
_READING: Final = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Surroundings:
    """What all models of one worker share.

    Attributes:
        settings: How the service runs.
        run: The folder that its processes share.
        number: The number of the worker.
        front: Sends answers.
        tally: Counts what has nothing to do with a model.
        log: The log.
        rate: The limit a caller; ``None``: there is none, or it holds over machines.
        shared_rate: The limit a caller that holds over machines; ``None``: there is none.

    """

    settings: ServingSettings
    run: RunFolder
    number: int
    front: Front
    tally: Tally
    log: Log
    rate: RateLimit | None
    shared_rate: SharedRateLimit | None


class Hosted:
    """One version of one model.

    Args:
        served: Which one.
        artifact: Its artifact.
        around: What the models of a worker share.
        versions: Tells the versions of the model that are served at the moment.
        states: Tells what every model is up to, by name; empty if there is only one.

    Attributes:
        served: Which one.
        facts: What the documents say of it.
        infer: Its route over gRPC; ``None`` if that is not spoken.
        desk: Takes its requests.
        health: Tells how it is.

    Raises:
        SekishoError: The service's policies, or what is to be written of it, do not fit it.

    """

    def __init__(
        self,
        served: Served,
        artifact: ModelArtifact,
        around: Surroundings,
        *,
        versions: Callable[[], Sequence[str]],
        states: Callable[[], Mapping[str, str]],
    ) -> None:
        self.served = served
        self._mark = served.digest[:12]
        self._around = around
        settings = around.settings
        signature = self._signature = with_policies(artifact.signature, settings)
        shape = Shape(
            signature=signature,
            reader=RowReader(signature),
            most_rows=settings.limits.rows,
            most_bytes=settings.limits.body_bytes,
            name=served.name,
            version=served.version,
            platform=artifact.runtime_name,
            versions=versions,
        )
        spoken = sorted(units(PROTOCOLS, WireProtocol).values(), key=lambda unit: unit.id != "native")
        self.facts = Facts(
            name=served.name,
            version=served.version,
            digest=served.digest,
            runtime=artifact.runtime_name,
            model_type=artifact.metadata.model_type or artifact.runtime_name,
            signature=signature,
            metadata=msgspec.to_builtins(artifact.metadata),
            routes=[route for unit in spoken for route in unit.routes(shape)],
            notices=[notice for unit in spoken for notice in unit.notices(shape)],
        )
        self._info = msgspec.json.encode(info_of(self.facts))
        self.infer = None if settings.grpc_port is None else _infer_route(shape)
        self._tally = self._count(signature)
        self.desk = Desk(settings, version=served.version, front=around.front, tally=self._tally, rate=around.rate)
        self.desk.shared_rate = around.shared_rate
        self.desk.recorder = open_recorder(
            settings, signature, digest=served.digest, version=served.version, add=around.tally.add, log=around.log
        )
        self.health = Health(
            around.front, self.desk, version=served.version, model_type=self.facts.model_type, states=states
        )
        self._model = Model(artifact, signature, settings)

    # Its life

    def load(self) -> None:
        """Load the model, and prove it on its golden rows. Takes a while; for a thread.

        Raises:
            SekishoError: It cannot be loaded, or answers otherwise than it did when it was packed.

        """
        self._model.load()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to answer."""
        if self._model.batching.rows:
            timed = msgspec.to_builtins(self._model.batching)
            self._around.log.say("info", "batches timed", name=self.served.name, **timed)
        self.desk.open(
            self._model.runner(self.desk, loop, lambda: self._around.tally.add("ml_model_restarts", 1.0)),
        )

    def look(self) -> None:
        """See whether the model is still sound, and tell the metrics how it is; to be called now and then."""
        sound = self._model.is_sound() and self.desk.is_able
        if self.desk.state in {"ready", "unsound"}:
            self.desk.state = "ready" if sound else "unsound"
        if self.desk.runner is not None:
            self._tally.batches(self.desk.runner.most_rows)
        self.note()

    def note(self) -> None:
        """Tell the metrics how it is."""
        self._tally.note(live=self.served.role == "live", ready=self.desk.state == "ready")

    def drain(self) -> None:
        """Say that it is about to end."""
        self.desk.state = "draining"
        self.desk.dismiss()
        self.note()

    async def finish(self, seconds: float) -> None:
        """Answer what it has taken, for so long, and end its processes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finish(), max(0.1, seconds))

    async def close(self) -> None:
        """Close its book, end its processes, and let go of the model."""
        self._tally.note(live=False, ready=False)
        self.desk.runner = None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._model.close)
        if self.desk.recorder is not None:
            await loop.run_in_executor(None, self.desk.recorder.close)

    async def _finish(self) -> None:
        while self.desk.waiting:
            await asyncio.sleep(0.01)
        if self.desk.runner is not None:
            await self.desk.runner.close()

    # Where it is asked

    def places(self, *, default: bool) -> Iterator[tuple[str, Place]]:
        """Return its routes with their paths.

        Args:
            default: Whether it answers where no model is named.

        """
        name = below(self.served.name)
        version = f"{name}/versions/{quote(self.served.version, safe='')}"
        live = self.served.role == "live"
        for route in self.facts.routes:
            if route.reach == "service":
                paths = (
                    *([route.path] if default else ()),
                    *([name + route.path] if live else ()),
                    version + route.path,
                )
            else:
                paths = (route.path,) if live or route.reach == "version" else ()
            for path in paths:
                yield path, self.desk.place(route, self._label(path), self._mark)
        for notice in self.facts.notices:
            if {"service": default, "name": live, "version": True}[notice.reach]:
                yield notice.path, self.health.place(notice, self._label(notice.path))
        if default:
            yield from ((place.path, place) for place in self.health.places())
            yield "/model/info", self._telling("/model/info")
        if live:
            yield from ((place.path, place) for place in self.health.places_below(name))
            yield f"{name}/info", self._telling(f"{name}/info")

    def infer_place(self) -> Place:
        """Return where inference over gRPC goes."""
        assert self.infer is not None
        return self.desk.place(self.infer, self.infer.path, self._mark)

    def _telling(self, path: str) -> Place:
        def tell(exchange: Exchange) -> None:
            self._around.front.answer(exchange, 200, self._info)

        return Place(path=path, methods=_READING, scope=None, offer=Offer(), go=tell)

    def _label(self, path: str) -> str:
        return path.replace(f"/versions/{quote(self.served.version, safe='')}", f"/versions/{VERSION}", 1)

    # What it is made of

    def _count(self, signature: Signature) -> ModelTally:
        served = self.served
        families = of_model(signature, name=served.name, version=served.version, info=self.facts.labels())
        cells = Cells(self._around.run.metrics, served.key, self._around.number, Layout(families))
        cells.clear(MODEL_GAUGES)
        return ModelTally(cells, signature, served.name, served.version)


def below(name: str) -> str:
    """Return the path of a model, below which all its routes are."""
    return f"/models/{quote(name, safe='')}"


def _infer_route(model: Shape) -> Route:
    from sekisho.serving.grpc.server import infer_route

    return infer_route(model)
