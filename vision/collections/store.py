"""Collections, their faces and their users: kept in SQLite, searched in memory, always saying the same.

One thread owns the database and the indexes and does one thing at a time, so there is nothing to lock and a face
that is acknowledged is found by the next search. A change is on the disk before it is acknowledged. A collection is
read into memory when it is first searched, some thousand faces at a time, so that other requests go on meanwhile.
No more than MAX_CALLS wait for the thread; further ones are refused at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from vision.collections.database import Collection, Database, Found, Removal, StoredFace
from vision.collections.pages import Page
from vision.collections.users import Change, FoundUser, User, Users
from vision.engine.messages import Face
from vision.errors import ThrottlingException

MAX_CALLS = 64
"""Calls at work or waiting for the store's thread; with the longest, searches with 4,096 matches, some 1.4 s of it."""

P = ParamSpec("P")
R = TypeVar("R")


class Store:
    """All collections in the folder `data`. Await every method; each runs in the store's own thread.

    What a method does and raises is said where it is done, in `Database` and `Users`.

    A call that is cancelled before the thread has begun it is not done; one that it has begun, and any deletion of a
    collection, is done whole.
    Raises CannotOpen for a folder whose collections this server cannot read, and from each method
    ThrottlingException while MAX_CALLS others are not yet answered.
    """

    def __init__(self, data: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._kept = self._thread.submit(Database, data / "collections.sqlite").result()
        self._users = Users(self._kept)
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

    async def names(self, token: str | None, limit: int) -> Page[str]:
        """The names of collections. Raises InvalidPaginationTokenException."""
        return await self._do(self._kept.names, token, limit)

    async def tags(self, name: str) -> dict[str, str]:
        """The tags of a collection."""
        return await self._do(self._kept.tags, name)

    async def tag(self, name: str, added: dict[str, str], removed: Sequence[str]) -> None:
        """Change the tags of a collection."""
        await self._do(self._kept.tag, name, added, removed)

    async def index(self, name: str, picture: bytes, external_id: str, faces: Sequence[Face]) -> list[StoredFace]:
        """Keep the faces of a picture, in order; one that is kept already stays what it is."""
        return await self._do(self._kept.index, name, picture, external_id, faces)

    async def faces(
        self, name: str, token: str | None, limit: int, only: Sequence[str] | None = None, user_id: str | None = None
    ) -> Page[StoredFace]:
        """The collection's faces in the order they were added; `only` those with these ids, and of that user."""
        return await self._do(self._kept.faces, name, token, limit, only, user_id)

    async def remove(self, name: str, face_ids: Sequence[str]) -> Removal:
        """Delete faces that are no user's."""
        return await self._do(self._kept.remove, name, face_ids)

    async def create_user(self, name: str, user_id: str, token: str | None) -> None:
        """Make a user without faces."""
        await self._do(self._users.create, name, user_id, token)

    async def delete_user(self, name: str, user_id: str, token: str | None) -> None:
        """Delete a user; her faces stay."""
        await self._do(self._users.delete, name, user_id, token)

    async def users(self, name: str, token: str | None, limit: int) -> Page[User]:
        """The collection's users in the order they were created."""
        return await self._do(self._users.users, name, token, limit)

    async def associate(
        self, name: str, user_id: str, face_ids: Sequence[str], threshold: float, token: str | None
    ) -> Change:
        """Give a user faces that are similar to her."""
        return await self._do(self._users.associate, name, user_id, face_ids, threshold, token)

    async def disassociate(self, name: str, user_id: str, face_ids: Sequence[str], token: str | None) -> Change:
        """Take faces from a user."""
        return await self._do(self._users.disassociate, name, user_id, face_ids, token)

    async def search_users(self, name: str, vector: bytes, threshold: float, limit: int) -> list[FoundUser]:
        """Which users are similar to a vector."""
        return await self._loaded(self._users.search, name, vector, threshold, limit)

    async def search_users_by_face(self, name: str, face_id: str, threshold: float, limit: int) -> list[FoundUser]:
        """Which users are similar to a face."""
        return await self._loaded(self._users.search_face, name, face_id, threshold, limit)

    async def search_users_by_user(self, name: str, user_id: str, threshold: float, limit: int) -> list[FoundUser]:
        """Which other users are similar to a user."""
        return await self._loaded(self._users.search_user, name, user_id, threshold, limit)

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
