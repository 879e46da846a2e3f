"""The gRPC server of one worker.

Calls become exchanges, so everything behind them is what stands behind HTTP: keys, limits, the desk, metrics, the log. All workers listen on
one port (``SO_REUSEPORT``), and the system gives each connection to one of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from sekisho.errors import MissingExtra, ServiceError
from sekisho.serving import problems
from sekisho.serving.grpc.inferring import Infer, model_of, no_model
from sekisho.serving.grpc.messages import SERVICE, messages
from sekisho.serving.guards.certificates import validity_of
from sekisho.serving.http.exchange import Exchange
from sekisho.serving.http.head import Head
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.serving.front import Front, Place
    from sekisho.serving.http.exchange import Admission
    from sekisho.serving.http.head import Field
    from sekisho.serving.http.responses import Responses
    from sekisho.serving.routing import Model
    from sekisho.serving.settings import ServingSettings

_MESSAGE_HEAD: Final = 64 * 1024
"""Bytes that a message may have beyond the largest body: names, shapes."""
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    406: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED",
    415: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The gRPC status for each HTTP status."""
_TOLD: Final = {
    "ServerLive": "/v2/health/live",
    "ServerReady": "/v2/health/ready",
    "ServerMetadata": "/v2",
    "ModelReady": "/ready",
    "ModelMetadata": "",
}
"""What is told, and where the same is told over HTTP: of a model, below its path."""


class _Line:
    """What stands for a connection: gRPC keeps its own."""

    until = inf
    ends = False

    def answer(self, exchange: Exchange, data: bytes) -> None:
        """Never asked: a call completes itself."""

    def can_stream(self, exchange: Exchange) -> bool:  # noqa: ARG002
        """Say no: a call has one answer."""
        return False

    def write(self, data: bytes) -> None:
        """Never asked."""

    async def writable(self) -> None:
        """Never asked."""

    def end(self) -> None:
        """Never asked."""

    def abort(self) -> None:
        """Never asked."""

    def expire(self) -> None:
        """Never asked."""


class Call(Exchange):
    """One call and its answer.

    Attributes:
        done: The status as HTTP has it, the body, and fields that go along.

    """

    __slots__ = ("done",)

    def __init__(self, admission: Admission, request_id: str, done: asyncio.Future[tuple[int, bytes, Any]]) -> None:
        super().__init__(_Line(), admission, request_id, monotonic())
        self.done = done

    def complete(
        self,
        responses: Responses,  # noqa: ARG002 - nothing is rendered for HTTP
        status: int,
        body: bytes,
        media_type: bytes,  # noqa: ARG002
        fields: tuple[Field, ...],
    ) -> None:
        """Hand the answer to whoever waits for the call."""
        self.gone = True
        if not self.done.done():
            self.done.set_result((status, body, fields))


