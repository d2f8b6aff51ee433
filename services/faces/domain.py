"""Who is in a photo: links of bibs to faces, and votes of matching faces. Pure.

Evidence is a photo's own readings and faces, what an organizer said about it, and the faces in other photos that match
its own. A face's bib is voted for by its own link and by the links of the faces it matches directly: one hop, never a
chain, so that one wrong match cannot tie two people together. What an organizer said outranks all votes. The result
depends on the evidence alone, not on the order in which it came.

A face whose own bib was read surely needs no other photo to say whose it is: only for the others is the collection
searched, and of a match between two sure faces nothing is made, since whether it is known depends on chance.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import msgspec

from shared.contracts.boxes import overlap, same_face
from shared.contracts.events import Box, Evidence, EvidenceKind, Face, MatchedRunner, Reading, Status, Suggestion

# Where a bib is worn, seen from the face: about this many face heights below its centre (detectors box a face from
# brow to chin; a chest is two to three of those further down), give or take; measured on race photos.
CHEST_BELOW_FACE = 2.3
HIGHEST_BIB, LOWEST_BIB = 0.6, 5.0  # face heights below the face's centre
WIDEST_OFFSET = 1.6  # face widths to either side

SURE_READING = 90.0  # percent; a reading below this wants to hear what the other photos of the face say
SUGGESTION_WEIGHT = 0.3  # of what a reading would weigh: a misread, corrected by one character, is half a guess
UNVERIFIED_WEIGHT = 0.8  # a reading no roster vouches for
NO_VOTE_SIMILARITY = 75.0  # percent; a match as weak as this says nothing, one of 100 as much as a reading
INFERRED_FROM = 0.5  # votes a bib needs to be inferred where it is not read
DOUBTFUL_FROM = 0.2  # votes below which a bib is not worth a person's time
CLEAR_LEAD = 1.5  # how many times the runner-up's votes make a result clear

MAX_EVIDENCE = 10  # reasons that are told of a runner, the weightiest


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A bib that hangs below a face, by this photo alone: how it is known, how sure (percent), its `weight` 0 to 1.

    `sure`: nothing else has to be asked about this face.
    """

    bib: str
    weight: float
    sure: bool
    score: float
    kind: EvidenceKind

    def evidence(self, photo_id: str | None = None) -> Evidence:
        """The link as a reason for its bib."""
        return Evidence(kind=self.kind, bib=self.bib, score=self.score, weight=self.weight, photo_id=photo_id)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A face in another photo that matches one of ours; `similarity` in percent, `link` its bib there."""

    photo_id: str
    similarity: float
    link: Link | None

    @property
    def weight(self) -> float:
        """What it counts in the vote: its link's weight, the less the weaker the match."""
        strength = (self.similarity - NO_VOTE_SIMILARITY) / (100.0 - NO_VOTE_SIMILARITY)
        return max(0.0, strength) * self.link.weight if self.link else 0.0


