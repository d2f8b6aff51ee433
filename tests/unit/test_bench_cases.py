"""What `snaprace bench cases` takes for right, and for no cases at all. The cases themselves go through a runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from bench.cases import Case, read_cases, report, settings_of
from bench.expectations import meets, uncomparable
from shared.contracts.bibs import BibRules

IMPORTED = {"runners": {"0042": "Lee"}, "problems": [{"line": 4, "message": "two numbers."}]}
REFUSED = {"refused": "r.csv: No row can be used. Line 2: '?' is not a bib. Line 3: 'x' is not a bib."}
SHOWN = {
    "state": "searchable", "reason": None, "message": None, "dead_letters": [], "bibs": [],
    "taken_at": "2026-10-25T09:30:00+00:00", "sure": False, "told": True,
}  # fmt: skip
RAW = {**SHOWN, "state": "rejected", "reason": "raw_format", "message": "Export it as JPEG.", "taken_at": None}
DEAD = {**SHOWN, "state": "dead-lettered", "dead_letters": ["a-dlq"]}


@pytest.mark.parametrize(
    ("expected", "seen", "right"),
    [
        ({"runners": {"42": "Lee"}}, IMPORTED, True),
        ({"runners": {"42": "Lea"}}, IMPORTED, False),
        ({"runners": {"42": "Lee", "43": "Kim"}}, IMPORTED, False),
        ({"runners": {"42": "Lee"}}, REFUSED, False),
        ({"runners": {"42": "Kim"}, "or": "refused: asks for the encoding"}, REFUSED, True),
        ({"runners": {"42": "Kim"}, "or": "refused: asks for the encoding"}, IMPORTED, False),
        ({"problems": [4], "note": "for people"}, IMPORTED, True),
        ({"problems": [3, 4]}, IMPORTED, False),
        ({"problems": []}, IMPORTED, False),
        ({"refused": "each line with its reason", "problems": [2, 3]}, REFUSED, True),
        ({"refused": "line 2: not a bib"}, REFUSED, True),
        ({"refused": "line 9: not a bib"}, REFUSED, False),
        ({"refused": "any"}, IMPORTED, False),
        ({"state": "searchable"}, SHOWN, True),
        ({"state": "searchable"}, RAW, False),
        ({"state": "searchable without bibs, or rejected with its reason", "never": "dead letter"}, SHOWN, True),
        ({"state": "searchable without bibs, or rejected with its reason"}, {**SHOWN, "bibs": ["7"]}, False),
        ({"state": "searchable without bibs, or rejected with its reason"}, RAW, True),
        ({"state": "rejected"}, {**RAW, "reason": None}, False),
        ({"never": "dead letter"}, DEAD, False),
        ({"state": "rejected", "reason": "its own, says to export JPEG"}, RAW, True),
        ({"state": "rejected", "reason": "its own, says to export TIFF"}, RAW, False),
        ({"reason": "raw_format"}, RAW, True),
        ({"reason": "unsupported_format"}, RAW, False),
        ({"taken_at": "2026-10-25T09:30:00", "sure": False}, SHOWN, True),
        ({"taken_at": "2026-10-25T09:30:00", "sure": True}, SHOWN, False),
        ({"taken_at": "2026-10-25T09:30:00+00:00"}, SHOWN, True),
        ({"taken_at": "2026-10-25T09:30:00+09:00"}, SHOWN, False),
        ({"taken_at": None, "told": True}, SHOWN, False),
        ({"taken_at": None, "told": True}, RAW, True),
        ({"taken_at": None, "told": False}, RAW, False),
        ({"colour": "red"}, SHOWN, False),
    ],
)
def test_what_a_case_came_to_is_compared_with_what_is_expected(
    expected: dict[str, Any], seen: dict[str, Any], right: bool
) -> None:
    assert meets(expected, seen) is right


def test_a_report_counts_what_passed_and_shows_what_did_not() -> None:
    cases = [Case(case=name, kind="picture", expected={"state": "searchable"}) for name in ("a.jpg", "b.jpg")]
    cases.append(Case(case="c.jpg", kind="picture", expected={"colour": "red"}))
    told = report(cases, {"a.jpg": SHOWN, "b.jpg": DEAD, "c.jpg": SHOWN})
    assert told == {
        "passed": 1,
        "failed": [
            {"case": "b.jpg", "expected": {"state": "searchable"}, "seen": DEAD},
            {"case": "c.jpg", "expected": {"colour": "red"}, "seen": {**SHOWN, "nobody_compares": ["colour"]}},
        ],
    }
    assert uncomparable({"state": "rejected", "note": "x", "or": "taken: at once"}) == ["taken"]


@pytest.mark.parametrize(
    ("race", "rules"),
    [
        ({}, BibRules()),
        ({"bib_rules": "defaults"}, BibRules()),
        ({"bib_formats": "number-leg and letter suffix"}, BibRules(formats=("number", "number-leg", "number-letter"))),
        ({"bib_formats": "letter suffix"}, BibRules(formats=("number", "number-letter"))),
        ({"bib_rules": {"prefixes": ["A"]}}, BibRules(prefixes=("A",))),
    ],
)
def test_a_case_says_what_race_it_is_for(race: dict[str, Any], rules: BibRules) -> None:
    assert settings_of(Case(case="r.csv", kind="roster", expected={}, race=race)).bib_rules == rules


@pytest.mark.parametrize(
    ("cases", "sentence"),
    [
        (None, "cases.json cannot be read"),
        ("{", "is no list of cases"),
        ([{"case": "a.jpg", "kind": "film", "expected": {}}], "is no list of cases"),
        ([{"case": "gone.jpg", "kind": "picture", "expected": {}}], "gone.jpg is not there."),
        (
            [{"case": "cases.json", "kind": "roster", "expected": {}, "race": {"colour": "red"}}],
            "a race that cannot be",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_at_once(cases: object, sentence: str, tmp_path: Path) -> None:
    if cases is not None:
        (tmp_path / "cases.json").write_text(cases if isinstance(cases, str) else json.dumps(cases))
    with pytest.raises(click.ClickException, match=sentence) as refusal:
        read_cases(tmp_path)
    assert refusal.value.exit_code == 2
