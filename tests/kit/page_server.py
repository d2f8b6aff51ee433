"""APIs and their pages at a local address, as API Gateway and the front door would serve them.

Of the search stage `/live/…` is the API as API Gateway has it; `/`, `/page/…` and `/api/search/…` are the front door
before it, which says so in X-Forwarded-Prefix. Pictures are served from the same port, in place of S3.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
from PIL import Image

from services.insight.questions import CollectApi
from services.search.edges import Links
from services.search.stage import STAGE
from shared.contracts.api import Route
from tests.kit.insight_collector import Collector
from tests.kit.search_stage import BUCKET, SearchStage, answering

ROUTES = tuple(route for function in STAGE.serving for route in function.routes)
PREFIX = "/api/search"
INSIGHT = "/api/insight"


@dataclass(frozen=True)
class Mount:
    """An API below the path `at`; `prefix` is what the front door says of it, empty without a door."""

    at: str
    routes: tuple[Route, ...]
    respond: Callable[[dict[str, Any]], dict[str, Any]]
    prefix: str = ""


def _picture(key: str) -> bytes:
    """Some picture of the right shape, each photo in a colour of its own."""
    size = (1200, 800) if "/preview/" in key else (480, 320)
    shade = int(re.sub(r"\D", "", key)[-2:] or "0")
    out = io.BytesIO()
    Image.new("RGB", size, ((40 * shade) % 256, 120, 200 - (25 * shade) % 200)).save(out, "JPEG")
    return out.getvalue()


def _event(
    routes: tuple[Route, ...], method: str, path: str, query: str, headers: dict[str, str], body: str | None
) -> dict[str, Any] | None:
    """The event API Gateway makes of a request, or None when none of the routes fits."""
    for route in routes:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
        match = re.fullmatch(pattern, path)
        if match and method in route.methods:
            return {
                "httpMethod": method,
                "resource": route.path,
                "pathParameters": match.groupdict() or None,
                "queryStringParameters": dict(parse_qsl(query)) or None,
                "headers": headers,
                "body": body,
                "isBase64Encoded": False,
                "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
            }
    return None


@contextmanager
def listening(mounts: Sequence[Mount], pictures: Callable[[str], bytes] = _picture) -> Iterator[str]:
    """The address at which the APIs stand, without a slash at the end; of those that fit, the first answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path.startswith(f"/{BUCKET}/"):
                return self._send(200, {"Content-Type": "image/jpeg"}, pictures(url.path))
            mount = next(each for each in mounts if url.path.startswith(f"{each.at}/"))
            headers = dict(self.headers.items())
            if mount.prefix:
                headers["X-Forwarded-Prefix"] = mount.prefix
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode() if length else None
            event = _event(mount.routes, self.command, url.path.removeprefix(mount.at), url.query, headers, body)
            if event is None:
                return self._send(403, {}, b'{"message": "Missing Authentication Token"}')
            response = mount.respond(event)
            return self._send(response["statusCode"], response["headers"], response["body"].encode())

        do_HEAD = do_POST = do_GET  # noqa: N815 - the base class's names

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(
    stage: SearchStage, pictures: Callable[[str], bytes] = _picture, collector: Collector | None = None
) -> Iterator[str]:
    """The address at which the search stage's API and page stand, without a slash at the end."""
    mounts = (
        Mount("/live", ROUTES, stage.handle),
        Mount(INSIGHT, CollectApi.routes(), (collector or Collector()).handle, prefix=INSIGHT),
        Mount(PREFIX, ROUTES, stage.handle, prefix=PREFIX),
        Mount("", ROUTES, stage.handle, prefix=PREFIX),
    )
    with listening(mounts, pictures) as address:
        stage.api = answering(stage.gallery, stage.faces, Links(boto3.client("s3", endpoint_url=address), BUCKET))
        yield address
