"""The stage's edges to AWS: the gallery table, Rekognition, and links to pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from botocore.exceptions import ClientError

from services.search import domain
from services.search.domain import Change, Item, Photo, PhotoEvent, Race, Runner
from services.search.finding import Entry, Query
from services.search.selfie import NO_FACE, NOT_AN_IMAGE, TOO_LARGE
from shared.contracts.errors import Conflict, RequestRefused, TemporaryFailure
from shared.contracts.events import ImageRef, RaceConfigured
from shared.contracts.keys import RaceRef, collection_id
from shared.kit.table import ABSENT, ALWAYS, Condition, Table

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 8  # optimistic writes before the message goes back to the queue
FIRST_PAUSE_S = 0.02  # doubled after each attempt: 2.5 s in all

LINK_LIFETIME_S = 15 * 60
MAX_MATCHES = 500  # of one face; Rekognition would give 4,096

TRANSIENT = {
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
}


class Gallery:
    """The gallery table. Writers learn events; readers find photos."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # --- writing

    def learn_race(self, event: RaceConfigured) -> None:
        """Keep the race as the newest race.json has it."""

        def attempt() -> bool:
            held = self.race(event.race)
            learned = domain.configured(held, event)
            if learned == held:
                return True
            unchanged = Condition("revision = :revision", values={":revision": held.revision}) if held else ABSENT
            return self._table.put(domain.race_item(event.race, learned), unchanged)

        _until_done(attempt, f"race {event.race}")

    def learn_photos(self, events: Iterable[PhotoEvent]) -> None:
        """Keep what the events say about their photos and bring the indexes in line, all or nothing for each photo."""
        told: dict[tuple[RaceRef, str], list[PhotoEvent]] = {}
        for event in events:
            told.setdefault((event.race, event.photo_id), []).append(event)

        def attempt() -> bool:
            held = self._held(told)
            changes = [domain.change(ref, held.get((ref, photo)), heard) for (ref, photo), heard in told.items()]
            written = [self._write(together) for together in domain.transactions(filter(None, changes))]
            return all(written)

        _until_done(attempt, f"{len(told)} photos")

    def _held(self, subjects: Iterable[tuple[RaceRef, str]]) -> dict[tuple[RaceRef, str], Photo]:
        found = self._table.batch_get((ref.partition, domain.photo_sk(photo_id)) for ref, photo_id in subjects)
        return {(RaceRef.from_partition(item["PK"]), item["photo_id"]): msgspec.convert(item, Photo) for item in found}

    def _write(self, changes: list[Change]) -> bool:
        puts: list[tuple[Item, Condition]] = []
        for change in changes:
            own, *others = change.puts
            puts += [(own, _still(change.held)), *((item, ALWAYS) for item in others)]
        return self._table.write_guarded(puts, [(change.ref.partition, sk) for change in changes for sk in change.gone])

    # --- reading

    def race(self, ref: RaceRef) -> Race | None:
        """The race, or None when it was never configured."""
        item = self._table.get(ref.partition, domain.RACE_SK)
        return msgspec.convert(item, Race) if item else None

    def photo(self, ref: RaceRef, photo_id: str) -> Photo | None:
        """The photo's item (which may be that of a withdrawn photo), or None when nothing was heard of it."""
        item = self._table.get(ref.partition, domain.photo_sk(photo_id))
        return msgspec.convert(item, Photo) if item else None

    def photos(self, ref: RaceRef, photo_ids: Iterable[str]) -> dict[str, Photo]:
        """Those of the photos that can be shown, by id."""
        found = self._table.batch_get((ref.partition, domain.photo_sk(photo_id)) for photo_id in photo_ids)
        photos = (msgspec.convert(item, Photo) for item in found)
        return {photo.photo_id: photo for photo in photos if photo.here}

    def by_bib(self, ref: RaceRef, bib: str) -> list[Entry]:
        """A runner's photos, in no particular order."""
        found = self._table.query(ref.partition, domain.bib_prefix(bib))
        return [_entry(item, msgspec.convert(item, Runner)) for item in found]

    def by_time(self, ref: RaceRef, query: Query) -> Iterator[Entry]:
        """The race's photos in the query's order and window, from where the page before ended."""
        low = domain.TIME_PREFIX + query.window.begin
        high = domain.TIME_PREFIX + query.window.end
        if query.after is not None:
            here = domain.time_sk(*map(str, query.after))
            low, high = (max(low, here), high) if query.order == "oldest" else (low, min(high, here))
        page = 2 * query.limit if query.photographer is None else 1_000
        descending = query.order != "oldest"
        found = self._table.between(ref.partition, low, high, descending=descending, page=page)
        return (_entry(item) for item in found)


