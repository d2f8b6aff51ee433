"""Where the ocr stage touches AWS: its table, Rekognition, and the roster's claim check."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from services.ocr.domain import Bibs, Word
from shared.contracts.errors import TemporaryFailure
from shared.contracts.events import Box, ImageRef, ObjectRef
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings, bibs_of_roster, digest
from shared.kit.table import ABSENT, Condition, Table

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client

_RACE, _ROSTER, _PHOTO = "RACE", "ROSTER", "PHOTO#"


class RaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the stage has heard of a race: by these, words become bibs."""

    settings: RaceSettings | None = None
    settings_revision: str = ""
    roster: ObjectRef | None = None
    roster_revision: str = ""


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """What the stage keeps of a photo.

    `photo_revision` is the newest PhotoIngested revision that brought it, `withdrawn` the PhotoWithdrawn revision that
    took it away (then `words` are gone). `bibs` is None until the race is known. `revision` grows with every change.
    """

    photo_id: str
    photo_revision: int
    words: tuple[Word, ...] = ()
    bibs: Bibs | None = None
    revision: int = 0
    withdrawn: int | None = None


class Photos:
    """The stage's table: PK = race; SK = RACE, ROSTER or PHOTO#{photo_id}."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, race: RaceRef, photo_id: str) -> tuple[RaceFacts, Photo | None]:
        """Read a photo and its race's facts, in one request."""
        keys = [(race.partition, sk) for sk in (_RACE, _ROSTER, _PHOTO + photo_id)]
        items = {item["SK"]: item for item in self._table.batch_get(keys)}
        photo = items.get(_PHOTO + photo_id)
        return _facts(items), _photo(photo) if photo else None

    def facts(self, race: RaceRef) -> RaceFacts:
        """What was heard of the race so far."""
        return _facts(
            {item["SK"]: item for item in self._table.batch_get([(race.partition, sk) for sk in (_RACE, _ROSTER)])}
        )

    def save(self, race: RaceRef, photo: Photo, previous: Photo | None) -> bool:
        """Write the photo if it still is `previous`; False when somebody else was first."""
        item = {"PK": race.partition, "SK": _PHOTO + photo.photo_id, **msgspec.structs.asdict(photo)}
        if previous is None:
            return self._table.put(item, ABSENT)
        return self._table.put(item, Condition("revision = :previous", values={":previous": previous.revision}))

    def photos(self, race: RaceRef, after: str | None) -> Iterator[Photo]:
        """The race's photos in id order, beginning after the photo id `after`."""
        start = None if after is None else _PHOTO + after
        return map(_photo, self._table.query(race.partition, _PHOTO, after=start))

    def configure(self, race: RaceRef, settings: RaceSettings, revision: str) -> None:
        """Keep the settings unless newer ones are known."""
        self._table.put_newest({"PK": race.partition, "SK": _RACE, "settings": settings, "revision": revision})

    def import_roster(self, race: RaceRef, roster: ObjectRef, revision: str) -> None:
        """Keep the roster's claim check unless a newer one is known."""
        self._table.put_newest({"PK": race.partition, "SK": _ROSTER, "roster": roster, "revision": revision})


def _facts(items: dict[str, Any]) -> RaceFacts:
    race, roster = items.get(_RACE), items.get(_ROSTER)
    return RaceFacts(
        settings=msgspec.convert(race["settings"], RaceSettings) if race else None,
        settings_revision=race["revision"] if race else "",
        roster=msgspec.convert(roster["roster"], ObjectRef) if roster else None,
        roster_revision=roster["revision"] if roster else "",
    )


def _photo(item: dict[str, Any]) -> Photo:
    return msgspec.convert(item, Photo)


class TextDetector:
    """Rekognition DetectText."""

    def __init__(self, client: RekognitionClient) -> None:
        self._client = client

    def words(self, image: ImageRef) -> tuple[Word, ...]:
        """The words in a picture; lines are only groups of them."""
        response = self._client.detect_text(Image={"S3Object": {"Bucket": image.bucket, "Name": image.key}})
        return tuple(
            Word(text=found["DetectedText"], confidence=round(found["Confidence"], 2), box=_box(found["Geometry"]))
            for found in response["TextDetections"]
            if found.get("Type") == "WORD"
        )


def _box(geometry: Any) -> Box:
    box = geometry["BoundingBox"]
    left, top, width, height = (round(box[side], 5) for side in ("Left", "Top", "Width", "Height"))
    return Box(left=left, top=top, width=width, height=height)


class Rosters:
    """Rosters by claim check; the last few stay in memory, since every photo of a race asks for the same."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._fetch = functools.lru_cache(maxsize=4)(self._fetch_uncached)

    def bibs(self, roster: ObjectRef | None) -> frozenset[str] | None:
        """The canonical bibs of a roster; None where the race has none."""
        return None if roster is None else self._fetch(roster)

    def _fetch_uncached(self, roster: ObjectRef) -> frozenset[str]:
        body = self._client.get_object(Bucket=roster.bucket, Key=roster.key)["Body"].read()
        if digest(body) != roster.sha256:
            raise TemporaryFailure(f"The roster at {roster.key} is not the one that was announced.")
        return bibs_of_roster(body)
