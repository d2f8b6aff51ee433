"""How likely an unsure word is a bib of the roster, by what else it may be and how full the roster is around it.

A word that is read wrong is seldom a bib of the roster by chance, unless most numbers like it are. So what is read
weakly, and is on the roster, is more certain than the reader alone says (Bayes' rule).
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import NamedTuple

from services.ocr.records import Alternative, Word
from shared.contracts.bibs import BibRules

BY_CHANCE = 2.0
"""How many times the share of like bibs that are on the roster is the chance that a wrong reading is on it.

Misread bibs are of runners, so they are more often near others than numbers that are drawn. Over twelve rosters of 136
labelled photos, six of them without the photos' own numbers, 34 of 36 unsure words that reach the bar are right with
500 other runners, 18 of 26 with 2,000, and 9 of 10 with 6,000, where every second number is a bib; with 1.0 there were
15 wrong ones of 30.
"""
MOST = 89.0
"""Percent: what a roster makes of an unsure word at most. Some of these are wrong, so other photos are heard, too."""


class Likely(NamedTuple):
    """A bib of the roster, the text that is read for it, and how likely it is the word's, in percent."""

    bib: str
    text: str
    confidence: float


def likeliest(word: Word, rules: BibRules, roster: frozenset[str]) -> Likely | None:
    """The bib of the roster that the word most likely is, by its own text and its alternatives; None where none is."""
    read: dict[str, tuple[float, str]] = {}
    texts: list[Word | Alternative] = [word, *word.alternatives]
    for each in texts:
        bib = rules.admits(each.text)
        if bib is not None and bib in roster:
            read[bib] = max(read.get(bib, (0.0, "")), (each.confidence / 100.0, each.text))
    if not read:
        return None
    bib = max(read, key=lambda each: (read[each], each))
    certainty, text = read[bib]
    known = sum(each for each, _ in read.values())
    wrong = max(0.0, 1.0 - known) * min(1.0, BY_CHANCE * crowding(bib, roster))
    return Likely(bib, text, min(MOST, round(100.0 * certainty / (known + wrong), 2)) if certainty else 0.0)


def crowding(bib: str, roster: frozenset[str]) -> float:
    """The share of the bibs that differ from it in one digit which are on the roster, from 0 to 1.

    One more is counted as if it were: so none is impossible.
    """
    like = list(_one_digit_changed(bib))
    return (1 + sum(each in roster for each in like)) / (1 + len(like))


def _one_digit_changed(bib: str) -> Iterator[str]:
    for at, own in enumerate(bib):
        if own in string.digits:
            yield from (bib[:at] + digit + bib[at + 1 :] for digit in string.digits if digit != own)
