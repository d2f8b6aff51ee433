"""What a bib is: one spelling for each, and the rules a race sets for its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from shared.contracts.patterns import HIDDEN

Format = Literal["number", "number-leg", "number-letter"]
"""How a race's bibs are formed: 1042 or A42; 727-2, the second runner of team 727; 1042F, a number and one letter."""

# Keyboards, spreadsheets and fonts know several hyphens; on a bib they are one.
_HYPHENS = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_SHAPE = re.compile(r"(?P<prefix>[A-Z]*)(?P<number>[0-9]+)(?:-(?P<leg>[0-9]{1,2})|[ -]?(?P<letter>[A-Z]))?")
_EXAMPLES: dict[Format, str] = {"number": "1042", "number-leg": "727-2", "number-letter": "1042F"}
_MAX_QUOTED = 60

LEAST_SEEN = 2
"""Digits that a part of a bib has at least, to be evidence."""


class _Parts(NamedTuple):
    """A bib taken apart; `number` has the digits as printed, `leg` and `letter` are "" where there is none."""

    prefix: str
    number: str
    leg: str
    letter: str

    @property
    def format(self) -> Format:
        return "number-leg" if self.leg else "number-letter" if self.letter else "number"

    @property
    def canonical(self) -> str:
        return self._replace(number=self.number.lstrip("0") or "0").spelt

    @property
    def spelt(self) -> str:
        leg = f"-{self.leg.lstrip('0') or '0'}" if self.leg else ""
        return f"{self.prefix}{self.number}{leg}{self.letter}"


def canonical(text: str) -> str | None:
    """The one spelling of a bib ("a-0042" → "A42", "727-02" → "727-2", "1042-f" → "1042F"), or None for anything else.

    It knows every format, whichever a race uses. Width and case do not matter, nor '#', a space or a hyphen between
    letters and number, nor leading zeros. "10:42", "10KM" and "1,042" are no bibs.
    """
    parts = _parts(text)
    return parts.canonical if parts else None


def digits_of(bib: str) -> int:
    """How many digits a canonical bib's number has, its leg left out."""
    parts = _parts(bib)
    return len(parts.number) if parts else 0


def _parts(text: str) -> _Parts | None:
    folded = unicodedata.normalize("NFKC", text).translate(_HYPHENS).strip().upper().removeprefix("#")
    folded = re.sub(r"^([A-Z]+)[ -](?=[0-9])", r"\1", folded)
    match = _SHAPE.fullmatch(folded)
    if match is None or not folded.isascii():
        return None
    return _Parts(match["prefix"], match["number"], match["leg"] or "", match["letter"] or "")


class BibRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which words can be bibs in this race, before the roster is asked.

    `formats` are the forms its bibs have, numbers if it does not say: a word of another form is no bib here. `prefixes`
    are the letters that may stand before the number ("" = none needed); lengths are of the number's printed digits; the
    range is inclusive and of the number, None is open; `excluded` are words that are never bibs here (a year on every
    banner, a sponsor's number).
    """

    formats: tuple[Format, ...] | msgspec.UnsetType = msgspec.UNSET
    prefixes: tuple[str, ...] = ("",)
    min_digits: int = 1
    max_digits: int = 5
    lowest: int | None = None
    highest: int | None = None
    excluded: tuple[str, ...] = ()

    @classmethod
    def for_bibs(cls, printed: Iterable[str]) -> BibRules:
        """The narrowest formats, prefixes and lengths that admit all these bibs, of which there is at least one."""
        bibs = [parts for text in printed if (parts := _parts(text))]
        lengths = [len(parts.number) for parts in bibs]
        return cls(
            formats=tuple(sorted({parts.format for parts in bibs})),
            prefixes=tuple(sorted({parts.prefix for parts in bibs})),
            min_digits=min(lengths),
            max_digits=max(lengths),
        )

    @property
    def declared(self) -> tuple[Format, ...]:
        """The forms of the race's bibs."""
        return self.formats or ("number",)

    def admits(self, text: str) -> str | None:
        """The canonical bib that `text` spells under these rules, or None."""
        return canonical(text) if self.refusal(text) is None else None

    def refusal(self, text: str) -> str | None:
        """Which rule `text` breaks, as a sentence for whoever made the roster or the rules; None where it breaks none.

        In a photo such a word is never read as a bib, whatever the roster says.
        """
        parts = _parts(text)
        if parts is None:
            return f"'{text[:_MAX_QUOTED]}' is not a bib, which is like 1042, A42, 727-2 or 1042F."
        printed = f"bib {text.strip()[:_MAX_QUOTED]}"
        if parts.format not in self.declared:
            declared = " or ".join(_EXAMPLES[each] for each in self.declared)
            formats = " ".join(f"--format {each}" for each in (*self.declared, parts.format))
            return (
                f"{printed} is not like {declared}: if it is right, say snaprace race set {formats}, "
                "or bib_rules.formats in race.json."
            )
        if parts.canonical in {canonical(word) for word in self.excluded}:
            return f"{printed} is one of the words that bib_rules.excluded says are never bibs."
        if parts.prefix not in {prefix.upper() for prefix in self.prefixes}:
            return f"{printed} has {_letters(parts.prefix)}, where bib_rules.prefixes allows {self._allowed_letters()}."
        if not self.min_digits <= len(parts.number) <= self.max_digits:
            allowed = f"min_digits {self.min_digits} and max_digits {self.max_digits}"
            digits = "1 digit" if len(parts.number) == 1 else f"{len(parts.number)} digits"
            return f"{printed} has {digits}, where bib_rules says {allowed}."
        number = int(parts.number)
        if self.lowest is not None and number < self.lowest:
            return f"{printed} is below bib_rules.lowest, {self.lowest}."
        if self.highest is not None and number > self.highest:
            return f"{printed} is above bib_rules.highest, {self.highest}."
        return None

    def pattern(self, text: str, *, start: bool, end: bool) -> str | None:
        """The pattern of the bibs that go on beyond what was seen, at the start, the end or both; None where none can.

        One digit says too little: a tenth of all bibs would fit.
        """
        parts = _parts(text)
        if parts is None or len(parts.number) < LEAST_SEEN or canonical(text) in map(canonical, self.excluded):
            return None
        if parts.format not in ("number", *self.declared) or len(parts.number) > self.max_digits:
            return None
        prefixes = {prefix.upper() for prefix in self.prefixes}
        if not any(prefix.endswith(parts.prefix) if start else prefix == parts.prefix for prefix in prefixes):
            return None
        more_than_digits = (end and self.declared != ("number",)) or (start and prefixes != {""})
        if len(parts.number) == self.max_digits and not more_than_digits:
            return None
        digits = parts.number if start and not parts.prefix else parts.number.lstrip("0")
        seen = parts._replace(number=digits or "0").spelt
        return f"{HIDDEN if start else ''}{seen}{HIDDEN if end else ''}"

    def _allowed_letters(self) -> str:
        return " or ".join(prefix.upper() or "no letters" for prefix in self.prefixes)


def _letters(prefix: str) -> str:
    return f"{prefix} before the number" if prefix else "no letters before the number"
