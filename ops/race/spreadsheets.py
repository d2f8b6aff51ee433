"""A spreadsheet's own file (.xlsx, .xls, .xlsb, .ods) as the CSV that it would be saved as."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import NamedTuple

from ops.reach.errors import Failed
from shared.contracts.errors import InvalidRoster
from shared.contracts.roster.headers import MAX_ROWS_ABOVE, Row, find_header

Cell = str | float | bool | date | time | timedelta | None

# Files of Excel since 2007 and of LibreOffice are zip archives, those of Excel before are OLE containers.
_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


class Sheet(NamedTuple):
    """A sheet of a spreadsheet, and its cells as UTF-8 CSV; the line of a row is its number in the sheet."""

    name: str
    csv: bytes


def is_spreadsheet(body: bytes) -> bool:
    """Whether the bytes are a spreadsheet's own file, or look like one."""
    return body.startswith(_MAGIC)


def sheet_with_bibs(body: bytes, wanted: str | None, bib_column: str | None) -> Sheet:
    """The sheet that is wanted, or else the first one that has a column for bibs. Raises Failed."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(body))
        names = workbook.sheet_names
        if wanted is not None and wanted not in names:
            raise Failed(f"There is no sheet '{wanted}'; there are {_quoted(names)}.")
        for name in names if wanted is None else [wanted]:
            rows = [
                (number, [_shown(cell) for cell in cells])
                for number, cells in enumerate(workbook.get_sheet_by_name(name).to_python(skip_empty_area=False), 1)
            ]
            if wanted is not None or _has_bibs(rows, bib_column):
                return Sheet(name, _as_csv(rows))
    except CalamineError as error:
        raise Failed(f"It is not a spreadsheet that can be read ({error}). Save it as CSV (UTF-8).") from None
    raise Failed(
        f"No sheet has a column that is called 'bib' or a known word for it; there are {_quoted(names)}. "
        "Say which with --sheet, and which column with --bib-column."
    )


def _has_bibs(rows: Sequence[Row], bib_column: str | None) -> bool:
    filled = [row for row in rows if any(row[1])]
    try:
        return find_header(filled[: MAX_ROWS_ABOVE + 1], bib_column) is not None
    except InvalidRoster as refusal:  # several columns could be it: the sheet is the right one, and the reader asks
        return refusal.reason == "roster_which_bib_column"


def _shown(cell: Cell) -> str:
    """The cell as the sheet shows it, on one line; a whole number has no decimals, a date is ISO 8601."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date | time):
        return cell.isoformat()
    return "" if cell is None else " ".join(str(cell).split())


def _as_csv(rows: Sequence[Row]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(cells for _, cells in rows)
    return out.getvalue().encode()


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
