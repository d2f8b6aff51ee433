"""Bounds how many requests to APIs are worked on at once: each takes a process of some 50 MB, on one machine.

On AWS the account's concurrency and the throttles of API Gateway do. Here it is done where AWS does it, before the
request's function is invoked, so that it holds for the front door and for requests straight to the embedded AWS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

MOST_WAITING = 64
"""Requests that may wait for their turn. A search takes some 40 ms of one core: the last of them waits 3 s or less."""
MOST_SECONDS = 20.0
"""For which one may wait; API Gateway gives up on an integration after 29 s (its quotas, "Integration timeout")."""

BUSY: Answer = (
    503,
    {"Content-Type": "application/json", "Retry-After": "1"},
    b'{"error": {"code": "busy", "message": "Too many requests at once. Try again in a few seconds."}}',
)
"""In the form of our APIs' own refusals (shared/kit/api), which their pages and clients understand."""


class Turns:
    """Lets so many be worked on at once, and so many wait so long (seconds) for their turn, in order."""

    def __init__(self, at_once: int, most_waiting: int = MOST_WAITING, most_seconds: float = MOST_SECONDS) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting, self._most_waiting, self._most_seconds = 0, most_waiting, most_seconds

    def bound(self, handle: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        """The same handler of requests, which answers BUSY to whom it has no turn for."""

        async def handle_in_turn(*given: Any, **named: Any) -> Answer:
            if not await self._taken():
                status, headers, body = BUSY
                return status, dict(headers), body  # the emulator adds headers of its own
            try:
                return await handle(*given, **named)
            finally:
                self._free.release()

        return handle_in_turn

    async def _taken(self) -> bool:
        """Whether it is one's turn, at once or after a while."""
        if self._free.locked() and self._waiting >= self._most_waiting:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(self._most_seconds):
                return await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1


def bound_requests(at_once: int) -> None:
    """Let the embedded AWS work on so many requests to APIs at once, authorizers included.

    It starts a process for each request that finds none idle, and keeps it for the next one.
    """
    from ministack.services import apigateway, apigateway_v1

    turns = Turns(at_once)
    for gateway in (apigateway_v1, apigateway):
        gateway.handle_execute = turns.bound(gateway.handle_execute)
