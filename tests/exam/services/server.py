"""Puts :mod:`core` behind a wire: ``python server.py KIND --port N`` with KIND plain, asgi, flask or aiohttp."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from core import LARGEST_BODY, Ask, Refused, Reply, flawed, problem, respond

MOST = 10**9 if flawed("no-size-limit") else LARGEST_BODY
TOO_LARGE = Refused(413, "too_large", f"send at most {LARGEST_BODY} bytes")


class Plain(BaseHTTPRequestHandler):
    """The server of the standard library, one thread a connection."""

    protocol_version = "HTTP/1.0" if flawed("old-http") else "HTTP/1.1"
    wbufsize = -1

    def answer(self) -> None:
        """Read one request, within limits, and answer it."""
        length = self.headers.get("Content-Length") or "0"
        if self.headers.get("Transfer-Encoding"):
            self.write(problem(Refused(411, "no_length", "say how long the body is")), close=True)
        elif not length.isdecimal() or int(length) > MOST:
            self.write(problem(TOO_LARGE), close=True)
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(length))
            self.write(respond(Ask(self.command, self.path, headers, body, self.client_address[0], id(self))))

    def write(self, reply: Reply, *, close: bool = False) -> None:
        """Send an answer."""
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if flawed("zips"):
            import gzip

            reply.body = gzip.compress(reply.body)
            self.send_header("Content-Encoding", "gzip")
        if flawed("in-chunks"):
            self.send_header("Transfer-Encoding", "chunked")
            pieces = [reply.body[:7], reply.body[7:]]
            reply.body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces if each) + b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(reply.body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Leave no line: the service leaves its own."""


for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
    setattr(Plain, f"do_{method}", Plain.answer)


class Quiet(ThreadingHTTPServer):
    """Takes many connections at once, and says nothing of those that break."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


async def asgi(scope, receive, send) -> None:
    """Answer behind any ASGI server."""
    if scope["type"] != "http":
        return
    body, more, size = [], True, 0
    while more:
        piece = await receive()
        body.append(piece.get("body", b""))
        size += len(body[-1])
        more = piece.get("more_body", False) and size <= MOST
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    target = scope["raw_path"].decode("latin-1") + (
        f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
    )
    ask = Ask(scope["method"], target, headers, b"".join(body), scope["client"][0], hash(tuple(scope["client"])))
    import asyncio

    reply = problem(TOO_LARGE) if size > MOST else await asyncio.to_thread(respond, ask)
    named = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in reply.headers.items()]
    named.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": named})
    await send({"type": "http.response.body", "body": reply.body})


def flask():
    """Return the service as a Flask application, as people write them."""
    from flask import Flask, Response, request
    from werkzeug.exceptions import RequestEntityTooLarge

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST

    def shown(reply: Reply) -> Response:
        return Response(reply.body, reply.status, reply.headers)

    @app.before_request
    def answer() -> Response:
        try:
            body = request.get_data()
        except RequestEntityTooLarge:
            return shown(problem(TOO_LARGE))
        headers = {name.lower(): value for name, value in request.headers.items()}
        target = request.environ.get("RAW_URI") or request.full_path.rstrip("?")
        return shown(respond(Ask(request.method, target, headers, body, request.remote_addr or "")))

    return app


def aiohttp():
    """Return the service as an aiohttp application."""
    import asyncio

    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            reply = problem(TOO_LARGE)
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            ask = Ask(request.method, request.raw_path, headers, body, request.remote or "", id(request.transport))
            reply = await asyncio.to_thread(respond, ask)
        return web.Response(body=reply.body, status=reply.status, headers=reply.headers)

    app = web.Application(client_max_size=MOST)
    app.router.add_route("*", "/{path:.*}", answer)
    return app


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--certificate")
    given = parser.parse_args()
    host = os.environ.get("SERVICE_HOST", given.host)
    if flawed("late-start"):
        import time

        time.sleep(3)
    if given.kind == "plain":
        server = Quiet((host, given.port), Plain)
        if given.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(given.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()
    elif given.kind == "asgi":
        import uvicorn

        log = {"log_level": "critical", "access_log": False}
        uvicorn.run("server:asgi", host=host, port=given.port, workers=given.workers, server_header=False, **log)
    elif given.kind == "flask":
        import logging

        logging.getLogger("werkzeug").disabled = True
        import flask.cli

        flask.cli.show_server_banner = lambda *_: None
        globals()["flask"]().run(host, given.port, threaded=True)
    else:
        from aiohttp import web

        web.run_app(aiohttp(), host=host, port=given.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
