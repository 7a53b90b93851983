"""A V2 model server over HTTP/1.1 for tests: echoes and fails."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RestUpstream:
    """A real HTTP server on `address`; between `start` and `stop`."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running_rest_upstream() -> Iterator[RestUpstream]:
    upstream = RestUpstream()
    upstream.start()
    try:
        yield upstream
    finally:
        # Its threads would outlive a test that failed, and the run with it.
        upstream.stop()


class _Server(ThreadingHTTPServer):
    # With the library's 5, clients that connect at once wait a second for their turn.
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    """The models are named after what they do; `close` answers as HTTP/1.0 did, to the connection's end."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        model = self.path.split("/")[3]
        if model == "fail":
            self._answer(HTTPStatus.BAD_REQUEST, b'{"error": "as asked"}')
        else:
            self._answer(HTTPStatus.OK, body.replace(b'"inputs"', b'"outputs"', 1), ends=model == "close")

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK, b"live")

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, status: HTTPStatus, body: bytes, *, ends: bool = False) -> None:
        content = gzip.compress(body, mtime=0) if self.headers["accept-encoding"] == "gzip" else body
        # No date or name of the server: two answers to one request are the same bytes.
        self.send_response_only(status)
        if content is not body:
            self.send_header("Content-Encoding", "gzip")
        self.send_header(*("Connection", "close") if ends else ("Content-Length", str(len(content))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
