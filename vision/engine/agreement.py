"""What a number says when it is read several times: in its own box, and in wider cuts around it.

A reader that is sure of a number in one cut can be sure of another in the next: a fold or an arm hides a digit's half,
or the box ends before the number does. Readings that agree make a number certain; a digit that only wider cuts show,
but surely, belongs to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SURE = 0.95
"""The certainty of its least certain character from which a reading counts as sure; of 105 race photos' numbers, the
edges of a bib that were taken for a "1" stayed below, and digits outside their box were above."""
ENOUGH = 2
"""So many sure readings show that a number goes on beyond its box."""
LEAST_ALTERNATIVE = 0.05
"""The mean certainty from which a text that some readings show instead is told; one of six readings has .17 at most."""
MOST_ALTERNATIVES = 3


class Reading(NamedTuple):
    """Characters without a space between them, and each one's certainty from 0 to 1."""

    text: str
    certainties: Sequence[float]

    @property
    def certainty(self) -> float:
        """Of the least certain character."""
        return min(self.certainties, default=0.0)

    def certainty_of(self, part: str) -> float:
        """Of the least certain character of `part`, which is in the text."""
        start = self.text.index(part)
        return min(self.certainties[start : start + len(part)])


class Agreed(NamedTuple):
    """What the readings say together, with a certainty from 0 to 1."""

    text: str
    certainty: float


def agreed(first: Reading, others: Sequence[Reading]) -> Agreed:
    """The text that most certainty stands behind, and the mean certainty of it over all readings.

    `first` is the reading of the number's own box, `others` are those of wider cuts; so none shorter than the first
    is believed, and a longer one only if it is sure. A cut that shows the text among other characters speaks for it;
    one that shows a part of it does so where the whole is sure.
    """
    readings = [first, *others]
    behind: defaultdict[str, float] = defaultdict(float)
    for reading in readings:
        if len(reading.text) >= len(first.text):
            behind[reading.text] += reading.certainty
    text = max(behind, key=lambda each: (behind[each], len(each), each))
    sure = Counter(reading.text for reading in readings if reading.certainty >= SURE)
    text = max((each for each in sure if _goes_on(each, text) and sure[each] >= ENOUGH), key=len, default=text)
    whole = sure[text] >= ENOUGH
    total = 0.0
    for reading in readings:
        if text in reading.text:
            total += reading.certainty_of(text)
        elif whole and len(reading.text) > 1 and reading.text in text:
            total += reading.certainty
    return Agreed(text, total / len(readings))


def alternatives(readings: Iterable[Reading], text: str) -> list[Agreed]:
    """What the readings say instead of `text`, the most certain first, each with its mean certainty over all readings.

    They are evidence for whoever knows which numbers there can be. At most MOST_ALTERNATIVES are told.
    """
    readings = list(readings)
    behind: defaultdict[str, float] = defaultdict(float)
    for reading in readings:
        if reading.text not in ("", text):
            behind[reading.text] += reading.certainty / len(readings)
    told = [Agreed(each, certainty) for each, certainty in behind.items() if certainty >= LEAST_ALTERNATIVE]
    return sorted(told, key=lambda each: (-each.certainty, each.text))[:MOST_ALTERNATIVES]


def _goes_on(longer: str, text: str) -> bool:
    """Whether `longer` is `text` with more digits before or after it."""
    before, found, after = longer.partition(text)
    more = before + after
    return bool(found) and more.isdecimal() and more.isascii()
