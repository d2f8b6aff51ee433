"""Which bib hangs below which face, by one photo alone."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Literal, TypeVar

import msgspec

from services.faces.records import Correction, IdentifiedPhoto
from shared.contracts.boxes import overlap, same_face
from shared.contracts.events import Bibs, Box, Evidence, EvidenceKind, Face, Guess, Partial, Reading, Suggestion
from shared.contracts.patterns import fits

W = TypeVar("W", Reading | Suggestion, Partial)
replace = msgspec.structs.replace

# Where a bib is worn, seen from the face: about this many face heights below its centre (detectors box a face from
# brow to chin; a chest is two to three of those further down), give or take; measured on race photos.
CHEST_BELOW_FACE = 2.3
HIGHEST_BIB, LOWEST_BIB = 0.6, 5.0  # face heights below the face's centre
WIDEST_OFFSET = 1.6  # face widths to either side

SURE_READING = 90.0  # percent; a reading below this wants to hear what the other photos of the face say
SUGGESTION_WEIGHT = 0.3  # of what a reading would weigh: a misread, corrected by one character, is half a guess
WEAK_WEIGHT = 0.45  # a bib of the roster, read as it is but not surely; below what infers (votes.INFERRED_FROM)
UNVERIFIED_WEIGHT = 0.8  # a reading no roster vouches for


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A bib that hangs below a face, by this photo alone: how it is known, how sure (percent), its `weight` 0 to 1.

    `sure`: nothing else has to be asked about this face. Of a part of a bib `pattern` is what was seen, and `bib` the
    only one that fits, None where it is not known or not to be thought of.
    """

    bib: str | None
    weight: float
    sure: bool
    score: float
    kind: EvidenceKind
    guess: Guess | msgspec.UnsetType = msgspec.UNSET
    pattern: str | msgspec.UnsetType = msgspec.UNSET
    named: Literal[True] | msgspec.UnsetType = msgspec.UNSET

    @property
    def worn(self) -> str | None:
        """The bib that other photos of the face may count on. A part of one says nothing there."""
        return None if self.pattern else self.bib

    def can_be(self, bib: str) -> bool:
        """Whether what hangs below the face is, or can be a part of, this bib."""
        return fits(self.pattern, bib) if self.pattern else bib == self.bib

    def evidence(self, photo_id: str, bib: str, weight: float | None = None) -> Evidence:
        """The link as a reason for a bib that it can be, of another weight where one is given."""
        return Evidence(
            kind=self.kind,
            bib=bib,
            score=self.score,
            weight=self.weight if weight is None else weight,
            photo_id=photo_id,
            guess=self.guess,
            pattern=self.pattern,
            named=self.named,
        )


Links = Mapping[str, Link]
"""By face id."""


def link_bibs(photo: IdentifiedPhoto) -> Links:
    """Give each bib to the nearest face it can belong to.

    A face wears one bib and a bib one face. First come those that an organizer gave to a face; then pairs are taken
    nearest first, so that in a group each gets its own. A bib without a plausible face above it stays unlinked. Parts
    of bibs come last: other numbers are printed on bibs, too.
    """
    return _link_bibs(photo.bibs, photo.faces, photo.corrections)


@functools.lru_cache(maxsize=2000)  # a photo's links are asked for again and again while photos that match it change
def _link_bibs(bibs: Bibs, faces: tuple[Face, ...], corrections: tuple[Correction, ...]) -> Links:
    links = _said_by_an_organizer(faces, corrections)
    taken = {link.bib for link in links.values()} | denied(corrections)
    whole: list[Reading | Suggestion] = [*bibs.readings, *bibs.suggestions]
    for bib, face in _nearest_first(whole, faces):
        if bib.bib not in taken and face.face_id not in links:
            links[face.face_id] = link_of(bib)
            taken.add(bib.bib)
    named = [link for link in links.values() if link.kind == "organizer"]
    parts = [each for each in bibs.partials or () if not any(fits(each.pattern, str(link.bib)) for link in named)]
    linked: set[Partial] = set()
    for part, face in _nearest_first(parts, faces):
        if part not in linked and face.face_id not in links:
            link = link_of(part)
            links[face.face_id] = replace(link, bib=None) if link.bib in taken else link
            linked.add(part)
    return links


