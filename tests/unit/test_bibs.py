"""What a bib is, and which rule refuses one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.bibs import BibRules, canonical

ALL_FORMATS = BibRules(formats=("number", "number-leg", "number-letter"))


@pytest.mark.parametrize(
    ("text", "bib"),
    [
        ("1042", "1042"),
        ("a-0042", "A42"),
        ("#7", "7"),
        ("727-2", "727-2"),
        ("0727-02", "727-2"),
        ("727–2", "727-2"),
        ("７２７－２", "727-2"),
        ("A727-2", "A727-2"),
        ("1042F", "1042F"),
        ("1042-f", "1042F"),
        ("01042 F", "1042F"),
        ("F12M", "F12M"),
        ("0-0", "0-0"),
    ],
)
def test_spellings_of_one_bib(text: str, bib: str) -> None:
    assert canonical(text) == bib
    assert canonical(bib) == bib


@pytest.mark.parametrize(
    "text", ["10:42", "10KM", "1,042", "10.42", "", "A", "-2", "727-", "727--2", "727-123", "1-2-3", "12-A/B", "727-2F"]
)
def test_what_is_no_bib(text: str) -> None:
    assert canonical(text) is None


@pytest.mark.parametrize("text", ["727-2", "1042F", "5K"])
def test_formats_are_declared(text: str) -> None:
    assert BibRules().admits(text) is None
    assert ALL_FORMATS.admits(text) == text
    assert BibRules(formats=("number-leg", "number-letter")).admits("1042") is None


@pytest.mark.parametrize(
    ("rules", "text", "rule"),
    [
        (BibRules(), "12-A/B", "is not a bib, which is like 1042, A42, 727-2 or 1042F"),
        (
            BibRules(),
            "727-2",
            "bib 727-2 is not like 1042: if it is right, say snaprace race set --format number --format number-leg",
        ),
        (BibRules(), "1042F", "--format number --format number-letter, or bib_rules.formats"),
        (BibRules(), "F318", "bib F318 has F before the number, where bib_rules.prefixes allows no letters"),
        (
            BibRules(prefixes=("A", "b")),
            "318",
            "has no letters before the number, where bib_rules.prefixes allows A or B",
        ),
        (BibRules(), "123456", "bib 123456 has 6 digits, where bib_rules says min_digits 1 and max_digits 5"),
        (BibRules(min_digits=2), "7", "bib 7 has 1 digit, where"),
        (BibRules(lowest=100), "99", "bib 99 is below bib_rules.lowest, 100"),
        (BibRules(highest=100), "101", "bib 101 is above bib_rules.highest, 100"),
        (BibRules(excluded=("2026",)), "02026", "bib 02026 is one of the words that bib_rules.excluded says"),
    ],
)
def test_the_rule_that_refuses_is_named(rules: BibRules, text: str, rule: str) -> None:
    assert rule in str(rules.refusal(text))
    assert rules.admits(text) is None


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (BibRules(), "1"),
        (BibRules(), "12345"),
        (BibRules(lowest=100, highest=200), "100"),
        (BibRules(lowest=100, highest=200), "200"),
        (BibRules(min_digits=4), "0042"),
        (BibRules(formats=("number-leg",), max_digits=3), "727-2"),
        (BibRules(prefixes=("a",)), "A7"),
    ],
)
def test_what_stands_at_a_limit_is_admitted(rules: BibRules, text: str) -> None:
    assert rules.refusal(text) is None
    assert rules.admits(text) == canonical(text)


BIBS = st.from_regex(r"[A-Z]{0,2}[0-9]{1,5}(-[0-9]{1,2}|[A-Z])?", fullmatch=True)


@given(st.lists(BIBS, min_size=1))
def test_rules_made_for_bibs_admit_them(printed: list[str]) -> None:
    rules = BibRules.for_bibs(printed)
    assert [rules.admits(text) for text in printed] == [canonical(text) for text in printed]


@given(BIBS)
def test_canonical_is_its_own_canonical(text: str) -> None:
    bib = canonical(text)
    assert bib is not None
    assert canonical(bib) == bib


@given(st.text(max_size=12))
def test_any_text_is_a_bib_or_has_a_reason(text: str) -> None:
    assert (ALL_FORMATS.admits(text) is None) == (ALL_FORMATS.refusal(text) is not None)
