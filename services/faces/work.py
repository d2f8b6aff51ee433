"""A batch of photos being worked on: read once, changed in memory, written together.

Every write is conditional on the version that was read. What a photo's outcome was computed from, its neighbours, is
read once more after the write: a neighbour that changed in between has told this photo's older version, or none at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from services.faces.domain import needs_search
from services.faces.edges import Identities, Photo
from services.faces.state import Identity, Matched, conclude, with_match, without_lost
from shared.contracts.events import Meta, next_revision
from shared.contracts.keys import RaceRef
from shared.contracts.parts import one_each, parts

replace = msgspec.structs.replace

# A transaction takes 100 items, of which a photo whose faces are news is two, and 4 MB.
PHOTOS_AT_ONCE = 50
BYTES_AT_ONCE = 3_000_000


class Work:
    """Photos, each as it was read and as it is now."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._read: dict[Photo, Identity | None] = {}
        self._now: dict[Photo, Identity] = {}
        self._concluded_from: dict[Photo, int] = {}

    def load(self, photos: Iterable[Photo]) -> None:
        """Read those that were not read yet."""
        wanted = set(photos) - self._read.keys()
        found = self._identities.load(wanted) if wanted else {}
        self._read |= {photo: found.get(photo) for photo in wanted}

    def get(self, photo: Photo) -> Identity:
        """A photo as it is now; an empty one where nothing is known of it."""
        return self._now.get(photo) or self._read[photo] or Identity(photo_id=photo[1])

    def before(self, photo: Photo) -> Identity:
        """A photo as it was read."""
        return self._read[photo] or Identity(photo_id=photo[1])

    def put(self, race: RaceRef, identity: Identity) -> None:
        """Change a photo."""
        self._now[race, identity.photo_id] = identity

    def neighbours(self, photo: Photo) -> dict[str, Identity]:
        """The photos with faces that match this one's, as they are now; those that were loaded."""
        race, _ = photo
        ids = self.get(photo).neighbours
        return {photo_id: self.get((race, photo_id)) for photo_id in ids if self._read.get((race, photo_id))}

    def load_neighbours(self, photos: Iterable[Photo]) -> None:
        """Read the photos with faces that match those of `photos`."""
        self.load((race, other) for race, photo_id in photos for other in self.get((race, photo_id)).neighbours)

    # --- changes that concern two photos ----------------------------------------------------------------

    def match(self, race: RaceRef, one: tuple[str, str], other: tuple[str, str], similarity: float) -> None:
        """Note at both photos that two faces, each as (photo_id, face_id), match.

        Not where a photo does not have the face: when it has, it will be matched as a new photo. Nor where the match
        tells nothing, because neither face has a bib or neither needs to hear of one: when that changes, its photo is
        matched again. So somebody without a bib who is in thousands of photos is kept in none of them.
        """
        if self._has_face(race, one) and self._has_face(race, other) and self._tells_something(race, one, other):
            for (photo_id, face_id), (other_photo_id, other_id) in ((one, other), (other, one)):
                photo = self.get((race, photo_id))
                self.put(race, with_match(photo, face_id, other_id, Matched(other_photo_id, similarity)))

    def _has_face(self, race: RaceRef, face: tuple[str, str]) -> bool:
        photo_id, face_id = face
        return face_id in self.get((race, photo_id)).face_ids

    def _tells_something(self, race: RaceRef, *faces: tuple[str, str]) -> bool:
        links = [self.get((race, photo_id)).links.get(face_id) for photo_id, face_id in faces]
        return any(link is not None for link in links) and any(map(needs_search, links))

    # --- what follows, and writing it -------------------------------------------------------------------

    def conclude(self, photo: Photo, by: Meta) -> None:
        """Work out who is in the photo; neighbours must be loaded."""
        race, _ = photo
        read = self.before(photo)
        after = conclude(self.get(photo), self.neighbours(photo))
        if after.withdrawn is None and (after.revision == 0 or _outcome(after) != _outcome(read)):
            after = replace(after, revision=next_revision(read.revision, by))
        self.put(race, after)
        for photo_id in after.neighbours:
            held = self._read.get((race, photo_id))
            self._concluded_from[race, photo_id] = held.version if held else 0

    def tidy(self, photo: Photo, *, own_faces: bool) -> None:
        """Forget matches with faces that are gone; neighbours must be loaded."""
        race, _ = photo
        self.put(race, without_lost(self.get(photo), self.neighbours(photo), own_faces=own_faces))

    @property
    def changed(self) -> list[Photo]:
        """Photos that are not as they were read."""
        return [photo for photo, now in self._now.items() if now != self.before(photo)]

    @property
    def revised(self) -> set[Photo]:
        """Photos whose outcome is not as it was read."""
        return {photo for photo in self.changed if self.get(photo).revision != self.before(photo).revision}

    @property
    def new_to_the_race(self) -> list[Photo]:
        """Photos whose faces, or the bibs these wear, are not as they were read."""
        return [photo for photo in self.changed if _news_for_others(self.before(photo), self.get(photo))]

    def commit(self, at: int, first: Iterable[Photo]) -> bool:
        """Write what changed; False when somebody else wrote any of it meanwhile, or something it follows from.

        `first` are written before the rest, where one transaction does not take all: a photo whose outcome counts on a
        match has it before the neighbour has, and whoever changes the neighbour in between makes this commit fail.
        """
        ranked = [*dict.fromkeys([*first, *self._now])]
        changed, new = set(self.changed), set(self.new_to_the_race)
        written: dict[Photo, int] = {}
        order = [photo for photo in ranked if photo in changed]
        for chunk in parts(order, (one_each, PHOTOS_AT_ONCE), (self._weight, BYTES_AT_ONCE)):
            photos = [(race, self._next_version((race, photo_id))) for race, photo_id in chunk]
            if not self._identities.save(photos, [photo for photo in chunk if photo in new], at):
                return False
            written |= {(race, photo.photo_id): photo.version for race, photo in photos}
        return self._still_holds(written)

    def _weight(self, photo: Photo) -> int:
        return len(msgspec.json.encode(self.get(photo)))

    def _next_version(self, photo: Photo) -> Identity:
        return replace(self.get(photo), version=self.before(photo).version + 1)

    def _still_holds(self, written: Mapping[Photo, int]) -> bool:
        """Whether the neighbours that outcomes were computed from still are what was read, or what we wrote."""
        if not self._concluded_from:
            return True
        now = self._identities.load(self._concluded_from)
        return all(
            (now[photo].version if photo in now else 0) == written.get(photo, version)
            for photo, version in self._concluded_from.items()
        )


def _outcome(photo: Identity) -> object:
    return photo.runners, photo.complete, photo.photo_revision


def _news_for_others(before: Identity, after: Identity) -> bool:
    return after.withdrawn is None and (after.face_ids != before.face_ids or after.links != before.links)
