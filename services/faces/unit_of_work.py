"""A unit of work over photos: read once, changed in memory, written together.

Every write is conditional on the version that was read. What a photo's outcome was computed from, its neighbours, is
read once more after the write: a neighbour that changed in between has told this photo's older version, or none at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from services.faces.domain.matches import is_news_to_the_race
from services.faces.records import IdentifiedPhoto, NewPhoto
from shared.contracts.keys import PhotoRef
from shared.contracts.parts import one_each, parts
from shared.kit.records import Put, Records, unchanged
from shared.kit.table import ALWAYS

replace = msgspec.structs.replace

# A transaction takes 100 items, of which a photo whose faces are news is two, and 4 MB.
PHOTOS_AT_ONCE = 50
BYTES_AT_ONCE = 3_000_000


def read_photos(records: Records, refs: Iterable[PhotoRef]) -> dict[PhotoRef, IdentifiedPhoto]:
    """The evidence about several photos; unknown ones are left out."""
    return records.read_each({ref: IdentifiedPhoto.locate(*ref) for ref in refs})


class UnitOfWork:
    """Photos, each as it was read and as it is now."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._read: dict[PhotoRef, IdentifiedPhoto | None] = {}
        self._now: dict[PhotoRef, IdentifiedPhoto] = {}
        self._relied_on: set[PhotoRef] = set()

    def load(self, refs: Iterable[PhotoRef]) -> None:
        """Read those that were not read yet."""
        wanted = set(refs) - self._read.keys()
        found = read_photos(self._records, wanted) if wanted else {}
        self._read |= {ref: found.get(ref) for ref in wanted}

    def get(self, ref: PhotoRef) -> IdentifiedPhoto:
        """A photo as it is now; an empty one where nothing is known of it."""
        return self._now.get(ref) or self.before(ref)

    def before(self, ref: PhotoRef) -> IdentifiedPhoto:
        """A photo as it was read."""
        return self._read[ref] or IdentifiedPhoto(photo_id=ref.photo_id)

    def put(self, ref: PhotoRef, photo: IdentifiedPhoto) -> None:
        """Change a photo."""
        self._now[ref] = photo

    def matching(self, ref: PhotoRef) -> list[PhotoRef]:
        """The photos with faces that match this one's, known or not."""
        return [PhotoRef(ref.race, photo_id) for photo_id in sorted(self.get(ref).neighbours)]

    def load_neighbours(self, refs: Iterable[PhotoRef]) -> None:
        """Read the photos with faces that match those of `refs`."""
        self.load(neighbour for ref in refs for neighbour in self.matching(ref))

    def neighbours(self, ref: PhotoRef) -> dict[str, IdentifiedPhoto]:
        """The photos with faces that match this one's, as they are now, by photo id; unknown ones are left out."""
        return {each.photo_id: self.get(each) for each in self.matching(ref) if self._read.get(each)}

    def rely_on_neighbours(self, ref: PhotoRef) -> None:
        """Let the commit hold only while the photo's neighbours are as they were read, also those still unknown."""
        self._relied_on |= set(self.matching(ref))

    @property
    def changed(self) -> list[PhotoRef]:
        """Photos that are not as they were read."""
        return [ref for ref, now in self._now.items() if now != self.before(ref)]

    @property
    def revised(self) -> set[PhotoRef]:
        """Photos whose outcome is not as it was read."""
        return {ref for ref in self.changed if self.get(ref).revision != self.before(ref).revision}

    def commit(self, at: int, first: Iterable[PhotoRef]) -> bool:
        """Write what changed; False when somebody else wrote any of it meanwhile, or something it relies on.

        Photos whose faces or links are news to the race wait to be matched from `at` (ms) on. `first` are written
        before the rest, where one transaction does not take all: a photo whose outcome counts on a match has it before
        the neighbour has, and whoever changes the neighbour in between makes this commit fail.
        """
        changed = set(self.changed)
        order = [ref for ref in dict.fromkeys([*first, *self._now]) if ref in changed]
        written: dict[PhotoRef, int] = {}
        for chunk in parts(order, (one_each, PHOTOS_AT_ONCE), (self._weight, BYTES_AT_ONCE)):
            photos = {ref: replace(self.get(ref), version=self.before(ref).version + 1) for ref in chunk}
            puts: list[Put] = []
            for ref, photo in photos.items():
                puts.append((ref.race, photo, unchanged(self._read[ref], "version")))
                if is_news_to_the_race(self.before(ref), photo):
                    puts.append((ref.race, NewPhoto(at=at, photo_id=ref.photo_id), ALWAYS))
            if not self._records.write(puts):
                return False
            written |= {ref: photo.version for ref, photo in photos.items()}
        return self._still_holds(written)

    def _weight(self, ref: PhotoRef) -> int:
        return len(msgspec.json.encode(self.get(ref)))

    def _still_holds(self, written: Mapping[PhotoRef, int]) -> bool:
        """Whether the photos that outcomes rely on still are what was read, or what we wrote."""
        if not self._relied_on:
            return True
        now = read_photos(self._records, self._relied_on)
        return all(
            (now[ref].version if ref in now else 0) == written.get(ref, self.before(ref).version)
            for ref in self._relied_on
        )
