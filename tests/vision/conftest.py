from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import pytest

from tests.vision.running import Server


class Objects:
    """A bucket store as plain as can be: GET of path-style addresses; `seen` are the requests' paths and headers."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                store.seen.append((self.path, dict(self.headers)))
                body = store.content.get(self.path.split("?")[0])
                self.send_response(200 if body is not None else 404)
                body = body if body is not None else b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture(scope="session")
def objects() -> Iterator[Objects]:
    store = Objects()
    yield store
    store.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, objects: Objects) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("vision"),
        "--workers",
        "2",
        environment={"AWS_ENDPOINT_URL_S3": objects.url, "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"},
    )
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture(scope="session")
def rekognition(server: Server) -> Any:
    return server.client()


_numbers = count()


@pytest.fixture
def collection(rekognition: Any) -> str:
    """The name of a new, empty collection."""
    name = f"race-{next(_numbers)}"
    rekognition.create_collection(CollectionId=name)
    return name
