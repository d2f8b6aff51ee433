"""A server that speaks Rekognition's protocol and answers what it is told: for benches and for the embedded AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Answer = Callable[[str, Json], Json]
"""Gives the answer to an operation ("DetectText") and its request; what it raises is told by its name, as AWS does."""


@contextmanager
def serving(port: int, answer: Answer) -> Iterator[None]:
    """Serve at 127.0.0.1:`port`, and /health; several requests at once."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._say(200, {"status": "ok"})

        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                self._say(200, answer(operation, request))
            except Exception as error:  # noqa: BLE001 - told to the caller
                self._say(400, {"__type": type(error).__name__, "message": str(error)})

        def _say(self, status: int, body: Json) -> None:
            encoded = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
