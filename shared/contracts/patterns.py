"""Patterns: what a part of a bib leaves open.

HIDDEN stands for one or more characters that an arm, another body or the picture's edge hides at that end; POSSIBLY for
any number of them where the end is not known. `376?` is the beginning of a bib, `?592` the end of one, and `*592*` is a
part of a longer one. Patterns are of canonical bibs: where zeros are printed before a number, its hidden beginning may
be such zeros, and then no bib fits.
"""

from __future__ import annotations

import functools
import re

HIDDEN, POSSIBLY = "?", "*"

_FORMS = {HIDDEN: ".+", POSSIBLY: ".*"}


def fits(pattern: str, bib: str) -> bool:
    """Whether a canonical bib is one that the pattern leaves open; the part itself never is."""
    return bib != seen_of(pattern) and _compiled(pattern).fullmatch(bib) is not None


def seen_of(pattern: str) -> str:
    """The part that was seen."""
    return pattern.strip(HIDDEN + POSSIBLY)


@functools.lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_FORMS.get(character, re.escape(character)) for character in pattern))
