"""A race's own files, race.json and roster.csv: their form, their checks, and what is wrong with them.

Pure: bytes in, values out. The command line checks a file with this before it sends it; the races stage
checks again what arrives.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.contracts import bibs
from shared.contracts.bibs import BibRules
from shared.contracts.errors import InvalidRace, InvalidRoster

MAX_RUNNERS = 200_000
MAX_PROBLEMS_KEPT = 100
MAX_PROBLEMS = 10_000
MAX_COLUMNS = 1_000
# Far above any real roster; they bound what a file made to exhaust us can cost.
_MAX_LINES = 1_000_000
_MAX_LINE_CHARACTERS = 100_000
_MAX_LINES_PER_ROW = 100
_MAX_QUOTED = 60


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
    `watermark` the region whose text is ignored (None = no such region); `faces` switches everything
    biometric on, and is off until the race says so; `originals` lets runners download full-size pictures.
    """

    name: str
    date: str
    timezone: str = "UTC"
    bib_rules: BibRules = BibRules()
    min_confidence: float = 80.0
    watermark: Region | None = DEFAULT_WATERMARK
    faces: bool = False
    originals: bool = False


class Runner(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the roster. `bib` is canonical, `printed` as the organizer wrote it."""

    bib: str
    printed: str
    name: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in one line (1 = the header) of a file, in a sentence."""

    line: int
    message: str


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """A roster that can be used, and the rows that could not."""

    runners: tuple[Runner, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> bytes:
        """The claim check's body: the runners alone, in bib order, so that equal rosters are equal bytes."""
        return msgspec.json.encode(sorted(self.runners, key=lambda runner: runner.bib))


def digest(body: bytes) -> str:
    """The hex SHA-256 that a claim check carries."""
    return hashlib.sha256(body).hexdigest()


def bibs_of_roster(body: bytes) -> frozenset[str]:
    """The canonical bibs in a claim check's body."""
    return frozenset(runner.bib for runner in msgspec.json.decode(body, type=list[Runner]))


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


def parse_roster(body: bytes) -> Roster:
    """Read roster.csv: a header with `bib` (and usually `name`), then one runner a line.

    UTF-8 (with or without BOM) or, as Korean spreadsheets save it, CP949; comma, semicolon or tab. Bad rows
    are left out and reported with their line number. Raises InvalidRoster when nothing can be used.
    """
    text = _decoded(body)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=max(",;\t", key=lines.first.count))
    try:
        columns = [column.strip().lower() for column in next(reader, [])]
        if "bib" not in columns:
            raise InvalidRoster(
                "roster_no_bib_column", "The roster's first line must name a column 'bib' (for example: bib,name)."
            )
        if len(columns) > MAX_COLUMNS:
            raise InvalidRoster("roster_too_wide", f"The roster has more than {MAX_COLUMNS:,} columns.")
        runners, problems = _read_rows(reader, columns, lines)
    except csv.Error as error:
        raise InvalidRoster("roster_not_csv", f"The roster is not CSV: line {reader.line_num}: {error}.") from None
    if not runners:
        raise InvalidRoster("roster_empty", "The roster has no usable runner.")
    return Roster(runners=tuple(runners), problems=tuple(problems))


def _decoded(body: bytes) -> str:
    if b"\x00" in body:
        raise InvalidRoster("roster_not_text", "The roster is not a text file. Save it as CSV (UTF-8).")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidRoster("roster_encoding", "The roster is neither UTF-8 nor CP949 text. Save it as CSV (UTF-8).")


class _Lines:
    """The lines of a text, one at a time, as the CSV reader asks for them; refuses what no roster looks like."""

    _LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")

    def __init__(self, text: str) -> None:
        self._text = text
        self._in_row = 0

    @property
    def first(self) -> str:
        """The header."""
        return next(self._LINE.finditer(self._text)).group()

    def row_done(self) -> None:
        """Tell that the reader has a whole row: a quoted cell can take several lines."""
        self._in_row = 0

    def __iter__(self) -> Iterator[str]:
        for number, match in enumerate(self._LINE.finditer(self._text), start=1):
            self._in_row += 1
            if match.end() - match.start() > _MAX_LINE_CHARACTERS or self._in_row > _MAX_LINES_PER_ROW:
                raise InvalidRoster("roster_not_csv", f"The roster is not CSV: the row at line {number} does not end.")
            if number > _MAX_LINES:
                raise InvalidRoster("roster_too_long", f"The roster has more than {_MAX_LINES:,} lines.")
            yield match.group()


def _read_rows(reader: Iterator[list[str]], columns: list[str], lines: _Lines) -> tuple[list[Runner], list[Problem]]:
    runners: dict[str, Runner] = {}
    problems: list[Problem] = []
    seen_at: dict[str, int] = {}
    for row in reader:
        lines.row_done()
        line = reader.line_num  # type: ignore[attr-defined]  # csv.reader has it, Iterator does not say so
        if not any(cell.strip() for cell in row):
            continue
        complaint, runner = _read_row(row, columns)
        if runner is not None and runner.bib in seen_at:
            complaint = f"bib {runner.printed[:_MAX_QUOTED]} is already in line {seen_at[runner.bib]}."
        elif runner is not None and len(runners) >= MAX_RUNNERS:
            raise InvalidRoster("roster_too_long", f"The roster has more than {MAX_RUNNERS:,} runners.")
        if complaint or runner is None:
            problems.append(Problem(line=line, message=complaint))
            if len(problems) > MAX_PROBLEMS:
                raise InvalidRoster(
                    "roster_too_many_problems",
                    f"More than {MAX_PROBLEMS:,} rows cannot be used; the first is line {problems[0].line}: "
                    f"{problems[0].message}",
                )
            continue
        seen_at[runner.bib] = line
        runners[runner.bib] = runner
    return list(runners.values()), problems


def _read_row(row: list[str], columns: list[str]) -> tuple[str, Runner | None]:
    if len(row) > len(columns):
        return f"{len(row)} columns where the header has {len(columns)}.", None
    cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
    printed = cells.get("bib", "")
    if not printed:
        return "no bib.", None
    bib = bibs.canonical(printed)
    if bib is None:
        return f"'{printed[:_MAX_QUOTED]}' is not a bib (letters, then digits).", None
    return "", Runner(bib=bib, printed=printed, name=cells.get("name", ""))
