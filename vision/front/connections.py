"""Connections: how many there may be, and how long each may take for a request's header."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import math
import resource
import time
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""For a request's header, from the connection or the last answer on; who sends none only keeps a file open."""
MAX_FILES = 8192
"""File descriptors that the server asks the system for; many begin with 256. Connections may use half of them."""
MAX_ACCEPTED = 128
"""Connections that wait to be taken, and that are taken at once before any can be refused."""
_NO_FILE_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SAY_AGAIN_SECONDS = 60.0

log = logging.getLogger("vision")


def http_server(app: Starlette) -> uvicorn.Server:
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


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address; one of IPv6 may name an interface behind a percent sign."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
