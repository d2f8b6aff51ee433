"""Clients that work on collections until their server is killed, and remember what they were told.

What was acknowledged must be true after the next start; what was under way may have happened or not, but whole.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError

from tests.vision.drawing import heads, jpeg
from tests.vision.running import Server

RACE = "race"
PICTURES = [jpeg(heads(*people, unit=30)) for people in ((1,), (4,), (2, 5), (0, 3, 7))]
EVERYTHING = 4096  # of ListFaces and SearchFaces


class Photo(msgspec.Struct):
    """A picture that was sent under an external id.

    `faces` is None while nobody knows whether it was indexed; `gone` are faces whose deletion was acknowledged, and
    `going` those where it was asked for.
    """

    picture: int
    faces: set[str] | None = None
    gone: set[str] = msgspec.field(default_factory=set)
    going: set[str] = msgspec.field(default_factory=set)


class Collection(msgspec.Struct):
    """A collection as its clients know it: there, not there (any more), or None while one of both is under way."""

    there: bool | None = None
    photos: dict[str, Photo] = msgspec.field(default_factory=dict)


class Clients:
    """Four clients at once, each with its own dice; `acknowledged` counts answers, by operation."""

    def __init__(self, seed: int) -> None:
        self.collections: dict[str, Collection] = {}
        self.acknowledged: dict[str, int] = {}
        self.faces_in: list[int] = []  # of each picture
        self._seed = seed
        self._lock = threading.RLock()
        self._count = 0
        self._wrong: list[Exception] = []

    def prepare(self, server: Server) -> None:
        """Make the collection that stays, and learn how many faces each picture has."""
        client = server.client()
        client.create_collection(CollectionId=RACE)
        self.collections[RACE] = Collection(there=True)
        for number in range(2 * len(PICTURES)):
            self._index(client, RACE, f"first-{number}", number % len(PICTURES))
        firsts = (self.collections[RACE].photos[f"first-{number}"] for number in range(len(PICTURES)))
        self.faces_in = [len(photo.faces or ()) for photo in firsts]
        assert all(self.faces_in), self.faces_in

    @contextmanager
    def working_on(self, server: Server) -> Iterator[None]:
        """All four at work; at the end the server must be dead, which is what stops them."""
        self._seed += 1
        jobs: list[Callable[[Any, random.Random], None]] = [self._add, self._add, self._collect, self._erase]
        threads = [
            threading.Thread(target=self._repeat, args=(job, server.client(), random.Random(self._seed * 10 + number)))
            for number, job in enumerate(jobs)
        ]
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert not self._wrong, self._wrong

    def until_indexed(self, photos: int, seconds: float = 30.0) -> None:
        """Wait until so many more photos were acknowledged."""
        wanted = self.acknowledged.get("IndexFaces", 0) + photos
        deadline = time.monotonic() + seconds
        while self.acknowledged.get("IndexFaces", 0) < wanted:
            assert time.monotonic() < deadline and not self._wrong, self._wrong
            time.sleep(0.01)

    def check(self, server: Server) -> None:
        """What is kept is what was acknowledged. Then, what was under way is known too."""
        client = server.client()
        listed = set(client.list_collections()["CollectionIds"])
        for name, collection in list(self.collections.items()):
            if collection.there is not None:
                assert (name in listed) == collection.there, f"{name} {'is' if name in listed else 'is not'} there"
            if name in listed:
                collection.there = True
                self._check_photos(client, name, collection)
            else:
                del self.collections[name]
            listed.discard(name)
        assert not listed, f"nobody made {listed}"

    def check_repeated(self, server: Server) -> None:
        """The same picture under the same external id answers the faces that it has."""
        client = server.client()
        for name, photo in list(self.collections[RACE].photos.items())[-2:]:
            if not photo.gone:
                self._index(client, RACE, name, photo.picture)

    def _check_photos(self, client: Any, name: str, collection: Collection) -> None:
        faces = client.list_faces(CollectionId=name, MaxResults=EVERYTHING)["Faces"]
        ids = {face["FaceId"] for face in faces}
        assert client.describe_collection(CollectionId=name)["FaceCount"] == len(faces) == len(ids)
        if faces:
            one = faces[len(faces) // 2]["FaceId"]
            limits = {"FaceMatchThreshold": 0, "MaxFaces": EVERYTHING}
            found = client.search_faces(CollectionId=name, FaceId=one, **limits)["FaceMatches"]
            assert {match["Face"]["FaceId"] for match in found} == ids - {one}
        by_photo: dict[str, set[str]] = {}
        for face in faces:
            by_photo.setdefault(face["ExternalImageId"], set()).add(face["FaceId"])
        for external_id, photo in list(collection.photos.items()):
            kept = by_photo.pop(external_id, set())
            if photo.faces is None:
                assert len(kept) in (0, self.faces_in[photo.picture]), f"{external_id} is half written"
                photo.faces = kept
            else:
                assert not kept & photo.gone, f"deleted faces of {external_id} are there"
                assert photo.faces - photo.gone - photo.going <= kept <= photo.faces, f"faces of {external_id} are lost"
                photo.gone, photo.going = photo.faces - kept, set()
            if not photo.faces:
                del collection.photos[external_id]
        assert not by_photo, f"nobody indexed {set(by_photo)}"

    def _repeat(self, job: Callable[[Any, random.Random], None], client: Any, dice: random.Random) -> None:
        try:
            while True:
                job(client, dice)
        except BotoCoreError:  # the server is gone
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the test's own thread must hear of it
            self._wrong.append(error)

    def _add(self, client: Any, dice: random.Random) -> None:
        """A new photo, or one that is there already."""
        photos = self.collections[RACE].photos
        with self._lock:
            whole = [name for name, photo in photos.items() if photo.faces and not photo.gone and not photo.going]
            name = dice.choice(whole) if dice.random() < 0.2 else self._new("photo")
            picture = photos[name].picture if name in photos else dice.randrange(len(PICTURES))
            if name in photos:  # so that nobody erases it meanwhile
                photos[name].going = {"asked for again"}
        self._index(client, RACE, name, picture)
        photos[name].going = set()

    def _collect(self, client: Any, dice: random.Random) -> None:
        """A collection of its own, with photos, that is then deleted, or not."""
        name = self._new("own")
        collection = self.collections[name] = Collection()
        client.create_collection(CollectionId=name)
        self._told("CreateCollection")
        collection.there = True
        for _ in range(dice.randrange(3)):
            self._index(client, name, self._new("photo"), dice.randrange(len(PICTURES)))
        if dice.random() < 0.8:
            collection.there = None
            client.delete_collection(CollectionId=name)
            self._told("DeleteCollection")
            collection.there = False

    def _erase(self, client: Any, dice: random.Random) -> None:
        """Some faces of a photo; or a collection that comes and goes."""
        photos = self.collections[RACE].photos
        with self._lock:
            whole = [name for name, photo in photos.items() if photo.faces and not photo.gone and not photo.going]
            chosen = photos[dice.choice(whole)] if len(whole) > 4 and dice.random() < 0.5 else None
            if chosen:
                faces = sorted(chosen.faces or ())
                chosen.going = set(dice.sample(faces, dice.randint(1, len(faces))))
        if chosen is None:
            self._come_and_go(client)
            return
        answer = client.delete_faces(CollectionId=RACE, FaceIds=sorted(chosen.going))
        assert set(answer["DeletedFaces"]) == chosen.going
        self._told("DeleteFaces")
        chosen.gone, chosen.going = chosen.going, set()

    def _come_and_go(self, client: Any) -> None:
        name = self._new("brief")
        collection = self.collections[name] = Collection()
        client.create_collection(CollectionId=name)
        self._told("CreateCollection")
        collection.there = None
        client.delete_collection(CollectionId=name)
        self._told("DeleteCollection")
        collection.there = False

    def _index(self, client: Any, collection: str, external_id: str, picture: int) -> None:
        with self._lock:
            photo = self.collections[collection].photos.setdefault(external_id, Photo(picture))
        image = {"Bytes": PICTURES[picture]}
        answer = client.index_faces(
            CollectionId=collection, Image=image, ExternalImageId=external_id, QualityFilter="NONE"
        )
        faces = {record["Face"]["FaceId"] for record in answer["FaceRecords"]}
        assert photo.faces in (None, faces), f"{external_id} has other faces than before"
        self._told("IndexFaces")
        photo.faces = faces

    def _new(self, kind: str) -> str:
        with self._lock:
            self._count += 1
            return f"{kind}-{self._count}"

    def _told(self, operation: str) -> None:
        with self._lock:
            self.acknowledged[operation] = self.acknowledged.get(operation, 0) + 1
