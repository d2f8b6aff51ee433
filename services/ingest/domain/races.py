"""What a race's settings mean for its photos."""

from __future__ import annotations

import msgspec

from services.ingest.domain.photos import counted_up
from services.ingest.records import RaceRecord, UploadedPhoto
from shared.contracts.events import Meta, RaceConfigured
from shared.contracts.keys import is_newer


def remembered(event: RaceConfigured, known: RaceRecord | None) -> RaceRecord:
    """What is known of a race when `event` was heard; `known` itself where that is newer."""
    if known and is_newer(known.revision, than=event.revision):
        return known
    earlier = {*known.earlier_timezones, known.timezone} if known else set()
    return RaceRecord(
        name=event.settings.name,
        timezone=event.settings.timezone,
        revision=event.revision,
        earlier_timezones=tuple(sorted(earlier - {event.settings.timezone})),
    )


def dated(photo: UploadedPhoto, timezone: str, by: Meta) -> UploadedPhoto:
    """The photo by the race's time zone, where its camera told none; `photo` itself where nothing changes."""
    if not photo.floating or photo.timezone == timezone:
        return photo
    return counted_up(msgspec.structs.replace(photo, timezone=timezone), by)
