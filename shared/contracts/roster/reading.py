"""Reading a roster: bytes in; the runners, what was found about the file, and what is wrong with it out.

The command line reads a file with this before it sends it, and the races stage what arrives in S3. The steps are: the
text and its encoding (encodings.py), its rows (tables.py), the header (headers.py), each bib (cells.py).
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Sequence

import msgspec

from shared.contracts import bibs
from shared.contracts.bibs import BibRules
from shared.contracts.errors import InvalidRoster
from shared.contracts.roster.cells import bib_text, spoilt
from shared.contracts.roster.encodings import decode
from shared.contracts.roster.headers import Row
from shared.contracts.roster.runners import Problem, Runner, refused
from shared.contracts.roster.tables import Table, read_table

MAX_RUNNERS = 200_000
MAX_PROBLEMS = 10_000
_MAX_QUOTED = 60
_PROBLEMS_SAID = 5


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """A roster that can be used.

    `on_file` are all runners whose bib is one; `runners` those whose bib the race's rules admit, or all where the rules
    are not known. `unreadable` are the rows without a usable bib; `problems` are these and those the rules refuse.
    `encoding` is a Python codec's name; `guessed` whether it was chosen among several. `bib_column` and `name_columns`
    are the header's own words, `header_line` its line.
    """

    runners: tuple[Runner, ...]
    problems: tuple[Problem, ...]
    on_file: tuple[Runner, ...]
    unreadable: tuple[Problem, ...]
    encoding: str
    guessed: bool
    header_line: int
    bib_column: str
    name_columns: tuple[str, ...]

    def under(self, rules: BibRules) -> Roster:
        """The roster under a race's rules, whatever it was under before. Raises InvalidRoster when they refuse all."""
        by_rules = refused(self.on_file, rules)
        lines = {problem.line for problem in by_rules}
        problems = sorted([*self.unreadable, *by_rules], key=lambda problem: problem.line)
        runners = tuple(runner for runner in self.on_file if runner.line not in lines)
        if not runners:
            raise _none_usable(problems)
        return msgspec.structs.replace(self, runners=runners, problems=tuple(problems))

    def to_csv(self) -> bytes:
        """The runners on file as CSV (UTF-8), each in the line that she has in the file, which problems name later."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        next_line = 1
        rows = ((runner.line, (runner.printed, runner.name)) for runner in self.on_file)
        for line, cells in itertools.chain([(self.header_line, ("bib", "name"))], rows):
            out.write("\n" * (line - next_line))
            writer.writerow([" ".join(cell.split()) for cell in cells])
            next_line = line + 1
        return out.getvalue().encode()


def parse_roster(
    body: bytes, rules: BibRules | None = None, *, encoding: str | None = None, bib_column: str | None = None
) -> Roster:
    """Read a roster: a header that names the bib's and usually the name's column, then one runner a row.

    `rules` are the race's, by which a bib can be refused; `encoding` is the text's where somebody knows it, a Python
    codec's name; `bib_column` the name or number of the bib's column where the header does not say. Rows that cannot be
    used are left out and reported with their line. Raises InvalidRoster when nothing can be used.
    """
    decoded = decode(body, encoding)
    table = read_table(decoded.text, bib_column)
    on_file, unreadable = _read_rows(table)
    if not on_file:
        raise _none_usable(unreadable)
    roster = Roster(
        runners=tuple(on_file),
        problems=tuple(unreadable),
        on_file=tuple(on_file),
        unreadable=tuple(unreadable),
        encoding=decoded.encoding,
        guessed=decoded.guessed,
        header_line=table.header.line,
        bib_column=table.header.bib_column,
        name_columns=table.header.name_columns,
    )
    return roster if rules is None else roster.under(rules)


def _none_usable(problems: Sequence[Problem]) -> InvalidRoster:
    if not problems:
        return InvalidRoster("roster_empty", "The roster has no runner below its header.")
    return InvalidRoster("roster_empty", f"No row of the roster can be used. {said(problems)}")


def said(problems: Sequence[Problem]) -> str:
    """The first problems as sentences, and how many more there are."""
    told = " ".join(f"Line {problem.line}: {problem.message}" for problem in problems[:_PROBLEMS_SAID])
    more = len(problems) - _PROBLEMS_SAID
    return f"{told} And {more:,} more." if more > 0 else told


def _read_rows(table: Table) -> tuple[list[Runner], list[Problem]]:
    runners: dict[str, Runner] = {}
    problems: list[Problem] = []
    for row in table.rows:
        if not any(cell.strip() for cell in row[1]):
            continue
        runner = _read_row(row, table)
        if isinstance(runner, Runner) and (known := runners.get(runner.bib)):
            message = f"bib {runner.printed[:_MAX_QUOTED]} is already in line {known.line}."
            runner = Problem(line=runner.line, message=message)
        if isinstance(runner, Runner):
            if len(runners) >= MAX_RUNNERS:
                raise InvalidRoster("roster_too_long", f"The roster has more than {MAX_RUNNERS:,} runners.")
            runners[runner.bib] = runner
            continue
        problems.append(runner)
        if len(problems) > MAX_PROBLEMS:
            raise InvalidRoster(
                "roster_too_many_problems", f"More than {MAX_PROBLEMS:,} rows cannot be used. {said(problems[:1])}"
            )
    return list(runners.values()), problems


def _read_row(row: Row, table: Table) -> Runner | Problem:
    line, cells = row
    header = table.header
    width = _width(cells)
    if width > len(header.cells):
        return Problem(line=line, message=f"{width} columns where the header has {len(header.cells)}.")
    printed = bib_text(cells[header.bib]) if header.bib < len(cells) else ""
    if not printed:
        return Problem(line=line, message="no bib.")
    bib = bibs.canonical(printed)
    if bib is None:
        why = spoilt(printed)
        sentence = f"'{printed[:_MAX_QUOTED]}' {why}." if why else BibRules().refusal(printed)
        return Problem(line=line, message=str(sentence))
    return Runner(bib=bib, printed=printed, name=header.name_of(cells), line=line)


def _width(cells: Sequence[str]) -> int:
    """How many cells a row has, less the empty ones at its end."""
    return max((column for column, cell in enumerate(cells, start=1) if cell.strip()), default=0)


def names(runners: Iterable[Runner], many: int = 3) -> tuple[str, ...]:
    """The first names that have other than plain letters, by which a person sees whether the encoding is right."""
    telling = [runner.name for runner in runners if not runner.name.isascii()]
    return tuple(telling[:many])
