"""What a similarity is worth by how well both faces are seen, and what that does to who is in a photo."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.faces.domain.matches import matched, matching_faces
from services.faces.domain.similarity import ALIKE, BLURRED, CRISP, MATCHES_FROM, SECONDS, Quality, Sight, clothes_apart
from services.faces.domain.similarity import worth as judged
from services.faces.domain.votes import conclude
from services.faces.records import IdentifiedPhoto
from shared.contracts.events import Bibs, Box, Face, FaceQuality, Reading, Taken

CLEAR = FaceQuality(sharpness=80.0, brightness=50.0, occluded=2.0, sunglasses=2.0)
SHADED = FaceQuality(sharpness=80.0, brightness=50.0, occluded=98.0, sunglasses=98.0)
MASKED = FaceQuality(sharpness=80.0, brightness=50.0, occluded=98.0, sunglasses=2.0)
DIM = FaceQuality(sharpness=BLURRED, brightness=50.0)
UNKNOWN = msgspec.UNSET
QUALITIES: list[Quality] = [CLEAR, SHADED, MASKED, DIM, UNKNOWN]


def worth(similarity: float, one: Quality, other: Quality) -> float:
    """By how well the faces are seen, where nothing else is known."""
    return judged(similarity, Sight(one), Sight(other)).percent


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


RED, REDDISH, BLUE = (1.0, 0.0), (0.8, 0.2), (0.0, 1.0)
NOON = "2026-10-25T12:00:{:06.3f}+09:00"


def at(second: float, camera: str | None = "EOS R5", photographer: str | None = "Kim") -> Taken:
    return Taken(taken_at=NOON.format(second), camera=camera, photographer=photographer)


SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(any)
CLOTHES = SHARES.map(lambda shares: tuple(round(each / sum(shares), 4) for each in shares))
SIGHTS = st.builds(
    Sight,
    st.sampled_from(QUALITIES),
    st.just(UNKNOWN) | CLOTHES,
    st.just(UNKNOWN)
    | st.builds(at, st.floats(0, 59), st.sampled_from([None, "EOS R5"]), st.sampled_from(["Kim", "Lee"])),
)


@given(SIGHTS, SIGHTS, st.floats(80, 100), st.floats(80, 100))
def test_it_does_not_matter_who_is_whom_and_what_is_more_alike_is_worth_no_less(
    one: Sight, other: Sight, less: float, more: float
) -> None:
    less, more = sorted((less, more))
    assert judged(more, one, other) == judged(more, other, one)
    assert judged(less, one, other).percent <= judged(more, one, other).percent <= 100.0


@given(SIGHTS, SIGHTS, st.floats(80, 100))
def test_what_is_not_known_of_one_face_says_nothing(one: Sight, other: Sight, similarity: float) -> None:
    # Mutation: unknown clothes as if they were none of all colours.
    for known, unknown in ((one, other._replace(clothes=UNKNOWN)), (one._replace(clothes=UNKNOWN), other)):
        bare = known._replace(clothes=UNKNOWN), unknown._replace(clothes=UNKNOWN)
        assert judged(similarity, known, unknown) == judged(similarity, *bare)
    timeless = one._replace(taken=UNKNOWN), other._replace(taken=UNKNOWN)
    assert judged(similarity, one, timeless[1]) == judged(similarity, *timeless)


@given(SIGHTS, SIGHTS, st.floats(80, 100))
def test_clothes_alone_neither_make_a_person_nor_unmake_one(one: Sight, other: Sight, similarity: float) -> None:
    # Mutation: CLOTHES = 6, as much as natural log odds are.
    bare = judged(similarity, one._replace(clothes=UNKNOWN), other._replace(clothes=UNKNOWN)).percent
    dressed = judged(similarity, one, other).percent
    if bare >= 95.0:
        assert dressed >= MATCHES_FROM, "in a jacket she is who she is"
    if bare < 70.0:
        assert dressed < MATCHES_FROM, "who wears the race's shirt is not everybody who does"


def test_likeness_in_clothes_counts_by_how_near_they_are() -> None:
    def dressed(mine: tuple[float, ...], hers: tuple[float, ...]) -> tuple[float, tuple[str, ...]]:
        return judged(90.0, Sight(clothes=mine), Sight(clothes=hers))

    assert clothes_apart(RED, RED) == 0.0 < clothes_apart(RED, REDDISH) < ALIKE < clothes_apart(RED, BLUE) == 1.0
    (same, alike), (near, near_why), (far, unlike) = (dressed(RED, hers) for hers in (RED, REDDISH, BLUE))
    assert same > near > 90.0 > far
    assert (alike, near_why, unlike) == (("clothes_alike",), (), ("clothes_unlike",)), "a slight shift is no reason"
    assert dressed(RED, (0.5, 0.5, 0.0)) == (90.0, ()), "of another detector"
    assert judged(100.0, Sight(clothes=RED), Sight(clothes=RED)).percent == 100.0


def test_seconds_count_where_one_camera_took_both() -> None:
    # Mutation: _together without the comparison of cameras.
    def later(seconds: float, **camera: str | None) -> tuple[float, tuple[str, ...]]:
        return judged(90.0, Sight(taken=at(0)), Sight(taken=at(seconds, **camera)))

    (now, why), (soon, _), (late, late_why) = (later(seconds) for seconds in (0, SECONDS / 2, SECONDS))
    assert now > soon > late == 90.0
    assert (why, late_why) == (("seconds_apart",), ())
    assert later(0, photographer="Lee") == later(0, camera=None) == later(0, photographer=None) == (90.0, ())
    utc = Taken(taken_at="2026-10-25T03:00:00Z", camera="EOS R5", photographer="Kim")
    assert judged(90.0, Sight(taken=at(0)), Sight(taken=utc)).percent == now, "a time is told in any zone"


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


def test_who_is_hidden_in_a_blurred_frame_is_found_by_clothes_and_seconds() -> None:
    # Mutations: matching_faces without clothes; without the neighbour's time.
    def bibs_of(hidden: Sight, shown: Sight) -> dict[str, str]:
        one, other = in_sight("hidden", hidden), in_sight("shown", shown, "7")
        one, other = matched((one, "hidden's"), (other, "shown's"), 92.0)
        return {runner.bib: runner.status for runner in conclude(one, {"shown": other}).runners}

    assert bibs_of(Sight(SHADED), Sight(SHADED)) == {}
    assert bibs_of(Sight(SHADED, RED), Sight(SHADED, RED)) == {}
    assert bibs_of(Sight(SHADED, RED, at(1)), Sight(SHADED, RED, at(3))) == {"7": "inferred"}
    assert bibs_of(Sight(SHADED, RED, at(1)), Sight(SHADED, BLUE, at(3))) == {}
    assert bibs_of(Sight(CLEAR, RED), Sight(CLEAR, RED)) == {"7": "inferred"}


def in_sight(name: str, sight: Sight, *bibs: str) -> IdentifiedPhoto:
    seen = photo(name, sight.quality, *bibs)
    faces = tuple(msgspec.structs.replace(face, clothes=sight.clothes) for face in seen.faces)
    return msgspec.structs.replace(seen, faces=faces, taken=sight.taken)


def test_a_reason_says_why_a_match_counts_as_it_does() -> None:
    one, other = in_sight("hidden", Sight(SHADED, RED, at(1))), in_sight("shown", Sight(CLEAR, RED, at(1)), "7")
    one, other = matched((one, "hidden's"), (other, "shown's"), 92.0)
    (runner,) = conclude(one, {"shown": other}).runners
    assert runner.evidence[0].why == ("covered", "clothes_alike", "seconds_apart")
