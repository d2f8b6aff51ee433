"""What the place of a number says. The mutation that each test was tried with is named with it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.domain.bibs import read_bibs
from services.ocr.records import Alternative, End, Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Box
from shared.contracts.race import RaceSettings

SETTINGS = RaceSettings(name="Race", date="2026-10-25", bib_rules=BibRules(min_digits=2))
LEFT, TOP, HEIGHT = 0.4, 0.4, 0.04


def word(
    text: str,
    *,
    confidence: float = 97.0,
    left: float = LEFT,
    top: float = TOP,
    height: float = HEIGHT,
    torso: bool = True,
    size: float | None = None,
    cut: tuple[End, ...] = (),
) -> Word:
    box = Box(left=left, top=top, width=2 * height, height=height)
    return Word(text=text, confidence=confidence, box=box, torso=torso, size=size, cut=cut)


def read(*words: Word, roster: set[str] | None = None) -> list[str]:
    return [each.bib for each in read_bibs(words, SETTINGS, None if roster is None else frozenset(roster)).readings]


BIB = word("3691", size=0.45)
YEAR = word("2018", top=TOP - HEIGHT, height=HEIGHT / 2, size=0.22)


class TestSmallPrint:
    def test_a_year_above_the_number_of_a_bib_is_no_bib(self) -> None:
        # Mutation: the size is not looked at.
        assert read(BIB, YEAR) == ["3691"]
        assert read(BIB, YEAR, roster={"3691", "2018"}) == ["3691"]

    def test_a_runner_may_have_a_year_for_her_bib(self) -> None:
        # Mutation: a year is no bib wherever it stands.
        assert read(word("2018", size=0.45)) == ["2018"]
        assert read(word("2018", size=0.22)) == ["2018"], "a small number that is alone on a body is the bib's"

    @pytest.mark.parametrize(
        ("left", "top", "height"),
        [(LEFT + 0.2, TOP, HEIGHT), (LEFT, TOP + 0.2, HEIGHT), (LEFT, TOP, HEIGHT / 2)],
        ids=["beside", "far below", "as small"],
    )
    def test_what_is_elsewhere_or_no_taller_makes_no_print_of_it(self, left: float, top: float, height: float) -> None:
        # Mutation: any number in the photo is taller, or by it.
        assert read(YEAR, word("3691", left=left, top=top, height=height, size=0.45)) == ["2018", "3691"]

    def test_what_is_taller_but_no_bib_of_the_race_does_not_either(self) -> None:
        # Mutation: every word is a rival. A shirt's "RUN" is taller than many a number.
        assert read(YEAR, word("10:42", size=0.9), word("RUN", size=0.9)) == ["2018"]
        assert read(YEAR, word("36", size=0.45, cut=("END",), confidence=75.0)) == [], "a part of a bib does"


class TestOffBodies:
    def test_where_others_are_seen_to_wear_bibs_a_number_off_bodies_must_be_read_more_surely(self) -> None:
        # Mutation: one bar for all places.
        assert read(BIB, word("65", torso=False, confidence=89.9)) == ["3691"]
        assert read(BIB, word("65", torso=False, confidence=90.0)) == ["3691", "65"]
        assert read(BIB, word("65", confidence=80.0)) == ["3691", "65"]
        assert read(BIB, word("65", torso=False, confidence=89.9), roster={"3691", "65"}) == ["3691"]

    def test_where_no_body_is_seen_nothing_changes(self) -> None:
        # Mutation: every word without a torso is off bodies. Rekognition knows of none.
        alone = [word("65", torso=False, confidence=80.0), word("2018", torso=False, left=0.1)]
        assert read(*alone) == ["2018", "65"]

    def test_a_year_that_nobody_wears_is_a_banners_unless_the_roster_has_it(self) -> None:
        # Mutation: the roster is not asked, or years have no end.
        banner = word("2026", torso=False, left=0.1)
        assert read(BIB, banner) == ["3691"]
        assert read(BIB, banner, roster={"3691", "2026"}) == ["2026", "3691"]
        assert read(BIB, word("2028", torso=False, left=0.1), word("1899", torso=False, left=0.6)) == [
            "1899",
            "2028",
            "3691",
        ]


words = st.builds(
    Word,
    text=st.sampled_from(["3691", "369", "65", "A"]),
    confidence=st.sampled_from([15.0, 63.0, 79.0, 85.0, 97.0]),
    box=st.builds(
        Box,
        left=st.sampled_from([0.1, 0.4, 0.42]),
        top=st.sampled_from([0.4, 0.45]),
        width=st.just(0.08),
        height=st.sampled_from([0.02, 0.04]),
    ),
    cut=st.sampled_from([(), (), ("END",), ("START",)]),
    torso=st.booleans(),
    size=st.sampled_from([None, 0.1, 0.5]),
    alternatives=st.lists(
        st.builds(Alternative, text=st.sampled_from(["3691", "65", "3981"]), confidence=st.sampled_from([9.0, 40.0])),
        max_size=2,
    ).map(tuple),
)
shuffled_words = st.lists(words, min_size=2, max_size=8).flatmap(
    lambda seen: st.tuples(st.just(seen), st.permutations(seen))
)
rosters = st.none() | st.frozensets(st.sampled_from(["3691", "3692", "65", "A65"]))


@settings(max_examples=400)
@given(shuffled_words, rosters)
def test_in_whatever_order_words_are_told_the_bibs_are_the_same(
    told: tuple[list[Word], list[Word]], roster: frozenset[str] | None
) -> None:
    # Mutation: words are read as they come.
    race = msgspec.structs.replace(SETTINGS, bib_rules=BibRules(prefixes=("", "A"), min_digits=2))
    seen, shuffled = told
    assert read_bibs(seen, race, roster) == read_bibs(shuffled, race, roster)


@given(st.lists(words, max_size=8), rosters)
def test_a_reading_is_of_the_roster_and_as_sure_as_asked(seen: list[Word], roster: frozenset[str] | None) -> None:
    found = read_bibs(seen, SETTINGS, roster)
    assert all(each.verified == (roster is not None) for each in found.readings)
    if roster is not None:
        read = {each.bib for each in found.readings}
        assert read | {each.bib for each in found.suggestions} <= roster
    assert all(each.confidence >= 79.0 for each in found.readings)


@given(st.lists(words, max_size=8), rosters)
def test_what_rekognition_says_is_read_as_before_there_were_places(
    seen: list[Word], roster: frozenset[str] | None
) -> None:
    # Mutation: words below 50 percent count without a torso.
    plain = [msgspec.structs.replace(each, torso=False, size=None, alternatives=(), cut=()) for each in seen]
    found = read_bibs(plain, SETTINGS, roster)
    clear = {each.text for each in plain if each.confidence >= SETTINGS.min_confidence}
    read = {text for text in clear if text.isdigit() and (roster is None or text in roster)}
    assert {each.bib for each in found.readings} == read
    assert all(each.confidence >= 50.0 for each in found.suggestions)
