"""Whose name stands by a number: it confirms what is read, and decides between bibs that a guess can be."""

from __future__ import annotations

from collections.abc import Iterable

from services.ocr.records import Word
from shared.contracts.events import Box
from shared.contracts.roster.names import Names, folded

# Where a name is printed on a bib: above or below the number, in letters that are no higher.
FARTHEST = 3.0  # heights of the number, from middle to middle
HIGHEST = 1.2  # of the number's height

DOUBT_LEFT = 0.3
"""What a name leaves of a reading's doubt. By chance it would be much less: a wrong number's runner has the name of who
wears it as seldom as TOO_COMMON says. But it may be on the bib of somebody beside her.
"""


def only_named(number: Word, candidates: Iterable[str], words: Iterable[Word], names: Names) -> str | None:
    """The one bib of the candidates whose runner's name, or a part of it, stands by the number; None where not one."""
    if not names:
        return None
    printed = [folded(word.text) for word in words if word is not number and _is_by(word.box, number.box)]
    near: frozenset[str] = frozenset().union(*printed)
    named = [bib for bib in candidates if not near.isdisjoint(names.get(bib, ()))] if near else []
    return named[0] if len(named) == 1 else None


def surer(confidence: float) -> float:
    """The confidence (percent) of a reading that a name confirms."""
    return round(100.0 - (100.0 - confidence) * DOUBT_LEFT, 2)


def _is_by(name: Box, number: Box) -> bool:
    over = min(name.left + name.width, number.left + number.width) > max(name.left, number.left)
    apart = abs((name.top + name.height / 2) - (number.top + number.height / 2))
    return over and apart <= FARTHEST * number.height and name.height <= HIGHEST * number.height
