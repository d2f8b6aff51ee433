"""Starting the server: its address, its folder, its engine; and its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from vision.collections.store import Store
from vision.engine.hardware import Hardware, offered
from vision.engine.interface import Engine
from vision.engine.pool import Pool
from vision.front.connections import SeldomSaid, http_server, is_loopback, raise_file_limit
from vision.front.gate import hosts_answered
from vision.front.server import Settings, application


class CannotStart(Exception):
    """Why the server cannot start, as a sentence for whoever started it."""


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT. Raises CannotStart, CannotOpen."""
    _check_offered(settings.embedder)
    with _listener(settings.host, settings.port) as listener:
        _check_open_to_others(listener, settings)
        names = hosts_answered(settings.hosts or frozenset(), loopback=is_loopback(listener.getsockname()[0]))
        settings = msgspec.structs.replace(settings, hosts=names)
        with _sole_owner(settings.data), contextlib.closing(Store(settings.data)) as store:
            asyncio.run(_serve(settings, listener, store))


async def _serve(settings: Settings, listener: socket.socket, store: Store) -> None:
    engine: Engine = Pool(settings.workers, settings.queue, settings.embedder)
    server = http_server(application(engine, store, settings))

    def stop() -> None:
        engine.stop()
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


def _check_offered(embedder: Hardware | None) -> None:
    if embedder and not offered(embedder):
        raise CannotStart(f"The package for {embedder} is not installed here; install it, or leave out --embedder.")


def _check_open_to_others(listener: socket.socket, settings: Settings) -> None:
    if not (is_loopback(listener.getsockname()[0]) or settings.keys or settings.unsigned):
        raise CannotStart(
            f"On {settings.host} other machines can send requests: give --keys FILE, so that they must be signed, or "
            "--unsigned if something before the server checks them."
        )


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
