"""Collections and their faces: kept in SQLite, searched in memory, always saying the same.

One thread owns the database and the indexes and does one thing at a time, so there is nothing to lock and a face
that is acknowledged is found by the next search. A change is on the disk before it is acknowledged. A collection is
read into memory when it is first searched, some thousand faces at a time, so that other requests go on meanwhile.
No more than MAX_CALLS wait for the thread; further ones are refused at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from vision.collections.database import Collection, Database, Found, StoredFace
from vision.engine.messages import Face
from vision.errors import InvalidPaginationTokenException, ThrottlingException

MAX_CALLS = 64
"""Calls at work or waiting for the store's thread; with the longest, searches with 4,096 matches, some 1.4 s of it."""

P = ParamSpec("P")
R = TypeVar("R")


class Store:
    """All collections in the folder `data`. Await every method; each runs in the store's own thread.

    A call that is cancelled before the thread has begun it is not done; one that it has begun, and any deletion of a
    collection, is done whole.
    Raises CannotOpen for a folder whose collections this server cannot read, and from each method
    ThrottlingException while MAX_CALLS others are not yet answered.
    """

    def __init__(self, data: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._kept = self._thread.submit(Database, data / "collections.sqlite").result()
        self._calls = 0

    def close(self) -> None:
        """Close the database."""
        self._thread.submit(self._kept.close).result()
        self._thread.shutdown()

    async def create(self, name: str, tags: dict[str, str]) -> None:
        """Make a collection. Raises ResourceAlreadyExistsException."""
        await self._do(self._kept.create, name, tags)

    async def delete(self, name: str) -> None:
        """Delete a collection and its faces. Raises ResourceNotFoundException.

        It is gone for everyone at once; its faces are erased in parts, so that a million hold nobody else up.
        """
        await asyncio.shield(self._delete(name))  # to the last face, also for a client that goes away

    async def _delete(self, name: str) -> None:
        with self._place():
            await self._in_thread(self._kept.retire, name)
            while await self._in_thread(self._kept.erase_some):
                pass

    async def describe(self, name: str) -> Collection:
        """The collection. Raises ResourceNotFoundException."""
        return await self._do(self._kept.describe, name)

    async def names(self, after: str, limit: int) -> list[str]:
        """The names of collections in alphabetical order."""
        return await self._do(self._kept.names, after, limit)

    async def index(self, name: str, picture: bytes, external_id: str, faces: Sequence[Face]) -> list[StoredFace]:
        """Keep the faces of a picture, in order; one that is kept already stays what it is."""
        return await self._do(self._kept.index, name, picture, external_id, faces)

    async def faces(self, name: str, after: int, limit: int, only: Sequence[str] | None) -> list[StoredFace]:
        """The collection's faces in the order they were added; `only` those with these ids, if given."""
        return await self._do(self._kept.faces, name, after, limit, only)

    async def remove(self, name: str, face_ids: Sequence[str]) -> list[str]:
        """Delete faces; the ids that were there."""
        return await self._do(self._kept.remove, name, face_ids)

    async def search(self, name: str, vector: bytes, threshold: float, limit: int) -> list[Found]:
        """Who in the collection is similar to a vector."""
        return await self._loaded(self._kept.search, name, vector, threshold, limit)

    async def search_face(self, name: str, face_id: str, threshold: float, limit: int) -> list[Found]:
        """Who in the collection is similar to one of its faces, without that face itself."""
        return await self._loaded(self._kept.search_face, name, face_id, threshold, limit)

    async def _loaded(self, call: Callable[P, R | None], *args: P.args, **kwargs: P.kwargs) -> R:
        """What the call answers once the collection is in memory; until then it answers None and loads some faces."""
        with self._place():
            while (answer := await self._in_thread(call, *args, **kwargs)) is None:
                pass
            return answer

    async def _do(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        with self._place():
            return await self._in_thread(call, *args, **kwargs)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the MAX_CALLS places, which a call of several parts keeps until its last."""
        if self._calls >= MAX_CALLS:
            raise ThrottlingException(f"{self._calls} calls are at work on collections already. Try again.")
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    async def _in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **kwargs))


def after_name(token: str) -> str:
    """The place in a list of collections that a NextToken stands for. Raises InvalidPaginationTokenException."""
    if not re.fullmatch(r"[a-zA-Z0-9_.\-]*", token):
        raise InvalidPaginationTokenException("The NextToken is none of this server's.")
    return token


def after_key(token: str) -> int:
    """The place in a list of faces that a NextToken stands for. Raises InvalidPaginationTokenException."""
    if not re.fullmatch(r"\d{1,18}", token, re.ASCII):  # 19 can be more than SQLite counts to
        raise InvalidPaginationTokenException("The NextToken is none of this server's.")
    return int(token)
