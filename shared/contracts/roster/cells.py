"""What spreadsheets make of a bib: the cell's text as it was meant, or why it cannot be told."""

from __future__ import annotations

import re
import unicodedata

# ="0042" keeps a spreadsheet from taking a text for a number, and so does an apostrophe before it.
_FORMULA = re.compile(r"=\s*\"?([^\"]*)\"?")
_WHOLE_NUMBER = re.compile(r"([0-9]+)(?:\.0+|,0{1,2})")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[.,' ][0-9]{3})+(?:[.,]0{1,2})?")
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]+", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9:.]+)?")


def bib_text(cell: str) -> str:
    """The bib that is meant by a cell: of `1042.0` and `="0042"` that is 1042 and 0042.

    A number with a thousands separator is left as it is, and so is no bib: 1,043 can be one number or two.
    """
    text = "".join(character for character in cell if unicodedata.category(character) != "Cf")
    text = unicodedata.normalize("NFKC", text).strip()
    if match := _FORMULA.fullmatch(text):
        text = match[1].strip()
    text = text.removeprefix("'").strip()
    if match := _WHOLE_NUMBER.fullmatch(text):
        return match[1]
    return text


def spoilt(text: str) -> str | None:
    """What a spreadsheet did to a bib that cannot be told any more, as the rest of a sentence; None if nothing."""
    if _THOUSANDS.fullmatch(text):
        return "is written with a separator of thousands, or is two numbers; write the bib without it"
    if _SCIENTIFIC.fullmatch(text):
        return "is a rounded number; format the column as text and write the bib anew"
    if _DATE.fullmatch(text):
        return "is a date; format the column as text and write the bib anew"
    return None
