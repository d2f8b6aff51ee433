"""The stage's edges to AWS: the gallery table, Rekognition, links to pictures, and full-size pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.exceptions import ClientError

from services.search.domain import gallery, originals
from services.search.domain.finding import Hours, Query
from services.search.domain.gallery import Change, PhotoEvent
from services.search.questions import (
    NoFace,
    NoOriginal,
    NotAnImage,
    Order,
    OriginalArchived,
    PictureTooLarge,
    UnknownPhoto,
    Unusable,
)
from services.search.records import BibEntry, GalleryPhoto, Race, TimeEntry
from shared.contracts import keys
from shared.contracts.api import Refusal
from shared.contracts.events import ImageRef, RaceConfigured
from shared.contracts.keys import PhotoRef, RaceRef, collection_id
from shared.kit.api.pages import origin_of
from shared.kit.optimistic import CROWDED, until_written
from shared.kit.records import Put, Records, unchanged
from shared.kit.table import ALWAYS

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client

LINK_LIFETIME_S = 15 * 60
SIGNING_WINDOW_S = 5 * 60
"""For so long the link to a picture is the same: a browser keeps pictures by their links."""
LINKS_LAST_S = LINK_LIFETIME_S - SIGNING_WINDOW_S
"""For so long a link works at least, from the moment it is given."""
MAX_MATCHES = 500  # of one face; Rekognition would give 4,096


class Gallery:
    """The gallery table. Writers learn events; readers find photos."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def learn_race(self, event: RaceConfigured) -> None:
        """Keep the race as the newest race.json has it."""
        self._records.put_newest(event.race, gallery.race_of(event))

    def learn_photos(self, events: Iterable[PhotoEvent]) -> list[Change]:
        """Keep what the events say about their photos and bring the indexes in line, all or nothing for each photo.

        Returns what was changed.
        """
        changed: list[Change] = []
        told: dict[PhotoRef, list[PhotoEvent]] = {}
        for event in events:
            told.setdefault(PhotoRef(event.race, event.photo_id), []).append(event)

        def attempt() -> bool | None:
            held = self._records.read_each({photo: GalleryPhoto.locate(*photo) for photo in told})
            changes = [gallery.change(photo, held.get(photo), heard) for photo, heard in told.items()]
            all_written = True
            for together in gallery.transactions(filter(None, changes)):
                if self._write(together):
                    changed.extend(together)
                else:
                    all_written = False
            return all_written or None

        until_written(f"One of {len(told)} photos", attempt, CROWDED)
        return changed

    def _write(self, changes: list[Change]) -> bool:
        puts: list[Put] = []
        for change in changes:
            own, *others = change.puts
            puts.append((change.photo.race, own, unchanged(change.held, *gallery.REVISIONS)))
            puts += [(change.photo.race, other, ALWAYS) for other in others]
        return self._records.write(puts, [place for change in changes for place in change.gone])

    def race(self, ref: RaceRef) -> Race | None:
        """The race, or None when it was never configured."""
        return self._records.get(Race.locate(ref))

    def photo(self, ref: RaceRef, photo_id: str) -> GalleryPhoto | None:
        """The photo (which may be withdrawn), or None when nothing was heard of it."""
        return self._records.get(GalleryPhoto.locate(ref, photo_id))

    def photos(self, ref: RaceRef, photo_ids: Iterable[str]) -> dict[str, GalleryPhoto]:
        """Those of the photos that can be shown, by id."""
        photos = self._records.read_each({photo_id: GalleryPhoto.locate(ref, photo_id) for photo_id in photo_ids})
        return {photo_id: photo for photo_id, photo in photos.items() if photo.here}

    def by_bib(self, ref: RaceRef, bib: str) -> list[BibEntry]:
        """A runner's photos, in no particular order."""
        return list(self._records.query(BibEntry, ref, bib))

    def by_time(self, ref: RaceRef, query: Query) -> Iterator[TimeEntry]:
        """The race's photos in the query's order and window, from where the page before ended."""
        low, high = query.keys(ref)
        page = 2 * query.limit if query.photographer is None else 1_000

        def between(low: str, high: str, page: int = page) -> Iterator[TimeEntry]:
            return self._records.between(TimeEntry, ref, low, high, descending=query.order != "oldest", page=page)

        if isinstance(query.window, Hours):
            return _day_after_day(between, low, high, query.window, query.order)
        return between(low, high)


