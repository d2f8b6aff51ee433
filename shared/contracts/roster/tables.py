"""A text as the rows of a table: which character separates its columns, and each row with its line."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.contracts import bibs
from shared.contracts.errors import InvalidRoster
from shared.contracts.roster.headers import MAX_ROWS_ABOVE, Header, Row, columns_seen, find_header

_DELIMITERS = ",;\t|"
# Far above any real roster; they bound what a file made to exhaust us can cost.
MAX_LINES = 1_000_000
MAX_LINE_CHARACTERS = 100_000
MAX_LINES_PER_ROW = 100
_LINES_IN_HEAD = 300
# The first line that Excel writes, and obeys, where a list's separator is not the computer's.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?,*[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


@dataclass(frozen=True)
class Table:
    """A header, and the rows below it."""

    header: Header
    rows: Iterator[Row]
    delimiter: str


def read_table(text: str, bib_column: str | None) -> Table:
    """Find the header of a text and what separates its columns. `bib_column` is the name or number of the bib's.

    Raises InvalidRoster when there is no header with a bib, or more than one column that could be it; `rows` raises it
    where they turn out not to be CSV.
    """
    if separator := _SEPARATOR_LINE.match(text):
        text = "\n" + text[separator.end() :]
    head = _head(text)
    delimiter = separator[1] if separator else _delimiter(head, bib_column)
    top = _top(head, delimiter)
    header = find_header(top, bib_column)
    if not text.strip():
        raise InvalidRoster("roster_empty", "The roster is empty.")
    if header is None:
        raise InvalidRoster(
            "roster_no_bib_column",
            f"No column of the roster is called 'bib' or a known word for it. {columns_seen(top)} "
            "Say which has the bibs with --bib-column, or write bib above it.",
        )
    return Table(header, _below(header, _rows(text, delimiter), delimiter), delimiter)


def _below(header: Header, rows: Iterator[Row], delimiter: str) -> Iterator[Row]:
    for line, cells in rows:
        if line > header.line:
            _check_no_row_is_swallowed(line, cells, header.bib, delimiter)
            yield line, cells


def _head(text: str) -> str:
    """The beginning of a text: more than the lines among which the header is. Raises InvalidRoster where none comes."""
    filled = 0
    for number, match in enumerate(_LINE.finditer(text), start=1):
        if number > MAX_LINES:
            raise _too_long()
        filled += not match.group().isspace()
        if filled > _LINES_IN_HEAD:
            return text[: match.end()]
    return text


def _delimiter(head: str, bib_column: str | None) -> str:
    """The separator by which the header has most cells; where there is no header, the one that stands there most."""
    return max(_DELIMITERS, key=lambda delimiter: _fitness(head, delimiter, bib_column))


def _fitness(head: str, delimiter: str, bib_column: str | None) -> tuple[int, int, int]:
    """How well a separator fits: whether rows come of it, and a header among them; and how many cells these have.

    Of two headers of equal length the upper one fits better: a name below it may look like one ("N").
    """
    try:
        top = _top(head, delimiter)
    except InvalidRoster:  # quotes stand elsewhere than beside this separator
        return 0, 0, 0
    most = max((len(cells) for _, cells in top), default=0)
    try:
        header = find_header(top, bib_column)
    except InvalidRoster:  # it is said again when the separator is decided
        return 2, most, 0
    return (2, len(header.cells), -header.line) if header else (1, most, 0)


def _top(head: str, delimiter: str) -> list[Row]:
    """The rows among which the header is, and some examples of what is below."""
    rows: list[Row] = []
    try:
        rows.extend(itertools.islice((row for row in _rows(head, delimiter) if row[1]), MAX_ROWS_ABOVE + 4))
    except InvalidRoster:  # the rest says so when it is read, or is only the end of the head
        if not rows:
            raise
    return rows


def _rows(text: str, delimiter: str) -> Iterator[Row]:
    """The rows of a text, each with the line in which it begins. Raises InvalidRoster where it is no CSV."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        lines.begins = begins
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _not_csv(begins, reader.line_num, error) from None
        yield begins, cells


def _not_csv(begins: int, line: int, error: csv.Error) -> InvalidRoster:
    if "unexpected end of data" in str(error) or "field larger than" in str(error):
        return _not_closed(begins)
    if "expected after" in str(error):
        return InvalidRoster(
            "roster_not_csv",
            f"Line {begins} of the roster has a quote that is not closed, or one inside a cell (line {line}). "
            "Write a quote inside a quoted cell twice.",
        )
    return InvalidRoster("roster_not_csv", f"The roster is not CSV: line {line}: {error}.")


def _not_closed(begins: int) -> InvalidRoster:
    return InvalidRoster(
        "roster_not_csv",
        f"Line {begins} of the roster has a quote that is not closed, so that all below would be one cell. Close it.",
    )


def _check_no_row_is_swallowed(begins: int, cells: list[str], bib: int, delimiter: str) -> None:
    """Raise InvalidRoster where a line inside a quoted cell is a row with a bib: two quotes that are not closed."""
    for cell in cells:
        for line in cell.splitlines()[1:]:
            parts = line.split(delimiter)
            if 1 < len(parts) > bib and bibs.canonical(parts[bib]) is not None:
                raise InvalidRoster(
                    "roster_not_csv",
                    f"Line {begins} of the roster has a quote that is not closed where it should be: the cell goes on "
                    f"with '{line[:60]}', which seems to be a row of its own.",
                )


def _too_long() -> InvalidRoster:
    return InvalidRoster("roster_too_long", f"The roster has more than {MAX_LINES:,} lines.")


class _Lines:
    """The lines of a text, one at a time, as the CSV reader asks for them; refuses what no roster looks like."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.begins = 1
        """The line in which the row begins that is being read."""

    def __iter__(self) -> Iterator[str]:
        for number, match in enumerate(_LINE.finditer(self._text), start=1):
            if match.end() - match.start() > MAX_LINE_CHARACTERS:
                raise InvalidRoster(
                    "roster_not_csv",
                    f"The roster is not CSV: line {number} has more than {MAX_LINE_CHARACTERS:,} characters.",
                )
            if number - self.begins >= MAX_LINES_PER_ROW:
                raise _not_closed(self.begins)
            if number > MAX_LINES:
                raise _too_long()
            yield match.group()
