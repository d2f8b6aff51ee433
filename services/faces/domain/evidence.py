"""What a photo learns from each event that tells something about it.

Each kind of evidence has its own revision, and the highest counts: neither order nor repetition matters. `runners` and
`complete` follow from the rest and from the photos that match; `version` and `revision` remember the way here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from services.faces.records import Correction, Cut, IdentifiedPhoto
from shared.contracts.events import BibCorrected, Bibs, BibsRead, FacesIndexed, MatchCut, PhotoWithdrawn

W = TypeVar("W", bound=Correction | Cut)
replace = msgspec.structs.replace

EvidenceEvent = BibsRead | FacesIndexed | PhotoWithdrawn | BibCorrected | MatchCut


def concerns(event: EvidenceEvent) -> tuple[str, ...]:
    """The photos that learn from `event`."""
    return (event.photo_id, event.other_photo_id) if isinstance(event, MatchCut) else (event.photo_id,)


def learn(event: EvidenceEvent, photo_id: str, held: IdentifiedPhoto) -> IdentifiedPhoto:
    """The photo after hearing `event`; an equal one when it tells nothing new."""
    match event:
        case BibsRead() if event.revision > held.bibs_revision:
            bibs = Bibs(readings=event.readings, suggestions=event.suggestions, partials=event.partials)
            return _seen(event, held, bibs=bibs, bibs_revision=event.revision)
        case FacesIndexed() if event.revision > held.faces_revision:
            return _seen(event, held, faces=event.faces, faces_revision=event.revision, taken=event.taken)
        case PhotoWithdrawn():
            return _without(event, held)
        case BibCorrected():
            return _with_correction(event, held)
        case MatchCut():
            return _with_cut(event, photo_id, held)
    return held


def is_complete(photo: IdentifiedPhoto) -> bool:
    """Whether both bibs and faces were looked at."""
    return photo.bibs_revision > 0 and photo.faces_revision > 0


def _seen(event: BibsRead | FacesIndexed, held: IdentifiedPhoto, **found: Any) -> IdentifiedPhoto:
    """The photo with what was found in its picture, unless that is a picture of the past."""
    if _is_of_the_past(event.photo_revision, held):
        return held
    photo_revision = max(held.photo_revision, event.photo_revision)
    return replace(held, **found, photo_revision=photo_revision, withdrawn=None)


def _without(event: PhotoWithdrawn, held: IdentifiedPhoto) -> IdentifiedPhoto:
    if _is_of_the_past(event.revision, held) or held.photo_revision > event.revision:
        return held
    return IdentifiedPhoto(
        photo_id=held.photo_id,
        version=held.version,
        photo_revision=held.photo_revision,
        corrections=held.corrections,
        cuts=held.cuts,
        matches=held.matches,
        revision=held.revision,
        withdrawn=event.revision,
    )


def _is_of_the_past(ingest_revision: int, held: IdentifiedPhoto) -> bool:
    """Whether something is about the picture as it was before it was withdrawn."""
    return held.withdrawn is not None and ingest_revision <= held.withdrawn


def _with_correction(event: BibCorrected, held: IdentifiedPhoto) -> IdentifiedPhoto:
    said = Correction(bib=event.bib, here=event.here, box=event.box, revision=event.revision)
    return replace(held, corrections=_words_with(said, held.corrections, lambda each: each.bib))


def _with_cut(event: MatchCut, photo_id: str, held: IdentifiedPhoto) -> IdentifiedPhoto:
    ours, other_photo_id, theirs = event.box, event.other_photo_id, event.other_box
    if photo_id != event.photo_id:
        ours, other_photo_id, theirs = event.other_box, event.photo_id, event.box
    said = Cut(box=ours, other_photo_id=other_photo_id, other_box=theirs, cut=event.cut, revision=event.revision)
    return replace(held, cuts=_words_with(said, held.cuts, _pair))


def _words_with(said: W, held: tuple[W, ...], about: Callable[[W], Any]) -> tuple[W, ...]:
    """An organizer's words with another one, in order of what they are about.

    Of two about the same the later holds; of two at one moment the one that denies.
    """
    before = [each for each in held if about(each) == about(said)]
    if before and _rank(said) <= _rank(before[0]):
        return held
    others = [each for each in held if each not in before]
    return tuple(sorted([*others, said], key=about))


def _rank(said: Correction | Cut) -> tuple[int, bool, tuple[float, ...]]:
    denies = not said.here if isinstance(said, Correction) else said.cut
    return said.revision, denies, msgspec.structs.astuple(said.box) if said.box else ()


def _pair(cut: Cut) -> tuple[str, tuple[float, ...], tuple[float, ...]]:
    return cut.other_photo_id, msgspec.structs.astuple(cut.box), msgspec.structs.astuple(cut.other_box)