class Bibs(msgspec.Struct, frozen=True, kw_only=True):
    """What was read in the photo."""

    readings: tuple[Reading, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer's word about one bib in the photo: see BibCorrected."""

    bib: str
    here: bool
    box: Box | None
    revision: int


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a photo by itself; at most one correction a bib."""

    bibs: Bibs = Bibs()
    faces: tuple[Face, ...] = ()
    corrections: tuple[Correction, ...] = ()

    @property
    def denied(self) -> frozenset[str]:
        """Bibs that are not here, says an organizer."""
        return frozenset(each.bib for each in self.corrections if not each.here)

    @property
    def affirmed(self) -> dict[str, Correction]:
        """Bibs that are here, says an organizer."""
        return {each.bib: each for each in self.corrections if each.here}


def link_bibs(photo: Observed) -> dict[str, Link]:
    """Give each bib to the nearest face it can belong to: face id → link.

    A face wears one bib and a bib one face. First come those that an organizer gave to a face; then pairs are taken
    nearest first, so that in a group each gets its own. A bib without a plausible face above it stays unlinked.
    """
    links = _said_by_an_organizer(photo)
    taken = {link.bib for link in links.values()} | photo.denied
    worn: list[Reading | Suggestion] = [*photo.bibs.readings, *photo.bibs.suggestions]
    pairs = [
        (distance, bib, face)
        for bib, face in product(worn, photo.faces)
        if (distance := _distance(bib.box, face.box)) is not None
    ]
    pairs.sort(key=lambda pair: (pair[0], _place(pair[1].box), pair[1].bib, _place(pair[2].box)))
    for _, bib, face in pairs:
        if bib.bib not in taken and face.face_id not in links:
            links[face.face_id] = _link(bib)
            taken.add(bib.bib)
    return links


def needs_search(link: Link | None) -> bool:
    """Whether a face wants to hear what the other photos of it say."""
    return link is None or not link.sure


def resolve(photo: Observed, matches: Mapping[str, Iterable[Match]], photo_id: str = "") -> tuple[MatchedRunner, ...]:
    """Say who is in a photo and why, in bib order; `matches` by face id, `photo_id` for the reasons' sake."""
    links = link_bibs(photo)
    reasons = {face.face_id: _reasons(photo, face, links, matches, photo_id) for face in photo.faces}
    votes = {face_id: _votes(each) for face_id, each in reasons.items()}
    by_face = _give_each_bib_to_one_face(photo.faces, links, votes)
    read = {reading.bib: reading for reading in photo.bibs.readings if reading.bib not in photo.denied}
    runners: dict[str, MatchedRunner] = {}
    for face in photo.faces:
        bib = by_face.get(face.face_id)
        if bib is None:
            continue
        status = _status(bib, votes[face.face_id], own=links.get(face.face_id), read=bib in read)
        if status is not None:
            runners[bib] = MatchedRunner(
                bib=bib,
                status=status,
                confidence=read[bib].confidence if bib in read else _confidence(bib, votes[face.face_id]),
                read=bib in read,
                face_id=face.face_id,
                box=face.box,
                evidence=_weightiest(reasons[face.face_id]),
            )
    outvoted = {face_id: link for face_id, link in links.items() if by_face.get(face_id) != link.bib}
    against = {link.bib: reasons[face_id] for face_id, link in outvoted.items()}
    for bib, reading in read.items():
        if bib not in runners:
            # Read, but its face (if any) belongs to somebody else: the number stands, its wearer is in question.
            runners[bib] = MatchedRunner(
                bib=bib,
                status="doubtful" if bib in against else "confirmed",
                confidence=reading.confidence,
                read=True,
                box=reading.box,
                evidence=_weightiest(against.get(bib, [_link(reading).evidence(photo_id)])),
            )
    for suggestion in photo.bibs.suggestions:
        if suggestion.bib not in runners and suggestion.bib not in against and suggestion.bib not in photo.denied:
            runners[suggestion.bib] = MatchedRunner(
                bib=suggestion.bib,
                status="doubtful",
                confidence=round(SUGGESTION_WEIGHT * suggestion.confidence, 1),
                read=False,
                box=suggestion.box,
                evidence=(_link(suggestion).evidence(photo_id),),
            )
    for bib in photo.affirmed:
        runners[bib] = _affirmed(bib, runners.get(bib), photo_id)
    return tuple(runners[bib] for bib in sorted(runners))


def _said_by_an_organizer(photo: Observed) -> dict[str, Link]:
    """The faces that an organizer gave a bib to; of two bibs for one face the later word holds."""
    links: dict[str, Link] = {}
    for said in sorted(photo.affirmed.values(), key=lambda each: (-each.revision, each.bib)):
        if said.box is not None:
            box = said.box
            nearest = max(photo.faces, key=lambda face: (overlap(face.box, box), _place(face.box)), default=None)
            if nearest and same_face(nearest.box, box) and nearest.face_id not in links:
                links[nearest.face_id] = Link(bib=said.bib, weight=1.0, sure=True, score=100.0, kind="organizer")
    return links


def _affirmed(bib: str, found: MatchedRunner | None, photo_id: str) -> MatchedRunner:
    """The runner as an organizer has it, with what evidence says besides."""
    word = Evidence(kind="organizer", bib=bib, score=100.0, weight=1.0, photo_id=photo_id)
    if found is None:
        return MatchedRunner(bib=bib, status="confirmed", confidence=100.0, read=False, evidence=(word,))
    others = [each for each in found.evidence if each.kind != "organizer"]
    return msgspec.structs.replace(found, status="confirmed", confidence=100.0, evidence=(word, *others)[:MAX_EVIDENCE])


def _reasons(
    photo: Observed,
    face: Face,
    links: Mapping[str, Link],
    matches: Mapping[str, Iterable[Match]],
    photo_id: str,
) -> list[Evidence]:
    """What speaks for any bib of one face; an organizer's word leaves nothing else to say."""
    own = links.get(face.face_id)
    if own is not None and own.kind == "organizer":
        return [own.evidence(photo_id)]
    reasons = [own.evidence(photo_id)] if own else []
    settled = photo.denied | {link.bib for link in links.values() if link.kind == "organizer"}
    for match in matches.get(face.face_id, ()):
        link = match.link
        if link is not None and link.bib not in settled and (needs_search(own) or needs_search(link)):
            weight = round(match.weight, 4)
            reasons.append(
                Evidence(kind="match", bib=link.bib, score=match.similarity, weight=weight, photo_id=match.photo_id)
            )
    return reasons


def _votes(reasons: Iterable[Evidence]) -> dict[str, float]:
    """Each bib's votes for one face. fsum, because a sum must not depend on the order of the matches."""
    weights: dict[str, list[float]] = defaultdict(list)
    for reason in reasons:
        weights[reason.bib].append(reason.weight)
    return {bib: math.fsum(each) for bib, each in weights.items()}


def _weightiest(reasons: Iterable[Evidence]) -> tuple[Evidence, ...]:
    ranked = sorted(reasons, key=lambda each: (-each.weight, each.kind, each.bib, -each.score, each.photo_id or ""))
    return tuple(ranked[:MAX_EVIDENCE])


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


def _link(bib: Reading | Suggestion) -> Link:
    """What a bib says about the face above it."""
    share = bib.confidence / 100.0
    if isinstance(bib, Suggestion):
        weight = round(share * SUGGESTION_WEIGHT, 4)
        return Link(bib=bib.bib, weight=weight, sure=False, score=bib.confidence, kind="suggestion")
    weight = round(share if bib.verified else share * UNVERIFIED_WEIGHT, 4)
    sure = bib.confidence >= SURE_READING
    return Link(bib=bib.bib, weight=weight, sure=sure, score=bib.confidence, kind="reading")


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
