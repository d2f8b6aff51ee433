"""The closed list of reasons is what the code rejects uploads for, and the page that is printed of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from catalogue.reasons import pages
from shared.contracts.reasons import REASONS, KeyReason, PictureReason, RaceReason, RosterReason

ROOT = Path(__file__).parents[2]

SAID_WITH = {
    "InvalidKey": KeyReason,
    "InvalidPicture": PictureReason,
    "InvalidRace": RaceReason,
    "InvalidRoster": RosterReason,
    "Rejection": PictureReason,
}
"""What carries a reason, and which kind of reason."""


def declared() -> set[str]:
    return {reason for kind in (KeyReason, PictureReason, RaceReason, RosterReason) for reason in get_args(kind)}


def given() -> Iterator[tuple[str, str, str]]:
    """Each reason that code gives, with what carries it and where."""
    for folder in ("services", "shared"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAID_WITH:
                    named = [word.value for word in node.keywords if word.arg == "reason"]
                    for value in [*node.args[:1], *named]:
                        if isinstance(value, ast.Constant):
                            yield str(value.value), node.func.id, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_reason_is_explained() -> None:
    assert set(REASONS) == declared()
    for about in REASONS.values():
        assert about.meaning.endswith(".")
        assert about.remedy.endswith(".")


def test_every_reason_is_given_somewhere_and_none_that_is_given_is_missing() -> None:
    assert {reason for reason, _, _ in given()} == set(REASONS)


@pytest.mark.parametrize(("reason", "carrier", "place"), given())
def test_a_reason_is_carried_by_what_its_kind_is_for(reason: str, carrier: str, place: str) -> None:
    assert reason in get_args(SAID_WITH[carrier]), place


def test_a_reason_is_said_by_the_stage_that_meets_it() -> None:
    for reason, about in REASONS.items():
        assert about.stage == ("races" if reason in {*get_args(RaceReason), *get_args(RosterReason)} else "ingest")


def test_the_page_has_them_all() -> None:
    (page,) = pages().values()
    assert [reason for reason in REASONS if f"| `{reason}` |" not in page] == []
