"""What the front asks of an engine. An engine for other hardware has these members and is made in `vision.front.start`.

`vision.engine.pool.Pool` is the one that there is: processes on this machine's processors. Messages say what an engine
is asked and answers; the vectors of another face network need another number in `messages.EMBEDDING`.
"""

from __future__ import annotations

from typing import Protocol

from vision.engine.hardware import Hardware
from vision.engine.messages import Job, Reply


class Engine(Protocol):
    """Looks at pictures, several at once, and lets a bounded number of others wait.

    `size` is how many it looks at at once, of which `ready` can begin and `busy` are at work; `restarts` counts those
    that failed and were replaced, and `busy_seconds` sums the time at work. `embedder` says what the network for faces
    runs on, once one is ready.
    """

    size: int
    ready: int
    busy: int
    restarts: int
    busy_seconds: float
    embedder: Hardware | None

    @property
    def waiting(self) -> int:
        """Jobs that wait."""

    @property
    def full(self) -> bool:
        """Whether a further job would be refused."""

    def start(self) -> None:
        """Begin to load the models; does not wait for it. Called in a running event loop."""

    async def run(self, job: Job) -> Reply:
        """Text for ReadText, Faces for FindFaces. Raises ServiceError: ThrottlingException when it is full."""

    def stop(self) -> None:
        """End at once; whoever waits is answered with InternalServerError."""