def _day_after_day(
    between: Callable[..., Iterator[TimeEntry]], low: str, high: str, hours: Hours, order: Order
) -> Iterator[TimeEntry]:
    """The photos of these hours: those of each day on which there are photos, found by the next photo of any hour.

    Where that is of another hour it is given too, so that whoever cuts pages sees how much was looked at.
    """
    while (found := next(between(low, high, 1), None)) is not None:
        if not hours.holds(found.shot_at):
            yield found
        begin, end = (TimeEntry.prefix() + each for each in hours.stretch(found.shot_at, order))
        yield from between(max(low, begin), min(high, end))
        if order == "oldest":
            low = end
        else:
            high = begin


_UNUSABLE: dict[str, Unusable] = {
    "InvalidImageFormatException": NotAnImage(),
    "ImageTooLargeException": PictureTooLarge(),
    "InvalidParameterException": NoFace(),  # "There are no faces in the image."
}


class Faces:
    """Rekognition, for a selfie that nobody keeps."""

    def __init__(self, client: RekognitionClient, env: str) -> None:
        self._client = client
        self._env = env

    def areas(self, image: bytes) -> list[float] | Unusable:
        """The size of each face in the picture as a fraction of it, the largest first."""
        response = _asked(self._client.detect_faces, Image={"Bytes": image})
        if isinstance(response, Refusal):
            return response
        boxes = [face["BoundingBox"] for face in response["FaceDetails"]]
        return sorted((box["Width"] * box["Height"] for box in boxes), reverse=True)

    def similarities(self, ref: RaceRef, image: bytes, threshold: float) -> dict[str, float] | Unusable:
        """How similar the picture's largest face is to the most similar one in each photo of the race, in percent.

        Photos in which no face is at least `threshold` similar are left out; the others go by their ids.
        """
        try:
            response = _asked(
                self._client.search_faces_by_image,
                CollectionId=collection_id(self._env, ref),
                Image={"Bytes": image},
                FaceMatchThreshold=threshold,
                MaxFaces=MAX_MATCHES,
            )
        except self._client.exceptions.ResourceNotFoundException:
            return {}  # the collection is made with the first photo
        if isinstance(response, Refusal):
            return response
        best: dict[str, float] = {}
        for match in response["FaceMatches"]:
            photo_id = match["Face"]["ExternalImageId"]
            best[photo_id] = max(match["Similarity"], best.get(photo_id, 0.0))
        return best


def _asked(operation: Any, **request: Any) -> dict[str, Any] | Unusable:
    """Rekognition's answer, or its complaint about the picture as ours."""
    try:
        answer: dict[str, Any] = operation(**request)
        return answer
    except ClientError as error:
        complaint = _UNUSABLE.get(error.response["Error"]["Code"])
        if complaint is None:
            raise
        return complaint


class _SignedAsOfItsWindow(S3SigV4QueryAuth):
    """Signs a link as of the beginning of the window of time that we are in.

    A link counts from the X-Amz-Date that it was signed with, which may lie in the past (source: Amazon S3 API
    Reference, "Authenticating Requests: Using Query Parameters", X-Amz-Date and X-Amz-Expires). botocore takes the
    present for it.
    """

    def _modify_request_before_signing(self, request: Any) -> None:
        now = datetime.strptime(request.context["timestamp"], SIGV4_TIMESTAMP).replace(tzinfo=UTC).timestamp()
        begin = datetime.fromtimestamp(now - now % SIGNING_WINDOW_S, UTC)
        request.context["timestamp"] = begin.strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]


