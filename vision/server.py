"""The HTTP front: one address for all operations, and one that says how the server is."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import ipaddress
import logging
import math
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvicorn
from botocore.model import Shape
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from vision import protocol
from vision.bodies import MAX_BODY, MAX_WITHOUT_PICTURE, Bodies, Body
from vision.engine.pool import Pool
from vision.errors import (
    InternalServerError,
    MissingAuthenticationTokenException,
    RequestTimeoutException,
    ServiceError,
)
from vision.objects import S3
from vision.operations import Rekognition, check_offered
from vision.quotas import Quotas
from vision.signatures import Headers, Signatures
from vision.store import CannotOpen, Store

REQUEST_SECONDS = 10.0
"""For a request's header, from the connection or the last answer on; who sends none only keeps a file open."""
BODY_SECONDS = 30.0
"""For a request's body: 16 MB at 5 Mbit/s. What has come is held in memory, which others may need."""
MAX_FILES = 8192
"""File descriptors that the server asks the system for; many begin with 256. Connections may use half of them."""
MAX_ACCEPTED = 128
"""Connections that wait to be taken, and that are taken at once before any can be refused."""
_NO_FILE_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SAY_AGAIN_SECONDS = 60.0

T = TypeVar("T")
log = logging.getLogger("vision")


class CannotStart(Exception):
    """Why the server cannot start, as a sentence for whoever started it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`queue` is how many pictures may wait for a worker before further ones are answered with a throttling error.

    `rates`: calls a second, by operation. `keys`: secrets by access key id, if requests must be signed; `unsigned`
    says that they need not be, also where other machines can send some.
    """

    data: Path
    host: str
    port: int
    workers: int
    queue: int
    rates: Mapping[str, float] = {}
    keys: Mapping[str, str] | None = None
    unsigned: bool = False


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT. Raises CannotStart."""
    listener = _listener(settings.host, settings.port)
    with listener:
        _check_open_to_others(listener, settings)
        with _sole_owner(settings.data), contextlib.closing(_store(settings.data)) as store:
            asyncio.run(_serve(settings, listener, store))


async def _serve(settings: Settings, listener: socket.socket, store: Store) -> None:
    pool = Pool(settings.workers, settings.queue)
    server = front(application(pool, store, settings))

    def stop() -> None:
        pool.stop()
        server.should_exit = True

    # Ours in place of uvicorn's, which would first wait for the pictures that are being looked at.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(SeldomSaid())
    raise_file_limit()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    host, port = listener.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    print(f"Serving on http://{where}:{port}; Ctrl-C stops it.", file=sys.stderr)  # noqa: T201 - for who started it
    await server.serve(sockets=[listener])


def front(app: Starlette) -> uvicorn.Server:
    """What takes connections and reads HTTP for the application."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            backlog=MAX_ACCEPTED,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


class Connection(H11Protocol):
    """Uvicorn's, but closed when no request's whole header has come in REQUEST_SECONDS, or there are too many.

    Uvicorn itself waits without end for the first one, and for a later one as soon as its first byte is there. Asyncio
    would try all the time to take connections that there are no files for.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request, if there is room for the connection."""
        super().connection_made(transport)
        if len(self.connections) > _most_connections():
            transport.abort()
        else:
            self._await_request()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, before uvicorn reads it if it is there already."""
        self._await_request()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        if self._deadline:
            self._deadline.cancel()

    def _await_request(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._close_if_still, self.cycle)

    def _close_if_still(self, last: object) -> None:
        """Close the connection if the last request is still the same; None for the time before the first."""
        if self.cycle is last:
            self.transport.close()


class SeldomSaid:
    """Handles the event loop's errors as ever, but says only once a minute that no file is left for a connection.

    Asyncio reports this one for each try to take a connection, thousands of times a second.
    """

    def __init__(self) -> None:
        self._said = -math.inf

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what the context says."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _NO_FILE_LEFT):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._said >= _SAY_AGAIN_SECONDS:
            self._said = time.monotonic()
            log.error("Cannot take more connections (%s); if it lasts, allow more with ulimit -n.", error.strerror)


def _most_connections() -> int:
    """Half of the files that the process may have open: a worker or the database may need one, too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (MAX_FILES if files == resource.RLIM_INFINITY else files) // 2


def raise_file_limit() -> None:
    """Let the process open as many files as it may without asking anybody, up to MAX_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def application(pool: Pool, store: Store, settings: Settings) -> Starlette:
    """The web application; the workers start with it."""

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        pool.start()
        protocol.service()
        app.state.pool = pool
        app.state.rekognition = Rekognition(pool, store, S3())
        app.state.quotas = Quotas(settings.rates)
        app.state.signatures = Signatures(settings.keys) if settings.keys else None
        app.state.bodies = Bodies()
        app.state.refuses_pages = not (settings.keys or settings.unsigned)
        yield
        pool.stop()

    return Starlette(
        routes=[Route("/", _operation, methods=["POST"]), Route("/health", _health, methods=["GET"])], lifespan=life
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
    if state.refuses_pages:
        _check_no_page(request)
    with state.bodies.receive(_most_bytes(name), _peer(request)) as body:
        await _receive(request, body)
        if signatures and claim:
            signatures.check(claim, f"/?{request.url.query}", headers, body.content)
        state.quotas.admit(name)
        given = protocol.read(name, body.content)
    return protocol.answer(await _unless_gone(request, state.rekognition.perform(name, given)))


def _check_no_page(request: Request) -> None:
    """Refuse what a web page sends; the header Origin is a browser's, which puts it into every POST.

    Any page could ask a server on the reader's machine once its own name leads to 127.0.0.1 (DNS rebinding).
    """
    if "origin" in request.headers:
        raise MissingAuthenticationTokenException(
            "A server without keys answers no web pages: start it with --keys FILE and sign requests."
        )


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
    return None if _is_loopback(address) else address


def _is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address; one of IPv6 may name an interface behind a percent sign."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


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


def _refusal(error: ServiceError) -> Response:
    response = _response(error.status, protocol.refusal(error))
    response.headers["x-amzn-errortype"] = error.code
    if isinstance(error, RequestTimeoutException):
        response.headers["connection"] = "close"  # the rest of the body is still to come, or never will
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


def _check_open_to_others(listener: socket.socket, settings: Settings) -> None:
    if not (_is_loopback(listener.getsockname()[0]) or settings.keys or settings.unsigned):
        raise CannotStart(
            f"On {settings.host} other machines can send requests: give --keys FILE, so that they must be signed, or "
            "--unsigned if something before the server checks them."
        )


def _store(data: Path) -> Store:
    try:
        return Store(data)
    except CannotOpen as error:
        raise CannotStart(str(error)) from error


@contextlib.contextmanager
def _sole_owner(data: Path) -> Iterator[None]:
    """Hold the data folder for this process alone; the lock ends with the process, however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("w")
    except FileExistsError as error:
        raise CannotStart(f"{data} is a file, not a folder; give another --data.") from error
    except OSError as error:
        raise CannotStart(f"Cannot write to the data folder {data} ({error.strerror}); give another --data.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(f"Another vision server uses the data folder {data}; give another --data.") from error
        yield
