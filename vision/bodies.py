"""Requests' bodies as they come in, of which only so many bytes are held at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from vision.errors import ImageTooLargeException, ThrottlingException

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one request: two pictures of 5 MB (CompareFaces) in base64, and room for the rest."""
MAX_HELD = 16 * MAX_BODY
"""Bytes of all requests that are being received or read."""


class Bodies:
    """Counts the bytes of all bodies that are held; the limits are in bytes, of one body and of all together."""

    def __init__(self, one: int = MAX_BODY, together: int = MAX_HELD) -> None:
        self.held = 0
        self.one = one
        self.together = together

    @contextlib.contextmanager
    def receive(self) -> Iterator[Body]:
        """A new, empty body, which counts for as long as the context lasts."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= len(body.content)


class Body:
    """One request's body."""

    def __init__(self, bodies: Bodies) -> None:
        self.content = bytearray()
        self._bodies = bodies

    def add(self, chunk: bytes) -> None:
        """Take what came next. Raises ImageTooLargeException, or ThrottlingException when all hold too much."""
        if len(self.content) + len(chunk) > self._bodies.one:
            raise ImageTooLargeException(f"The request has more than {self._bodies.one:,} bytes.")
        if self._bodies.held + len(chunk) > self._bodies.together:
            raise ThrottlingException("Too many large requests at the same time. Try again.")
        self._bodies.held += len(chunk)
        self.content += chunk