_IN_WINDOWS = "s3v4-in-windows-query"  # botocore looks for signers of links under names that end so
AUTH_TYPE_MAPS[_IN_WINDOWS] = _SignedAsOfItsWindow


def _signer(signature_version: str, **_: Any) -> str | None:
    """Which signer botocore shall use: ours for links, its own for requests."""
    return _IN_WINDOWS if signature_version.endswith("-query") else None


class Links:
    """Short-lived links to pictures in the derived bucket.

    On AWS links differ between the processes of the function, each of which has credentials of its own; one process
    gives the same link for as long as a window lasts.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        # The stubs know no handlers that answer.
        client.meta.events.register("choose-signer.s3.GetObject", _signer, unique_id=_IN_WINDOWS)  # type: ignore[arg-type]

    def to(self, picture: ImageRef, download_as: str | None = None) -> str:
        """A link to the picture, good for 10 to 15 minutes; with `download_as` browsers save it under that name."""
        return self._signed(picture.bucket, picture.key, download_as)

    def to_original(self, key: str, download_as: str) -> str:
        """A link under which browsers save a full-size picture; as good as the others."""
        return self._signed(self._bucket, key, download_as)

    def _signed(self, bucket: str, key: str, download_as: str | None) -> str:
        request = {"Bucket": bucket, "Key": key}
        if download_as is not None:
            request["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(download_as, safe='')}"
        return self._client.generate_presigned_url("get_object", Params=request, ExpiresIn=LINK_LIFETIME_S)

    def origin(self) -> str:
        """Scheme and host of the links, for the page's content security policy."""
        return origin_of(self._client, self._bucket)


_FRESH = timedelta(hours=12)
"""S3 deletes a copy at the first midnight (UTC) after it was a day old (source: Amazon S3 User Guide, "Lifecycle
configuration elements", lifecycle rules based on an object's age)."""


class Originals:
    """Full-size pictures: copies of uploads without the camera's notes, made when somebody asks for one.

    S3 deletes a copy after a day, and ingest deletes it with the photo's other pictures.
    """

    def __init__(self, client: S3Client, photo_bucket: str, derived_bucket: str) -> None:
        self._client = client
        self._photo_bucket = photo_bucket
        self._derived_bucket = derived_bucket

    def of(
        self, race: RaceRef, photo_id: str, uploads: Iterable[str], preview: ImageRef
    ) -> str | NoOriginal | OriginalArchived | UnknownPhoto:
        """The key of the copy, in the derived bucket. `uploads` are the keys that hold the photo."""
        key = keys.original_key(race, PurePosixPath(preview.key).stem)
        if self._is_fresh(key):
            return key
        upload = self._upload(race, photo_id, uploads)
        if isinstance(upload, Refusal):
            return upload
        original = originals.bare(upload)
        if original is None:
            return NoOriginal()
        self._client.put_object(
            Bucket=self._derived_bucket,
            Key=key,
            Body=original.body,
            ContentType=original.content_type,
            CacheControl="private, max-age=31536000, immutable",
            Tagging=urlencode(keys.SHORT_LIVED),
        )
        return key

    def _is_fresh(self, key: str) -> bool:
        """Whether the copy is there, and will be for as long as a link to it works."""
        try:
            made = self._client.head_object(Bucket=self._derived_bucket, Key=key)["LastModified"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return False
            raise
        return datetime.now(UTC) - made < _FRESH

    def _upload(self, race: RaceRef, photo_id: str, uploads: Iterable[str]) -> bytes | OriginalArchived | UnknownPhoto:
        """The photo as it was uploaded. A key may have been overwritten or deleted since the gallery heard of it."""
        for key in uploads:
            try:
                body = self._client.get_object(Bucket=self._photo_bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                continue
            except self._client.exceptions.InvalidObjectState:  # an archive tier, from which it takes hours to restore
                return OriginalArchived()
            if keys.photo_id(race, hashlib.sha256(body).hexdigest()) == photo_id:
                return body
        return UnknownPhoto()
