"""What several readings of a number say together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.engine.agreement import (
    ENOUGH,
    LEAST_ALTERNATIVE,
    MOST_ALTERNATIVES,
    SURE,
    Reading,
    agreed,
    alternatives,
)

NOTHING = Reading("", ())


def reading(text: str, certainty: float = 1.0) -> Reading:
    """All of its characters are as certain."""
    return Reading(text, [certainty] * len(text))


def test_the_same_everywhere_is_certain() -> None:
    assert agreed(reading("1234"), [reading("1234")] * 6) == ("1234", 1.0)


def test_a_number_read_once_is_as_certain_as_its_least_certain_character() -> None:
    assert agreed(Reading("9475", [0.88, 0.99, 1.0, 1.0]), []) == ("9475", 0.88)


def test_a_cut_in_which_nothing_is_read_speaks_against_it() -> None:
    assert agreed(reading("77"), [reading("77"), NOTHING, NOTHING]) == ("77", 0.5)


def test_readings_that_differ_leave_little_certainty() -> None:
    text, certainty = agreed(
        reading("30340", 0.4), [reading("20340", 0.9), reading("60340", 0.6), reading("20340", 0.8)]
    )
    assert text == "20340"
    assert certainty == pytest.approx((0.9 + 0.8) / 4)


def test_a_digit_that_wider_cuts_show_surely_belongs_to_it() -> None:
    wider = [reading("1164", SURE), reading("1164", 0.99)]
    text, certainty = agreed(reading("164"), [reading("164"), *wider, reading("11", 0.9), NOTHING])
    assert text == "1164"
    assert certainty == pytest.approx((1 + 1 + SURE + 0.99 + 0.9 + 0) / 6), "parts of it speak for it, too"


@pytest.mark.parametrize(
    "wider",
    [[Reading("4847", [SURE - 0.01, 1, 1, 1])] * 2, [reading("4847")], [reading("I847")] * 3, [reading("847.")] * 3],
    ids=["not sure", "once", "a letter", "a stop"],
)
def test_what_else_wider_cuts_show_does_not(wider: list[Reading]) -> None:
    text, certainty = agreed(reading("847"), [reading("847"), reading("847"), reading("847"), *wider])
    assert text == "847"
    assert certainty == 1.0, "a number among other characters speaks for it"


def test_no_wider_cut_makes_it_shorter() -> None:
    text, certainty = agreed(reading("11317", 0.5), [reading("1317")] * 6)
    assert text == "11317"
    assert certainty == pytest.approx(0.5 / 7), "and a part of it says little while the whole is not sure"


texts = st.text("0123", min_size=1, max_size=5)
readings = st.builds(reading, texts, st.floats(0, 1))


@given(readings, st.lists(readings | st.just(NOTHING), max_size=8))
def test_it_is_a_reading_and_its_certainty_a_mean(first: Reading, others: list[Reading]) -> None:
    text, certainty = agreed(first, others)
    everything = [first, *others]
    assert text in {each.text for each in everything}
    assert len(text) >= len(first.text)
    assert 0 <= certainty <= max(each.certainty for each in everything if each.text) + 1e-9
    assert agreed(first, others[::-1]) == (text, pytest.approx(certainty)), "in whatever order the cuts were read"


@given(readings, st.lists(readings, min_size=1, max_size=8))
def test_one_more_cut_that_agrees_makes_it_no_less_certain(first: Reading, others: list[Reading]) -> None:
    text, certainty = agreed(first, others)
    sure = sum(each.text == text and each.certainty >= SURE for each in [first, *others])
    if sure >= ENOUGH:
        again = agreed(first, [*others, reading(text)])
        assert again.text == text or len(again.text) >= len(text)
        if again.text == text:
            assert again.certainty >= certainty - 1e-9


def test_what_some_readings_say_instead_is_told_the_surest_first() -> None:
    seen = [reading("9475", 0.9), reading("0475", 0.5), reading("2475", 0.55), reading("0475", 0.3), NOTHING]
    told = alternatives([*seen, reading("17", 0.2)], "9475")
    assert [each.text for each in told] == ["0475", "2475"], ".2 of one is too little"
    assert [each.certainty for each in told] == pytest.approx([0.8 / 6, 0.55 / 6])


@given(st.lists(readings | st.just(NOTHING), max_size=8), texts)
def test_alternatives_are_other_texts_that_were_read(seen: list[Reading], text: str) -> None:
    told = alternatives(seen, text)
    assert len({each.text for each in told}) == len(told) <= MOST_ALTERNATIVES
    assert all(each.text != text and any(each.text == other.text for other in seen) for each in told)
    assert all(LEAST_ALTERNATIVE <= each.certainty <= 1 for each in told)
