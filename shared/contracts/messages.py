"""What a function's queue can hold: a domain event, an S3 notification, or the function's own note to itself."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from shared.contracts import events, notes
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, Meta
from shared.contracts.notes import Note, Noted
from shared.contracts.rules import OBJECT_CREATED, OBJECT_DELETED, S3


class ObjectEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What S3 tells of an object; `key` raw, as S3 has it; `at` ISO 8601."""

    meta: Meta
    bucket: str
    key: str
    sequencer: str
    at: str


class ObjectCreated(ObjectEvent, frozen=True, kw_only=True):
    """S3 wrote an object. `size` in bytes."""

    size: int
    etag: str
    version_id: str | None


class ObjectDeleted(ObjectEvent, frozen=True, kw_only=True):
    """S3 deleted an object (or put a delete marker on it).

    `erased_version` names the one version that is gone for good, where that is all that was deleted: the key itself
    may still hold another.
    """

    erased_version: str | None = None


replace = msgspec.structs.replace
Message = Envelope | ObjectCreated | ObjectDeleted | Noted


def parse(body: str, kinds: tuple[type[Note], ...] = ()) -> Message:
    """Read a queue message's body, which may be a note of these kinds. Raises InvalidMessage."""
    try:
        raw = json.loads(body)
    except ValueError:
        raise InvalidMessage("not_json", "The message is not JSON.") from None
    if not isinstance(raw, dict):
        raise InvalidMessage("not_an_event", "The message is not a JSON object.")
    try:
        if notes.MARK in raw:
            return notes.parse(raw, kinds)
        source, detail_type, detail = str(raw["source"]), str(raw["detail-type"]), raw["detail"]
        if source == S3:
            return _s3_notification(raw, detail_type, detail)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidMessage("malformed_message", f"The message lacks what it must have: {error}.") from None
    envelope = events.parse(detail_type, detail)
    if replay := raw.get("replay-name"):
        return replace(envelope, meta=replace(envelope.meta, replay=str(replay)))
    return envelope


def _s3_notification(raw: dict[str, Any], detail_type: str, detail: dict[str, Any]) -> ObjectCreated | ObjectDeleted:
    target = detail["object"]
    key, sequencer, at = str(target["key"]), str(target["sequencer"]), str(raw["time"])
    # The upload starts the story: its key and sequencer name it, however often S3 tells us about it.
    story = f"{key}@{sequencer}"
    meta = Meta(
        id=story,
        version=1,
        correlation_id=story,
        causation_id=str(raw["id"]),
        occurred_at=at,
        replay=raw.get("replay-name"),
    )
    said: dict[str, Any] = {
        "meta": meta, "bucket": str(detail["bucket"]["name"]), "key": key, "sequencer": sequencer, "at": at,
    }  # fmt: skip
    version_id = target.get("version-id")
    if detail_type == OBJECT_CREATED:
        size, etag = int(target.get("size", 0)), str(target.get("etag", ""))
        return ObjectCreated(**said, size=size, etag=etag, version_id=version_id)
    if detail_type == OBJECT_DELETED:
        permanently = detail.get("deletion-type") == "Permanently Deleted"
        return ObjectDeleted(**said, erased_version=version_id if permanently else None)
    raise InvalidMessage("unknown_notification", f"S3's '{detail_type}' is not one we asked for.")
