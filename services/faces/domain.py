"""Who is in a photo: links of bibs to faces, and votes of matching faces. Pure.

Evidence is a photo's own readings and faces, and the faces in other photos that match them. A face's bib is voted for
by its own link and by the links of the faces it matches directly: one hop, never a chain, so that one wrong match
cannot tie two people together. The result depends on the evidence alone, not on the order in which it came.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import msgspec

from shared.events import Box, Face, MatchedRunner, Reading, Status, Suggestion

# Where a bib is worn, seen from the face: about this many face heights below its centre (detectors box a face from
# brow to chin; a chest is two to three of those further down), give or take; measured on race photos.
CHEST_BELOW_FACE = 2.3
HIGHEST_BIB, LOWEST_BIB = 0.6, 5.0  # face heights below the face's centre
WIDEST_OFFSET = 1.6  # face widths to either side

SUGGESTION_WEIGHT = 0.3  # of what a reading would weigh: a misread, corrected by one character, is half a guess
UNVERIFIED_WEIGHT = 0.8  # a reading no roster vouches for
NO_VOTE_SIMILARITY = 75.0  # percent; a match as weak as this says nothing, one of 100 as much as a reading
INFERRED_FROM = 0.5  # votes a bib needs to be inferred where it is not read
DOUBTFUL_FROM = 0.2  # votes below which a bib is not worth a person's time
CLEAR_LEAD = 1.5  # how many times the runner-up's votes make a result clear


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A bib that hangs below a face, by this photo alone. `weight` is 0 to 1."""

    bib: str
    weight: float


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A face in another photo that matches one of ours; `similarity` in percent, `link` its bib there."""

    similarity: float
    link: Link | None


class Bibs(msgspec.Struct, frozen=True, kw_only=True):
    """What was read in the photo."""

    readings: tuple[Reading, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


def link_bibs(bibs: Bibs, faces: Sequence[Face]) -> dict[str, Link]:
    """Give each bib to the nearest face it can belong to: face id → link.

    A face wears one bib and a bib one face; pairs are taken nearest first, so that in a group each gets its own. A bib
    without a plausible face above it stays unlinked.
    """
    worn: list[Reading | Suggestion] = [*bibs.readings, *bibs.suggestions]
    pairs = [
        (distance, bib, face)
        for bib, face in product(worn, faces)
        if (distance := _distance(bib.box, face.box)) is not None
    ]
    pairs.sort(key=lambda pair: (pair[0], _place(pair[1].box), pair[1].bib, _place(pair[2].box)))
    links: dict[str, Link] = {}
    taken: set[str] = set()
    for _, bib, face in pairs:
        if bib.bib not in taken and face.face_id not in links:
            links[face.face_id] = Link(bib=bib.bib, weight=_weight(bib))
            taken.add(bib.bib)
    return links


def resolve(bibs: Bibs, faces: Sequence[Face], matches: Mapping[str, Iterable[Match]]) -> tuple[MatchedRunner, ...]:
    """Say who is in a photo, in bib order; `matches` by face id."""
    links = link_bibs(bibs, faces)
    votes = {face.face_id: _votes(links.get(face.face_id), matches.get(face.face_id, ())) for face in faces}
    by_face = _give_each_bib_to_one_face(faces, links, votes)
    read = {reading.bib: reading for reading in bibs.readings}
    runners: dict[str, MatchedRunner] = {}
    for face in faces:
        bib = by_face.get(face.face_id)
        if bib is None:
            continue
        status = _status(bib, votes[face.face_id], own=links.get(face.face_id), read=bib in read)
        if status is not None:
            confidence = read[bib].confidence if bib in read else _confidence(bib, votes[face.face_id])
            runners[bib] = MatchedRunner(
                bib=bib, status=status, confidence=confidence, read=bib in read, face_id=face.face_id, box=face.box
            )
    outvoted = {link.bib for face_id, link in links.items() if by_face.get(face_id) != link.bib}
    for bib, reading in read.items():
        if bib not in runners:
            # Read, but its face (if any) belongs to somebody else: the number stands, its wearer is in question.
            status = "doubtful" if bib in outvoted else "confirmed"
            runners[bib] = MatchedRunner(
                bib=bib, status=status, confidence=reading.confidence, read=True, box=reading.box
            )
    for suggestion in bibs.suggestions:
        if suggestion.bib not in runners and suggestion.bib not in outvoted:
            confidence = round(SUGGESTION_WEIGHT * suggestion.confidence, 1)
            runners[suggestion.bib] = MatchedRunner(
                bib=suggestion.bib, status="doubtful", confidence=confidence, read=False, box=suggestion.box
            )
    return tuple(runners[bib] for bib in sorted(runners))


def _votes(own: Link | None, matches: Iterable[Match]) -> dict[str, float]:
    """Each bib's votes for one face. fsum, because a sum must not depend on the order of the matches."""
    weights: dict[str, list[float]] = defaultdict(list)
    if own is not None:
        weights[own.bib].append(own.weight)
    for match in matches:
        if match.link is not None:
            strength = (match.similarity - NO_VOTE_SIMILARITY) / (100.0 - NO_VOTE_SIMILARITY)
            weights[match.link.bib].append(max(0.0, strength) * match.link.weight)
    return {bib: math.fsum(each) for bib, each in weights.items()}


