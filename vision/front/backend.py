"""What operations work with: the images that requests name, what an engine sees in them, and the collections."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from vision.collections.store import Store
from vision.engine.interface import Engine
from vision.engine.messages import Face, Faces, FindFaces, Line, QualityBar, ReadText, Text
from vision.errors import InvalidParameterException, ThrottlingException
from vision.front.objects import S3
from vision.front.protocol import Json

MAX_FETCHES = 8
"""Objects fetched from S3 at the same time, of up to 15 MB each; also those whose client has gone meanwhile."""


class Backend:
    """An engine, a `store` of collections, and the objects that requests name."""

    def __init__(self, engine: Engine, store: Store, objects: S3) -> None:
        self.store = store
        self._engine = engine
        self._objects = objects
        self._fetches = ThreadPoolExecutor(MAX_FETCHES, thread_name_prefix="fetch")

    async def lines(self, picture: bytes) -> list[Line]:
        """The text in a picture file."""
        seen = await self._engine.run(ReadText(picture=picture))
        assert isinstance(seen, Text)  # noqa: S101 - what ReadText is answered with
        return seen.lines

    async def faces(self, picture: bytes, quality: QualityBar = "NONE", embed: int = 0) -> list[Face]:
        """The faces in a picture file, the largest first; `embed` of those that pass `quality` with a vector."""
        seen = await self._engine.run(FindFaces(picture=picture, quality=quality, embed=embed))
        assert isinstance(seen, Faces)  # noqa: S101 - what FindFaces is answered with
        return seen.faces

    async def picture(self, image: Json) -> bytes:
        """The picture file that an Image names or holds."""
        content: bytes | None = image.get("Bytes")
        where: Json = image.get("S3Object", {})
        if (content is None) == ("S3Object" not in image):
            raise InvalidParameterException("An Image has either Bytes or an S3Object.")
        if content is not None:
            return content
        if "Bucket" not in where or "Name" not in where:
            raise InvalidParameterException("An S3Object has a Bucket and a Name.")
        return await asyncio.get_running_loop().run_in_executor(
            self._fetches, self._fetch, where["Bucket"], where["Name"], where.get("Version")
        )

    def _fetch(self, bucket: str, name: str, version: str | None) -> bytes:
        """The object's content, unless there is no place for it. Blocks for the network."""
        if self._engine.full:
            raise ThrottlingException(f"{self._engine.waiting} images are waiting already. Try again.")
        return self._objects.get(bucket, name, version)
