"""Who is in a photo: votes of its own bibs and of the faces that match its own."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from services.faces.domain.evidence import is_complete
from services.faces.domain.links import Link, Links, denied, link_bibs, link_of, needs_search, place, weight_of
from services.faces.domain.matches import MatchingFace, Photos, matching_faces
from services.faces.records import IdentifiedPhoto
from shared.contracts.events import (
    Evidence,
    Face,
    MatchedRunner,
    Meta,
    Partial,
    PhotoMatched,
    Reading,
    Status,
    Suggestion,
    next_revision,
)
from shared.contracts.keys import RaceRef

NO_VOTE_SIMILARITY = 75.0  # percent; a match as weak as this says nothing, one of 100 as much as a reading
INFERRED_FROM = 0.5  # votes a bib needs to be inferred where it is not read
DOUBTFUL_FROM = 0.2  # votes below which a bib is not worth a person's time
CLEAR_LEAD = 1.5  # how many times the runner-up's votes make a result clear
# What a weak reading or a part of a bib counts for the one bib of matching faces that it can be. A match at the lowest
# similarity then infers it, and two that contradict each other are told apart.
AGREEING_WEIGHT = 0.6

MAX_EVIDENCE = 10  # reasons that are told of a runner, the weightiest

replace = msgspec.structs.replace

Matches = Mapping[str, Iterable[MatchingFace]]
"""By the id of our face."""

Runners = dict[str, MatchedRunner]
"""By bib."""


def conclude(photo: IdentifiedPhoto, neighbours: Photos) -> IdentifiedPhoto:
    """The photo with the outcome that follows from all evidence."""
    if photo.withdrawn is not None:
        return photo
    return replace(
        photo,
        runners=resolve(photo, matching_faces(photo, neighbours)),
        complete=is_complete(photo),
    )


def revised(photo: IdentifiedPhoto, before: IdentifiedPhoto, by: Meta) -> IdentifiedPhoto:
    """The photo with the revision of what `by` changed, where its outcome is not what it was before."""
    if photo.withdrawn is not None or (photo.revision > 0 and _outcome(photo) == _outcome(before)):
        return photo
    return replace(photo, revision=next_revision(before.revision, by))


def _outcome(photo: IdentifiedPhoto) -> object:
    return photo.runners, photo.complete, photo.photo_revision


def photo_matched(race: RaceRef, photo: IdentifiedPhoto) -> PhotoMatched | None:
    """What there is to say of the photo; None when it is not here: a correction may be known before, or stay after."""
    if photo.withdrawn is not None or photo.photo_revision == 0:
        return None
    return PhotoMatched(
        **race._asdict(),
        photo_id=photo.photo_id,
        photo_revision=photo.photo_revision,
        runners=photo.runners,
        complete=photo.complete,
        revision=photo.revision,
    )


# --- who is here ------------------------------------------------------------------------------------------


def resolve(photo: IdentifiedPhoto, matches: Matches) -> tuple[MatchedRunner, ...]:
    """Say who is in a photo and why, in bib order.

    Whoever has a face that votes for her; whose bib is read though no face is given to her; whose bib is guessed; and
    whom an organizer named.
    """
    tally = _tally(photo, matches)
    runners = _with_a_face(photo, tally)
    runners |= _read_without_a_face(photo, tally, runners)
    runners |= _guessed(photo, tally, runners)
    runners |= _named_by_an_organizer(photo, runners)
    return tuple(runners[bib] for bib in sorted(runners))


class _Tally(NamedTuple):
    """The votes of a photo's faces, by face id: the link below each, its reasons for any bib, what they weigh by bib.

    `given` is the bib that the votes give a face. By bib: `read` are the readings that nobody denied, and `against` the
    reasons of the face that a bib hangs below and was not given to.
    """

    links: Links
    reasons: Mapping[str, list[Evidence]]
    votes: Mapping[str, Mapping[str, float]]
    given: Mapping[str, str]
    read: Mapping[str, Reading]
    against: Mapping[str, list[Evidence]]


def _tally(photo: IdentifiedPhoto, matches: Matches) -> _Tally:
    links, not_here = link_bibs(photo), denied(photo.corrections)
    reasons = {face.face_id: _reasons(photo, face, links, matches) for face in photo.faces}
    votes = {face_id: _votes(each) for face_id, each in reasons.items()}
    given = _give_each_bib_to_one_face(photo.faces, links, votes)
    return _Tally(
        links=links,
        reasons=reasons,
        votes=votes,
        given=given,
        read={reading.bib: reading for reading in photo.bibs.readings if reading.bib not in not_here},
        against={
            link.bib: reasons[face_id]
            for face_id, link in links.items()
            if link.bib is not None and given.get(face_id) != link.bib
        },
    )


# --- four ways to be in a photo ---------------------------------------------------------------------------


def _with_a_face(photo: IdentifiedPhoto, tally: _Tally) -> Runners:
    """Runners whose faces are here, by the votes of these."""
    runners: Runners = {}
    for face in photo.faces:
        bib = tally.given.get(face.face_id)
        if bib is None:
            continue
        votes, reading = tally.votes[face.face_id], tally.read.get(bib)
        status = _status(bib, votes, own=tally.links.get(face.face_id), read=reading is not None)
        if status is not None:
            runners[bib] = MatchedRunner(
                bib=bib,
                status=status,
                confidence=reading.confidence if reading else _confidence(bib, votes),
                read=reading is not None,
                face_id=face.face_id,
                box=face.box,
                evidence=_weightiest(tally.reasons[face.face_id]),
            )
    return runners


def _read_without_a_face(photo: IdentifiedPhoto, tally: _Tally, known: Runners) -> Runners:
    """Bibs that are read, but whose face (if any) is somebody else's: the bib stands, its wearer is in question."""
    return {
        bib: MatchedRunner(
            bib=bib,
            status="doubtful" if bib in tally.against else "confirmed",
            confidence=reading.confidence,
            read=True,
            box=reading.box,
            evidence=_weightiest(tally.against.get(bib, [link_of(reading).evidence(photo.photo_id, bib)])),
        )
        for bib, reading in tally.read.items()
        if bib not in known
    }


