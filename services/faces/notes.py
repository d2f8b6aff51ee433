"""The notes that the stage's two functions leave themselves."""

from __future__ import annotations

from shared.contracts.notes import Note

# --- index ------------------------------------------------------------------------------------------------


class ReviewRace(Note, frozen=True, kw_only=True, tag="review-race"):
    """Look through a page of the race's photos, those behind the photo `after`, for what the switch changes."""

    after: str | None = None


class ReviewPhoto(Note, frozen=True, kw_only=True, tag="review-photo"):
    """Index a photo's faces, or forget them, by what the race says now."""

    photo_id: str


# --- identity ---------------------------------------------------------------------------------------------


class ResolvePhoto(Note, frozen=True, kw_only=True, tag="resolve-photo"):
    """Work out again who is in a photo: one that its faces match has changed."""

    photo_id: str


class TidyPhoto(Note, frozen=True, kw_only=True, tag="tidy-photo"):
    """Forget what a photo's lost faces matched; whom they concerned is told."""

    photo_id: str


class SearchPhoto(Note, frozen=True, kw_only=True, tag="search-photo"):
    """Search the collection for a photo's faces: for all, or for those that want to hear what others say."""

    photo_id: str
    all_faces: bool = False


class MatchRace(Note, frozen=True, kw_only=True, tag="match-race"):
    """Plan the race's searches if there is no news since its newest photo came, at `at` (ms), `waited_s` before."""

    at: int
    waited_s: int = 0
