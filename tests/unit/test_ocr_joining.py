"""Letters and numbers side by side, and the watermark's corner. Each rule was taken back once to see its test fail."""

from __future__ import annotations

import itertools

import pytest

from services.ocr.domain.bibs import read_bibs
from services.ocr.domain.joining import joined
from services.ocr.records import Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Box
from shared.contracts.race import DEFAULT_WATERMARK, RaceSettings, Region

LETTERS = BibRules(prefixes=("", "A"))


def word(text: str, left: float, top: float = 0.4, *, width: float | None = None, height: float = 0.04) -> Word:
    wide = 0.02 * len(text) if width is None else width
    return Word(text=text, confidence=95.0, box=Box(left=left, top=top, width=wide, height=height))


A, NUMBER = word("A", 0.30), word("2167", 0.335)


def bibs(*words: Word, rules: BibRules = LETTERS, roster: set[str] | None = None) -> list[str]:
    settings = RaceSettings(name="Race", date="2026-10-25", bib_rules=rules)
    read = read_bibs(words, settings, None if roster is None else frozenset(roster))
    return [reading.bib for reading in read.readings]


class TestJoining:
    def test_a_letter_beside_a_number_is_one_bib_with_it(self) -> None:
        (one,) = joined([NUMBER, A], LETTERS, None)
        assert (one.text, one.confidence) == ("A2167", 95.0)
        assert (one.box.left, one.box.width) == (0.30, 0.115)
        assert bibs(A, NUMBER) == ["A2167"]
        assert bibs(word("A-", 0.29), NUMBER) == ["A2167"]

    def test_where_the_race_has_no_such_letters_the_number_stands_alone(self) -> None:
        # Mutation: joined whatever the rules say. A race without letters would read nothing.
        assert bibs(A, NUMBER, rules=BibRules()) == ["2167"]
        assert bibs(word("B", 0.30), NUMBER) == ["2167"]

    def test_with_a_roster_it_says_which_of_the_two_there_is(self) -> None:
        # Mutation: the roster not asked.
        assert bibs(A, NUMBER, roster={"A2167"}) == ["A2167"]
        assert bibs(A, NUMBER, roster={"2167"}) == ["2167"]
        assert bibs(A, NUMBER, roster={"A2167", "2167"}) == ["A2167"]

    def test_a_letter_behind_the_number_where_the_race_has_such_bibs(self) -> None:
        behind = word("F", 0.43)
        assert bibs(NUMBER, behind, rules=BibRules(formats=("number", "number-letter"))) == ["2167F"]
        assert bibs(NUMBER, behind) == ["2167"]

    @pytest.mark.parametrize(
        "letter",
        [
            word("A", 0.27),  # too far
            word("A", 0.36),  # within the number
            word("A", 0.30, top=0.43),  # another line
            word("A", 0.31, top=0.41, height=0.02),  # small print
            word("A", 0.30, top=0.36, height=0.12),  # a letter of a banner
            word("A", 0.43),  # behind it
        ],
    )
    def test_a_letter_elsewhere_is_not_of_the_bib(self, letter: Word) -> None:
        assert bibs(letter, NUMBER) == ["2167"]

    def test_each_word_is_in_one_pair_the_nearest_in_any_order(self) -> None:
        # Mutation: pairs in the order of words.
        words = [word("11", 0.25), A, NUMBER]
        rules = BibRules(prefixes=("", "A"), formats=("number", "number-letter"))
        for order in itertools.permutations(words):
            assert sorted(each.text for each in joined(order, rules, None)) == ["11A", "2167"]

    def test_a_number_whose_letter_is_seen_is_not_cut_there(self) -> None:
        # Mutation: the cuts of both. The engine calls a number cut where its letter stands apart.
        number = Word(text="2167", confidence=79.0, box=NUMBER.box, cut=("START", "END"), torso=True)
        (one,) = joined([A, number], LETTERS, None)
        assert (one.cut, one.torso, one.confidence) == (("END",), True, 79.0)
        roster = frozenset({"A21674"})
        assert [each.text for each in joined([A, number], LETTERS, roster)] == ["A2167"]
        assert len(joined([A, NUMBER], LETTERS, roster)) == 2


CORNER = Box(left=0.85, top=0.93, width=0.05, height=0.03)


@pytest.mark.parametrize(
    ("torso", "region", "read"),
    [
        (True, DEFAULT_WATERMARK, ["1042"]),
        (False, DEFAULT_WATERMARK, []),
        (True, Region(left=0.7, top=0.9, width=0.3, height=0.09), []),
        (True, None, ["1042"]),
    ],
)
def test_on_a_chest_in_the_default_corner_a_bib_is_read(torso: bool, region: Region | None, read: list[str]) -> None:
    settings = RaceSettings(name="Race", date="2026-10-25", watermark=region)
    words = [Word(text="1042", confidence=99.0, box=CORNER, torso=torso)]
    assert [reading.bib for reading in read_bibs(words, settings, None).readings] == read
