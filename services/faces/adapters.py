"""Where the faces stage touches AWS: its table and Rekognition's collections.

The table, by who writes it:
- index:    PK = race, SK = RACE                      whether faces are on
            PK = race, SK = INDEXED#{photo_id}        the faces put into the collection
            PK = MATCHES#{photo_id}, SK = {face_id}#{other}   which faces match, kept at both photos
- identity: PK = race, SK = IDENTITY#{photo_id}       the evidence about a photo and what follows from it;
            deletes the matches of faces that left
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from services.faces.domain import Bibs, Link, Match
from shared import keys
from shared.events import Box, Face, ImageRef, MatchedRunner
from shared.keys import RaceRef
from shared.table import ABSENT, Condition, Item, Table

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

_RACE, _INDEXED, _IDENTITY = "RACE", "INDEXED#", "IDENTITY#"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the race has faces switched on; `revision` of the RaceConfigured that said so."""

    faces: bool
    revision: str


class Indexed(msgspec.Struct, frozen=True, kw_only=True):
    """What the index function keeps of a photo.

    `enabled` is None until the race is known, then whether faces were on when `faces` was found. `photo_revision`
    and `withdrawn` are the ingest revisions that brought the photo and took it away; `revision` counts changes.
    """

    photo_id: str
    photo_revision: int
    processed: ImageRef | None = None
    enabled: bool | None = None
    faces: tuple[Face, ...] = ()
    revision: int = 0
    withdrawn: int | None = None


class FoundMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A face of another photo that the collection says is the same person's; `similarity` in percent."""

    face_id: str
    photo_id: str
    similarity: float


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence about a photo and what follows from it.

    `evidence` counts changes of anything the outcome depends on, in this photo or in a neighbour: an outcome is only
    written while the evidence is the one it was computed from. `links_version` counts changes of `links`, `spread`
    is the version that neighbours have heard of. `leaving` are faces the photo no longer has whose matches are still
    to be deleted. `revision` counts changes of the outcome, `said` the last that was published. `photo_revision` is
    the newest ingest revision that evidence came from, `withdrawn` the one that took the photo away.
    """

    photo_id: str
    photo_revision: int = 0
    evidence: int = 0
    faces: tuple[Face, ...] = ()
    faces_revision: int = 0
    bibs: Bibs = Bibs()
    bibs_revision: int = 0
    links: dict[str, Link] = {}
    links_version: int = 0
    spread: int = 0
    leaving: tuple[str, ...] = ()
    runners: tuple[MatchedRunner, ...] = ()
    complete: bool = False
    revision: int = 0
    said: int = 0
    withdrawn: int | None = None


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
        """Write the photo if it still is `previous`; False when somebody else was first. Every write counts up."""
        item = _item(race.partition, _INDEXED + photo.photo_id, photo)
        if previous is None:
            return self._table.put(item, ABSENT)
        return self._table.put(item, Condition("revision = :held", values={":held": previous.revision}))

    def photos(self, race: RaceRef, after: str | None) -> Iterator[Indexed]:
        """The race's photos in id order, beginning after the photo id `after`."""
        start = None if after is None else _INDEXED + after
        for item in self._table.query(race.partition, _INDEXED, after=start):
            yield msgspec.convert(item, Indexed)

    def keep_matches(self, photo_id: str, face_id: str, matches: Iterable[FoundMatch]) -> None:
        """Keep what a face of the photo matches, at both photos."""
        items = []
        for match in matches:
            items.append(_match_item(photo_id, face_id, match))
            back = FoundMatch(face_id=face_id, photo_id=photo_id, similarity=match.similarity)
            items.append(_match_item(match.photo_id, match.face_id, back))
        self._table.put_all(items)


