"""What the place of a number says: whether somebody wears it, or it is print on her bib, her shirt or a banner.

Both rules take what our vision server says of bodies. Where it says nothing, as Rekognition does and as nobody can of a
photo without a face, they change nothing: who is seen from behind has a bib too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.ocr.records import Word
from shared.contracts.events import Box
from shared.contracts.race import RaceSettings

# On 136 labelled race photos the numbers of 219 bibs are .26 of the face's height or more, and where something on the
# same body is taller, .42 or more; years and the like that are printed there are .22 at most.
SMALL = 0.25
"""Heights of a face: what is lower is print, if a number that is TALLER stands by it."""
TALLER = 1.1
FARTHEST = 3.0
"""Heights of the taller number from middle to middle, up or down, and once its width to either side."""

OFF_BODIES_DOUBT = 0.5
"""What is left of the doubt (100 less the race's bar) that a reading may have where nobody is seen to wear it, in a
photo in which others are: none of the 219 bibs is there, and three of the 30 numbers that are no bibs.
"""
OLDEST_YEAR = 1900
"""From this one to the year after the race: what is read so off all bodies is a banner's, where no roster has it."""
SURELY_READ = 79.0
"""Percent: what the vision server says of a number that it calls cut, and whose digits it reads surely."""


def without_small_print(words: Sequence[Word], settings: RaceSettings) -> list[Word]:
    """The words, without numbers that are too small on somebody's body to be her bib's, and have a taller one by them.

    A bib with the race's date or a shirt with the year of its founding shows such numbers, and reads them surely.
    """
    bibs = [word for word in words if settings.bib_rules.admits(word.text) or word.cut]
    return [word for word in words if not _is_small_print(word, bibs)]


def _is_small_print(word: Word, bibs: Iterable[Word]) -> bool:
    if word.size is None or word.size >= SMALL:
        return False
    return any(other.box.height > TALLER * word.box.height and _is_by(word.box, other.box) for other in bibs)


def _is_by(box: Box, taller: Box) -> bool:
    across = abs((box.left + box.width / 2) - (taller.left + taller.width / 2))
    down = abs((box.top + box.height / 2) - (taller.top + taller.height / 2))
    return across <= taller.width and down <= FARTHEST * taller.height


class Asked:
    """How surely a number has to be read at its place, in a photo with these words."""

    def __init__(self, words: Iterable[Word], settings: RaceSettings) -> None:
        self._bar = settings.min_confidence
        self._bodies_seen = any(word.torso for word in words)
        self._newest_year = int(settings.date[:4]) + 1

    def is_sure(self, word: Word, *, verified: bool) -> bool:
        """Whether a whole word is a reading by its confidence. `verified` is whether the race has a roster.

        A word that is marked as cut gets here where no bib of the race goes on beyond it: so it is whole.
        """
        off_bodies = self._bodies_seen and not word.torso
        if off_bodies and not verified and self._is_year(word.text.strip()):
            return False
        bar = 100.0 - (100.0 - self._bar) * OFF_BODIES_DOUBT if off_bodies else self._bar
        return word.confidence >= min(bar, SURELY_READ if word.cut else 100.0)

    def _is_year(self, text: str) -> bool:
        return len(text) == 4 and text.isascii() and text.isdigit() and OLDEST_YEAR <= int(text) <= self._newest_year
