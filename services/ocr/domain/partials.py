"""Which words of a photo are parts of bibs: evidence of the bibs that fit them, never readings."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec

from services.ocr.records import End, Word
from shared.contracts.bibs import BibRules, canonical, digits_of
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
    text = word.text.strip()
    if word.cut:
        return _pattern_of_cut(text, word.cut, rules, roster)
    if not (text.isascii() and text.isdigit()) or word.confidence < settings.min_confidence:
        return None
    shortest = max(rules.min_digits, _shortest(roster) if roster else 0)
    if not LEAST_UNMARKED <= len(text) < shortest or canonical(text) in map(canonical, rules.excluded):
        return None
    return f"{POSSIBLY}{text}{POSSIBLY}"


def _pattern_of_cut(text: str, cut: tuple[End, ...], rules: BibRules, roster: frozenset[str] | None) -> str | None:
    """What a cut word leaves open.

    Its outermost digit at a cut end may be half hidden itself, and read as another one: 3502 of 35031, whose 3 is seen
    in half. Where no bib of the roster has it, it is left open, too.
    """
    start, end = "START" in cut, "END" in cut
    pattern = rules.pattern(text, start=start, end=end)
    if roster is None or rules.admits(text) in roster or (pattern is not None and first_fitting(pattern, roster)):
        return pattern
    return rules.pattern(text[start : len(text) - end], start=start, end=end)


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
