"""Links and votes: what a photo's evidence means."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.faces.domain.links import Link, Links, link_bibs, unsure_faces
from services.faces.domain.matches import MatchingFace, matched
from services.faces.domain.similarity import MATCHES_FROM
from services.faces.domain.votes import MAX_EVIDENCE, resolve
from services.faces.records import Correction, IdentifiedPhoto
from shared.contracts.boxes import overlap
from shared.contracts.events import Bibs, Box, Face, MatchedRunner, Partial, Reading, Suggestion

replace = msgspec.structs.replace


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


def weak(bib: str, left: float) -> Suggestion:
    return msgspec.structs.replace(suggestion(bib, left), confidence=60.0, guess="weak")


def partial(pattern: str, left: float, bib: str | None = None) -> Partial:
    box = Box(left=left, top=0.4, width=0.06, height=0.04)
    return Partial(pattern=pattern, text="x", confidence=70.0, box=box, bib=bib or msgspec.UNSET)


def match(bib: str | None, similarity: float = 99.0, photo: str = "other", *, sure: bool = True) -> MatchingFace:
    link = Link(bib=bib, weight=0.95, sure=sure, score=95.0, kind="reading") if bib else None
    return MatchingFace(photo_id=photo, similarity=similarity, worth=similarity, link=link)


def said(bib: str, *, here: bool = True, face: Face | None = None, revision: int = 1) -> Correction:
    return Correction(bib=bib, here=here, box=face.box if face else None, revision=revision)


def photo(bibs: Bibs, faces: Sequence[Face], said: tuple[Correction, ...]) -> IdentifiedPhoto:
    return IdentifiedPhoto(photo_id="photo", bibs=bibs, faces=tuple(faces), corrections=said)


def links(bibs: Bibs, faces: Sequence[Face], *said: Correction) -> Links:
    return link_bibs(photo(bibs, faces, said))


def who(
    bibs: Bibs, faces: Sequence[Face], matches: Mapping[str, Iterable[MatchingFace]], *said: Correction
) -> tuple[MatchedRunner, ...]:
    return resolve(photo(bibs, faces, said), matches)


class TestLinks:
    def test_each_bib_goes_to_the_face_above_it(self) -> None:
        bibs = Bibs(readings=(reading("1", 0.11), reading("2", 0.51)))
        assert {f: link.bib for f, link in links(bibs, [face("b", 0.5), face("a", 0.1)]).items()} == {
            "a": "1",
            "b": "2",
        }

    def test_a_bib_above_or_far_beside_every_face_is_nobodys(self) -> None:
        assert links(Bibs(readings=(reading("1", 0.1, top=0.05),)), [face("a", 0.1)]) == {}
        assert links(Bibs(readings=(reading("1", 0.6),)), [face("a", 0.1)]) == {}

    def test_one_bib_among_three_faces_goes_to_one_of_them(self) -> None:
        faces = [face("a", 0.1), face("b", 0.22), face("c", 0.34)]
        assert list(links(Bibs(readings=(reading("1", 0.23),)), faces)) == ["b"]

    def test_the_clock_over_the_finish_is_no_bib_of_the_winner(self) -> None:
        assert links(Bibs(readings=(reading("42", 0.1, top=0.95),)), [face("a", 0.1, size=0.05)]) == {}

    @given(st.integers(0, 2**32))
    def test_the_order_of_faces_and_readings_does_not_matter(self, seed: int) -> None:
        faces = [face(name, 0.1 + 0.12 * n) for n, name in enumerate("abcde")]
        readings = [reading(str(n), 0.12 + 0.13 * n) for n in range(4)]
        straight = links(Bibs(readings=tuple(readings)), faces)
        chance = random.Random(seed)
        chance.shuffle(faces)
        chance.shuffle(readings)
        assert links(Bibs(readings=tuple(readings)), faces) == straight


class TestVotes:
    def test_a_read_bib_is_confirmed(self) -> None:
        (runner,) = who(Bibs(readings=(reading("7", 0.11),)), [face("a", 0.1)], {})
        assert (runner.bib, runner.status, runner.read, runner.face_id) == ("7", "confirmed", True, "a")

    def test_a_read_bib_without_a_face_is_confirmed_too(self) -> None:
        (runner,) = who(Bibs(readings=(reading("7", 0.11),)), [], {})
        assert (runner.status, runner.face_id) == ("confirmed", None)

    def test_a_hidden_bib_is_inferred_from_strong_matches_only(self) -> None:
        strong = who(Bibs(), [face("a", 0.1)], {"a": [match("7", 95.0)]})
        weak = who(Bibs(), [face("a", 0.1)], {"a": [match("7", 81.0)]})
        assert [(r.bib, r.status) for r in strong] == [("7", "inferred")]
        assert [(r.bib, r.status) for r in weak] == [("7", "doubtful")]

    def test_two_bibs_for_one_face_are_doubtful(self) -> None:
        runners = who(Bibs(), [face("a", 0.1)], {"a": [match("7"), match("8")]})
        assert [r.status for r in runners] == ["doubtful"]

    def test_matches_without_a_bib_say_nothing(self) -> None:
        assert who(Bibs(), [face("a", 0.1)], {"a": [match(None), match(None)]}) == ()

    def test_an_outvoted_reading_stays_as_doubtful(self) -> None:
        unsure = Bibs(readings=(reading("7", 0.11, confidence=85.0),))
        runners = who(unsure, [face("a", 0.1)], {"a": [match("8")] * 3})
        assert {r.bib: r.status for r in runners} == {"8": "inferred", "7": "doubtful"}

    def test_two_sure_faces_do_not_ask_each_other(self) -> None:
        sure = Bibs(readings=(reading("7", 0.11),))
        assert [r.bib for r in who(sure, [face("a", 0.1)], {"a": [match("8")] * 3})] == ["7"]
        unsure_others = [match("8", sure=False)] * 3
        assert {r.bib for r in who(sure, [face("a", 0.1)], {"a": unsure_others})} == {"7", "8"}

    def test_one_stray_match_does_not_shake_a_reading(self) -> None:
        unsure = Bibs(readings=(reading("7", 0.11, confidence=85.0),))
        runners = who(unsure, [face("a", 0.1)], {"a": [match("8", 85.0)]})
        assert {r.bib: r.status for r in runners} == {"7": "confirmed"}

    def test_nobody_is_twice_in_a_photo(self) -> None:
        faces = [face("a", 0.1), face("b", 0.5)]
        runners = who(Bibs(), faces, {"a": [match("7")], "b": [match("7"), match("7")]})
        assert [(r.bib, r.face_id) for r in runners] == [("7", "b")]

    def test_a_misread_becomes_a_fact_only_with_the_face(self) -> None:
        alone = who(Bibs(suggestions=(suggestion("7", 0.11),)), [face("a", 0.1)], {})
        backed = who(Bibs(suggestions=(suggestion("7", 0.11),)), [face("a", 0.1)], {"a": [match("7")]})
        assert [r.status for r in alone] == ["doubtful"]
        assert [r.status for r in backed] == ["inferred"]

    @given(st.lists(st.tuples(st.sampled_from("78"), st.floats(75, 100)), max_size=6), st.integers(0, 2**32))
    def test_the_order_of_matches_does_not_matter(self, found: list[tuple[str, float]], seed: int) -> None:
        matches = [match(bib, similarity) for bib, similarity in found]
        straight = who(Bibs(readings=(reading("9", 0.5),)), [face("a", 0.1)], {"a": matches})
        random.Random(seed).shuffle(matches)
        assert who(Bibs(readings=(reading("9", 0.5),)), [face("a", 0.1)], {"a": matches}) == straight


FACE = face("a", 0.1)
LOWEST = MATCHES_FROM


def told(runners: Iterable[MatchedRunner]) -> dict[str, str]:
    return {runner.bib: runner.status for runner in runners}


class TestPartials:
    def test_alone_a_part_never_counts_however_often_it_is_seen(self) -> None:
        # Mutation: Link.worn gives a part's bib. Two parts that match each other would infer it.
        proposing = Bibs(partials=(partial("376?", 0.11, "3761"),))
        other = MatchingFace(photo_id="o", similarity=100.0, worth=100.0, link=links(proposing, [FACE])["a"])
        assert told(who(proposing, [FACE], {"a": [other] * 9})) == {"3761": "doubtful"}
        assert told(who(Bibs(), [FACE], {"a": [other] * 9})) == {}
        assert told(who(proposing, [], {})) == {"3761": "doubtful"}
        assert told(who(Bibs(partials=(partial("376?", 0.11),)), [FACE], {})) == {}

    def test_with_a_matching_face_whose_bib_fits_it_decides(self) -> None:
        # Mutation: AGREEING_WEIGHT as of a suggestion. The weakest match would stay doubtful.
        found = {"a": [match("3761", LOWEST)]}
        assert told(who(Bibs(), [FACE], found)) == {"3761": "doubtful"}
        (runner,) = who(Bibs(partials=(partial("376?", 0.11),)), [FACE], found)
        assert (runner.bib, runner.status, runner.face_id, runner.read) == ("3761", "inferred", "a", False)
        assert [(each.kind, each.guess, each.pattern) for each in runner.evidence if each.guess] == [
            ("suggestion", "partial", "376?")
        ]

    def test_it_decides_between_two_that_other_photos_name(self) -> None:
        found = {"a": [match("3761", 96.0), match("8000", 96.0)]}
        assert set(told(who(Bibs(), [FACE], found)).values()) == {"doubtful"}
        assert told(who(Bibs(partials=(partial("376?", 0.11),)), [FACE], found)) == {"3761": "inferred"}

    def test_where_it_fits_several_it_tells_none_apart(self) -> None:
        found = {"a": [match("3761", 90.0), match("3762", 84.0)]}
        parts = Bibs(partials=(partial("376?", 0.11),))
        assert who(parts, [FACE], found) == who(Bibs(), [FACE], found)

    def test_where_it_contradicts_a_match_it_neither_supports_nor_weakens(self) -> None:
        # Mutation: a part votes for its only bib in any case. It would make 8000 doubtful.
        found = {"a": [match("8000", 88.0)]}
        parts = Bibs(partials=(partial("376?", 0.11, "3761"),))
        assert told(who(Bibs(), [FACE], found)) == {"8000": "doubtful"}
        assert who(parts, [FACE], found) == who(Bibs(), [FACE], found)
        strong = {"a": [match("8000", 99.0)]}
        assert who(parts, [FACE], strong) == who(Bibs(), [FACE], strong)

    def test_a_reading_keeps_its_face_though_a_part_hangs_nearer(self) -> None:
        # Mutation: parts are linked together with whole numbers, nearest first.
        bibs = Bibs(readings=(reading("3761", 0.15),), partials=(partial("?10", 0.11),))
        assert links(bibs, [FACE])["a"].bib == "3761"

    def test_a_face_with_a_part_of_a_bib_does_not_take_it_from_one_that_wears_it(self) -> None:
        faces = [FACE, face("b", 0.5)]
        bibs = Bibs(readings=(reading("3761", 0.11),), partials=(partial("376?", 0.51),))
        runners = who(bibs, faces, {"b": [match("3761", sure=False)] * 3})
        assert [(r.bib, r.face_id) for r in runners] == [("3761", "a")]

    def test_a_face_with_a_part_of_it_comes_before_one_that_only_matches(self) -> None:
        # Mutation: `_distance` 2 for a part.
        faces = [FACE, face("b", 0.5)]
        found = {"a": [match("3761", 88.0)], "b": [match("3761")] * 3}
        assert [(r.bib, r.face_id) for r in who(Bibs(partials=(partial("376?", 0.11),)), faces, found)] == [
            ("3761", "a")
        ]

    def test_its_face_wants_to_hear_of_others_and_tells_them_nothing(self) -> None:
        parts = photo(Bibs(partials=(partial("376?", 0.11, "3761"),)), [FACE], ())
        plain = IdentifiedPhoto(photo_id="other", faces=(face("o", 0.1),))
        assert unsure_faces(parts) == ("a",)
        assert matched((parts, "a"), (plain, "o"), 99.0) == ()
        worn = replace(plain, bibs=Bibs(readings=(reading("3761", 0.11),)))
        assert len(matched((parts, "a"), (worn, "o"), 99.0)) == 2

    def test_an_organizers_word_outranks_it(self) -> None:
        parts = Bibs(partials=(partial("376?", 0.11, "3761"),))
        found = {"a": [match("3761")]}
        assert who(parts, [FACE], found, said("3761", here=False)) == ()
        assert told(who(parts, [FACE], found, said("42", face=FACE))) == {"42": "confirmed", "3761": "doubtful"}
        # What an organizer gave to one face hangs below no other.
        both = [FACE, face("b", 0.2)]
        assert list(links(parts, both, said("3761", face=FACE))) == ["a"]


class TestWeakReadings:
    def test_alone_it_is_a_guess_and_with_a_matching_face_it_decides(self) -> None:
        # Mutations: WEAK_WEIGHT 0.9; a weak reading counts the same with a match and without.
        read = Bibs(suggestions=(weak("7", 0.11),))
        assert told(who(read, [FACE], {})) == {"7": "doubtful"}
        assert told(who(read, [FACE], {"a": [match("7", LOWEST)]})) == {"7": "inferred"}
        sure = Bibs(suggestions=(replace(weak("7", 0.11), confidence=100.0),))
        assert told(who(sure, [FACE], {})) == {"7": "doubtful"}

    def test_it_is_told_as_what_it_is(self) -> None:
        (runner,) = who(Bibs(suggestions=(weak("7", 0.11),)), [FACE], {})
        assert [(each.kind, each.guess, each.weight) for each in runner.evidence] == [("suggestion", "weak", 0.27)]


class TestEvidence:
    def test_a_runner_comes_with_the_photos_and_scores_that_speak_for_and_against_her(self) -> None:
        matches = {"a": [match("7", 99.0, "one"), match("7", 95.0, "two"), match("8", 84.0, "three")]}
        (runner,) = who(Bibs(), [face("a", 0.1)], matches)
        assert [(each.kind, each.bib, each.photo_id, each.score) for each in runner.evidence] == [
            ("match", "7", "one", 99.0),
            ("match", "7", "two", 95.0),
            ("match", "8", "three", 84.0),
        ]
        assert [each.weight for each in runner.evidence] == [0.912, 0.76, 0.342]

    def test_only_the_weightiest_are_told(self) -> None:
        matches = {"a": [match("7", 80.0 + number, f"photo{number}") for number in range(19)]}
        (runner,) = who(Bibs(), [face("a", 0.1)], matches)
        assert [each.photo_id for each in runner.evidence] == [f"photo{n}" for n in range(18, 18 - MAX_EVIDENCE, -1)]

    def test_a_reading_and_a_suggestion_are_evidence_of_this_photo(self) -> None:
        bibs = Bibs(readings=(reading("7", 0.11),), suggestions=(suggestion("8", 0.51),))
        runners = who(bibs, [face("a", 0.1)], {})
        told = {r.bib: [(each.kind, each.score, each.photo_id) for each in r.evidence] for r in runners}
        assert told == {"7": [("reading", 95.0, "photo")], "8": [("suggestion", 90.0, "photo")]}

    def test_a_reading_that_a_name_confirms_is_told_as_such(self) -> None:
        named = replace(reading("7", 0.11), named=True)
        (runner,) = who(Bibs(readings=(named,)), [FACE], {})
        assert [(each.kind, each.named) for each in runner.evidence] == [("reading", True)]

    def test_an_outvoted_reading_tells_what_spoke_against_it(self) -> None:
        unsure = Bibs(readings=(reading("7", 0.11, confidence=85.0),))
        runners = {r.bib: r for r in who(unsure, [face("a", 0.1)], {"a": [match("8")] * 3})}
        assert {each.bib for each in runners["7"].evidence} == {"7", "8"}


class TestAnOrganizersWord:
    def test_who_is_not_here_is_not(self) -> None:
        bibs = Bibs(readings=(reading("7", 0.11),), suggestions=(suggestion("8", 0.51),))
        faces = [face("a", 0.1), face("b", 0.5)]
        denied = (said("7", here=False), said("8", here=False))
        assert who(bibs, faces, {"b": [match("8"), match("7")]}, *denied) == ()

    def test_a_denied_bib_gives_its_face_to_the_next(self) -> None:
        bibs = Bibs(readings=(reading("7", 0.11), reading("9", 0.15)))
        assert links(bibs, [face("a", 0.1)])["a"].bib == "7"
        assert links(bibs, [face("a", 0.1)], said("7", here=False))["a"].bib == "9"

    def test_a_face_that_was_named_listens_to_nobody_else(self) -> None:
        faces = [face("a", 0.1), face("b", 0.5)]
        bibs = Bibs(readings=(reading("9", 0.11),))
        runners = who(bibs, faces, {"a": [match("8", sure=False)] * 9}, said("7", face=faces[0]))
        assert {(r.bib, r.status, r.confidence, r.face_id) for r in runners if r.bib == "7"} == {
            ("7", "confirmed", 100.0, "a")
        }
        assert "8" not in {r.bib for r in runners}

    def test_a_bib_that_was_given_to_a_face_goes_to_no_other(self) -> None:
        faces = [face("a", 0.1), face("b", 0.5)]
        runners = who(Bibs(), faces, {"b": [match("7")] * 3}, said("7", face=faces[0]))
        assert [(r.bib, r.face_id) for r in runners] == [("7", "a")]

    def test_without_a_face_the_bib_stands_and_votes_find_the_face(self) -> None:
        faces = [face("a", 0.1), face("b", 0.5)]
        (alone,) = who(Bibs(), faces, {}, said("7"))
        assert (alone.status, alone.face_id, alone.read) == ("confirmed", None, False)
        (found,) = who(Bibs(), faces, {"b": [match("7", 81.0)]}, said("7"))
        assert (found.status, found.confidence, found.face_id) == ("confirmed", 100.0, "b")
        assert [each.kind for each in found.evidence] == ["organizer", "match"]

    def test_of_two_names_for_one_face_the_later_holds(self) -> None:
        one = face("a", 0.1)
        found = links(Bibs(), [one], said("7", face=one, revision=2), said("8", face=one, revision=1))
        assert found["a"].bib == "7"

    def test_a_face_is_known_again_by_its_place(self) -> None:
        before, after, beside = face("a", 0.1), face("b", 0.11), face("c", 0.3)
        assert overlap(before.box, after.box) > 0.5 and overlap(before.box, beside.box) == 0.0
        assert set(links(Bibs(), [after, beside], said("7", face=before))) == {"b"}
        assert links(Bibs(), [beside], said("7", face=before)) == {}
