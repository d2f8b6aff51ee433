"""Rekognition's protocol in front of a FakeRekognition, for functions that run in the embedded AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore import xform_name

from tests.fakes import FakeRekognition


@contextmanager
def answering(port: int, fake: FakeRekognition) -> Iterator[None]:
    """Answer at 127.0.0.1:`port` what `fake` says, one request after the other."""
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            operation = xform_name(self.headers["X-Amz-Target"].partition(".")[2])
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = 200
            with one_at_a_time:
                try:
                    answer = _ask(fake, operation, request)
                except Exception as error:  # noqa: BLE001 - told to the caller by its name, as AWS does
                    status, answer = 400, {"__type": type(error).__name__, "message": str(error)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

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


def _ask(fake: FakeRekognition, operation: str, request: dict[str, Any]) -> Any:
    if operation == "list_faces":  # which the fake answers as boto3 pages it; one page is all there is
        pages = fake.get_paginator(operation).paginate(
            CollectionId=request["CollectionId"], PaginationConfig={"PageSize": request["MaxResults"]}
        )
        return next(iter(pages))
    return getattr(fake, operation)(**request) or {}
