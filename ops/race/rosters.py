"""Reading a roster at the desk: any file that people have, as the plain CSV (UTF-8) that goes up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.race import spreadsheets
from ops.reach.errors import Failed, read_file
from ops.reach.target import Target
from services.races.records import RaceHeld, RosterHeld
from shared.contracts.errors import InvalidInput
from shared.contracts.keys import RaceRef
from shared.contracts.roster.reading import Roster, names, parse_roster
from shared.contracts.roster.runners import Problem, Runner, from_json, refused


@dataclass(frozen=True)
class RosterFile:
    """A roster file that was read; `sheet` is the sheet of a spreadsheet."""

    path: Path
    roster: Roster
    sheet: str | None = None

    @property
    def body(self) -> bytes:
        """What goes up: UTF-8, the bib and the name alone, each runner in the line that she has in the file."""
        return self.roster.to_csv()

    def for_race(self, target: Target, race: RaceRef) -> RosterFile:
        """The same, under the rules that the race has now. Raises Failed when they refuse every bib."""
        held = target.records("races").get(RaceHeld.locate(race))
        if held is None:
            return self
        try:
            return RosterFile(self.path, self.roster.under(held.settings.bib_rules), self.sheet)
        except InvalidInput as refusal:
            raise Failed(f"{self.path}: {refusal}") from None

    def found(self) -> str:
        """How the file was read, as a sentence for whoever brought it."""
        roster = self.roster
        where = f"sheet '{self.sheet}', " if self.sheet else ""
        named = " and ".join(f"'{column}'" for column in roster.name_columns) or "no column"
        text = (
            f"Read {where}line {roster.header_line} as the header: bibs from '{roster.bib_column}', names from {named}."
        )
        if roster.guessed:
            shown = ", ".join(names(roster.on_file)) or "none beyond plain letters"
            text += f" The encoding seems to be {roster.encoding}, which makes the first names: {shown}. "
            text += "If they are wrong, say --encoding NAME."
        elif roster.encoding != "utf-8":
            text += f" The encoding is {roster.encoding}."
        return text

    def to_builtins(self) -> dict[str, Any]:
        """The same for programs, with every problem."""
        roster = self.roster
        return {
            "sheet": self.sheet,
            "header_line": roster.header_line,
            "bib_column": roster.bib_column,
            "name_columns": list(roster.name_columns),
            "encoding": roster.encoding,
            "encoding_guessed": roster.guessed,
            "first_names": list(names(roster.on_file)) if roster.guessed else [],
            "runners": len(roster.runners),
            "problems": [{"line": problem.line, "message": problem.message} for problem in roster.problems],
        }


def refused_now(target: Target, race: RaceRef) -> tuple[Problem, ...]:
    """The bibs of the race's roster that its rules refuse as both are now, by the lines of the roster."""
    records = target.records("races")
    rules, roster = records.get(RaceHeld.locate(race)), records.get(RosterHeld.locate(race))
    if rules is None or roster is None:
        return ()
    runners = sorted(runners_of(target, roster), key=lambda runner: runner.line)
    return refused(runners, rules.settings.bib_rules)


def runners_of(target: Target, roster: RosterHeld) -> list[Runner]:
    """The runners of a roster that the races stage holds."""
    where = roster.roster
    return from_json(target.client("s3").get_object(Bucket=where.bucket, Key=where.key)["Body"].read())


def read_roster(
    path: Path, *, encoding: str | None = None, bib_column: str | None = None, sheet: str | None = None
) -> RosterFile:
    """Read a roster file: CSV in any encoding, or a spreadsheet's own file. Raises Failed."""
    body, name = read_file(path), None
    try:
        if spreadsheets.is_spreadsheet(body):
            name, body = spreadsheets.sheet_with_bibs(body, sheet, bib_column)
            encoding = "utf-8"
        elif sheet is not None:
            raise Failed("it is text and has no sheets: leave out --sheet.")
        return RosterFile(path, parse_roster(body, encoding=encoding, bib_column=bib_column), name)
    except (InvalidInput, Failed) as refusal:
        raise Failed(f"{path}: {refusal}") from None
