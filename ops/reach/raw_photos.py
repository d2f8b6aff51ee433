"""The raw photos of a race, as they lie in the photo bucket."""

from __future__ import annotations

import msgspec

from ops.reach.target import Target
from shared.contracts.keys import RAW_PHOTOS, RaceRef, is_folder_marker


class RawPhoto(msgspec.Struct, frozen=True, kw_only=True):
    """An upload in the bucket: its ETag, when it came (ISO 8601), its size in bytes."""

    etag: str
    at: str
    size: int


def raw_photos(target: Target, race: RaceRef) -> dict[str, RawPhoto]:
    """The raw photos of a race that are there, by key."""
    return uploads_at(target, f"{race.prefix}{RAW_PHOTOS}/")


def is_there(target: Target, key: str) -> bool:
    """Whether there is an upload with this key."""
    # Of the keys that begin so S3 lists this one first: a beginning stands before what it is the beginning of.
    found = target.client("s3").list_objects_v2(Bucket=target.photo_bucket, Prefix=key, MaxKeys=1)
    return any(item["Key"] == key for item in found.get("Contents", ()))


def uploads_at(target: Target, beginning: str) -> dict[str, RawPhoto]:
    """The uploads that are there whose keys begin so, by key. Folder markers are none."""
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=target.photo_bucket, Prefix=beginning)
    return {
        item["Key"]: RawPhoto(
            etag=item["ETag"].strip('"'), at=item["LastModified"].isoformat(timespec="seconds"), size=item["Size"]
        )
        for page in pages
        for item in page.get("Contents", ())
        if not is_folder_marker(item["Key"])
    }
