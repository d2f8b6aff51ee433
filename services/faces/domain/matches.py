"""Faces in other photos that match a photo's own: which of them are kept, and what they wear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from services.faces.domain.evidence import is_complete
from services.faces.domain.links import Link, hidden_faces, link_bibs, needs_search
from services.faces.domain.similarity import MATCHES_FROM, Sight, worth
from services.faces.records import Cut, IdentifiedPhoto, Matched
from shared.contracts.boxes import same_face
from shared.contracts.events import Box, Face, Taken, Why

replace = msgspec.structs.replace

# An item has at most 400 KB; so many matches take some 300. Only a crowd of which everybody is in very many photos has
# more, and then not everybody's every match counts.
MAX_MATCHES_KEPT = 3000

Photos = Mapping[str, IdentifiedPhoto]
"""By photo id; unknown ones are left out."""


def matched(
    one: tuple[IdentifiedPhoto, str], other: tuple[IdentifiedPhoto, str], similarity: float
) -> tuple[IdentifiedPhoto, ...]:
    """Both photos, each given with a face of it, with the match of these faces; none where it is not kept.

    It is not where a photo does not have the face: when it has, it will be matched as a new photo. Nor where the match
    tells nothing, because neither face has a bib or neither needs to hear of one: when that changes, its photo is
    matched again. So somebody without a bib who is in thousands of photos is kept in none of them.
    """
    if any(face_id not in photo.face_ids for photo, face_id in (one, other)):
        return ()
    links = [link_bibs(photo).get(face_id) for photo, face_id in (one, other)]
    if not any(link and link.worn for link in links) or not any(map(needs_search, links)):
        return ()
    return tuple(
        with_match(photo, face_id, other_id, Matched(neighbour.photo_id, similarity))
        for (photo, face_id), (neighbour, other_id) in ((one, other), (other, one))
    )


def with_match(photo: IdentifiedPhoto, face_id: str, other_id: str, found: Matched) -> IdentifiedPhoto:
    """The photo with one more match; an equal one when it is known. Of two similarities the higher counts."""
    matches = photo.matches.get(face_id, {})
    known = matches.get(other_id)
    if known is not None and known.similarity >= found.similarity:
        return photo
    if known is None and sum(map(len, photo.matches.values())) >= MAX_MATCHES_KEPT:
        return photo
    return replace(photo, matches={**photo.matches, face_id: {**matches, other_id: found}})


def has_lost_faces(photo: IdentifiedPhoto) -> bool:
    """Whether there are matches of faces that the photo no longer has."""
    return not photo.matches.keys() <= photo.face_ids


def without_lost(photo: IdentifiedPhoto, neighbours: Photos, *, own_faces: bool) -> IdentifiedPhoto:
    """The photo without the matches with faces that the other photo no longer has, or (`own_faces`) that it has not."""
    there = {photo_id: neighbour.face_ids for photo_id, neighbour in neighbours.items()}
    left = {
        face_id: {other: found for other, found in matches.items() if other in there.get(found.photo_id, ())}
        for face_id, matches in photo.matches.items()
        if not own_faces or face_id in photo.face_ids
    }
    return replace(photo, matches={face_id: found for face_id, found in left.items() if found})


def is_news_to_the_race(before: IdentifiedPhoto, after: IdentifiedPhoto) -> bool:
    """Whether the race's other photos have to be matched with the photo: for its faces, or for the bibs these wear."""
    if after.withdrawn is not None:
        return False
    return after.face_ids != before.face_ids or link_bibs(after) != link_bibs(before)


def urgent_faces(before: IdentifiedPhoto, after: IdentifiedPhoto) -> tuple[str, ...]:
    """The faces that are searched at once, while the race's other photos are still coming.

    Those below which no bib is read, when the last that there is to see in the photo has come; and whoever an organizer
    gave a bib to: she waits for what follows from it.
    """
    if after.withdrawn is not None or not is_complete(after):
        return ()
    hidden = () if is_complete(before) else hidden_faces(after)
    known = link_bibs(before)
    said = (face_id for face_id, link in link_bibs(after).items() if link.kind == "organizer")
    return (*hidden, *(face_id for face_id in said if known.get(face_id) != link_bibs(after)[face_id]))


class MatchingFace(msgspec.Struct, frozen=True, kw_only=True):
    """A face in another photo that matches one of ours; `similarity` in percent, `link` its bib there.

    `worth` is what it counts as by what else is known of both faces, and `why` what raises or lowers it.
    """

    photo_id: str
    similarity: float
    worth: float
    link: Link | None
    why: tuple[Why, ...] = ()


def matching_faces(photo: IdentifiedPhoto, neighbours: Photos) -> dict[str, list[MatchingFace]]:
    """The faces that match, by our face id, with what they wear in their photos; without those an organizer cut.

    Which are alike enough is asked here, and not when a match is kept: what is known of the faces may come later.
    """
    ours = _by_id(photo)
    theirs = {photo_id: _by_id(neighbour) for photo_id, neighbour in neighbours.items()}
    links = {photo_id: link_bibs(neighbour) for photo_id, neighbour in neighbours.items()}
    faces: dict[str, list[MatchingFace]] = {}
    for face_id in photo.matches.keys() & ours.keys():
        for other_id, found in photo.matches[face_id].items():
            one, other = ours[face_id], theirs.get(found.photo_id, {}).get(other_id)
            if other is None or _is_cut(photo.cuts, one.box, found.photo_id, other.box):
                continue
            here, there = _sight(one, photo.taken), _sight(other, neighbours[found.photo_id].taken)
            counts, why = worth(found.similarity, here, there)
            if counts < MATCHES_FROM:
                continue
            link = links[found.photo_id].get(other_id)
            face = MatchingFace(photo_id=found.photo_id, similarity=found.similarity, worth=counts, link=link, why=why)
            faces.setdefault(face_id, []).append(face)
    return faces


def _sight(face: Face, taken: Taken | msgspec.UnsetType) -> Sight:
    """What is known of a face in a photo that was `taken` then."""
    return Sight(quality=face.quality, clothes=face.clothes, taken=taken)


def _by_id(photo: IdentifiedPhoto) -> dict[str, Face]:
    return {face.face_id: face for face in photo.faces}


def _is_cut(cuts: Iterable[Cut], box: Box, other_photo_id: str, other_box: Box) -> bool:
    return any(
        each.cut
        and each.other_photo_id == other_photo_id
        and same_face(each.box, box)
        and same_face(each.other_box, other_box)
        for each in cuts
    )