def _guessed(photo: IdentifiedPhoto, tally: _Tally, known: Runners) -> Runners:
    """Bibs that a word may be, misread, weakly read or in part, as long as nothing speaks against them."""
    not_guessed = known.keys() | tally.against.keys() | denied(photo.corrections)
    runners: Runners = {}
    guesses: list[Suggestion | Partial] = [*photo.bibs.suggestions, *(photo.bibs.partials or ())]
    for guess in guesses:
        link = link_of(guess)
        if link.bib is None or link.bib in not_guessed or link.bib in runners:
            continue
        runners[link.bib] = MatchedRunner(
            bib=link.bib,
            status="doubtful",
            confidence=round(weight_of(guess) * guess.confidence, 1),
            read=False,
            box=guess.box,
            evidence=(link.evidence(photo.photo_id, link.bib),),
        )
    return runners


def _named_by_an_organizer(photo: IdentifiedPhoto, known: Runners) -> Runners:
    """Runners who are here, says an organizer, with what evidence says besides."""
    runners: Runners = {}
    for bib in (each.bib for each in photo.corrections if each.here):
        word = Evidence(kind="organizer", bib=bib, score=100.0, weight=1.0, photo_id=photo.photo_id)
        found = known.get(bib) or MatchedRunner(bib=bib, status="confirmed", confidence=100.0, read=False)
        others = [each for each in found.evidence if each.kind != "organizer"]
        evidence = (word, *others)[:MAX_EVIDENCE]
        runners[bib] = replace(found, status="confirmed", confidence=100.0, evidence=evidence)
    return runners


# --- votes ------------------------------------------------------------------------------------------------


def _reasons(photo: IdentifiedPhoto, face: Face, links: Links, matches: Matches) -> list[Evidence]:
    """What speaks for any bib of one face; an organizer's word leaves nothing else to say."""
    own = links.get(face.face_id)
    if own is not None and own.kind == "organizer":
        return _own_reasons(photo, own, frozenset())
    reasons: list[Evidence] = []
    settled = denied(photo.corrections) | {link.bib for link in links.values() if link.kind == "organizer"}
    for match in matches.get(face.face_id, ()):
        link = match.link
        if link is None or link.worn is None or link.worn in settled:
            continue
        if needs_search(own) or needs_search(link):
            reasons.append(_match_evidence(match, link.worn, link.weight))
    if own is not None:
        reasons += _own_reasons(photo, own, frozenset(reason.bib for reason in reasons))
    return reasons


def _match_evidence(match: MatchingFace, bib: str, weight: float) -> Evidence:
    """A matching face as a reason for the bib that it wears, of that bib's `weight`."""
    shifted = match.worth != match.similarity
    return Evidence(
        kind="match",
        bib=bib,
        score=match.similarity,
        weight=round(weight * _strength(match.worth), 4),
        photo_id=match.photo_id,
        worth=match.worth if shifted else msgspec.UNSET,
        why=(match.why or msgspec.UNSET) if shifted else msgspec.UNSET,
    )


def _own_reasons(photo: IdentifiedPhoto, own: Link, matched: frozenset[str]) -> list[Evidence]:
    """What the bib below a face says, where the faces that match it wear the bibs `matched`.

    A weak reading or a part of a bib decides for the one of these that it can be. Where a part can be several, it does
    not tell them apart, and where it can be none, it does not speak against them.
    """
    possible = [bib for bib in matched if own.can_be(bib)] if own.guess else []
    if len(possible) == 1:
        return [own.evidence(photo.photo_id, possible[0], AGREEING_WEIGHT)]
    if own.bib is None or (own.pattern and matched):
        return []
    return [own.evidence(photo.photo_id, own.bib)]


def _strength(similarity: float) -> float:
    """What a match counts: the less the weaker it is, 0 to 1."""
    return max(0.0, (similarity - NO_VOTE_SIMILARITY) / (100.0 - NO_VOTE_SIMILARITY))


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
    faces: Sequence[Face], links: Links, votes: Mapping[str, Mapping[str, float]]
) -> dict[str, str]:
    """Face id → bib: nobody is twice in a photo, so a bib goes to the face with the most votes for it.

    A face takes the bib it votes for most; the loser of a bib takes none, rather than its second guess.
    """
    claims = []
    for face in faces:
        ranked = sorted(votes[face.face_id].items(), key=lambda vote: (-vote[1], vote[0]))
        if ranked:
            bib, weight = ranked[0]
            claims.append((_distance(links.get(face.face_id), bib), -weight, place(face.box), bib, face.face_id))
    given: dict[str, str] = {}
    for *_, bib, face_id in sorted(claims):
        if bib not in given.values():
            given[face_id] = bib
    return given


def _distance(own: Link | None, bib: str) -> int:
    """How near the bib is to the face: it is read below it, a part of it is, or only other photos say so."""
    if own is None or not own.can_be(bib):
        return 2
    return 1 if own.pattern else 0


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
