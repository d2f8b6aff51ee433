"""Which words of a photo are parts of bibs: evidence of the bibs that fit them, never readings."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec

from services.ocr.records import Word
from shared.contracts.bibs import canonical, digits_of
from shared.contracts.events import Partial
from shared.contracts.patterns import POSSIBLY, fits
from shared.contracts.race import RaceSettings

LEAST_UNMARKED = 3
"""Digits of a word that only its length calls a part: "10" and "42" are printed on many a bib and banner."""


def partial_of(word: Word, settings: RaceSettings, roster: frozenset[str] | None) -> Partial | None:
    """What the word is a part of, if it is one; with a roster only where a bib of it fits."""
    pattern = pattern_of(word, settings, roster)
    if pattern is None:
        return None
    fitting = first_fitting(pattern, roster) if roster is not None else ()
    if roster is not None and not fitting:
        return None
    bib = fitting[0] if len(fitting) == 1 else msgspec.UNSET
    return Partial(pattern=pattern, text=word.text, confidence=word.confidence, box=word.box, bib=bib)


def besides(read: Iterable[str], partials: Iterable[Partial]) -> tuple[Partial, ...]:
    """The parts of bibs in order, without those that fit a bib which is read: they may be a second sight of that."""
    others = [each for each in partials if not any(fits(each.pattern, bib) for bib in read)]
    return tuple(sorted(others, key=lambda each: (each.pattern, msgspec.structs.astuple(each.box))))


def pattern_of(word: Word, settings: RaceSettings, roster: frozenset[str] | None) -> str | None:
    """What the word leaves open, if it is a part of a bib.

    It is where it goes on beyond an end; or, surely read, where its number is shorter than all of the race's.
    """
    rules = settings.bib_rules
    if word.cut:
        return rules.pattern(word.text, start="START" in word.cut, end="END" in word.cut)
    text = word.text.strip()
    if not (text.isascii() and text.isdigit()) or word.confidence < settings.min_confidence:
        return None
    shortest = max(rules.min_digits, _shortest(roster) if roster else 0)
    if not LEAST_UNMARKED <= len(text) < shortest or canonical(text) in map(canonical, rules.excluded):
        return None
    return f"{POSSIBLY}{text}{POSSIBLY}"


@functools.lru_cache(maxsize=4096)
def first_fitting(pattern: str, roster: frozenset[str]) -> tuple[str, ...]:
    """Bibs of the roster that fit: all, where that is one or none; else any two."""
    found: list[str] = []
    for bib in roster:
        if fits(pattern, bib):
            found.append(bib)
            if len(found) > 1:
                break
    return tuple(found)


@functools.lru_cache(maxsize=4)
def _shortest(roster: frozenset[str]) -> int:
    return min(map(digits_of, roster), default=0)