class GrpcServer:
    """The gRPC server of one worker.

    Args:
        settings: How the service runs.
        front: Judges heads, sends answers.

    """

    def __init__(self, settings: ServingSettings, front: Front) -> None:
        self._settings = settings
        self._front = front
        self._infers: Mapping[tuple[str, str], Place] = {}
        self._places: Mapping[str, Place] = {}
        self._usual: Place
        self._server: Any = None

    def open(self, infers: Mapping[tuple[str, str], Place], places: Mapping[str, Place]) -> None:
        """Answer for these models from now on, and for no others.

        Args:
            infers: Where inference goes, by name and version; with an empty version, by name alone. The first is the usual one.
            places: The routes over HTTP, by path: the same is told here.

        """
        self._infers = infers
        self._places = places
        self._usual = next(iter(infers.values()))

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            MissingExtra: grpcio is not installed.
            ServiceError: The port cannot be had.

        """
        try:
            import grpc
            from grpc import aio
        except ImportError:
            raise MissingExtra("grpcio", "grpc") from None
        most = self._settings.limits.body_bytes + _MESSAGE_HEAD
        options = (
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", most),
            ("grpc.max_metadata_size", self._settings.limits.head_bytes),
            ("grpc.max_concurrent_streams", self._settings.limits.pipeline),
            ("grpc.max_connection_idle_ms", int(self._settings.limits.idle_seconds * 1e3)),
        )
        self._server = aio.server(options=options, maximum_concurrent_rpcs=self._settings.queue)
        methods = {"ModelInfer": self._take_infer, **{name: self._teller(name) for name in _TOLD}}
        handlers = {name: grpc.unary_unary_rpc_method_handler(take) for name, take in methods.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        host = self._settings.host.strip("[]")
        where = f"{f'[{host}]' if ':' in host else host}:{self._settings.grpc_port}"
        try:
            if self._settings.certificate is None:
                self._server.add_insecure_port(where)
            else:
                self._server.add_secure_port(where, _credentials(self._settings))
        except RuntimeError:
            raise ServiceError(
                Text(en="the port for gRPC cannot be had", ja="gRPC 用のポートを使えません"),
                Text(en="choose another serving.grpc_port", ja="別の serving.grpc_port を選んでください"),
                where=where,
            ) from None
        await self._server.start()

    async def stop(self, seconds: float) -> None:
        """Take no more calls, and wait for those under way."""
        if self._server is not None:
            await self._server.stop(seconds)

    async def _take_infer(self, body: bytes, context: Any) -> bytes:
        # A model that is not served is refused by another one, after the guards.
        place = self._infers.get(model_of(body), self._usual)
        status, answer, fields = await self._ask(place, "POST", body, context)
        if status == 200:
            return answer
        await _abort(context, status, answer, fields)
        raise AssertionError("aborted")

    def _teller(self, name: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        from google.protobuf.message import DecodeError

        kinds = messages()

        async def tell(body: bytes, context: Any) -> bytes:
            try:
                request = kinds[f"{name}Request"].FromString(body)
            except DecodeError:
                request = None
            place = None if request is None else self._places.get(_path(name, request))
            # Who may not ask at all is told so first.
            status, answer, fields = await self._ask(place or self._places["/v2"], "GET", b"", context)
            told = msgspec.json.decode(answer)
            if "code" in told:
                await _abort(context, status, answer, fields)
            if request is None:
                await _abort(context, 400, msgspec.json.encode({"error": "the message cannot be read"}), ())
            if place is None:
                problem = problems.of_input(no_model(tuple(one for one, _ in self._infers)))
                refused = problems.encode_open_inference(problem, language="en", request_id="")
                await _abort(context, problem.status, refused, ())
            response = kinds[f"{name}Response"]
            data: bytes = _filled(response, told).SerializeToString()
            return data

        return tell

    async def _ask(self, place: Place, method: str, body: bytes, context: Any) -> tuple[int, bytes, Any]:
        head = _head(place, method, body, context.invocation_metadata())
        admission = self._front.admit(head, _peer(context.peer()), place=place)
        left = context.time_remaining()
        if left is not None:
            admission = dataclasses.replace(admission, form=dataclasses.replace(admission.form, seconds=left))
        done: asyncio.Future[tuple[int, bytes, Any]] = asyncio.get_running_loop().create_future()
        call = Call(admission, self._front.identify(head), done)
        try:
            if admission.refusal is not None:
                self._front.refuse(call, admission.refusal)
            elif len(body) > self._settings.limits.body_bytes:
                self._front.refuse(call, problems.Problem(kind=problems.BODY_TOO_LARGE))
            else:
                call.body = body
                place.go(call)
            return await done
        finally:
            call.gone = True  # whoever hung up is waited for by nobody


def infer_route(model: Model) -> Infer:
    """Return the route of ``ModelInfer``."""
    return Infer(model)


def _path(name: str, request: Any) -> str:
    """Return where the same is asked over HTTP."""
    if not name.startswith("Model"):
        return _TOLD[name]
    version = f"/versions/{quote(request.version, safe='')}" if request.version else ""
    return f"/v2/models/{quote(request.name, safe='')}{version}{_TOLD[name]}"


def _filled(kind: Any, told: Mapping[str, Any]) -> Any:
    """Return a message with those values of a JSON object that it has fields for."""
    message = kind()
    for name, value in told.items():
        field = kind.DESCRIPTOR.fields_by_name.get(name)
        if field is None:
            continue
        if field.message_type is not None:
            for one in value:
                getattr(message, name).add(name=one["name"], datatype=one["datatype"], shape=one["shape"])
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message


def _head(place: Place, method: str, body: bytes, metadata: Any) -> Head:
    fields = tuple(
        (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in metadata or ()
    )
    return Head(
        method=method,
        path=place.path.encode(),
        query=b"",
        version="2",
        fields=fields,
        by_name=dict(fields),
        length=len(body),
        keep_alive=True,
    )


def _peer(given: str) -> str:
    """Return the address in what gRPC calls a peer, such as ``ipv4:127.0.0.1:50000``."""
    kind, _, rest = given.partition(":")
    host = rest.rpartition(":")[0] if kind in {"ipv4", "ipv6"} else rest
    return host.replace("%5B", "").replace("%5D", "").strip("[]")


async def _abort(context: Any, status: int, body: bytes, fields: tuple[Field, ...]) -> None:
    import grpc

    told = msgspec.json.decode(body)
    along = [(name, str(told[name])) for name in ("code", "request_id", "row", "field") if name in told]
    along += [(name.decode(), value.decode()) for name, value in fields if name == b"retry-after"]
    trailers = tuple(
        (name.replace("_", "-"), value) for name, value in along if value.isascii() and value.isprintable()
    )
    code = getattr(grpc.StatusCode, _STATUSES.get(status, "UNKNOWN"))
    await context.abort(code, str(told.get("error") or told.get("title")), trailers)


def _credentials(settings: ServingSettings) -> Any:
    """Return the same certificate, and the same demand for the callers', as over HTTP; gRPC speaks TLS 1.2 or newer.

    It asks for them whenever somebody connects, so that a renewed certificate is taken up.
    """
    import grpc

    assert settings.certificate is not None
    paths = (settings.certificate, settings.private_key or settings.certificate, settings.client_authority)
    taken: list[object] = []

    def files() -> Any:
        chain, key, authority = (None if path is None else path.read_bytes() for path in paths)
        return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=authority)

    def look() -> Any:
        try:
            validity_of(paths[0].read_bytes())
            state = [path and path.stat().st_mtime_ns for path in paths]
            if state == taken:
                return None
            taken[:] = state
            return files()
        except (OSError, ValueError):
            return None  # the old ones stay

    return grpc.dynamic_ssl_server_credentials(
        files(), look, require_client_authentication=settings.client_authority is not None
    )
