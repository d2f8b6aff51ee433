"""Links and votes: what a photo's evidence means."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from services.faces.domain import Bibs, Link, Match, link_bibs, resolve
from shared.events import Box, Face, Reading, Suggestion


def face(face_id: str, left: float, top: float = 0.2, size: float = 0.08) -> Face:
    return Face(face_id=face_id, box=Box(left=left, top=top, width=size, height=size), confidence=99.0)


def reading(bib: str, left: float, top: float = 0.4, confidence: float = 95.0, *, verified: bool = True) -> Reading:
    return Reading(
        bib=bib,
        text=bib,
        confidence=confidence,
        verified=verified,
        box=Box(left=left, top=top, width=0.06, height=0.04),
    )


def suggestion(bib: str, left: float) -> Suggestion:
    return Suggestion(bib=bib, text="x", confidence=90.0, box=Box(left=left, top=0.4, width=0.06, height=0.04))


def match(bib: str | None, similarity: float = 99.0) -> Match:
    return Match(similarity=similarity, link=Link(bib=bib, weight=0.95) if bib else None)


class TestLinks:
    def test_each_bib_goes_to_the_face_above_it(self) -> None:
        bibs = Bibs(readings=(reading("1", 0.11), reading("2", 0.51)))
        assert {f: link.bib for f, link in link_bibs(bibs, [face("b", 0.5), face("a", 0.1)]).items()} == {
            "a": "1",
            "b": "2",
        }

    def test_a_bib_above_or_far_beside_every_face_is_nobodys(self) -> None:
        assert link_bibs(Bibs(readings=(reading("1", 0.1, top=0.05),)), [face("a", 0.1)]) == {}
        assert link_bibs(Bibs(readings=(reading("1", 0.6),)), [face("a", 0.1)]) == {}

    def test_one_bib_among_three_faces_goes_to_one_of_them(self) -> None:
        faces = [face("a", 0.1), face("b", 0.22), face("c", 0.34)]
        assert list(link_bibs(Bibs(readings=(reading("1", 0.23),)), faces)) == ["b"]

    def test_the_clock_over_the_finish_is_no_bib_of_the_winner(self) -> None:
        assert link_bibs(Bibs(readings=(reading("42", 0.1, top=0.95),)), [face("a", 0.1, size=0.05)]) == {}

    @given(st.integers(0, 2**32))
    def test_the_order_of_faces_and_readings_does_not_matter(self, seed: int) -> None:
        faces = [face(name, 0.1 + 0.12 * n) for n, name in enumerate("abcde")]
        readings = [reading(str(n), 0.12 + 0.13 * n) for n in range(4)]
        straight = link_bibs(Bibs(readings=tuple(readings)), faces)
        chance = random.Random(seed)
        chance.shuffle(faces)
        chance.shuffle(readings)
        assert link_bibs(Bibs(readings=tuple(readings)), faces) == straight


class TestVotes:
    def test_a_read_bib_is_confirmed(self) -> None:
        (runner,) = resolve(Bibs(readings=(reading("7", 0.11),)), [face("a", 0.1)], {})
        assert (runner.bib, runner.status, runner.read, runner.face_id) == ("7", "confirmed", True, "a")

    def test_a_read_bib_without_a_face_is_confirmed_too(self) -> None:
        (runner,) = resolve(Bibs(readings=(reading("7", 0.11),)), [], {})
        assert (runner.status, runner.face_id) == ("confirmed", None)

    def test_a_hidden_bib_is_inferred_from_strong_matches_only(self) -> None:
        strong = resolve(Bibs(), [face("a", 0.1)], {"a": [match("7", 95.0)]})
        weak = resolve(Bibs(), [face("a", 0.1)], {"a": [match("7", 81.0)]})
        assert [(r.bib, r.status) for r in strong] == [("7", "inferred")]
        assert [(r.bib, r.status) for r in weak] == [("7", "doubtful")]

    def test_two_bibs_for_one_face_are_doubtful(self) -> None:
        runners = resolve(Bibs(), [face("a", 0.1)], {"a": [match("7"), match("8")]})
        assert [r.status for r in runners] == ["doubtful"]

    def test_matches_without_a_bib_say_nothing(self) -> None:
        assert resolve(Bibs(), [face("a", 0.1)], {"a": [match(None), match(None)]}) == ()

    def test_an_outvoted_reading_stays_as_doubtful(self) -> None:
        runners = resolve(Bibs(readings=(reading("7", 0.11),)), [face("a", 0.1)], {"a": [match("8")] * 3})
        assert {r.bib: r.status for r in runners} == {"8": "inferred", "7": "doubtful"}

    def test_one_stray_match_does_not_shake_a_reading(self) -> None:
        runners = resolve(Bibs(readings=(reading("7", 0.11),)), [face("a", 0.1)], {"a": [match("8", 85.0)]})
        assert {r.bib: r.status for r in runners} == {"7": "confirmed"}

    def test_nobody_is_twice_in_a_photo(self) -> None:
        faces = [face("a", 0.1), face("b", 0.5)]
        runners = resolve(Bibs(), faces, {"a": [match("7")], "b": [match("7"), match("7")]})
        assert [(r.bib, r.face_id) for r in runners] == [("7", "b")]

    def test_a_misread_becomes_a_fact_only_with_the_face(self) -> None:
        alone = resolve(Bibs(suggestions=(suggestion("7", 0.11),)), [face("a", 0.1)], {})
        backed = resolve(Bibs(suggestions=(suggestion("7", 0.11),)), [face("a", 0.1)], {"a": [match("7")]})
        assert [r.status for r in alone] == ["doubtful"]
        assert [r.status for r in backed] == ["inferred"]

    @given(st.lists(st.tuples(st.sampled_from("78"), st.floats(75, 100)), max_size=6), st.integers(0, 2**32))
    def test_the_order_of_matches_does_not_matter(self, found: list[tuple[str, float]], seed: int) -> None:
        matches = [match(bib, similarity) for bib, similarity in found]
        straight = resolve(Bibs(readings=(reading("9", 0.5),)), [face("a", 0.1)], {"a": matches})
        random.Random(seed).shuffle(matches)
        assert resolve(Bibs(readings=(reading("9", 0.5),)), [face("a", 0.1)], {"a": matches}) == straight
