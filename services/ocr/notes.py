"""The read function's notes to itself."""

from __future__ import annotations

from shared.contracts.notes import Note


class RereadRace(Note, frozen=True, kw_only=True, tag="reread-race"):
    """Look through a page of the race's photos, those behind the photo `after`, for what reads differently now."""

    after: str | None = None


class RereadPhoto(Note, frozen=True, kw_only=True, tag="reread-photo"):
    """Read a photo's words again by what the race says now."""

    photo_id: str
