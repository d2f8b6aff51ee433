"""Where the faces stage touches AWS: its table and Rekognition's collections.

The table, PK = race, by who writes it:
- index:    SK = RACE                                 whether faces are on
            SK = INDEXED#{photo_id}                   the faces put into the collection
- identity: SK = IDENTITY#{photo_id}                  the evidence about a photo and what follows from it
            SK = NEW#, EARLY#, HIDDEN#{at}#{photo_id} what is to be matched, and what was: see Rounds
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from services.faces.state import Identity
from shared.contracts import keys
from shared.contracts.events import Box, Face, ImageRef
from shared.contracts.keys import RaceRef
from shared.kit.table import ABSENT, ALWAYS, Condition, Item, Key, Table

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

_RACE, _INDEXED, _IDENTITY = "RACE", "INDEXED#", "IDENTITY#"
_NEW, _EARLY, _HIDDEN = "NEW#", "EARLY#", "HIDDEN#"
MAX_MATCHES = 4096  # as many as Rekognition gives

Photo = tuple[RaceRef, str]
"""A photo by its race and id."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the race has faces switched on; `revision` of the RaceConfigured that said so, `since` its time in ms."""

    faces: bool
    revision: str
    since: int = 0


class Indexed(msgspec.Struct, frozen=True, kw_only=True):
    """What the index function keeps of a photo.

    `enabled` is None until the race is known, then whether faces were on when `faces` was found. `photo_revision`
    and `withdrawn` are the ingest revisions that brought the photo and took it away; `revision` orders changes.
    `leaving` are faces that are to be deleted from the collection: noted before, forgotten after.
    """

    photo_id: str
    photo_revision: int
    processed: ImageRef | None = None
    enabled: bool | None = None
    faces: tuple[Face, ...] = ()
    leaving: tuple[str, ...] = ()
    revision: int = 0
    withdrawn: int | None = None

    @property
    def face_ids(self) -> frozenset[str]:
        """The faces in the collection."""
        return frozenset(face.face_id for face in self.faces)


class FoundMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A face of another photo that the collection says is the same person's; `similarity` in percent."""

    face_id: str
    photo_id: str
    similarity: float


class FaceIndex:
    """The index function's part of the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, race: RaceRef, photo_id: str) -> tuple[Settings | None, Indexed | None]:
        """Read the race's settings and the photo, in one request."""
        wanted = [(race.partition, _RACE), (race.partition, _INDEXED + photo_id)]
        items = {item["SK"]: item for item in self._table.batch_get(wanted)}
        settings, photo = items.get(_RACE), items.get(_INDEXED + photo_id)
        return (
            msgspec.convert(settings, Settings) if settings else None,
            msgspec.convert(photo, Indexed) if photo else None,
        )

    def settings(self, race: RaceRef) -> Settings | None:
        """Whether the race is known, and has faces on."""
        item = self._table.get(race.partition, _RACE)
        return msgspec.convert(item, Settings) if item else None

    def configure(self, race: RaceRef, settings: Settings) -> None:
        """Keep the settings unless newer ones are known."""
        self._table.put_newest(_item(race.partition, _RACE, settings))

    def save(self, race: RaceRef, photo: Indexed, previous: Indexed | None) -> bool:
        """Write the photo if it still is `previous`; False when somebody else was first.

        The revision counts up with whatever is said of the photo; forgetting what was `leaving` is not.
        """
        item = _item(race.partition, _INDEXED + photo.photo_id, photo)
        if previous is None:
            return self._table.put(item, ABSENT)
        return self._table.put(item, Condition("revision = :held", values={":held": previous.revision}))

    def photos(self, race: RaceRef, after: str | None) -> Iterator[Indexed]:
        """The race's photos in id order, beginning after the photo id `after`."""
        start = None if after is None else _INDEXED + after
        for item in self._table.query(race.partition, _INDEXED, after=start):
            yield msgspec.convert(item, Indexed)


