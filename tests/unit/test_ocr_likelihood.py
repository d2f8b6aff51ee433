"""How likely an unsure word is a bib of the roster. The mutation that each test was tried with is named with it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ocr.domain.bibs import read_bibs
from services.ocr.domain.likelihood import MOST, crowding, likeliest
from services.ocr.records import Alternative, Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Bibs, Box
from shared.contracts.race import RaceSettings

RULES = BibRules(min_digits=2)
SETTINGS = RaceSettings(name="Race", date="2026-10-25", bib_rules=RULES)
SPARSE = frozenset({"1463", "2475", "777", "80344"})
FULL = frozenset(map(str, range(1000, 10000)))


def word(text: str, confidence: float, instead: dict[str, float] | None = None, *, torso: bool = True) -> Word:
    """A word on somebody's chest."""
    return Word(
        text=text,
        confidence=confidence,
        box=Box(left=0.4, top=0.4, width=0.05, height=0.03),
        torso=torso,
        alternatives=tuple(Alternative(text=each, confidence=sure) for each, sure in (instead or {}).items()),
    )


def bibs(seen: Word, roster: frozenset[str] | None = SPARSE) -> Bibs:
    return read_bibs([seen], SETTINGS, roster)


def told(found: Bibs) -> tuple[list[str], list[tuple[str, str | None]]]:
    return [each.bib for each in found.readings], [(each.bib, each.guess or None) for each in found.suggestions]


def test_a_weak_word_that_the_roster_has_is_read_where_few_like_it_are_on_it() -> None:
    # Mutation: `crowding` is 1.
    assert told(bibs(word("1463", 55.0))) == (["1463"], [])
    assert told(bibs(word("1463", 55.0), FULL)) == ([], [("1463", "weak")])


def test_so_is_what_it_may_be_instead() -> None:
    # Mutation: alternatives are not looked at.
    (reading,) = bibs(word("9475", 23.0, {"2475": 30.0})).readings
    assert (reading.bib, reading.text, reading.verified, reading.by_roster) == ("2475", "2475", True, True)
    assert told(bibs(word("9475", 60.0, {"2475": 12.0}))) == ([], [("2475", "weak")])
    assert told(bibs(word("9475", 60.0, {"2475": 1.0}))) == ([], [])


def test_two_that_it_may_be_as_well_leave_a_guess_at_most() -> None:
    # Mutation: what else of the roster it may be is not counted.
    assert told(bibs(word("9475", 60.0, {"2475": 30.0, "1463": 25.0}))) == ([], [("2475", "weak")])
    assert told(bibs(word("9475", 60.0, {"2475": 30.0, "1463": 29.9, "777": 29.8}))) == ([], [])


def test_what_is_read_surely_and_not_on_the_roster_is_a_guess_at_most() -> None:
    # Mutation: `guess_only` is not passed on. A late entry's bib would be taken for another's.
    assert told(bibs(word("9475", 85.0, {"2475": 60.0}))) == ([], [("2475", "weak")])


def test_without_a_roster_nothing_is_made_of_it() -> None:
    assert bibs(word("9475", 60.0, {"2475": 60.0}), None) == Bibs()


@pytest.mark.parametrize("confidence", [20.0, 63.0])
def test_off_a_chest_the_roster_raises_nothing(confidence: float) -> None:
    # Mutation: `torso` is not asked. Rekognition knows of none, and has another scale.
    found = bibs(word("1463", confidence, {"2475": 45.0}, torso=False))
    assert told(found) == ([], [("1463", "weak")] if confidence > 50 else [])


def test_it_is_never_so_sure_that_other_photos_need_not_be_heard() -> None:
    # Mutation: no MOST.
    (reading,) = bibs(word("1463", 79.0)).readings
    assert reading.confidence == MOST


def test_of_two_sights_that_are_alike_but_for_what_else_they_may_be_one_counts_whichever_is_told_first() -> None:
    # Mutation: `_best_first` ends with the text.
    sights = [word("1463", 55.0, {"2475": 30.0}), word("1463", 55.0, {"2475": 40.0})]
    assert read_bibs(sights, SETTINGS, SPARSE) == read_bibs(sights[::-1], SETTINGS, SPARSE)


BIBS = st.from_regex(r"A?[1-9][0-9]{1,4}", fullmatch=True)


@given(BIBS, st.frozensets(BIBS))
def test_crowding_is_a_share_that_only_grows_with_the_roster(bib: str, roster: frozenset[str]) -> None:
    share = crowding(bib, roster)
    assert 0 < share <= 1
    assert crowding(bib, roster | {bib}) == share, "the bib itself says nothing"
    assert crowding(bib, frozenset()) <= share
    neighbour = ("1" if bib[-1] != "1" else "2").join([bib[:-1], ""])
    assert crowding(bib, roster | {neighbour}) >= share


@given(BIBS, st.floats(0, 100), st.dictionaries(BIBS, st.floats(0, 100), max_size=3), st.frozensets(BIBS))
def test_the_likeliest_is_of_the_roster_and_at_least_as_sure_the_surer_it_is_read(
    text: str, confidence: float, others: dict[str, float], roster: frozenset[str]
) -> None:
    rules = BibRules(prefixes=("", "A"))
    seen = word(text, confidence, others)
    likely = likeliest(seen, rules, roster | {text})
    assert likely is not None
    assert likely.bib in roster | {text}
    assert 0 <= likely.confidence <= MOST
    if likely.bib == text:
        surer = likeliest(msgspec.structs.replace(seen, confidence=100.0), rules, roster | {text})
        assert surer is not None
        assert surer.confidence >= likely.confidence - 0.01
