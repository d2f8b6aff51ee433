"""What a photo learns, and what it keeps of its matches."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.faces.domain.evidence import learn
from services.faces.domain.matches import MAX_MATCHES_KEPT, with_match, without_lost
from services.faces.records import Cut, IdentifiedPhoto, Matched
from shared.contracts.events import BibCorrected, Box, Face
from shared.kit.table import to_item
from tests.kit.events import corrected, faces_indexed, match_cut, withdrawn

BOX, OTHER = Box(left=0.1, top=0.1, width=0.1, height=0.1), Box(left=0.6, top=0.1, width=0.1, height=0.1)


def said_of_7(revision: int, *, here: bool, box: Box | None = None) -> BibCorrected:
    return corrected("photo", "7", here=here, box=box, revision=revision)


CORRECTIONS = st.builds(said_of_7, st.integers(1, 3), here=st.booleans(), box=st.sampled_from([None, BOX, OTHER]))
CUTS = st.builds(
    lambda revision, cut: match_cut(("photo", BOX), ("other", OTHER), cut=cut, revision=revision),
    st.integers(1, 3),
    st.booleans(),
)


@given(st.lists(CORRECTIONS | CUTS, max_size=6), st.integers(0, 2**32))
def test_what_organizers_said_does_not_depend_on_the_order_in_which_it_is_heard(said: list, seed: int) -> None:  # type: ignore[type-arg]
    def hear(events: list) -> IdentifiedPhoto:  # type: ignore[type-arg]
        photo = IdentifiedPhoto(photo_id="photo")
        for event in events:
            photo = learn(event, "photo", photo)
        return photo

    shuffled = random.Random(seed).sample(said, len(said))
    assert hear(said) == hear(shuffled) == hear(shuffled + said)


def test_a_cut_is_kept_at_both_photos_each_with_its_own_side() -> None:
    event = match_cut(("photo", BOX), ("other", OTHER))
    one = learn(event, "photo", IdentifiedPhoto(photo_id="photo"))
    two = learn(event, "other", IdentifiedPhoto(photo_id="other"))
    assert one.cuts == (Cut(box=BOX, other_photo_id="other", other_box=OTHER, cut=True, revision=1),)
    assert two.cuts == (Cut(box=OTHER, other_photo_id="photo", other_box=BOX, cut=True, revision=1),)


def test_a_withdrawn_photo_keeps_nothing_but_what_an_organizer_said_and_whom_it_has_to_tell() -> None:
    photo = learn(said_of_7(1, here=True), "photo", IdentifiedPhoto(photo_id="photo"))
    faces = (Face(face_id="mine", box=BOX, confidence=99.0),)
    photo = learn(faces_indexed("photo", 1, *faces), "photo", photo)
    photo = with_match(photo, "mine", "theirs", Matched("other", 98.0))
    gone = learn(withdrawn("photo", 2), "photo", photo)
    assert (gone.faces, gone.runners, gone.withdrawn) == ((), (), 2)
    assert gone.corrections == photo.corrections and gone.neighbours == {"other"}
    assert without_lost(gone, {}, own_faces=True).matches == {}


def test_a_match_is_kept_at_its_best_and_matches_are_bounded() -> None:
    photo = with_match(IdentifiedPhoto(photo_id="photo"), "mine", "theirs", Matched("other", 90.0))
    assert with_match(photo, "mine", "theirs", Matched("other", 85.0)) is photo
    assert with_match(photo, "mine", "theirs", Matched("other", 95.0)).matches["mine"]["theirs"].similarity == 95.0
    for number in range(MAX_MATCHES_KEPT + 10):
        face_id = f"5d1f3a52-0000-4000-8000-{number:012}"
        photo = with_match(photo, f"face-{number % 50}", face_id, Matched(f"{number:032}", 99.99))
    assert sum(map(len, photo.matches.values())) == MAX_MATCHES_KEPT
    assert len(msgspec.json.encode(to_item(msgspec.structs.asdict(photo)))) < 400 * 1024
