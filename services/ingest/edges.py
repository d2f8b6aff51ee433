"""Where the ingest stage touches AWS: its table, the raw photos, and the pictures made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from services.ingest.domain.formats import check_size
from services.ingest.domain.keys import Rejection
from services.ingest.domain.photos import Change, DerivedKeys, Gone, KeyContent, PhotoContent, Photos
from services.ingest.domain.texts import photographer
from services.ingest.pictures import Rendition, render
from services.ingest.records import UNPLACED, KeyRecord, RaceRecord, UploadedPhoto, Waiting
from shared.contracts.errors import Archived, Encrypted, InvalidPicture
from shared.contracts.keys import RaceRef, photo_id
from shared.contracts.messages import ObjectCreated
from shared.contracts.records import At, Record
from shared.kit import objects
from shared.kit.records import Put, Records, unchanged
from shared.kit.table import ALWAYS, Condition

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

R = TypeVar("R", bound=Record)


class Ledger:
    """The stage's table, by race; None stands for the keys that name none."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def look_up(self, race: RaceRef | None, key: str) -> tuple[RaceRecord | None, KeyRecord | None]:
        """Read what is known of a race and of one of its keys, in one request."""
        where = race or UNPLACED
        race_at, key_at = RaceRecord.locate(where), KeyRecord.locate(where, key)
        found = self._records.read(race_at, key_at)
        return found.get(race_at), found.get(key_at)

    def race(self, race: RaceRef) -> RaceRecord | None:
        """Read what is known of a race."""
        at = RaceRecord.locate(race)
        return self._records.read(at).get(at)

    def photos(self, race: RaceRef | None, photo_ids: Iterable[str]) -> dict[str, UploadedPhoto]:
        """Read those of the photos that are known."""
        return self._records.read_each({photo: UploadedPhoto.locate(race or UNPLACED, photo) for photo in photo_ids})

    def commit(self, race: RaceRef | None, change: Change, record: KeyRecord | None, photos: Photos) -> bool:
        """Write the change, all or nothing, if key (`record`) and `photos` still are what it was made from."""
        where = race or UNPLACED
        puts: list[Put] = [(where, change.record, unchanged(record, "sequencer", "state"))]
        puts += [(where, photo, _still(photos.get(photo.photo_id))) for photo in change.photos]
        if change.waiting:
            puts.append((where, change.waiting, ALWAYS))
        waits_no_more = record is not None and record.state == "waiting" and change.waiting is None
        return self._records.write(puts, [Waiting.locate(where, change.record.key)] if waits_no_more else [])

    def save_photo(self, race: RaceRef, photo: UploadedPhoto, previous: UploadedPhoto | None) -> bool:
        """Write a photo alone if it still is `previous`; False when somebody else was first."""
        return self._records.put(race, photo, _still(previous))

    def configure(self, race: RaceRef, settings: RaceRecord, previous: RaceRecord | None) -> bool:
        """Keep what is known of a race; False when somebody else was first."""
        return self._records.put(race, settings, unchanged(previous, "revision"))

    def page(self, kind: type[R], race: RaceRef, after: str | None, size: int) -> list[R]:
        """The race's next `size` records of a kind, behind the sort key `after`."""
        start = None if after is None else At(kind, race.partition, after)
        return list(islice(self._records.query(kind, race, after=start), size))


def _still(photo: UploadedPhoto | None) -> Condition:
    return unchanged(photo, "revision")


class UploadedFile:
    """An upload: fetched once and rendered once, however often its write is tried."""

    def __init__(self, client: S3Client, race: RaceRef, upload: ObjectCreated) -> None:
        self._client = client
        self._race = race
        self._upload = upload
        self._rendition: Rendition | None = None

    @cached_property
    def content(self) -> KeyContent:
        """What the upload left at its key; Gone when it was deleted or overwritten meanwhile."""
        try:
            fetched = self._fetched
        except InvalidPicture as error:
            return Rejection.of(error)
        if fetched is None:
            return Gone()
        sha256 = hashlib.sha256(fetched.body).hexdigest()
        return PhotoContent(
            photo_id=photo_id(self._race, sha256),
            bucket=self._upload.bucket,
            sha256=sha256,
            photographer=photographer(fetched.metadata),
        )

    def rendition(self, watermark: str) -> Rendition:
        """The pictures made of a content. Raises InvalidPicture."""
        if self._rendition is None:
            self._rendition = render(self._fetched.body if self._fetched else b"", self._upload.key, watermark)
        return self._rendition

    @cached_property
    def _fetched(self) -> objects.Upload | None:
        check_size(self._upload.size)
        try:
            return objects.fetch(self._client, self._upload, check_size)
        except Archived:
            sentence = "The photo lies in an archive, since its race was not created for months. Upload it again."
            raise InvalidPicture("archived", sentence) from None
        except Encrypted:
            sentence = "The photo is encrypted with a key that SnapRace does not have. Upload it again without one."
            raise InvalidPicture("encrypted", sentence) from None


class Renditions:
    """The bucket of processed copies, previews and thumbnails."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put(self, keys: DerivedKeys, rendition: Rendition) -> None:
        """Write the processed copy, the preview and the thumbnail. What a key holds never changes later."""
        for key, body in zip(keys, (rendition.processed, rendition.preview, rendition.thumbnail), strict=True):
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentType="image/jpeg",
                CacheControl="private, max-age=31536000, immutable",
            )

    def discard(self, keys: Iterable[str]) -> None:
        """Delete pictures, if they are there."""
        for key in keys:
            self._client.delete_object(Bucket=self.bucket, Key=key)
