"""What the identity function keeps of a photo, and what it learns from each thing it hears. Pure.

Each kind of evidence has its own revision, and the highest counts: neither order nor repetition matters. `runners` and
`complete` follow from the rest and from the photos that match; `version` and `revision` remember the way here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from services.faces.domain import Bibs, Correction, Link, Match, Observed, link_bibs, needs_search, resolve
from shared.contracts.boxes import same_face
from shared.contracts.events import (
    BibCorrected,
    BibsRead,
    Box,
    Face,
    FacesIndexed,
    MatchCut,
    MatchedRunner,
    PhotoWithdrawn,
)

replace = msgspec.structs.replace

# An item has at most 400 KB; so many matches take some 300. Only a crowd of which everybody is in very many photos has
# more, and then not everybody's every match counts.
MAX_MATCHES_KEPT = 3000


class Matched(msgspec.Struct, frozen=True, array_like=True):
    """A face in another photo that the collection says is the same person's; `similarity` in percent."""

    photo_id: str
    similarity: float


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A face here and one in another photo that an organizer told apart (`cut`), or no longer does: see MatchCut."""

    box: Box
    other_photo_id: str
    other_box: Box
    cut: bool
    revision: int


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence about a photo and what follows from it.

    `matches` has for each of our faces the faces in other photos that match it; both photos keep a match. `version`
    counts writes: whoever writes the photo does so only if it still is the one that was read. `revision` orders the
    outcomes that are said. `photo_revision` is the newest ingest revision that evidence came from, `withdrawn` the one
    that took the photo away; corrections and cuts stay for the case that it comes back.
    """

    photo_id: str
    version: int = 0
    photo_revision: int = 0
    faces: tuple[Face, ...] = ()
    faces_revision: int = 0
    bibs: Bibs = Bibs()
    bibs_revision: int = 0
    corrections: tuple[Correction, ...] = ()
    cuts: tuple[Cut, ...] = ()
    matches: dict[str, dict[str, Matched]] = {}
    runners: tuple[MatchedRunner, ...] = ()
    complete: bool = False
    revision: int = 0
    withdrawn: int | None = None

    @property
    def observed(self) -> Observed:
        """What is known of the photo by itself."""
        return Observed(bibs=self.bibs, faces=self.faces, corrections=self.corrections)

    @property
    def links(self) -> dict[str, Link]:
        """Which bib hangs below which face."""
        return link_bibs(self.observed)

    @property
    def face_ids(self) -> frozenset[str]:
        """The faces in the photo."""
        return frozenset(face.face_id for face in self.faces)

    @property
    def needing(self) -> tuple[str, ...]:
        """The faces that want to hear what the other photos of them say."""
        links = self.links
        return tuple(face.face_id for face in self.faces if needs_search(links.get(face.face_id)))

    @property
    def neighbours(self) -> frozenset[str]:
        """The photos with faces that match ours."""
        return frozenset(matched.photo_id for found in self.matches.values() for matched in found.values())


# --- learning -------------------------------------------------------------------------------------------


def learn(
    event: BibsRead | FacesIndexed | PhotoWithdrawn | BibCorrected | MatchCut, photo_id: str, held: Identity
) -> Identity:
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


def concerns(event: BibsRead | FacesIndexed | PhotoWithdrawn | BibCorrected | MatchCut) -> tuple[str, ...]:
    """The photos that learn from `event`."""
    return (event.photo_id, event.other_photo_id) if isinstance(event, MatchCut) else (event.photo_id,)


def _with_bibs(event: BibsRead, held: Identity) -> Identity:
    if _is_of_the_past(event.photo_revision, held) or event.revision <= held.bibs_revision:
        return held
    return replace(
        held,
        bibs=Bibs(readings=event.readings, suggestions=event.suggestions),
        bibs_revision=event.revision,
        photo_revision=max(held.photo_revision, event.photo_revision),
        withdrawn=None,
    )


def _with_faces(event: FacesIndexed, held: Identity) -> Identity:
    if _is_of_the_past(event.photo_revision, held) or event.revision <= held.faces_revision:
        return held
    return replace(
        held,
        faces=event.faces,
        faces_revision=event.revision,
        photo_revision=max(held.photo_revision, event.photo_revision),
        withdrawn=None,
    )


