"""Runners' names as they may be printed on bibs: folded words, to be compared and forgotten.

Nobody keeps what comes of this: names are in the roster's claim check alone (docs/privacy.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from shared.contracts.roster.runners import Runner

LEAST_LETTERS = 3
LEAST_UNCASED = 2
"""Letters of a word in a script without capitals, as 山田."""
TOO_COMMON = 0.02
"""Of the runners: a name that more of them have tells too little, as Kim in Seoul. One runner's own always counts."""

Names = Mapping[str, tuple[str, ...]]
"""By canonical bib, the folded words of the runner's name that tell her from others."""

_LETTERS = re.compile(r"[^\W\d_]+")


def folded(text: str) -> frozenset[str]:
    """The words of a name or of a printed text, without case and accents; those of one letter or two are left out."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    words = _LETTERS.findall(unicodedata.normalize("NFC", plain).casefold())
    return frozenset(word for word in words if len(word) >= (LEAST_LETTERS if word != word.upper() else LEAST_UNCASED))


def names_of(runners: Iterable[Runner]) -> Names:
    """The names of a roster."""
    words = {runner.bib: folded(runner.name) for runner in runners}
    owners = Counter(word for each in words.values() for word in each)
    most = max(1, TOO_COMMON * len(words))
    telling = {bib: tuple(sorted(word for word in each if owners[word] <= most)) for bib, each in words.items()}
    return {bib: each for bib, each in telling.items() if each}
