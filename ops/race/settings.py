"""A race's settings: created once, and changed by what is named alone.

race.json is written only while it is what was read, or is not there: of two who write at once the second is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from ops.look.races import settings_by_name
from ops.race.races import known, upload_file
from ops.reach.errors import Failed
from ops.reach.target import Target
from services.races.records import RaceHeld, RaceOutcome
from shared.contracts.errors import InvalidInput
from shared.contracts.keys import RACE_FILE, RaceRef
from shared.contracts.race import RaceSettings, parse_race


class Current(NamedTuple):
    """The settings of a race, and the condition under which S3 lets a next race.json take the place of this one."""

    settings: RaceSettings | None
    condition: dict[str, str]


class Change(NamedTuple):
    """A setting that changes, by its name in race.json; the values as JSON has them."""

    name: str
    before: Any
    after: Any


def checked(settings: bytes) -> RaceSettings:
    """What a race.json says. Raises Failed with what is wrong."""
    try:
        return parse_race(settings)
    except InvalidInput as refusal:
        raise Failed(str(refusal)) from None


def current(target: Target, race: RaceRef) -> Current:
    """The settings in the newest race.json, or if that cannot be used (or is gone), those that hold.

    They come from the file, since the races stage may not have heard of it yet.
    """
    client = target.client("s3")
    try:
        there = client.get_object(Bucket=target.photo_bucket, Key=race.prefix + RACE_FILE)
    except client.exceptions.NoSuchKey:
        return Current(_held(target, race), {"IfNoneMatch": "*"})
    body, condition = there["Body"].read(), {"IfMatch": there["ETag"]}
    try:
        return Current(parse_race(body), condition)
    except InvalidInput:
        return Current(_held(target, race), condition)


def _held(target: Target, race: RaceRef) -> RaceSettings | None:
    held = target.records("races").get(RaceHeld.locate(race))
    return held.settings if held else None


def create_race(target: Target, race: RaceRef, settings: bytes) -> RaceSettings:
    """Check and upload race.json, and wait until it holds. Raises Failed with what is wrong, and where there is one."""
    parsed = checked(settings)
    there = current(target, race)
    if there.settings is not None or known(target, race):
        raise Failed(
            f"The race {race} exists already in {target.where}. Change what you name with: snaprace race set "
            f"--organizer {race.organizer_id} --event {race.event_id} …"
        )
    _write(target, race, settings, there.condition)
    return parsed


def put_race(target: Target, race: RaceRef, settings: bytes) -> None:
    """Upload race.json whatever was there, and wait until it holds: for whoever says all settings again."""
    upload_file(target, race, RACE_FILE, settings, RaceOutcome)


def changed(settings: RaceSettings, named: dict[str, Any]) -> RaceSettings:
    """The settings with other values of these fields, which are RaceSettings' or its bib_rules'. Raises Failed."""
    rules = {field: value for field, value in named.items() if field in settings.bib_rules.__struct_fields__}
    others = {field: value for field, value in named.items() if field not in rules}
    after = msgspec.structs.replace(settings, bib_rules=msgspec.structs.replace(settings.bib_rules, **rules), **others)
    return checked(msgspec.json.encode(after))


def changes(before: RaceSettings, after: RaceSettings) -> tuple[Change, ...]:
    """What differs."""
    was, now = dict(settings_by_name(before)), dict(settings_by_name(after))
    names = dict.fromkeys([*was, *now])
    return tuple(Change(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name))


def what_is_erased(before: RaceSettings, after: RaceSettings) -> str | None:
    """What goes for good with a change of settings, as the object of a sentence; None if nothing does."""
    if before.faces and not after.faces:
        return "all faces of the race, and what was concluded from them"
    return None


def change_race(
    target: Target,
    race: RaceRef,
    make: Callable[[RaceSettings], RaceSettings],
    agree: Callable[[RaceSettings, RaceSettings], bool],
) -> tuple[Change, ...]:
    """Change the settings that the race has now, and wait until the new ones hold; what has changed.

    `agree` is told both, and may say no; then nothing is sent, and nothing has changed. Raises Failed where there is no
    race, where somebody else changed it meanwhile, and with what is wrong.
    """
    there = current(target, race)
    if there.settings is None:
        raise Failed(f"There is no race {race} in {target.where}. Create it with: snaprace race create --help")
    after = make(there.settings)
    told = changes(there.settings, after)
    if not told or not agree(there.settings, after):
        return ()
    _write(target, race, msgspec.json.encode(after), there.condition)
    return told


def _write(target: Target, race: RaceRef, settings: bytes, condition: dict[str, str]) -> None:
    client = target.client("s3")
    try:
        upload_file(target, race, RACE_FILE, settings, RaceOutcome, condition=condition)
    except client.exceptions.ClientError as error:
        # 404: what was to be replaced is deleted. Source: Amazon S3 User Guide, "How to prevent object overwrites with
        # conditional writes", where If-Match also needs s3:GetObject.
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}:
            raise Failed(
                f"Somebody else has changed the race {race} at this very moment, and nothing of yours was sent. "
                "Look at it with snaprace race show, and say it again."
            ) from None
        raise
