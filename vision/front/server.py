"""The web application: one address for all operations, and one that says how the server is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
from botocore.model import Shape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vision.collections.store import Store
from vision.engine.hardware import Hardware
from vision.engine.interface import Engine
from vision.errors import (
    InternalServerError,
    RequestTimeoutException,
    ServiceError,
)
from vision.front import protocol
from vision.front.backend import Backend
from vision.front.bodies import MAX_BODY, MAX_WITHOUT_PICTURE, Bodies, Body
from vision.front.connections import is_loopback
from vision.front.gate import HEALTH, Gate
from vision.front.objects import S3
from vision.front.operations import Rekognition, check_offered
from vision.front.quotas import Quotas
from vision.front.signatures import Headers, Signatures

BODY_SECONDS = 30.0
"""For a request's body: 16 MB at 5 Mbit/s. What has come is held in memory, which others may need."""
T = TypeVar("T")
log = logging.getLogger("vision")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`queue` is how many pictures may wait for a worker before further ones are answered with a throttling error.

    `rates`: calls a second, by operation. `keys`: secrets by access key id, if requests must be signed; `unsigned`
    says that they need not be, also where other machines can send some. `hosts`: see Gate. `embedder`: what the network
    for faces is to run on; None for the fastest that there is.
    """

    data: Path
    host: str
    port: int
    workers: int
    queue: int
    rates: Mapping[str, float] = {}
    keys: Mapping[str, str] | None = None
    unsigned: bool = False
    hosts: frozenset[str] | None = frozenset()
    embedder: Hardware | None = None


def application(engine: Engine, store: Store, settings: Settings) -> Starlette:
    """The web application; the engine starts with it."""

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        engine.start()
        protocol.service()
        app.state.engine = engine
        app.state.rekognition = Rekognition(Backend(engine, store, S3()))
        app.state.quotas = Quotas(settings.rates)
        app.state.signatures = Signatures(settings.keys) if settings.keys else None
        app.state.bodies = Bodies()
        yield
        engine.stop()

    pages = bool(settings.keys or settings.unsigned)
    return Starlette(
        routes=[Route("/", _operation, methods=["POST"]), Route(HEALTH, _health, methods=["GET"])],
        middleware=[Middleware(Gate, settings.hosts, pages=pages, refusal=_refusal)],
        lifespan=life,
    )


async def _operation(request: Request) -> Response:
    operation = request.headers.get("x-amz-target", "")
    try:
        return _response(200, await _answer(request, operation))
    except ServiceError as error:
        return _refusal(error)
    except asyncio.CancelledError:  # uvicorn has waited long enough: a last answer instead of a cut connection
        return _refusal(InternalServerError("The server is stopping."))
    except ClientDisconnect:
        return Response(status_code=499)
    except Exception:  # whatever it was, the client is told in the way that it understands
        log.exception("%s failed", operation)
        return _refusal(InternalServerError("The server failed on this request. Try again."))


async def _answer(request: Request, operation: str) -> bytes:
    """Who asks comes first, so that nobody else costs a signed client's quota, or memory for a body."""
    state = request.app.state
    signatures: Signatures | None = state.signatures
    headers: Headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    claim = signatures.claim(headers) if signatures else None
    name = protocol.operation_named(operation)
    check_offered(name)
    with state.bodies.receive(_most_bytes(name), _peer(request)) as body:
        await _receive(request, body)
        if signatures and claim:
            signatures.check(claim, f"/?{request.url.query}", headers, body.content)
        state.quotas.admit(name)
        given = protocol.read(name, body.content)
    return protocol.answer(await _unless_gone(request, state.rekognition.perform(name, given)))


@cache
def _most_bytes(operation: str) -> int:
    shape = protocol.service().operation_model(operation).input_shape
    return MAX_BODY if shape and _holds_blob(shape) else MAX_WITHOUT_PICTURE


def _holds_blob(shape: Shape) -> bool:
    members: Mapping[str, Shape] = getattr(shape, "members", {})
    return shape.type_name == "blob" or any(_holds_blob(member) for member in members.values())


def _peer(request: Request) -> str | None:
    """Whom to count the body's bytes for; nobody, if it comes from this machine."""
    address = request.client.host if request.client else "::1"
    return None if is_loopback(address) else address


async def _receive(request: Request, body: Body) -> None:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body.add(chunk)
    except TimeoutError as error:
        raise RequestTimeoutException(f"The request's body did not come within {BODY_SECONDS:g} s.") from error


async def _unless_gone(request: Request, work: Coroutine[None, None, T]) -> T:
    """What `work` comes to; it is given up when the client closes the connection. Raises ClientDisconnect."""
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())  # after the body, the next that comes is that nothing will
    gone.add_done_callback(lambda _: answer.cancel())
    try:
        return await answer
    except asyncio.CancelledError:
        if gone.done() and not gone.cancelled():
            raise ClientDisconnect from None
        answer.cancel()
        raise
    finally:
        gone.cancel()


async def _health(request: Request) -> Response:
    """Ready as soon as one worker is; 503 before. `engine_seconds`: how long workers were busy, summed.

    `engine`: what its networks run on.
    """
    engine: Engine = request.app.state.engine
    rekognition: Rekognition = request.app.state.rekognition
    ready = engine.ready > 0
    return JSONResponse(
        {
            "status": "ready" if ready else "starting",
            "workers": engine.size,
            "workers_ready": engine.ready,
            "workers_busy": engine.busy,
            "workers_replaced": engine.restarts,
            "queue": engine.waiting,
            "engine": {"embedder": engine.embedder},
            "engine_seconds": round(engine.busy_seconds, 3),
            "requests": dict(sorted(rekognition.requests.items())),
        },
        status_code=200 if ready else 503,
    )


def _refusal(error: ServiceError) -> Response:
    response = _response(error.status, protocol.refusal(error))
    response.headers["x-amzn-errortype"] = error.code
    if isinstance(error, RequestTimeoutException):
        response.headers["connection"] = "close"  # the rest of the body is still to come, or never will
    return response


def _response(status: int, body: bytes) -> Response:
    headers = {"x-amzn-requestid": protocol.request_id(), "content-type": protocol.CONTENT_TYPE}
    return Response(body, status_code=status, headers=headers)