def _entry(item: Item, runner: Runner | None = None) -> Entry:
    return Entry(
        photo_id=item["photo_id"],
        shot_at=item["shot_at"],
        uploaded_at=item["uploaded_at"],
        photographer=item.get("photographer"),
        status=runner.status if runner else None,
        trust=runner.trust if runner else (0.0, 0.0),
    )


def _still(held: Photo | None) -> Condition:
    """Holds while the item is what `held` was read from: its revisions name its state."""
    if held is None:
        return ABSENT
    return Condition(
        "ingest_revision = :ingest AND match_revision = :match AND withdrawn_revision = :withdrawn",
        values={
            ":ingest": held.ingest_revision,
            ":match": held.match_revision,
            ":withdrawn": held.withdrawn_revision,
        },
    )


def _until_done(attempt: Callable[[], bool], what: str) -> None:
    """Read, decide and write again while others write the same items. Raises Conflict, or what the last try did."""
    for number in range(ATTEMPTS):
        try:
            if attempt():
                return
        except TemporaryFailure:  # such as a transaction that was throttled
            if number == ATTEMPTS - 1:
                raise
        time.sleep(FIRST_PAUSE_S * 2**number)
    raise Conflict(f"Items of {what} were written by others {ATTEMPTS} times over.")


class Match(NamedTuple):
    """A photo in which the searched face was found; `similarity` in percent."""

    photo_id: str
    similarity: float


class Faces:
    """Rekognition, for a selfie that nobody keeps."""

    def __init__(self, client: RekognitionClient, env: str) -> None:
        self._client = client
        self._env = env

    def areas(self, image: bytes) -> list[float]:
        """The size of each face in the picture as a fraction of it, the largest first. Raises RequestRefused."""
        response = _asked(self._client.detect_faces, Image={"Bytes": image})
        boxes = [face["BoundingBox"] for face in response["FaceDetails"]]
        return sorted((box["Width"] * box["Height"] for box in boxes), reverse=True)

    def matches(self, ref: RaceRef, image: bytes, threshold: float) -> list[Match]:
        """The race's photos with the picture's largest face, each once, at its best. Raises RequestRefused."""
        try:
            response = _asked(
                self._client.search_faces_by_image,
                CollectionId=collection_id(self._env, ref),
                Image={"Bytes": image},
                FaceMatchThreshold=threshold,
                MaxFaces=MAX_MATCHES,
            )
        except self._client.exceptions.ResourceNotFoundException:
            return []  # the collection is made with the first photo
        best: dict[str, float] = {}
        for match in response["FaceMatches"]:
            photo_id = match["Face"]["ExternalImageId"]
            best[photo_id] = max(match["Similarity"], best.get(photo_id, 0.0))
        return [Match(photo_id, similarity) for photo_id, similarity in best.items()]


def _asked(operation: Any, **request: Any) -> Any:
    """Rekognition's answer, or its complaint about the picture as ours."""
    try:
        return operation(**request)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "InvalidImageFormatException":
            raise RequestRefused("not_an_image", NOT_AN_IMAGE, 415) from None
        if code == "ImageTooLargeException":
            raise RequestRefused("too_large", TOO_LARGE, 413) from None
        if code == "InvalidParameterException":  # "There are no faces in the image."
            raise RequestRefused("no_face", NO_FACE, 422) from None
        raise


class Links:
    """Short-lived links to pictures in the derived bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def to(self, picture: ImageRef, download_as: str | None = None) -> str:
        """A link to the picture, good for 15 minutes; with `download_as` browsers save it under that name."""
        request = {"Bucket": picture.bucket, "Key": picture.key}
        if download_as is not None:
            request["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(download_as, safe='')}"
        return self._client.generate_presigned_url("get_object", Params=request, ExpiresIn=LINK_LIFETIME_S)

    def origin(self) -> str:
        """Scheme and host of the links, for the page's content security policy."""
        parts = urlsplit(self._client.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": "x"}))
        return f"{parts.scheme}://{parts.netloc}"
