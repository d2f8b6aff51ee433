"""The one front door on one port, which is CloudFront's part on AWS.

    python -m local.door --port 8080 --aws http://127.0.0.1:4566

/, /live/             the pages: GET / of the REST APIs of the stages that PAGES names
/page/…, /live/page/… what the pages load, from the same APIs
/api/{stage}/{path}   that stage's own REST API
/health               answers when the door is open

Before it stands a gate (local/gate): other pages and other hosts are refused.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import uvicorn
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from local import gate
from local.aws import clients
from shared.contracts import naming
from shared.contracts.api import error

HOST = "127.0.0.1"
PAGES = {"/": "search", "/live/": "insight"}
"""By where a page is: the stage whose API serves it at `/`, and what it loads below `/page/`."""
MOST_BYTES = 10 * 1024 * 1024
"""Of a request's body: API Gateway takes no more (its Developer Guide, "Quotas for REST APIs", payload size)."""
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]

Find = Callable[[str], str]
"""The base URL of a stage's REST API; raises LookupError, and what boto3 raises when the embedded AWS is not there."""

# Of one connection, not of the message (RFC 9110, 7.6.1), or written anew by httpx and uvicorn.
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer"}
    | {b"transfer-encoding", b"upgrade"}
    | {b"host", b"content-length", b"content-encoding", b"accept-encoding", b"date", b"server"}
)

# Tells the stage under which path its API is reached: a page it serves must know where to ask.
_PREFIX_HEADER = b"x-forwarded-prefix"

# Tells the stage who asks, behind what the client says itself, as CloudFront does it (source: its Developer Guide,
# "Request and response behavior for custom origins", Client IP addresses).
_CLIENTS_HEADER = b"x-forwarded-for"

_REMEMBERED_SECONDS = 1.0

_NO_ANSWER = (502, "no_answer", "The embedded AWS does not answer; is it still running?")


def application(aws_url: str, find: Find) -> Starlette:
    """The door before the embedded AWS at `aws_url`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            app.state.client = client
            yield

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def page(at: str, stage: str) -> Callable[[Request], Awaitable[Response]]:
        async def forward(request: Request) -> Response:
            return await _forward(request, stage, "/" + _raw_path(request).removeprefix(at), aws_url, find)

        return forward

    async def api(request: Request) -> Response:
        segments = _raw_path(request).split("/", 3)  # "", "api", stage, the rest
        return await _forward(request, request.path_params["stage"], "/" + "".join(segments[3:]), aws_url, find)

    routes = [Route("/health", health)]
    routes += [Route(at + path, page(at, stage)) for at, stage in PAGES.items() for path in ("", "page/{file:path}")]
    routes += [Route(path, api, methods=METHODS) for path in ("/api/{stage}", "/api/{stage}/{path:path}")]
    return Starlette(routes=routes, lifespan=lifespan)


def gated(app: gate.Application, port: int) -> gate.Gate:
    """The application as it is served at this port."""
    return gate.Gate(app, gate.front_door(port), gate.origins(port), MOST_BYTES, refusal=error)


async def _forward(request: Request, stage: str, path: str, aws_url: str, find: Find) -> Response:
    """Send the request to the stage's API as its own host would get it, and hand back the answer."""
    try:
        base = urlsplit(await run_in_threadpool(find, stage))
    except LookupError:
        return _refusal(404, "unknown_stage", f"No stage {stage!r} has an API here.")
    except (BotoCoreError, ClientError):
        return _refusal(*_NO_ANSWER)
    api_id = base.netloc.split(".", 1)[0]
    target = f"{base.path.rstrip('/')}{path}" + (f"?{request.url.query}" if request.url.query else "")
    headers = [
        *(header for header in _end_to_end(request.headers.raw) if header[0] not in (_PREFIX_HEADER, _CLIENTS_HEADER)),
        (_PREFIX_HEADER, f"/api/{stage}".encode()),
        (_CLIENTS_HEADER, ", ".join([*request.headers.getlist("x-forwarded-for"), _client(request)]).encode("latin-1")),
        (b"host", f"{api_id}.execute-api.{urlsplit(aws_url).netloc}".encode()),
        (b"accept-encoding", b"identity"),
    ]
    url = httpx.URL(aws_url).copy_with(raw_path=target.encode("ascii"))
    if not url.path.startswith(base.path.rstrip("/") + "/"):  # httpx has followed dot segments
        return _refusal(400, "bad_path", "The path leads out of the stage's API; leave out its segments '..'.")
    client: httpx.AsyncClient = request.app.state.client
    try:
        answer = await client.request(request.method, url, headers=headers, content=await request.body())
    except httpx.TransportError:
        return _refusal(*_NO_ANSWER)
    response = Response(answer.content, answer.status_code)
    response.raw_headers += _end_to_end(answer.headers.raw)
    return response


def _client(request: Request) -> str:
    return request.client.host if request.client else HOST


def _raw_path(request: Request) -> str:
    """The path as it was sent, percent signs and all."""
    return str(request.scope["raw_path"].decode("ascii"))


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """What goes on to the other side, byte for byte: values need not be ASCII (RFC 9110, 5.5)."""
    return ((name.lower(), value) for name, value in headers if name.lower() not in _HOP_BY_HOP)


def _refusal(status: int, code: str, message: str) -> Response:
    """A refusal of the door's own, in the form of the APIs'."""
    return Response(error(code, message), status, media_type="application/json")


def api_finder(aws_url: str, env: str) -> Find:
    """Look APIs up where their stacks write them down. One that was found is remembered for a moment.

    When the embedded AWS is started again, which takes longer than that, each API has another address.
    """
    ssm = clients.client(aws_url, "ssm", patient=False)  # somebody waits for the page
    found: dict[str, tuple[str, float]] = {}

    def find(stage: str) -> str:
        url, until = found.get(stage, ("", 0.0))
        if time.monotonic() > until:
            url = look_up(stage)
            found[stage] = url, time.monotonic() + _REMEMBERED_SECONDS
        return url

    def look_up(stage: str) -> str:
        try:
            return str(ssm.get_parameter(Name=naming.api_url_parameter(env, stage))["Parameter"]["Value"])
        except ParamValidationError:
            raise LookupError(stage) from None
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:  # it is being started
                raise
            raise LookupError(stage) from None

    return find


def main() -> None:
    """Read the arguments and serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local.door", description="The front door.")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--aws", default=f"http://{HOST}:4566", help="URL of the embedded AWS")
    parser.add_argument("--env", default="dev", help="environment whose stacks stand there")
    arguments = parser.parse_args()
    door = gated(application(arguments.aws, api_finder(arguments.aws, arguments.env)), arguments.port)
    # h11 refuses headers of more than 64 KB, and several Host headers. uvicorn would believe what a client on this
    # machine says of other clients (X-Forwarded-For).
    uvicorn.run(
        door,
        host=HOST,
        port=arguments.port,
        http="h11",
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
