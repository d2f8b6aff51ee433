"""Letters and numbers that stand side by side and are one bib, as `A 2167`. Sizes are in the number's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from services.ocr.domain.partials import first_fitting
from services.ocr.records import End, Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Box

WIDEST_GAP = 1.5  # widths of a digit between letters and number: a space is about a half to one
SAME_LINE = 0.35  # of the number's height, by which the middles of the two may differ
LEAST_HEIGHT, GREATEST_HEIGHT = 0.6, 1.5  # of the number's


def joined(words: Iterable[Word], rules: BibRules, roster: frozenset[str] | None) -> tuple[Word, ...]:
    """The words, with those that together are a bib of the race as one; with a roster only where that has the bib.

    Each word is part of one pair, the one with the smallest gap. Where the rules know no letters, nothing is joined.
    """
    words = tuple(words)
    if not any(rules.prefixes) and "number-letter" not in rules.declared:
        return words
    used: set[int] = set()
    pairs: dict[int, Word] = {}
    for _, _, left, right in sorted(_pairs(words, rules, roster)):
        if not used & {left, right}:
            used |= {left, right}
            pairs[left] = _one(words[left], words[right])
    return tuple(pairs.get(n, word) for n, word in enumerate(words) if n in pairs or n not in used)


def _pairs(
    words: tuple[Word, ...], rules: BibRules, roster: frozenset[str] | None
) -> Iterator[tuple[float, tuple[float, ...], int, int]]:
    """Words that together are a bib: the gap, where they are, and their numbers in `words`, the left one first."""
    for n, left in enumerate(words):
        for m, right in enumerate(words):
            if n == m or _is_letters(left) == _is_letters(right):
                continue
            gap = _gap(left, right)
            if gap is not None and _is_bib(_one(left, right), rules, roster):
                yield gap, (*msgspec.structs.astuple(left.box), *msgspec.structs.astuple(right.box)), n, m


def _is_bib(word: Word, rules: BibRules, roster: frozenset[str] | None) -> bool:
    """Whether it is a bib of the race, or a part of one."""
    bib = rules.admits(word.text)
    if bib is None or roster is None or bib in roster:
        return bib is not None
    pattern = rules.pattern(word.text, start="START" in word.cut, end="END" in word.cut) if word.cut else None
    return pattern is not None and bool(first_fitting(pattern, roster))


def _gap(left: Word, right: Word) -> float | None:
    """How far apart two words of one line are, in digits' widths; None where they do not belong together."""
    number, letters = (right, left) if _is_letters(left) else (left, right)
    height = number.box.height
    off = abs((left.box.top + left.box.height / 2) - (right.box.top + right.box.height / 2))
    if off > SAME_LINE * height or not LEAST_HEIGHT * height <= letters.box.height <= GREATEST_HEIGHT * height:
        return None
    gap = (right.box.left - (left.box.left + left.box.width)) / (number.box.width / max(len(number.text.strip()), 1))
    return gap if -0.5 <= gap <= WIDEST_GAP else None


def _is_letters(word: Word) -> bool:
    return word.text.strip().strip("-").isalpha()


def _one(left: Word, right: Word) -> Word:
    """Both as one word, as sure as the less sure of them; where they meet, neither is cut."""
    top, bottom = (min(left.box.top, right.box.top), max(each.box.top + each.box.height for each in (left, right)))
    right_end = max(each.box.left + each.box.width for each in (left, right))
    cut: list[End] = [end for end in left.cut if end == "START"]
    cut += [end for end in right.cut if end == "END"]
    return Word(
        text=left.text.strip() + right.text.strip(),
        confidence=min(left.confidence, right.confidence),
        box=Box(left=left.box.left, top=top, width=round(right_end - left.box.left, 5), height=round(bottom - top, 5)),
        cut=tuple(cut),
        torso=left.torso or right.torso,
    )