def _nearest_first(worn: Iterable[W], faces: Iterable[Face]) -> list[tuple[W, Face]]:
    """What is worn with each face that can wear it."""
    pairs = [
        (distance, bib, face)
        for bib, face in product(worn, faces)
        if (distance := _distance(bib.box, face.box)) is not None
    ]
    pairs.sort(key=lambda pair: (pair[0], place(pair[1].box), _seen(pair[1]), place(pair[2].box)))
    return [(bib, face) for _, bib, face in pairs]


def _seen(bib: Reading | Suggestion | Partial) -> str:
    return bib.pattern if isinstance(bib, Partial) else bib.bib


def _said_by_an_organizer(faces: Sequence[Face], corrections: Sequence[Correction]) -> dict[str, Link]:
    """The faces that an organizer gave a bib to; of two bibs for one face the later word holds."""
    links: dict[str, Link] = {}
    affirmed = [each for each in corrections if each.here]
    for said in sorted(affirmed, key=lambda each: (-each.revision, each.bib)):
        if said.box is not None:
            box = said.box
            nearest = max(faces, key=lambda face: (overlap(face.box, box), place(face.box)), default=None)
            if nearest and same_face(nearest.box, box) and nearest.face_id not in links:
                links[nearest.face_id] = Link(bib=said.bib, weight=1.0, sure=True, score=100.0, kind="organizer")
    return links


def denied(corrections: Sequence[Correction]) -> frozenset[str]:
    """Bibs that are not in the photo, says an organizer."""
    return frozenset(each.bib for each in corrections if not each.here)


def link_of(bib: Reading | Suggestion | Partial) -> Link:
    """What a bib, or a part of one, says about the face above it."""
    weight = round(bib.confidence / 100.0 * weight_of(bib), 4)
    if isinstance(bib, Reading):
        sure = bib.confidence >= SURE_READING
        return Link(bib=bib.bib, weight=weight, sure=sure, score=bib.confidence, kind="reading", named=bib.named)
    guessed = Link(bib=bib.bib or None, weight=weight, sure=False, score=bib.confidence, kind="suggestion")
    if isinstance(bib, Partial):
        return replace(guessed, guess="partial", pattern=bib.pattern)
    return replace(guessed, guess=bib.guess)


def weight_of(bib: Reading | Suggestion | Partial) -> float:
    """What it counts by its kind, 0 to 1, were its letters read with certainty."""
    if isinstance(bib, Reading):
        return 1.0 if bib.verified else UNVERIFIED_WEIGHT
    return WEAK_WEIGHT if isinstance(bib, Suggestion) and bib.guess == "weak" else SUGGESTION_WEIGHT


def _distance(bib: Box, face: Box) -> float | None:
    """How far a bib is from where this face's owner would wear it, in face sizes; None if it cannot be hers.

    Offsets are divided by the face's width and height, so the picture's aspect ratio does not matter.
    """
    across = abs((bib.left + bib.width / 2) - (face.left + face.width / 2)) / face.width
    below = ((bib.top + bib.height / 2) - (face.top + face.height / 2)) / face.height
    if across > WIDEST_OFFSET or not HIGHEST_BIB <= below <= LOWEST_BIB:
        return None
    return round(across + 0.5 * abs(below - CHEST_BELOW_FACE), 6)


def place(box: Box) -> tuple[float, float, float, float]:
    """A stable order for things in a picture (face ids are random and would decide ties differently each time)."""
    return (box.left, box.top, box.width, box.height)


def needs_search(link: Link | None) -> bool:
    """Whether a face, by its own photo's link, wants to hear what the other photos of it say."""
    return link is None or not link.sure


def hidden_faces(photo: IdentifiedPhoto) -> tuple[str, ...]:
    """The faces below which no bib is read: without the other photos of them nobody is found here."""
    links = link_bibs(photo)
    return tuple(face.face_id for face in photo.faces if not _is_read(links.get(face.face_id)))


def _is_read(link: Link | None) -> bool:
    return link is not None and link.kind in ("reading", "organizer")


def unsure_faces(photo: IdentifiedPhoto) -> tuple[str, ...]:
    """The faces that want to hear what the other photos of them say."""
    links = link_bibs(photo)
    return tuple(face.face_id for face in photo.faces if needs_search(links.get(face.face_id)))
