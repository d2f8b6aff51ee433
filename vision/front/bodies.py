"""Requests' bodies as they come in, of which only so many bytes are held at the same time."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from vision.errors import ImageTooLargeException, ThrottlingException

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one request: two pictures of 5 MB (CompareFaces) in base64, and room for the rest."""
MAX_WITHOUT_PICTURE = 256 * 1024
"""Bytes of a request that can hold no picture; the longest, DeleteFaces of 4,096 faces, has about 160 KB."""
MAX_HELD = 16 * MAX_BODY
"""Bytes of all requests that are being received or read."""


class Bodies:
    """Counts the bytes of all bodies that are held; the limits are in bytes, of one body and of all together.

    One peer may hold half of what all may, so that it cannot shut out the others by sending much, slowly.
    """

    def __init__(self, one: int = MAX_BODY, together: int = MAX_HELD) -> None:
        self.held = 0
        self.one = one
        self.together = together
        self._held_by: Counter[str] = Counter()

    @contextlib.contextmanager
    def receive(self, most: int | None = None, peer: str | None = None) -> Iterator[Body]:
        """A new, empty body of at most so many bytes, which counts for as long as the context lasts.

        `peer` is the address it comes from; None is one that may hold everything.
        """
        body = Body(self, self.one if most is None else most, peer)
        try:
            yield body
        finally:
            self.hold(-len(body.content), peer)

    def room(self, peer: str | None) -> int:
        """How many more bytes may come from the peer now."""
        left = self.together - self.held
        return left if peer is None else min(left, self.together // 2 - self._held_by[peer])

    def hold(self, more: int, peer: str | None) -> None:
        """Count so many bytes more of the peer's; fewer, if negative."""
        self.held += more
        if peer is not None:
            self._held_by[peer] += more
            if not self._held_by[peer]:
                del self._held_by[peer]


class Body:
    """One request's body."""

    def __init__(self, bodies: Bodies, most: int, peer: str | None) -> None:
        self.content = bytearray()
        self._bodies = bodies
        self._most = most
        self._peer = peer

    def add(self, chunk: bytes) -> None:
        """Take what came next. Raises ImageTooLargeException, or ThrottlingException when all hold too much."""
        if len(self.content) + len(chunk) > self._most:
            raise ImageTooLargeException(f"The request has more than {self._most:,} bytes.")
        if len(chunk) > self._bodies.room(self._peer):
            raise ThrottlingException("Too many large requests at the same time. Try again.")
        self._bodies.hold(len(chunk), self._peer)
        self.content += chunk
