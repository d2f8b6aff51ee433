"""Which words are bibs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ocr.domain.bibs import only_neighbour, read_bibs
from services.ocr.records import Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Box
from shared.contracts.race import RaceSettings

SETTINGS = RaceSettings(name="Race", date="2026-10-25", bib_rules=BibRules(prefixes=("", "A"), min_digits=2))


def word(text: str, *, confidence: float = 95.0, left: float = 0.4, top: float = 0.4) -> Word:
    return Word(text=text, confidence=confidence, box=Box(left=left, top=top, width=0.05, height=0.03))


def bibs(*words: Word, roster: set[str] | None = None, settings: RaceSettings = SETTINGS) -> list[str]:
    return [r.bib for r in read_bibs(words, settings, None if roster is None else frozenset(roster)).readings]


@pytest.mark.parametrize("text", ["10:42", "42KM", "1,042", "5K", "10.42", "", "FINISH", "A", "12-34", "B12", "7"])
def test_what_is_no_bib_here(text: str) -> None:
    assert bibs(word(text)) == []


@pytest.mark.parametrize(
    ("text", "bib"),
    [("1042", "1042"), ("A-77", "A77"), ("a 77", "A77"), ("#1042", "1042"), ("0042", "42"), ("１０４２", "1042")],
)
def test_what_is_a_bib(text: str, bib: str) -> None:
    assert bibs(word(text)) == [bib]


def test_the_watermark_is_not_read() -> None:
    assert bibs(word("2026", left=0.85, top=0.95), word("1042")) == ["1042"]
    elsewhere = RaceSettings(name="Race", date="2026-10-25", watermark=None)
    assert bibs(word("2026", left=0.85, top=0.95), settings=elsewhere) == ["2026"]


def test_excluded_words_and_ranges_are_the_races_own_rule() -> None:
    rules = BibRules(excluded=("2026",), lowest=100, highest=3000)
    settings = RaceSettings(name="Race", date="2026-10-25", bib_rules=rules)
    assert bibs(word("2026"), word("99"), word("3001"), word("100"), settings=settings) == ["100"]


def test_with_a_roster_only_its_bibs_count_and_are_verified() -> None:
    read = read_bibs([word("1042"), word("5555")], SETTINGS, frozenset({"1042"}))
    assert [(r.bib, r.verified) for r in read.readings] == [("1042", True)]


def test_without_a_roster_readings_are_unverified() -> None:
    assert [r.verified for r in read_bibs([word("1042")], SETTINGS, None).readings] == [False]


def test_an_empty_roster_lets_nothing_through() -> None:
    assert bibs(word("1042"), roster=set()) == []


def test_a_misread_with_one_neighbour_is_a_suggestion_with_two_it_is_nothing() -> None:
    one = read_bibs([word("1043")], SETTINGS, frozenset({"1042", "777"}))
    two = read_bibs([word("1043")], SETTINGS, frozenset({"1042", "1044"}))
    assert (one.readings, [s.bib for s in one.suggestions]) == ((), ["1042"])
    assert (two.readings, two.suggestions) == ((), ())


def test_bibs_of_the_formats_that_a_race_declares_are_read() -> None:
    rules = BibRules(formats=("number", "number-leg", "number-letter"), min_digits=3)
    settings = RaceSettings(name="Relay", date="2026-10-25", bib_rules=rules)
    words = [word("727-2"), word("1042F"), word("1042"), word("5K"), word("727-2-1")]
    assert bibs(*words, settings=settings) == ["1042", "1042F", "727-2"]
    assert bibs(*words, settings=settings, roster={"727-2", "1042F"}) == ["1042F", "727-2"]
    assert bibs(*words) == ["1042"]


def test_a_hyphen_or_letter_that_was_not_seen_is_one_character() -> None:
    rules = BibRules(formats=("number", "number-leg", "number-letter"))
    settings = RaceSettings(name="Relay", date="2026-10-25", bib_rules=rules)
    read = read_bibs([word("7272"), word("1042")], settings, frozenset({"727-2", "1042F"}))
    assert [(s.bib, s.text) for s in read.suggestions] == [("1042F", "1042"), ("727-2", "7272")]


def test_an_unsure_word_is_not_read() -> None:
    assert bibs(word("1042", confidence=79.9)) == []


def test_a_bib_seen_twice_keeps_the_better_sight() -> None:
    read = read_bibs([word("1042", confidence=85, left=0.1), word("1042", confidence=99, left=0.6)], SETTINGS, None)
    assert [(r.confidence, r.box.left) for r in read.readings] == [(99, 0.6)]


BIBS = st.from_regex(r"[A-Z]{0,2}[1-9][0-9]{0,4}(-[1-9]|[A-Z])?", fullmatch=True)


@given(BIBS, st.frozensets(BIBS, max_size=30))
def test_the_neighbour_is_the_one_at_edit_distance_one(bib: str, roster: frozenset[str]) -> None:
    near = {other for other in roster if _distance(bib, other) == 1}
    assert only_neighbour(bib, roster - {bib}) == (near.pop() if len(near) == 1 else None)


def _distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return _distance(a[1:], b[1:])
    if abs(len(a) - len(b)) > 1:
        return 2
    return 1 + min(0 if a[1:] == b[1:] else 1, 0 if a[1:] == b else 1, 0 if a == b[1:] else 1)
