"""What a replay changed as people see it: the states of uploads, and who is in which photo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ops.look.state_hash import StateHash
from ops.look.status import searchable, status
from ops.reach.target import Target
from services.search.records import ShownPhoto
from shared.contracts.keys import RaceRef


@dataclass(frozen=True)
class View:
    """Some races as they are seen at a moment: key → state, and photo id → a hash of what is shown of it."""

    uploads: dict[str, str]
    photos: dict[str, str]


@dataclass(frozen=True)
class Changes:
    """Keys whose state changed, with the state before ("" for none) and after; photos that are shown otherwise."""

    uploads: dict[str, tuple[str, str]]
    photos: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.uploads or self.photos)


def view(target: Target, races: Iterable[RaceRef]) -> View:
    """Look at races as they are now."""
    uploads: dict[str, str] = {}
    photos: dict[str, str] = {}
    for race in sorted(set(races)):
        uploads |= {upload.key: upload.state for upload in status(target, race).uploads}
        found = searchable(target, race)
        for photo in target.records("search").query(ShownPhoto, race):
            if photo.photo_id in found:
                shown = StateHash()
                shown.photo(photo)
                photos[photo.photo_id] = shown.hexdigest()
    return View(uploads, photos)


def changes(before: View, after: View) -> Changes:
    """What differs between two views of the same races."""
    keys = sorted(before.uploads.keys() | after.uploads.keys())
    states = {key: (before.uploads.get(key, ""), after.uploads.get(key, "")) for key in keys}
    photos = sorted(before.photos.keys() | after.photos.keys())
    return Changes(
        uploads={key: (was, now) for key, (was, now) in states.items() if was != now},
        photos=tuple(photo for photo in photos if before.photos.get(photo) != after.photos.get(photo)),
    )
