"""Whether what a case came to is what its cases.json expects.

An expectation is written for people, too: "or" and a state's second half leave a choice, "note" explains. Whatever a
field says is compared, and a field that nobody can compare lets the case fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.contracts.bibs import canonical

Json = Mapping[str, Any]

_OFFSET = re.compile(r"[+-]\d\d:\d\d$")
_LINE = re.compile(r"\bline (\d+)", re.IGNORECASE)
_MUST_BE_SAID = re.compile(r"\blines? \d+|\b[A-Z]{3,}\b")
"""What a sentence says in the expectation's own words: lines by their numbers, and formats of files."""


def meets(expected: Json, seen: Json) -> bool:
    """Whether a case came to what is expected of it, or to what it may come to instead."""
    return any(_meets(each, seen) for each in _choices(expected))


def uncomparable(expected: Json) -> list[str]:
    """The expectation's fields that nobody can compare."""
    return [field for choice in _choices(expected) for field in choice if field not in _COMPARED]


def _choices(expected: Json) -> Iterator[dict[str, Any]]:
    """The expectation, and the one after its "or", which is a field and its value in one text."""
    first = {field: value for field, value in expected.items() if field not in ("or", "note")}
    yield first
    if "or" in expected:
        field, _, value = str(expected["or"]).partition(":")
        yield {field.strip(): value.strip()}


def _meets(expected: Json, seen: Json) -> bool:
    return all(field in _COMPARED and _COMPARED[field](value, seen) for field, value in expected.items())


def _runners(expected: Json, seen: Json) -> bool:
    def by_bib(runners: Json) -> dict[str | None, str]:
        return {canonical(bib): name for bib, name in runners.items()}

    return "runners" in seen and by_bib(expected) == by_bib(seen["runners"])


def _problems(expected: list[int], seen: Json) -> bool:
    """Whether just these lines are told; of a refused roster the refusal tells them."""
    if "problems" in seen:
        return sorted(expected) == sorted(problem["line"] for problem in seen["problems"])
    return sorted(expected) == sorted(int(line) for line in _LINE.findall(str(seen.get("refused", ""))))


def _refused(expected: str, seen: Json) -> bool:
    return _said(expected, seen.get("refused"))


def _state(expected: str, seen: Json) -> bool:
    """Whether one of the states came, given as "searchable without bibs, or rejected with its reason"."""
    for choice in re.split(r",?\s+or\s+", expected):
        state = choice.split()[0]
        without_bibs = "without bibs" not in choice or not seen.get("bibs")
        if seen.get("state") == state and without_bibs and (state != "rejected" or seen.get("reason")):
            return True
    return False


def _never(expected: str, seen: Json) -> bool:
    """Whether what must not be did not come: a dead letter, or a state."""
    if expected == "dead letter":
        return not seen.get("dead_letters") and seen.get("state") != "dead-lettered"
    return seen.get("state") != expected


def _reason(expected: str, seen: Json) -> bool:
    """Whether it was rejected for the reason, a code, or a text about the sentence."""
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", expected):
        return seen.get("reason") == expected
    return _said(expected, seen.get("message"))


def _taken_at(expected: str | None, seen: Json) -> bool:
    """Whether the time is that; one without an offset is a clock's, in whatever zone."""
    if expected is None or seen.get("taken_at") is None or _OFFSET.search(expected):
        return "taken_at" in seen and seen["taken_at"] == expected
    return _OFFSET.sub("", seen["taken_at"]) == expected


def _same(field: str) -> Callable[[Any, Json], bool]:
    return lambda expected, seen: field in seen and bool(seen[field] == expected)


def _said(expected: str, sentence: str | None) -> bool:
    """Whether there is a sentence, which says what the expectation names."""
    return bool(sentence) and all(word in str(sentence).lower() for word in _named(expected))


def _named(expected: str) -> list[str]:
    return [word.lower() for word in _MUST_BE_SAID.findall(expected)]


_COMPARED: dict[str, Callable[[Any, Json], bool]] = {
    "runners": _runners,
    "problems": _problems,
    "refused": _refused,
    "state": _state,
    "never": _never,
    "reason": _reason,
    "taken_at": _taken_at,
    "sure": _same("sure"),
    "told": _same("told"),
    "bibs": _same("bibs"),
}
