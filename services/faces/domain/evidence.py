"""What a photo learns from each event that tells something about it.

Each kind of evidence has its own revision, and the highest counts: neither order nor repetition matters. `runners` and
`complete` follow from the rest and from the photos that match; `version` and `revision` remember the way here.
"""

from __future__ import annotations

import msgspec

from services.faces.records import Correction, Cut, IdentifiedPhoto
from shared.contracts.events import BibCorrected, Bibs, BibsRead, FacesIndexed, MatchCut, PhotoWithdrawn

replace = msgspec.structs.replace

EvidenceEvent = BibsRead | FacesIndexed | PhotoWithdrawn | BibCorrected | MatchCut


def concerns(event: EvidenceEvent) -> tuple[str, ...]:
    """The photos that learn from `event`."""
    return (event.photo_id, event.other_photo_id) if isinstance(event, MatchCut) else (event.photo_id,)


def learn(event: EvidenceEvent, photo_id: str, held: IdentifiedPhoto) -> IdentifiedPhoto:
    """The photo after hearing `event`; an equal one when it tells nothing new."""
    match event:
        case BibsRead():
            return _with_bibs(event, held)
        case FacesIndexed():
            return _with_faces(event, held)
        case PhotoWithdrawn():
            return _without(event, held)
        case BibCorrected():
            return _with_correction(event, held)
        case MatchCut():
            return _with_cut(event, photo_id, held)


def _with_bibs(event: BibsRead, held: IdentifiedPhoto) -> IdentifiedPhoto:
    if _is_of_the_past(event.photo_revision, held) or event.revision <= held.bibs_revision:
        return held
    return replace(
        held,
        bibs=Bibs(readings=event.readings, suggestions=event.suggestions),
        bibs_revision=event.revision,
        photo_revision=max(held.photo_revision, event.photo_revision),
        withdrawn=None,
    )


def _with_faces(event: FacesIndexed, held: IdentifiedPhoto) -> IdentifiedPhoto:
    if _is_of_the_past(event.photo_revision, held) or event.revision <= held.faces_revision:
        return held
    return replace(
        held,
        faces=event.faces,
        faces_revision=event.revision,
        photo_revision=max(held.photo_revision, event.photo_revision),
        withdrawn=None,
    )


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
    before = next((each for each in held.corrections if each.bib == event.bib), None)
    if before is not None and not _outranks(said, before):
        return held
    others = [each for each in held.corrections if each.bib != event.bib]
    return replace(held, corrections=tuple(sorted([*others, said], key=lambda each: each.bib)))


def _with_cut(event: MatchCut, photo_id: str, held: IdentifiedPhoto) -> IdentifiedPhoto:
    ours, other_photo_id, theirs = event.box, event.other_photo_id, event.other_box
    if photo_id != event.photo_id:
        ours, other_photo_id, theirs = event.other_box, event.photo_id, event.box
    said = Cut(box=ours, other_photo_id=other_photo_id, other_box=theirs, cut=event.cut, revision=event.revision)
    before = next((each for each in held.cuts if _pair(each) == _pair(said)), None)
    if before is not None and not _outranks(said, before):
        return held
    others = [each for each in held.cuts if _pair(each) != _pair(said)]
    return replace(held, cuts=tuple(sorted([*others, said], key=_pair)))


def _outranks(said: Correction | Cut, before: Correction | Cut) -> bool:
    """Whether a word holds over another about the same: the later; of two at one moment the one that denies."""
    return _rank(said) > _rank(before)


def _rank(said: Correction | Cut) -> tuple[int, bool, tuple[float, ...]]:
    denies = not said.here if isinstance(said, Correction) else said.cut
    return said.revision, denies, msgspec.structs.astuple(said.box) if said.box else ()


def _pair(cut: Cut) -> tuple[str, tuple[float, ...], tuple[float, ...]]:
    return cut.other_photo_id, msgspec.structs.astuple(cut.box), msgspec.structs.astuple(cut.other_box)
