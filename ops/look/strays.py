"""Uploads that belong to no race: of a race that is not configured, or under a key that is no photo or file of one.

They are found in the bucket itself, since no stage keeps anything of most of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ops.reach.target import Target
from services.races.records import RaceKnown
from shared.contracts.errors import InvalidKey
from shared.contracts.keys import RAW_PHOTOS, KeyKind, RaceRef, is_folder_marker, near_race, parse_key


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """Files whose keys begin alike. `race` is what their keys name, None where they name none.

    `size` is that of all in bytes; `why` says of the first one, the `example`, why it is in no race.
    """

    beginning: str
    race: RaceRef | None
    files: int
    size: int
    example: str
    why: str


def strays(target: Target) -> list[Stray]:
    """What in the photo bucket is nothing of a race that is configured, by the folders of its keys."""
    known = set(target.records("races").races(RaceKnown))
    found = []
    for beginning, objects in _beside(target, known):
        files = [each for each in objects if not is_folder_marker(each["Key"])]
        if files:
            key = files[0]["Key"]
            found.append(
                Stray(
                    beginning=beginning,
                    race=near_race(key),
                    files=len(files),
                    size=sum(each["Size"] for each in files),
                    example=key,
                    why=why_in_no_race(key),
                )
            )
    return found


def why_in_no_race(key: str) -> str:
    """Why an upload with this key belongs to no race that is configured, as a sentence."""
    try:
        kind, race, _ = parse_key(key)
    except InvalidKey as error:
        return str(error)
    if kind is KeyKind.RAW_PHOTO:
        return f"It waits for the race {race} to be created."
    if race is not None:
        return f"It is a file of the race {race}, which is not created."
    where = near_race(key) or "{organizer_id}/{event_id}"
    return f"Its key is none of a race's photos or files, so nothing looks at it: photos go to {where}/{RAW_PHOTOS}/."


def _beside(target: Target, known: set[RaceRef]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What is beside the known races or in a wrong folder of one: how the keys begin, and what S3 lists."""
    folders, objects = _level(target, "")
    yield "", objects
    for organizer in folders:
        events, objects = _level(target, organizer)
        yield organizer, objects
        for event in events:
            race = near_race(event)
            if race in known:
                yield from _wrong_folders(target, race)
            else:
                yield event, objects_below(target, event)


def _wrong_folders(target: Target, race: RaceRef) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What lies in the place of a race, and is neither among its photos nor one of its files."""
    folders, objects = _level(target, race.prefix)
    yield race.prefix, [each for each in objects if parse_key(each["Key"]).kind is KeyKind.OTHER]
    for folder in folders:
        if folder != f"{race.prefix}{RAW_PHOTOS}/":
            yield folder, objects_below(target, folder)


def _level(target: Target, beginning: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The next folders below a beginning, and the objects that lie there themselves."""
    pages = (
        target.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=target.photo_bucket, Prefix=beginning, Delimiter="/")
    )
    folders: list[str] = []
    objects: list[dict[str, Any]] = []
    for page in pages:
        folders += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
        objects += page.get("Contents", ())
    return folders, objects


def objects_below(target: Target, beginning: str) -> list[dict[str, Any]]:
    """All objects whose keys begin so, as S3 lists them."""
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=target.photo_bucket, Prefix=beginning)
    return [each for page in pages for each in page.get("Contents", ())]
