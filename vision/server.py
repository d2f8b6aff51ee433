"""The HTTP front: one address for all operations, and one that says how the server is."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vision import protocol
from vision.bodies import Bodies
from vision.engine.pool import Pool
from vision.errors import InternalServerError, ServiceError
from vision.objects import S3
from vision.operations import Rekognition, check_offered
from vision.quotas import Quotas
from vision.signatures import Headers, Signatures
from vision.store import CannotOpen, Store

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
    server = uvicorn.Server(
        uvicorn.Config(
            application(pool, store, settings),
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
    host, port = listener.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    print(f"Serving on http://{where}:{port}; Ctrl-C stops it.", file=sys.stderr)  # noqa: T201 - for who started it
    await server.serve(sockets=[listener])


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
    with state.bodies.receive() as body:
        async for chunk in request.stream():
            body.add(chunk)
        if signatures and claim:
            signatures.check(claim, f"/?{request.url.query}", headers, body.content)
        state.quotas.admit(name)
        given = protocol.read(name, body.content)
    return protocol.answer(await _unless_gone(request, state.rekognition.perform(name, given)))


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
    address = ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
    if not (address.is_loopback or settings.keys or settings.unsigned):
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
