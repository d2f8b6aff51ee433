"""What a part of a bib leaves open. Each case fails when its rule is taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.bibs import BibRules, canonical
from shared.contracts.patterns import fits

ALL_FORMATS = BibRules(formats=("number", "number-leg", "number-letter"), prefixes=("", "A"))


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("376?", ["3761", "37612", "376-2", "376F"], ["376", "1376", "3771", "A3761"]),
        ("?592", ["1592", "21592", "A592"], ["592", "5921", "1593"]),
        ("?76?", ["3761", "A761"], ["76", "376", "761"]),
        ("*592*", ["1592", "5921", "15921"], ["592", "5912"]),
        ("A2?", ["A21", "A2-1"], ["A2", "A12", "21"]),
    ],
)
def test_a_pattern_is_open_where_characters_are_hidden(pattern: str, fitting: list[str], others: list[str]) -> None:
    assert [bib for bib in [*fitting, *others] if fits(pattern, bib)] == fitting


@pytest.mark.parametrize(
    ("text", "start", "end", "pattern"),
    [
        ("376", False, True, "376?"),
        ("592", True, False, "?592"),
        ("76", True, True, "?76?"),
        ("a-21", False, True, "A21?"),
        ("0042", False, True, "42?"),
        ("042", True, False, "?042"),
        ("727-2", False, True, "727-2?"),
        ("42F", True, False, "?42F"),
    ],
)
def test_the_pattern_of_a_part(text: str, start: bool, end: bool, pattern: str) -> None:
    assert ALL_FORMATS.pattern(text, start=start, end=end) == pattern


@pytest.mark.parametrize(
    ("rules", "text", "start", "end"),
    [
        (BibRules(), "7", False, True),  # one digit says too little
        (BibRules(), "10:42", False, True),
        (BibRules(), "FINISH", True, False),
        (BibRules(max_digits=4), "3761", False, True),  # it cannot go on
        (BibRules(max_digits=4), "3761", True, False),
        (BibRules(), "42F", False, True),  # a form that the race does not have
        (BibRules(), "A21", False, True),  # letters that it does not have
        (BibRules(prefixes=("AB",)), "A21", False, True),
        (BibRules(excluded=("2026",)), "2026", False, True),
    ],
)
def test_what_is_no_part_of_a_bib_here(rules: BibRules, text: str, start: bool, end: bool) -> None:
    assert rules.pattern(text, start=start, end=end) is None


def test_letters_may_be_cut_and_a_number_of_full_length_may_hide_letters() -> None:
    assert BibRules(prefixes=("AB",)).pattern("B21", start=True, end=False) == "?B21"
    assert BibRules(prefixes=("", "A"), max_digits=4).pattern("3761", start=True, end=False) == "?3761"
    assert BibRules(formats=("number-letter",), max_digits=4).pattern("3761", start=False, end=True) == "3761?"


BIBS = st.from_regex(r"A?[1-9][0-9]{2,4}", fullmatch=True)


@given(BIBS, st.integers(1, 4), st.booleans())
def test_a_bib_fits_every_part_of_it_that_is_seen(bib: str, hidden: int, start: bool) -> None:
    seen = bib[hidden:] if start else bib[:-hidden]
    pattern = ALL_FORMATS.pattern(seen, start=start, end=not start)
    assert canonical(bib) == bib
    assert pattern is None or fits(pattern, bib)
