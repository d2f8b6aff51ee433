"""What a message is about: for a person to recognize it, and to tell which messages are about the same thing."""

from __future__ import annotations

import msgspec

from ops.reach.cards import in_order
from shared.contracts import messages
from shared.contracts.card import Queue
from shared.contracts.errors import InvalidKey, InvalidMessage
from shared.contracts.events import Envelope, RaceConfigured, RosterImported
from shared.contracts.keys import RaceRef, near_race, parse_key
from shared.contracts.messages import Message, ObjectCreated, ObjectDeleted
from shared.contracts.notes import Note, Noted, tag_of
from shared.contracts.rules import OBJECT_CREATED, OBJECT_DELETED

NOT_READABLE = "not readable"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """`what` it is, e.g. PhotoIngested; the race; the upload's key and the photo's id as far as it says them.

    `key` is that of the upload it all began with where the message names no other. `subjects` are what has to be
    handled again where handling this failed: photo ids, keys, or for what concerns a whole race, the race's events.
    """

    what: str
    race: RaceRef | None = None
    key: str | None = None
    photo_id: str | None = None
    subjects: frozenset[str] = frozenset()


def about_of(body: str) -> About:
    """What a message is about, by its body; one that cannot be read is about nothing."""
    try:
        return about(messages.parse(body, notes()))
    except InvalidMessage:
        return About(what=NOT_READABLE)


def about(message: Message) -> About:
    """What a message is about."""
    story = message.meta.correlation_id.rpartition("@")[0] or None
    match message:
        case ObjectCreated(key=key) | ObjectDeleted(key=key):
            what = OBJECT_CREATED if isinstance(message, ObjectCreated) else OBJECT_DELETED
            return About(what=what, race=race_of(key), key=key, subjects=frozenset({key}))
        case Noted():
            return _about_note(message, story)
        case Envelope(data=data):
            named = {getattr(data, name, None) for name in ("photo_id", "other_photo_id", "key")} - {None}
            return About(
                what=message.detail_type,
                race=data.race,
                key=getattr(data, "key", story),
                photo_id=getattr(data, "photo_id", None),
                subjects=frozenset(map(str, named or {f"{message.detail_type} {data.race}"})),
            )


def notes() -> tuple[type[Note], ...]:
    """The notes of all functions."""
    feeds = (function.fed_by for card in in_order() for function in card.functions)
    return tuple(note for feed in feeds if isinstance(feed, Queue) for note in feed.notes)


def _about_note(noted: Noted, story: str | None) -> About:
    """Notes are about one upload, one photo, or a page of a race's photos: work that the race's events began."""
    note = noted.note
    upload, photo_id = getattr(note, "upload", None), getattr(note, "photo_id", None)
    key = upload.key if isinstance(upload, ObjectCreated) else None
    subjects = {subject for subject in (key, photo_id) if subject}
    return About(
        what=tag_of(type(note)),
        race=note.race,
        key=key or story,
        photo_id=photo_id,
        subjects=frozenset(subjects or {f"{event.__name__} {note.race}" for event in (RaceConfigured, RosterImported)}),
    )


def race_of(key: str) -> RaceRef | None:
    """The race that a key belongs to, or for one that is nearly a photo's, most likely does; None for a file name."""
    try:
        return parse_key(key).race
    except InvalidKey:
        return near_race(key)
