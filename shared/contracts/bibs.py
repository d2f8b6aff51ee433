"""What a bib is: one spelling for each, and the rules a race sets for its own."""

from __future__ import annotations

import re
import unicodedata

import msgspec

_SHAPE = re.compile(r"([A-Z]*)([0-9]+)")


def canonical(text: str) -> str | None:
    """The one spelling of a bib ("a-0042" → "A42"), or None when `text` is no bib.

    Width and case do not matter, nor '#', a space or a hyphen between letters and number, nor leading
    zeros. Anything else ("10:42", "5K", "1,042") is not a bib.
    """
    folded = unicodedata.normalize("NFKC", text).strip().upper().removeprefix("#")
    folded = re.sub(r"^([A-Z]+)[ -](?=[0-9])", r"\1", folded)
    match = _SHAPE.fullmatch(folded)
    if match is None or not folded.isascii():
        return None
    prefix, digits = match.groups()
    return prefix + (digits.lstrip("0") or "0")


class BibRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which words can be bibs in this race, before the roster is asked.

    `prefixes` are the letters that may stand before the number ("" = none needed); lengths are of the
    printed digits; the range is inclusive, None is open; `excluded` are words that are never bibs here
    (a year on every banner, a sponsor's number).
    """

    prefixes: tuple[str, ...] = ("",)
    min_digits: int = 1
    max_digits: int = 5
    lowest: int | None = None
    highest: int | None = None
    excluded: tuple[str, ...] = ()

    def admits(self, text: str) -> str | None:
        """The canonical bib that `text` spells under these rules, or None."""
        bib = canonical(text)
        if bib is None or bib in {canonical(word) for word in self.excluded}:
            return None
        prefix = bib.rstrip("0123456789")
        printed = sum(character.isdigit() for character in text)
        if prefix not in {p.upper() for p in self.prefixes}:
            return None
        if not self.min_digits <= printed <= self.max_digits:
            return None
        number = int(bib[len(prefix) :])
        if self.lowest is not None and number < self.lowest:
            return None
        if self.highest is not None and number > self.highest:
            return None
        return bib
