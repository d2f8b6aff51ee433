"""Uploads of no race: moved into a race, or deleted."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

from ops.look.strays import objects_below
from ops.race.erase import erase_versions, versions
from ops.reach.errors import Failed
from ops.reach.raw_photos import raw_photos, uploads_at
from ops.reach.target import Target
from services.races.records import RaceKnown
from shared.contracts.errors import InvalidKey
from shared.contracts.keys import FOLDER_SEPARATOR, RAW_PHOTOS, KeyKind, RaceRef, is_folder_marker, parse_key


def strays_below(target: Target, beginning: str) -> list[str]:
    """The keys that begin so and belong to no race that is configured. Raises Failed where there are none.

    A photo that lies too deep in a race's folder, which ingest rejects, is one of them.
    """
    if not beginning:
        raise Failed("Say how the keys begin, as snaprace strays lists them.")
    ours = _is_of_a_race(target)
    found = [each["Key"] for each in objects_below(target, beginning) if not ours(each["Key"])]
    found = [key for key in found if not is_folder_marker(key)]
    if not found:
        raise Failed(f"There are no uploads of no race below '{beginning}'; snaprace strays lists those there are.")
    return found


def _is_of_a_race(target: Target) -> Callable[[str], bool]:
    """Whether a key is a photo or file of a race that is configured."""
    known = set(target.records("races").races(RaceKnown))

    def ours(key: str) -> bool:
        try:
            kind, race, _ = parse_key(key)
        except InvalidKey:
            return False
        return kind is not KeyKind.OTHER and race in known

    return ours


def move(target: Target, keys: Sequence[str], beginning: str, race: RaceRef) -> list[str]:
    """Move uploads into a race as its photos; the keys that they have now.

    Folders below the beginning become a part of the name, as in an upload. No photo is written over: where the name is
    another's, the content's digest is put behind it. Raises Failed where that is another's, too.
    """
    client, there = target.client("s3"), raw_photos(target, race)
    tags = {each["Key"]: each["ETag"].strip('"') for each in objects_below(target, beginning)}
    moved = []
    for key in keys:
        names = _names(race, key, beginning, tags[key])
        goal = next((each for each in names if each not in there or there[each].etag == tags[key]), None)
        if goal is None:
            raise Failed(f"{key} cannot be moved: other photos of {race} have all of its names. Rename and upload it.")
        source = {"Bucket": target.photo_bucket, "Key": key}
        if goal not in there:
            client.copy_object(Bucket=target.photo_bucket, Key=goal, CopySource=source)
        client.delete_object(**source)
        moved.append(goal)
        there |= uploads_at(target, goal)
    return moved


def _names(race: RaceRef, key: str, beginning: str, etag: str) -> Iterator[str]:
    """The keys that an upload may have in a race, the plainest first."""
    folder = beginning[: beginning.rfind("/") + 1]
    parts = [part for part in key.removeprefix(folder).split("/") if part and part != RAW_PHOTOS]
    name = unicodedata.normalize("NFC", FOLDER_SEPARATOR.join(parts))
    stem, dot, suffix = name.rpartition(".")
    told_apart = f"{stem}{FOLDER_SEPARATOR}{etag[:12]}{dot}{suffix}" if dot else f"{name}{FOLDER_SEPARATOR}{etag[:12]}"
    for each in (name, told_apart):
        yield f"{race.prefix}{RAW_PHOTOS}/{each}"


def erase(target: Target, keys: Sequence[str], beginning: str) -> int:
    """Delete uploads of no race with all their versions; how many versions."""
    wanted = frozenset(keys)
    found = (each for each in versions(target, target.photo_bucket, beginning) if each["Key"] in wanted)
    return erase_versions(target, target.photo_bucket, found)
