"""Which words of a photo are bibs: pure rules over words, the race's settings and its roster."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from services.ocr.domain.joining import joined
from services.ocr.domain.likelihood import likeliest
from services.ocr.domain.names import only_named, surer
from services.ocr.domain.partials import besides, first_fitting, partial_of, pattern_of
from services.ocr.domain.places import Asked, without_small_print
from services.ocr.records import Word
from shared.contracts.events import Bibs, Box, Partial, Reading, Suggestion
from shared.contracts.patterns import fits
from shared.contracts.race import DEFAULT_WATERMARK, RaceSettings, Region
from shared.contracts.roster.names import Names

# A bib is a word of capital letters, digits and a hyphen; these are what one misread character could have been.
_ALPHABET = string.digits + string.ascii_uppercase + "-"

LEAST_READ = 50.0
"""Percent: what is read less surely counts only where a bib is worn, as what it most likely is of the roster."""
LEAST_LIKELY = 50.0
"""Percent: from which what is likely a bib of the roster is worth asking about."""


class _Found:
    """The bibs that were found so far, each once and as it is known best."""

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}
        self.weak: dict[str, Suggestion] = {}
        self.misread: dict[str, Suggestion] = {}
        self.partials: list[Partial] = []

    def all(self) -> Bibs:
        suggestions = self.misread | self.weak
        return Bibs(
            readings=tuple(self.readings[bib] for bib in sorted(self.readings)),
            suggestions=tuple(suggestions[bib] for bib in sorted(suggestions) if bib not in self.readings),
            partials=besides(self.readings, self.partials) or msgspec.UNSET,
        )


def read_bibs(
    words: Iterable[Word], settings: RaceSettings, roster: frozenset[str] | None, *, names: Names | None = None
) -> Bibs:
    """Read the bibs among `words`.

    A word counts as it stands ("10:42" is a clock, not bib 1042), outside the watermark, if it is no small print, by
    the race's rules, and so do letters with a number beside them ("A 2167"), where the race has such bibs. With a
    roster only its bibs are accepted. A word that is one character off exactly one of them is kept as a suggestion, and
    so is one of them that is read less surely than the race asks for; on somebody's chest it is a reading, if the
    roster makes it sure enough. Without a roster (None) the rules decide and the reading is unverified. A word that is
    cut, or too short to be a whole number, is kept as a part of one. The name of a runner by the number makes a reading
    of each of these.
    """
    seen = without_small_print([word for word in words if not _is_watermark(word, settings)], settings)
    asked = Asked(seen, settings)
    clear = [word for word in seen if word.confidence >= LEAST_READ]
    found = _Found()
    for word in sorted(joined(clear, settings.bib_rules, roster), key=_best_first):
        bib = only_named(word, _candidates(word, settings, roster), clear, names or {})
        if bib is not None and surer(word.confidence) >= settings.min_confidence:
            named = _reading(bib, word, verified=True)
            found.readings.setdefault(
                bib, msgspec.structs.replace(named, confidence=surer(word.confidence), named=True)
            )
        elif (partial := partial_of(word, settings, roster)) is not None:
            found.partials.append(partial)
        elif roster is not None:
            _read_by_roster(word, settings, asked, roster, found)
        elif (bib := settings.bib_rules.admits(word.text)) is not None and asked.is_sure(word, verified=False):
            found.readings.setdefault(bib, _reading(bib, word, verified=False))
    if roster is not None:
        for word in sorted((word for word in seen if word.confidence < LEAST_READ), key=_best_first):
            _take_likely(word, settings, roster, found)
    return found.all()


def _read_by_roster(word: Word, settings: RaceSettings, asked: Asked, roster: frozenset[str], found: _Found) -> None:
    """Take a word as a whole number, if it is one, or may be one, of the roster."""
    bib = settings.bib_rules.admits(word.text)
    if bib is not None and asked.is_sure(word, verified=True):
        if bib in roster:
            found.readings.setdefault(bib, _reading(bib, word, verified=True))
        elif not _take_likely(word, settings, roster, found, guess_only=True):
            neighbour = only_neighbour(bib, roster)
            if neighbour is not None:
                found.misread.setdefault(neighbour, _suggestion(neighbour, word))
    elif not _take_likely(word, settings, roster, found) and bib is not None and bib in roster:
        found.weak.setdefault(bib, _suggestion(bib, word, guess="weak"))


def _take_likely(
    word: Word, settings: RaceSettings, roster: frozenset[str], found: _Found, *, guess_only: bool = False
) -> bool:
    """Take a word that somebody wears as the bib of the roster that it most likely is, and say whether it is one.

    It is a reading where that is as sure as the race asks for, unless it is to be a guess only, as for a word that is
    surely read as another number.
    """
    likely = likeliest(word, settings.bib_rules, roster) if word.torso else None
    if likely is None or likely.confidence < LEAST_LIKELY:
        return False
    as_likely = msgspec.structs.replace(word, text=likely.text, confidence=likely.confidence)
    if likely.confidence >= settings.min_confidence and not guess_only:
        reading = _reading(likely.bib, as_likely, verified=True)
        found.readings.setdefault(likely.bib, msgspec.structs.replace(reading, by_roster=True))
    else:
        found.weak.setdefault(likely.bib, _suggestion(likely.bib, as_likely, guess="weak"))
    return True


def _candidates(word: Word, settings: RaceSettings, roster: frozenset[str] | None) -> Iterator[str]:
    """The bibs of the roster that the word can be: those that it is a part of; else itself, or one character off."""
    bib = settings.bib_rules.admits(word.text)
    pattern = pattern_of(word, settings, roster)
    if roster is None:
        return
    if pattern is not None and first_fitting(pattern, roster):
        yield from (each for each in roster if fits(pattern, each))
    elif bib in roster:
        yield bib
    elif bib is not None and word.confidence >= settings.min_confidence:
        yield from {each for each in _one_character_off(bib) if each in roster}


def only_neighbour(bib: str, roster: frozenset[str]) -> str | None:
    """The one bib of the roster that is a single character (changed, missing or too many) away, or None."""
    neighbours = {candidate for candidate in _one_character_off(bib) if candidate in roster}
    return neighbours.pop() if len(neighbours) == 1 else None


def _one_character_off(bib: str) -> Iterator[str]:
    for at in range(len(bib) + 1):
        head, tail = bib[:at], bib[at:]
        if tail:
            yield head + tail[1:]
        for character in _ALPHABET:
            yield head + character + tail
            if tail and character != tail[0]:
                yield head + character + tail[1:]


def _reading(bib: str, word: Word, *, verified: bool) -> Reading:
    return Reading(bib=bib, text=word.text, confidence=word.confidence, box=word.box, verified=verified)


def _suggestion(bib: str, word: Word, guess: Literal["weak"] | msgspec.UnsetType = msgspec.UNSET) -> Suggestion:
    return Suggestion(bib=bib, text=word.text, confidence=word.confidence, box=word.box, guess=guess)


def _best_first(word: Word) -> tuple[float, float, float, str, bytes]:
    return (-word.confidence, word.box.top, word.box.left, word.text, msgspec.json.encode(word))


def _is_watermark(word: Word, settings: RaceSettings) -> bool:
    """Whether the word is in the region of the watermark.

    The default region is a guess where one may be: what stands on somebody's chest there is no watermark. A region that
    an organizer chose holds.
    """
    worn = word.torso and settings.watermark == DEFAULT_WATERMARK
    return not worn and _inside(word.box, settings.watermark)


def _inside(box: Box, region: Region | None) -> bool:
    """Whether the centre of `box` lies in `region`."""
    if region is None:
        return False
    x, y = box.left + box.width / 2, box.top + box.height / 2
    return (
        region.left <= x <= region.left + region.width + 1e-9 and region.top <= y <= region.top + region.height + 1e-9
    )
