"""A race's settings, race.json: their form, their checks, and what is wrong with them.

Pure: bytes in, values out. The command line checks a file with this before it sends it; the races stage
checks again what arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.contracts.bibs import BibRules
from shared.contracts.errors import InvalidRace


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a picture as fractions of its width and height, from the top left."""

    left: float
    top: float
    width: float
    height: float


# Photographers stamp their name and a date into this corner; its digits are no bibs.
DEFAULT_WATERMARK = Region(left=0.70, top=0.90, width=0.30, height=0.10)


class RaceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """race.json: what an organizer decides about a race.

    `date` is ISO 8601; `timezone` an IANA name; `min_confidence` (percent) is what a reading needs to count;
    `watermark` the region whose text is ignored (None = no such region; in the default one, what is known to stand on
    somebody's chest is read all the same); `faces` switches everything biometric on, and is off until the race says so;
    `originals` lets runners download full-size pictures.
    """

    name: str
    date: str
    timezone: str = "UTC"
    bib_rules: BibRules = BibRules()
    min_confidence: float = 80.0
    watermark: Region | None = DEFAULT_WATERMARK
    faces: bool = False
    originals: bool = False


def parse_race(body: bytes) -> RaceSettings:
    """Read race.json. Raises InvalidRace with the field and what it should be."""
    try:
        settings = msgspec.json.decode(body, type=RaceSettings)
    except msgspec.ValidationError as error:
        raise InvalidRace("race_invalid", f"race.json: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRace("race_not_json", f"race.json is not JSON: {error}.") from None
    for complaint in _race_complaints(settings):
        raise InvalidRace("race_invalid", f"race.json: {complaint}")
    return settings


def _race_complaints(settings: RaceSettings) -> Iterator[str]:
    rules = settings.bib_rules
    if not settings.name.strip():
        yield "name must not be empty."
    if not _is_day(settings.date):
        yield f"date must be a day like 2026-10-25, not '{settings.date}'."
    try:
        ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Asia" is a folder of zones
        yield f"timezone must be a name like Asia/Seoul, not '{settings.timezone}'."
    if rules.formats == ():
        yield 'bib_rules: formats must name at least one of "number", "number-leg" and "number-letter".'
    if not 1 <= rules.min_digits <= rules.max_digits <= 9:
        yield "bib_rules: 1 <= min_digits <= max_digits <= 9 must hold."
    if rules.lowest is not None and rules.highest is not None and rules.lowest > rules.highest:
        yield "bib_rules: lowest must not be above highest."
    if any(bound is not None and not 0 <= bound <= 999_999_999 for bound in (rules.lowest, rules.highest)):
        yield "bib_rules: lowest and highest are numbers of at most nine digits."
    if not rules.prefixes or any(not (p == "" or (p.isascii() and p.isalpha())) for p in rules.prefixes):
        yield 'bib_rules: prefixes are letters, or "" for bibs without one; there must be at least one.'
    if not 1 <= settings.min_confidence <= 100:
        yield "min_confidence is a percentage, 1 to 100."
    if (region := settings.watermark) is not None and not (
        0 <= region.left <= 1 and 0 <= region.top <= 1 and 0.001 <= region.width <= 1 and 0.001 <= region.height <= 1
    ):
        yield "watermark is given in fractions of the picture: left and top 0 to 1, width and height 0.001 to 1."


def _is_day(text: str) -> bool:
    """Whether it is a day like 2026-10-25. ISO 8601, and so Python, has other forms, as 20261025 and 2026-W43-7."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
