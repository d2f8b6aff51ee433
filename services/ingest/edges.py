"""Where the ingest stage touches AWS: its table, the raw photos, and the pictures made of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from botocore.exceptions import ClientError

from services.ingest.domain import Change, Gone, KeyRecord, Photo, RaceRecord, check_size, tidy
from services.ingest.pictures import Rendition
from shared.contracts.keys import sort_key
from shared.contracts.messages import ObjectCreated
from shared.kit.table import ABSENT, ALWAYS, Condition, Item, Table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_RACE, _KEY, _PHOTO, _WAITING = "RACE", "KEY#", "PHOTO#", "WAITING#"
_GONE = {"NoSuchKey", "NoSuchVersion", "404"}


class Ledger:
    """The stage's table.

    PK = race (or UNPLACED for misplaced keys of no race); SK = RACE, KEY#{key}, PHOTO#{photo_id}, and WAITING#{key}
    with the notification of an upload whose race is not configured yet.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def look_up(self, partition: str, key: str) -> tuple[RaceRecord | None, KeyRecord | None]:
        """Read what is known of a race and of one of its keys, in one request."""
        items = self._table.batch_get([(partition, _RACE), (partition, sort_key(_KEY, key))])
        found = {item["SK"]: item for item in items}
        race, record = found.get(_RACE), found.get(sort_key(_KEY, key))
        return (
            msgspec.convert(race, RaceRecord) if race else None,
            msgspec.convert(record, KeyRecord) if record else None,
        )

    def race(self, partition: str) -> RaceRecord | None:
        """Read what is known of a race."""
        items = self._table.batch_get([(partition, _RACE)])
        return msgspec.convert(items[0], RaceRecord) if items else None

    def photos(self, partition: str, photo_ids: Iterable[str]) -> dict[str, Photo]:
        """Read those of the photos that are known."""
        items = self._table.batch_get((partition, _PHOTO + photo_id) for photo_id in photo_ids)
        return {item["photo_id"]: msgspec.convert(item, Photo) for item in items}

    def commit(self, partition: str, change: Change, record: KeyRecord | None, photos: Mapping[str, Photo]) -> bool:
        """Write the change, all or nothing, if key (`record`) and `photos` still are what it was made from."""
        puts = [(_key_item(partition, change.record), _unchanged(record))]
        puts += [(_photo_item(partition, photo), _still(photos.get(photo.photo_id))) for photo in change.photos]
        waited = record is not None and record.state == "waiting"
        return self._table.write_guarded(puts, [(partition, sort_key(_WAITING, change.record.key))] if waited else [])

    def wait(self, partition: str, upload: ObjectCreated, record: KeyRecord | None) -> KeyRecord | None:
        """Let a key wait for its race; None when somebody else was first."""
        waiting = KeyRecord(
            key=upload.key,
            state="waiting",
            sequencer=upload.sequencer,
            at=upload.at,
            version_id=upload.version_id,
            former=record.former if record else (),
        )
        ticket: Item = {"PK": partition, "SK": sort_key(_WAITING, upload.key), "upload": upload}
        written = self._table.write_guarded(
            [(_key_item(partition, waiting), _unchanged(record)), (ticket, ALWAYS)],
        )
        return waiting if written else None

    def waiting(self, partition: str, after: str | None) -> Iterator[tuple[str, ObjectCreated]]:
        """Uploads that wait for their race, each with the position to go on `after`."""
        for item in self._table.query(partition, _WAITING, after=after):
            yield item["SK"], msgspec.convert(item["upload"], ObjectCreated)

    def all_photos(self, partition: str, after: str | None) -> Iterator[tuple[str, Photo]]:
        """The race's photos, each with the position to go on `after`."""
        for item in self._table.query(partition, _PHOTO, after=after):
            yield item["SK"], msgspec.convert(item, Photo)

    def configure(self, partition: str, race: RaceRecord, before: RaceRecord | None) -> bool:
        """Keep what is known of a race; False when somebody else was first."""
        item = {"PK": partition, "SK": _RACE, **msgspec.structs.asdict(race)}
        condition = Condition("revision = :before", values={":before": before.revision}) if before else ABSENT
        return self._table.put(item, condition)

    def save_photo(self, partition: str, photo: Photo, previous: Photo | None) -> bool:
        """Write a photo alone if it still is `previous`; False when somebody else was first."""
        return self._table.put(_photo_item(partition, photo), _still(previous))


def _key_item(partition: str, record: KeyRecord) -> Item:
    return {"PK": partition, "SK": sort_key(_KEY, record.key), **msgspec.structs.asdict(record)}


def _photo_item(partition: str, photo: Photo) -> Item:
    # `taken_at` follows from the rest; it is kept for whoever reads the table.
    return {
        "PK": partition,
        "SK": _PHOTO + photo.photo_id,
        **msgspec.structs.asdict(photo),
        "taken_at": photo.taken_at,
    }


def _unchanged(record: KeyRecord | None) -> Condition:
    if record is None:
        return ABSENT
    return Condition(
        "sequencer = :sequencer AND #state = :state",
        names={"#state": "state"},
        values={":sequencer": record.sequencer, ":state": record.state},
    )


def _still(photo: Photo | None) -> Condition:
    return ABSENT if photo is None else Condition("revision = :before", values={":before": photo.revision})


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """An upload's bytes and what was sent with them."""

    body: bytes
    photographer: str | None


class Photographs:
    """Raw photos as they were uploaded."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def fetch(self, upload: ObjectCreated) -> Raw | Gone:
        """Get the very object the upload made; Gone when it was deleted or overwritten meanwhile.

        Raises InvalidPicture when it is too large to be read.
        """
        check_size(upload.size)
        version: Any = {"VersionId": upload.version_id} if upload.version_id else {}
        try:
            response: Any = self._client.get_object(Bucket=upload.bucket, Key=upload.key, **version)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return Gone()
            raise
        with response["Body"] as body:
            if upload.etag and response["ETag"].strip('"') != upload.etag:
                return Gone()
            check_size(response["ContentLength"])
            content: bytes = body.read()
        return Raw(body=content, photographer=photographer(response.get("Metadata", {})))


def photographer(metadata: dict[str, str]) -> str | None:
    """`x-amz-meta-photographer`, as a name.

    Headers are ASCII: our command line sends percent-encoded UTF-8, S3 itself answers RFC 2047 where a browser sent
    UTF-8, and some clients show that UTF-8 as Latin-1.
    """
    value = metadata.get("photographer", "")
    if re.search(r"=\?[\w-]+\?[bqBQ]\?", value):
        try:
            value = str(make_header(decode_header(value)))
        except (HeaderParseError, UnicodeDecodeError, LookupError, ValueError):
            return tidy(value) or None
    elif not value.isascii():
        with contextlib.suppress(UnicodeError):
            value = value.encode("latin-1").decode("utf-8")
    return tidy(unquote(value)) or None


class Gallery:
    """The bucket of processed copies, previews and thumbnails."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put(self, keys: tuple[str, str, str], rendition: Rendition) -> None:
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