def _give_each_bib_to_one_face(
    faces: Sequence[Face], links: Mapping[str, Link], votes: Mapping[str, Mapping[str, float]]
) -> dict[str, str]:
    """Face id → bib: nobody is twice in a photo, so a bib goes to the face with the most votes for it.

    A face takes the bib it votes for most; the loser of a bib takes none, rather than its second guess.
    """
    claims = []
    for face in faces:
        ranked = sorted(votes[face.face_id].items(), key=lambda vote: (-vote[1], vote[0]))
        if ranked:
            bib, weight = ranked[0]
            own = links.get(face.face_id)
            not_worn_here = own is None or own.bib != bib
            claims.append((not_worn_here, -weight, _place(face.box), bib, face.face_id))
    given: dict[str, str] = {}
    for *_, bib, face_id in sorted(claims):
        if bib not in given.values():
            given[face_id] = bib
    return given


def _status(bib: str, votes: Mapping[str, float], *, own: Link | None, read: bool) -> Status | None:
    weight = votes[bib]
    runner_up = max((other for name, other in votes.items() if name != bib), default=0.0)
    clear = weight >= CLEAR_LEAD * runner_up
    if read and own is not None and own.bib == bib:
        return "confirmed" if clear else "doubtful"
    if read:
        return "confirmed"  # read in the photo, and this face's other photos say whose it is
    if clear and weight >= INFERRED_FROM:
        return "inferred"
    return "doubtful" if weight >= DOUBTFUL_FROM else None


def _confidence(bib: str, votes: Mapping[str, float]) -> float:
    """The share of the votes, in percent, held down while there are few of them."""
    total = math.fsum(votes.values())
    return round(100.0 * votes[bib] / max(total, 1.0), 1)


def _weight(bib: Reading | Suggestion) -> float:
    share = bib.confidence / 100.0
    if isinstance(bib, Suggestion):
        return round(share * SUGGESTION_WEIGHT, 4)
    return round(share if bib.verified else share * UNVERIFIED_WEIGHT, 4)


def _distance(bib: Box, face: Box) -> float | None:
    """How far a bib is from where this face's owner would wear it, in face sizes; None if it cannot be hers.

    Offsets are divided by the face's width and height, so the picture's aspect ratio does not matter.
    """
    across = abs((bib.left + bib.width / 2) - (face.left + face.width / 2)) / face.width
    below = ((bib.top + bib.height / 2) - (face.top + face.height / 2)) / face.height
    if across > WIDEST_OFFSET or not HIGHEST_BIB <= below <= LOWEST_BIB:
        return None
    return round(across + 0.5 * abs(below - CHEST_BELOW_FACE), 6)


def _place(box: Box) -> tuple[float, float, float, float]:
    """A stable order for things in a picture (face ids are random and would decide ties differently each time)."""
    return (box.left, box.top, box.width, box.height)
