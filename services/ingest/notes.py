"""The intake function's notes to itself."""

from __future__ import annotations

from shared.contracts.messages import ObjectCreated
from shared.contracts.notes import Note


class TakeUpload(Note, frozen=True, kw_only=True, tag="take-upload"):
    """Take in an upload whose race is configured now."""

    upload: ObjectCreated


class ReleaseWaiting(Note, frozen=True, kw_only=True, tag="release-waiting"):
    """Send on a page of the race's waiting uploads, those behind the sort key `after`."""

    after: str | None = None


class RedatePhotos(Note, frozen=True, kw_only=True, tag="redate-photos"):
    """Date a page of the race's photos anew, those behind the sort key `after`."""

    after: str | None = None