def _without(event: PhotoWithdrawn, held: Identity) -> Identity:
    if _is_of_the_past(event.revision, held) or held.photo_revision > event.revision:
        return held
    return Identity(
        photo_id=held.photo_id,
        version=held.version,
        photo_revision=held.photo_revision,
        corrections=held.corrections,
        cuts=held.cuts,
        matches=held.matches,
        revision=held.revision,
        withdrawn=event.revision,
    )


def _is_of_the_past(ingest_revision: int, held: Identity) -> bool:
    """Whether something is about the picture as it was before it was withdrawn."""
    return held.withdrawn is not None and ingest_revision <= held.withdrawn


def _with_correction(event: BibCorrected, held: Identity) -> Identity:
    said = Correction(bib=event.bib, here=event.here, box=event.box, revision=event.revision)
    before = next((each for each in held.corrections if each.bib == event.bib), None)
    if before is not None and not _outranks(said, before):
        return held
    others = [each for each in held.corrections if each.bib != event.bib]
    return replace(held, corrections=tuple(sorted([*others, said], key=lambda each: each.bib)))


def _with_cut(event: MatchCut, photo_id: str, held: Identity) -> Identity:
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


# --- what follows ---------------------------------------------------------------------------------------


def conclude(photo: Identity, neighbours: Mapping[str, Identity]) -> Identity:
    """The photo with the outcome that follows from all evidence; `neighbours` by photo id, unknown ones left out."""
    if photo.withdrawn is not None:
        return photo
    return replace(
        photo,
        runners=resolve(photo.observed, voters(photo, neighbours), photo.photo_id),
        complete=photo.bibs_revision > 0 and photo.faces_revision > 0,
    )


def voters(photo: Identity, neighbours: Mapping[str, Identity]) -> dict[str, list[Match]]:
    """What the matching faces wear in their own photos, by our face id; without those that an organizer cut."""
    ours = _boxes(photo)
    theirs = {photo_id: _boxes(neighbour) for photo_id, neighbour in neighbours.items()}
    links = {photo_id: neighbour.links for photo_id, neighbour in neighbours.items()}
    found: dict[str, list[Match]] = {}
    for face_id in photo.matches.keys() & ours.keys():
        for other_id, matched in photo.matches[face_id].items():
            other_box = theirs.get(matched.photo_id, {}).get(other_id)
            if other_box is None or _is_cut(photo.cuts, ours[face_id], matched.photo_id, other_box):
                continue
            link = links[matched.photo_id].get(other_id)
            match = Match(photo_id=matched.photo_id, similarity=matched.similarity, link=link)
            found.setdefault(face_id, []).append(match)
    return found


def _boxes(photo: Identity) -> dict[str, Box]:
    return {face.face_id: face.box for face in photo.faces}


def _is_cut(cuts: Iterable[Cut], box: Box, other_photo_id: str, other_box: Box) -> bool:
    return any(
        each.cut
        and each.other_photo_id == other_photo_id
        and same_face(each.box, box)
        and same_face(each.other_box, other_box)
        for each in cuts
    )


# --- matches --------------------------------------------------------------------------------------------


def with_match(photo: Identity, face_id: str, other_id: str, matched: Matched) -> Identity:
    """The photo with one more match; an equal one when it is known. Of two similarities the higher counts."""
    found = photo.matches.get(face_id, {})
    known = found.get(other_id)
    if known is not None and known.similarity >= matched.similarity:
        return photo
    if known is None and sum(map(len, photo.matches.values())) >= MAX_MATCHES_KEPT:
        return photo
    return replace(photo, matches={**photo.matches, face_id: {**found, other_id: matched}})


def has_lost_faces(photo: Identity) -> bool:
    """Whether there are matches of faces that the photo no longer has."""
    return not photo.matches.keys() <= photo.face_ids


def without_lost(photo: Identity, neighbours: Mapping[str, Identity], *, own_faces: bool) -> Identity:
    """The photo without the matches with faces that the other photo no longer has, or (`own_faces`) that it has not."""
    there = {photo_id: neighbour.face_ids for photo_id, neighbour in neighbours.items()}
    left = {
        face_id: {other: matched for other, matched in found.items() if other in there.get(matched.photo_id, ())}
        for face_id, found in photo.matches.items()
        if not own_faces or face_id in photo.face_ids
    }
    return replace(photo, matches={face_id: found for face_id, found in left.items() if found})
