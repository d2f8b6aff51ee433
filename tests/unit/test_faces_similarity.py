"""What a similarity is worth by how well both faces are seen, and what that does to who is in a photo."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.faces.domain.matches import matched, matching_faces
from services.faces.domain.similarity import BLURRED, CRISP, MATCHES_FROM, Quality, worth
from services.faces.domain.votes import conclude
from services.faces.records import IdentifiedPhoto
from shared.contracts.events import Bibs, Box, Face, FaceQuality, Reading

CLEAR = FaceQuality(sharpness=80.0, brightness=50.0, occluded=2.0, sunglasses=2.0)
SHADED = FaceQuality(sharpness=80.0, brightness=50.0, occluded=98.0, sunglasses=98.0)
MASKED = FaceQuality(sharpness=80.0, brightness=50.0, occluded=98.0, sunglasses=2.0)
DIM = FaceQuality(sharpness=BLURRED, brightness=50.0)
UNKNOWN = msgspec.UNSET
QUALITIES: list[Quality] = [CLEAR, SHADED, MASKED, DIM, UNKNOWN]


@pytest.mark.parametrize("pair", [(CLEAR, CLEAR), (CLEAR, DIM), (UNKNOWN, DIM), (UNKNOWN, UNKNOWN)])
def test_a_similarity_is_worth_itself_where_one_face_is_seen_well(pair: tuple[Quality, Quality]) -> None:
    # Mutation: BOTH_BLURRED by the worse of the two.
    assert worth(87.31, *pair) == 87.31


def test_it_is_worth_less_the_more_both_faces_hide() -> None:
    one, both = worth(95.0, SHADED, CLEAR), worth(95.0, SHADED, SHADED)
    assert 95.0 > one > MATCHES_FROM > both
    assert worth(95.0, MASKED, MASKED) == both, "a mask hides as much"
    assert worth(95.0, DIM, DIM) < MATCHES_FROM
    half = msgspec.structs.replace(DIM, sharpness=(BLURRED + CRISP) / 2)
    assert worth(95.0, DIM, DIM) < worth(95.0, DIM, half) < 95.0


def test_the_same_face_stays_the_same() -> None:
    assert all(worth(100.0, one, other) > 99 for one, other in product(QUALITIES, QUALITIES))


@given(st.sampled_from(QUALITIES), st.sampled_from(QUALITIES), st.floats(80, 100), st.floats(80, 100))
def test_it_does_not_matter_who_is_whom_and_what_is_more_alike_is_worth_no_less(
    one: Quality, other: Quality, less: float, more: float
) -> None:
    less, more = sorted((less, more))
    assert worth(more, one, other) == worth(more, other, one) <= max(more, 99.99)
    assert worth(less, one, other) <= worth(more, one, other)


# --- in photos --------------------------------------------------------------------------------------------

BOX = Box(left=0.4, top=0.2, width=0.08, height=0.1)
BIB = Box(left=0.4, top=0.42, width=0.08, height=0.05)


def photo(name: str, quality: Quality, *bibs: str) -> IdentifiedPhoto:
    readings = tuple(Reading(bib=bib, text=bib, confidence=99.0, box=BIB, verified=True) for bib in bibs)
    faces = (Face(face_id=f"{name}'s", box=BOX, confidence=99.0, quality=quality),)
    return IdentifiedPhoto(photo_id=name, faces=faces, bibs=Bibs(readings=readings))


def bibs_of_hidden(hidden: Quality, shown: Quality, similarity: float) -> dict[str, str]:
    """Whom a face without a bib is taken for, by status, where it matches one with bib 7."""
    one, other = photo("hidden", hidden), photo("shown", shown, "7")
    one, other = matched((one, "hidden's"), (other, "shown's"), similarity)
    return {runner.bib: runner.status for runner in conclude(one, {"shown": other}).runners}


def test_two_runners_in_sunglasses_must_be_more_alike_to_be_taken_for_one() -> None:
    # Mutation: matching_faces compares the similarity as it is answered.
    assert bibs_of_hidden(CLEAR, CLEAR, 96.0) == bibs_of_hidden(UNKNOWN, UNKNOWN, 96.0) == {"7": "inferred"}
    assert bibs_of_hidden(SHADED, SHADED, 96.0) == {}
    assert bibs_of_hidden(SHADED, SHADED, 99.0) == {"7": "inferred"}


def test_a_match_counts_by_what_it_is_worth_and_says_so() -> None:
    # Mutation: _strength of the similarity as it is answered.
    one, other = photo("hidden", SHADED), photo("shown", CLEAR, "7")
    one, other = matched((one, "hidden's"), (other, "shown's"), 92.0)
    (runner,) = conclude(one, {"shown": other}).runners
    (reason,) = runner.evidence
    assert (runner.status, reason.score, reason.worth) == ("doubtful", 92.0, worth(92.0, SHADED, CLEAR))
    assert bibs_of_hidden(CLEAR, CLEAR, 92.0) == {"7": "inferred"}


def test_a_match_is_kept_however_badly_the_faces_are_seen_and_counts_when_more_is_known() -> None:
    one, other = photo("hidden", SHADED), photo("shown", SHADED, "7")
    one, other = matched((one, "hidden's"), (other, "shown's"), 96.0)
    assert matching_faces(one, {"shown": other}) == {}
    seen_again = msgspec.structs.replace(one, faces=photo("hidden", CLEAR).faces)
    ((found,),) = matching_faces(seen_again, {"shown": other}).values()
    assert found.similarity == 96.0
