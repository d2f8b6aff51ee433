"""Numbers that are read in many photos of a race and are on no bib: a year over the finish, a sponsor's.

They are learned from what the stages keep of each photo, so that neither order nor repetition of deliveries matters and
a photo that is withdrawn counts no more. Nothing is excluded by this: it is proposed to the organizer.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from ops.reach.target import Target
from services.faces.records import IdentifiedPhoto
from services.ocr.records import ReadPhoto
from services.search.records import BibEntry
from shared.contracts.boxes import overlap
from shared.contracts.events import Box
from shared.contracts.keys import PhotoRef, RaceRef

LEAST_PHOTOS = 20  # in which a number is read; somebody who runs is in six to ten
MOST_NUMBERS = 10  # that are looked at, those in the most photos
SAMPLE = 50  # photos of each that are looked at: whichever have the first ids, which are as good as drawn by lot
SELDOM_WORN = 0.1  # of the photos, in which a banner may hang below a face by chance
ONE_PLACE = 0.05  # of the picture's width and height, to either side
MOSTLY = 0.8  # of the photos, in which what hangs there is at one place of the picture
LEAST_MINUTES = 20  # in which it was there: a camera that stands catches a runner only while she passes


class Sighting(NamedTuple):
    """A number in one photo: the middle of its box, the minute it was taken ("" if unknown), whether somebody wears it.

    `worn` is None where neither faces nor torsos were looked for.
    """

    photo_id: str
    x: float
    y: float
    minute: str
    worn: bool | None
    verified: bool


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is proposed for bib_rules.excluded.

    `photos` is in how many it is read, `looked_at` in how many of these it was looked at; `worn` in how many of these
    it hangs below a face or on a chest, `at_one_place` in how many it is at one place of the picture. `on_roster` says
    that a runner has it as her bib.
    """

    bib: str
    photos: int
    looked_at: int
    worn: int
    at_one_place: int
    on_roster: bool

    @property
    def why(self) -> str:
        """Why it is proposed, and what excluding it would cost, in a sentence."""
        seen = (
            f"{self.bib} is read in {self.photos:,} photos: of {self.looked_at} looked at it is on somebody's chest in "
            f"{self.worn}, and at one place of the picture in {self.at_one_place}."
        )
        cost = " It is a runner's bib as well, and she would no longer be found by it." if self.on_roster else ""
        return seen + cost


def banners(target: Target, race: RaceRef) -> tuple[Banner, ...]:
    """The numbers that look like banners', those in the most photos first."""
    entries = target.records("search").query(BibEntry, race)
    by_bib = ((bib, [each for each in group if each.read]) for bib, group in groupby(entries, lambda each: each.bib))
    frequent = ((bib, read) for bib, read in by_bib if len(read) >= LEAST_PHOTOS)
    most = heapq.nsmallest(MOST_NUMBERS, frequent, key=lambda each: (-len(each[1]), each[0]))
    found = [judged(bib, len(read), _sightings(target, race, bib, read)) for bib, read in most]
    return tuple(each for each in found if each is not None)


def judged(bib: str, photos: int, sightings: Sequence[Sighting]) -> Banner | None:
    """What is proposed of a number that was looked at in some of its photos; None where it is on a bib.

    It is none where hardly anybody wears it; or, where somebody seems to (who stands behind it) or nobody has looked,
    where it is at one place of the picture for long.
    """
    known = [each for each in sightings if each.worn is not None]
    worn = sum(bool(each.worn) for each in known)
    at_one_place = most_at_one_place(sightings)
    unworn = len(known) >= LEAST_PHOTOS and worn <= SELDOM_WORN * len(known)
    minutes = {each.minute for each in at_one_place if each.minute}
    fixed = len(at_one_place) >= MOSTLY * len(sightings) and len(minutes) >= LEAST_MINUTES
    if not unworn and not fixed:
        return None
    return Banner(
        bib=bib,
        photos=photos,
        looked_at=len(sightings),
        worn=worn,
        at_one_place=len(at_one_place),
        on_roster=any(each.verified for each in sightings),
    )


def most_at_one_place(sightings: Iterable[Sighting]) -> list[Sighting]:
    """The most sightings that are about where one of them is; of as many those that are first by the place."""
    ordered = sorted(sightings, key=lambda each: (each.x, each.y, each.photo_id))
    groups = ([each for each in ordered if _is_near(each, middle)] for middle in ordered)
    return max(groups, key=len, default=[])


def _is_near(one: Sighting, other: Sighting) -> bool:
    return abs(one.x - other.x) <= ONE_PLACE and abs(one.y - other.y) <= ONE_PLACE


# --- what the stages keep ---------------------------------------------------------------------------------


def _sightings(target: Target, race: RaceRef, bib: str, entries: Iterable[BibEntry]) -> list[Sighting]:
    """The number in a sample of the photos in which it is read."""
    minutes = {each.photo_id: each.shot_at[:16] for each in heapq.nsmallest(SAMPLE, entries, key=_by_id)}
    refs = [PhotoRef(race, photo_id) for photo_id in minutes]
    read = target.records("ocr").read_each({ref.photo_id: ReadPhoto.locate(*ref) for ref in refs})
    identified = target.records("faces").read_each({ref.photo_id: IdentifiedPhoto.locate(*ref) for ref in refs})
    torsos = any(word.torso for photo in read.values() for word in photo.words)
    return list(_seen(bib, minutes, read, identified, torsos=torsos))


def _by_id(entry: BibEntry) -> str:
    return entry.photo_id


def _seen(
    bib: str,
    minutes: Mapping[str, str],
    read: Mapping[str, ReadPhoto],
    identified: Mapping[str, IdentifiedPhoto],
    *,
    torsos: bool,
) -> Iterator[Sighting]:
    """The number in each of the photos; where no word anywhere is on a torso, nobody looked for any."""
    for photo_id, photo in read.items():
        reading = next((each for each in (photo.bibs.readings if photo.bibs else ()) if each.bib == bib), None)
        if reading is None:  # read anew meanwhile
            continue
        who = identified.get(photo_id) or IdentifiedPhoto(photo_id=photo_id)
        below_a_face = any(runner.bib == bib and runner.face_id is not None for runner in who.runners)
        worn = below_a_face or _is_on_a_torso(reading.box, photo)
        yield Sighting(
            photo_id=photo_id,
            x=reading.box.left + reading.box.width / 2,
            y=reading.box.top + reading.box.height / 2,
            minute=minutes[photo_id],
            worn=worn if torsos or who.faces or worn else None,
            verified=reading.verified,
        )


def _is_on_a_torso(box: Box, photo: ReadPhoto) -> bool:
    return any(word.torso and overlap(word.box, box) > 0 for word in photo.words)
