"""The HTTP front: one address for all operations, and one that says how the server is."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vision import protocol
from vision.engine.pool import Pool
from vision.errors import ImageTooLargeException, InternalServerError, ServiceError
from vision.objects import S3
from vision.operations import Rekognition
from vision.store import Store

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a request: two pictures of 5 MB (CompareFaces) in base64, and room for the rest."""

log = logging.getLogger("vision")


class CannotStart(Exception):
    """Why the server cannot start, as a sentence for whoever started it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`queue` is how many pictures may wait for a worker before further ones are answered with a throttling error."""

    data: Path
    host: str
    port: int
    workers: int
    queue: int


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT. Raises CannotStart."""
    listener = _listener(settings.host, settings.port)
    with listener, _sole_owner(settings.data):
        asyncio.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    pool = Pool(settings.workers, settings.queue)
    server = uvicorn.Server(
        uvicorn.Config(
            application(pool, settings.data),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )

    def stop() -> None:
        pool.stop()
        server.should_exit = True

    # Ours in place of uvicorn's, which would first wait for the pictures that are being looked at.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=[listener])


def application(pool: Pool, data: Path) -> Starlette:
    """The web application; the workers start with it."""

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        store = Store(data)
        pool.start()
        protocol.service()
        app.state.pool = pool
        app.state.rekognition = Rekognition(pool, store, S3())
        yield
        pool.stop()
        store.close()

    return Starlette(
        routes=[Route("/", _operation, methods=["POST"]), Route("/health", _health, methods=["GET"])], lifespan=life
    )


async def _operation(request: Request) -> Response:
    rekognition: Rekognition = request.app.state.rekognition
    operation = request.headers.get("x-amz-target", "")
    try:
        name = protocol.operation_named(operation)
        given = protocol.read(name, await _body(request))
        return _response(200, protocol.answer(await rekognition.perform(name, given)))
    except ServiceError as error:
        return _refusal(error)
    except asyncio.CancelledError:  # uvicorn has waited long enough: a last answer instead of a cut connection
        return _refusal(InternalServerError("The server is stopping."))
    except ClientDisconnect:
        return Response(status_code=499)
    except Exception:  # whatever it was, the client is told in the way that it understands
        log.exception("%s failed", operation)
        return _refusal(InternalServerError("The server failed on this request. Try again."))


async def _health(request: Request) -> Response:
    """Ready as soon as one worker is; 503 before. `engine_seconds`: how long workers were busy, summed."""
    pool: Pool = request.app.state.pool
    rekognition: Rekognition = request.app.state.rekognition
    ready = pool.ready > 0
    return JSONResponse(
        {
            "status": "ready" if ready else "starting",
            "workers": pool.size,
            "workers_ready": pool.ready,
            "workers_busy": pool.busy,
            "workers_replaced": pool.restarts,
            "queue": pool.waiting,
            "engine_seconds": round(pool.busy_seconds, 3),
            "requests": dict(sorted(rekognition.requests.items())),
        },
        status_code=200 if ready else 503,
    )


async def _body(request: Request) -> bytes:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            raise ImageTooLargeException(f"The request has more than {MAX_BODY:,} bytes.")
    return bytes(chunks)


def _refusal(error: ServiceError) -> Response:
    response = _response(error.status, protocol.refusal(error))
    response.headers["x-amzn-errortype"] = error.code
    return response


def _response(status: int, body: bytes) -> Response:
    headers = {"x-amzn-requestid": protocol.request_id(), "content-type": protocol.CONTENT_TYPE}
    return Response(body, status_code=status, headers=headers)


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything else is started."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise CannotStart(f"{host!r} is no address of this machine; try --host 127.0.0.1.") from error
    listener = socket.socket(family, kind, number)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"Cannot listen on {host}:{port} ({error.strerror}); stop what uses it, or give another --port."
        ) from error
    return listener


@contextlib.contextmanager
def _sole_owner(data: Path) -> Iterator[None]:
    """Hold the data folder for this process alone; the lock ends with the process, however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("w")
    except OSError as error:
        raise CannotStart(f"Cannot write to the data folder {data} ({error.strerror}); give another --data.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(f"Another vision server uses the data folder {data}; give another --data.") from error
        yield