class Identities:
    """The identity function's part of the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, photos: Iterable[Photo]) -> dict[Photo, Identity]:
        """The evidence about several photos; unknown ones are left out."""
        wanted = {(race.partition, _IDENTITY + photo_id): (race, photo_id) for race, photo_id in photos}
        items = self._table.batch_get(wanted)
        return {wanted[item["PK"], item["SK"]]: msgspec.convert(item, Identity) for item in items}

    def save(self, photos: Sequence[tuple[RaceRef, Identity]], new: Iterable[Photo], at: int) -> bool:
        """Write photos, all or nothing, if each still is of the version before; False when somebody else was first.

        `new` are those whose faces or links are news to the race; they wait to be matched from `at` (ms) on.
        """
        puts = [
            (_item(race.partition, _IDENTITY + photo.photo_id, photo), _one_before(photo)) for race, photo in photos
        ]
        waiting = [(_waiting_item(race, _NEW, at, photo_id), ALWAYS) for race, photo_id in new]
        return self._table.write_guarded([*puts, *waiting])


class Waiting(NamedTuple):
    """A photo that waits to be matched with the race's others, since `at` (ms)."""

    at: int
    photo_id: str


class Rounds:
    """Which photos of a race are to be matched with the others when it goes quiet.

    PK = race; SK = NEW#{at}#{photo_id} for a photo whose faces or links are news, EARLY#... for one of these that was
    already searched once because the race did not go quiet, HIDDEN#... for one whose faces were searched in a round.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def oldest(self, race: RaceRef, limit: int) -> list[Waiting]:
        """New photos, those that wait longest first."""
        return self._first(race, _NEW, limit)

    def newest(self, race: RaceRef) -> Waiting | None:
        """The new photo that came last."""
        return next(iter(self._first(race, _NEW, 1, descending=True)), None)

    def early(self, race: RaceRef, limit: int) -> list[Waiting]:
        """Photos that were searched once before the race went quiet."""
        return self._first(race, _EARLY, limit)

    def hidden(self, race: RaceRef) -> Iterator[Waiting]:
        """Photos with faces that need others, from all rounds, the oldest first."""
        for item in self._table.query(race.partition, _HIDDEN):
            yield _waiting(item)

    def put_off(self, race: RaceRef, photos: Sequence[Waiting]) -> None:
        """Note that new photos were searched once; they still are to be matched when the race goes quiet."""
        self._table.put_all(_waiting_item(race, _EARLY, each.at, each.photo_id) for each in photos)
        self._table.delete_all(_waiting_key(race, _NEW, each) for each in photos)

    def hide(self, race: RaceRef, photo_ids: Iterable[str], at: int) -> None:
        """Remember photos with faces that need others as searched in the round of `at`."""
        self._table.put_all(_waiting_item(race, _HIDDEN, at, photo_id) for photo_id in photo_ids)

    def close(
        self, race: RaceRef, *, new: Iterable[Waiting], early: Iterable[Waiting], hidden: Iterable[Waiting]
    ) -> None:
        """Forget what a round has dealt with."""
        self._table.delete_all(
            [
                *(_waiting_key(race, _NEW, each) for each in new),
                *(_waiting_key(race, _EARLY, each) for each in early),
                *(_waiting_key(race, _HIDDEN, each) for each in hidden),
            ]
        )

    def _first(self, race: RaceRef, prefix: str, limit: int, *, descending: bool = False) -> list[Waiting]:
        found = self._table.between(race.partition, prefix, prefix + "~", descending=descending, page=limit)
        return [_waiting(item) for item in itertools.islice(found, limit)]


class Collections:
    """Rekognition's face collections: one per race, made on first use."""

    def __init__(self, client: RekognitionClient, env: str) -> None:
        self._client = client
        self._env = env

    def index(self, race: RaceRef, photo_id: str, image: ImageRef) -> tuple[Face, ...]:
        """Put a photo's faces into the race's collection; the same photo again gives the same faces.

        The external id is the photo's, derived from its content: a redelivery adds no face.
        """
        try:
            return self._index(race, photo_id, image)
        except self._client.exceptions.ResourceNotFoundException:
            self._create(race)
            return self._index(race, photo_id, image)

    def _index(self, race: RaceRef, photo_id: str, image: ImageRef) -> tuple[Face, ...]:
        response = self._client.index_faces(
            CollectionId=keys.collection_id(self._env, race),
            Image={"S3Object": {"Bucket": image.bucket, "Name": image.key}},
            ExternalImageId=photo_id,
            QualityFilter="AUTO",
            DetectionAttributes=["DEFAULT"],
        )
        faces = [_face(record["Face"]) for record in response["FaceRecords"]]
        return tuple(sorted(faces, key=lambda face: (face.box.left, face.box.top)))

    def _create(self, race: RaceRef) -> None:
        try:
            self._client.create_collection(CollectionId=keys.collection_id(self._env, race))
        except self._client.exceptions.ResourceAlreadyExistsException:
            return

    def matches(self, race: RaceRef, photo_id: str, face_id: str) -> list[FoundMatch]:
        """The faces of other photos that match this one, at Rekognition's threshold; none for a face that is gone."""
        try:
            response = self._client.search_faces(
                CollectionId=keys.collection_id(self._env, race),
                FaceId=face_id,
                FaceMatchThreshold=80.0,
                MaxFaces=MAX_MATCHES,
            )
        except (
            self._client.exceptions.ResourceNotFoundException,
            self._client.exceptions.InvalidParameterException,  # how it says that it does not have the face
        ):
            return []
        return [
            FoundMatch(
                face_id=match["Face"]["FaceId"],
                photo_id=match["Face"]["ExternalImageId"],
                similarity=round(match["Similarity"], 2),
            )
            for match in response["FaceMatches"]
            if match["Face"]["ExternalImageId"] != photo_id
        ]

    def faces_of(self, race: RaceRef, photo_id: str) -> frozenset[str]:
        """The faces of a photo that are in the collection, known or not.

        Rekognition lists faces by collection only, so this reads all of it: not for every day.
        """
        try:
            pages = self._client.get_paginator("list_faces").paginate(
                CollectionId=keys.collection_id(self._env, race), PaginationConfig={"PageSize": 4096}
            )
            return frozenset(
                face["FaceId"] for page in pages for face in page["Faces"] if face.get("ExternalImageId") == photo_id
            )
        except self._client.exceptions.ResourceNotFoundException:
            return frozenset()

    def forget(self, race: RaceRef, face_ids: Iterable[str]) -> None:
        """Take faces out of the collection; ones that are not in it are no error."""
        wanted = sorted(face_ids)
        if not wanted:
            return
        try:
            self._client.delete_faces(CollectionId=keys.collection_id(self._env, race), FaceIds=wanted)
        except self._client.exceptions.ResourceNotFoundException:
            return


def _face(found: Any) -> Face:
    box = found["BoundingBox"]
    left, top, width, height = (round(box[side], 5) for side in ("Left", "Top", "Width", "Height"))
    return Face(
        face_id=found["FaceId"],
        box=Box(left=left, top=top, width=width, height=height),
        confidence=round(found["Confidence"], 2),
    )


def _item(pk: str, sk: str, struct: msgspec.Struct) -> Item:
    return {"PK": pk, "SK": sk, **msgspec.structs.asdict(struct)}


def _one_before(photo: Identity) -> Condition:
    if photo.version == 1:
        return ABSENT
    return Condition("version = :before", values={":before": photo.version - 1})


def _waiting_item(race: RaceRef, prefix: str, at: int, photo_id: str) -> Item:
    pk, sk = _waiting_key(race, prefix, Waiting(at, photo_id))
    return {"PK": pk, "SK": sk, "at": at, "photo_id": photo_id}


def _waiting_key(race: RaceRef, prefix: str, waiting: Waiting) -> Key:
    return race.partition, f"{prefix}{waiting.at:015}#{waiting.photo_id}"


def _waiting(item: Item) -> Waiting:
    return Waiting(item["at"], item["photo_id"])