class Identities:
    """The identity function's part of the table; it reads the matches."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, race: RaceRef, photo_id: str) -> Identity | None:
        """The photo's evidence, or None before any came."""
        item = self._table.get(race.partition, _IDENTITY + photo_id)
        return msgspec.convert(item, Identity) if item else None

    def load_all(self, race: RaceRef, photo_ids: Iterable[str]) -> dict[str, Identity]:
        """The evidence about several photos, by photo id; unknown ones are left out."""
        items = self._table.batch_get((race.partition, _IDENTITY + photo_id) for photo_id in photo_ids)
        return {item["photo_id"]: msgspec.convert(item, Identity) for item in items}

    def save(self, race: RaceRef, identity: Identity, previous: Identity | None) -> bool:
        """Write new evidence if nobody else did since `previous`; False then."""
        item = _item(race.partition, _IDENTITY + identity.photo_id, identity)
        if previous is None:
            return self._table.put(item, ABSENT)
        unchanged = Condition(
            "evidence = :evidence AND revision = :revision AND said = :said AND spread = :spread",
            values={
                ":evidence": previous.evidence,
                ":revision": previous.revision,
                ":said": previous.said,
                ":spread": previous.spread,
            },
        )
        return self._table.put(item, unchanged)

    def bump(self, race: RaceRef, photo_id: str) -> bool:
        """Note that a neighbour's evidence changed; False when nothing is known of the photo yet."""
        return self._table.update(
            race.partition,
            _IDENTITY + photo_id,
            "SET evidence = evidence + :one",
            Condition("attribute_exists(PK)", values={":one": 1}),
        )

    def save_outcome(self, race: RaceRef, identity: Identity) -> bool:
        """Write runners, complete and revision if the evidence is still the one they follow from; else False."""
        return self._table.update(
            race.partition,
            _IDENTITY + identity.photo_id,
            "SET runners = :runners, complete = :complete, revision = :revision",
            Condition(
                "evidence = :evidence AND revision = :previous",
                values={
                    ":runners": identity.runners,
                    ":complete": identity.complete,
                    ":revision": identity.revision,
                    ":previous": identity.revision - 1,
                    ":evidence": identity.evidence,
                },
            ),
        )

    def mark_said(self, race: RaceRef, photo_id: str, revision: int) -> None:
        """Remember that this revision of the outcome was published."""
        condition = Condition("said < :revision", values={":revision": revision})
        self._table.update(race.partition, _IDENTITY + photo_id, "SET said = :revision", condition)

    def mark_spread(self, race: RaceRef, photo_id: str, links_version: int) -> None:
        """Remember that the neighbours heard of this version of the links, and that no old match is left."""
        condition = Condition(
            "links_version = :version AND (spread < :version OR size(leaving) > :none)",
            values={":version": links_version, ":none": 0, ":empty": []},
        )
        self._table.update(race.partition, _IDENTITY + photo_id, "SET spread = :version, leaving = :empty", condition)

    def matches(self, photo_id: str) -> dict[str, list[FoundMatch]]:
        """What the faces of a photo match in others, by face id."""
        found: dict[str, list[FoundMatch]] = {}
        for item in self._table.query(f"MATCHES#{photo_id}"):
            face_id, other = item["SK"].split("#")
            match = FoundMatch(face_id=other, photo_id=item["photo_id"], similarity=item["similarity"])
            found.setdefault(face_id, []).append(match)
        return found

    def forget_matches(self, photo_id: str, face_ids: Iterable[str]) -> None:
        """Delete all matches of these faces of a photo, at both photos."""
        gone = set(face_ids)
        if not gone:
            return
        self._table.delete_all(
            key
            for face_id, matches in self.matches(photo_id).items()
            if face_id in gone
            for match in matches
            for key in (
                (f"MATCHES#{photo_id}", f"{face_id}#{match.face_id}"),
                (f"MATCHES#{match.photo_id}", f"{match.face_id}#{face_id}"),
            )
        )


def with_links(matches: Iterable[FoundMatch], neighbours: dict[str, Identity]) -> list[Match]:
    """What the matching faces wear in their own photos."""
    return [
        Match(similarity=match.similarity, link=neighbours[match.photo_id].links.get(match.face_id))
        for match in matches
        if match.photo_id in neighbours
    ]


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
        """The faces of other photos that match this one, at Rekognition's own threshold."""
        response = self._client.search_faces(
            CollectionId=keys.collection_id(self._env, race), FaceId=face_id, FaceMatchThreshold=80.0, MaxFaces=4096
        )
        return [
            FoundMatch(
                face_id=match["Face"]["FaceId"],
                photo_id=match["Face"]["ExternalImageId"],
                similarity=round(match["Similarity"], 2),
            )
            for match in response["FaceMatches"]
            if match["Face"]["ExternalImageId"] != photo_id
        ]

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


def _match_item(photo_id: str, face_id: str, match: FoundMatch) -> Item:
    return {
        "PK": f"MATCHES#{photo_id}",
        "SK": f"{face_id}#{match.face_id}",
        "photo_id": match.photo_id,
        "similarity": match.similarity,
    }
