"""What commands show of races as a whole: a list of them, one of them, and uploads of none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.cli.screen import answers, console, facts
from ops.look import races
from ops.look.races import ListedRace, RaceReport
from ops.look.status import RaceStatus, State
from ops.look.strays import Stray
from ops.reach.words import counted, to_json
from shared.contracts.roster.runners import Problem

_PROBLEMS_SHOWN = 20
_STATES: dict[State, str] = {
    "waiting": "waiting for their race",
    "in progress": "in progress",
    "searchable": "searchable",
    "rejected": "rejected, each with its reason",
    "dead-lettered": "given up on: see snaprace dlq",
}
_SHOWN_ALWAYS = ("uploads", _STATES["searchable"], _STATES["rejected"])
_IN_WORK = "messages in work, of all races: until they are done, more runners may be found"
_UNMATCHED = "will have their faces compared with all others when uploads make a pause"


def setting(value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return " ".join(repr(each) for each in value) or "none"
    return "none" if value is None else str(value)


def show_races(found: Sequence[ListedRace], strays: Sequence[Stray], *, as_json: bool) -> None:
    """The races, and what belongs to none."""
    if as_json:
        print(to_json({"races": found, "strays": strays}))
        return
    if not found:
        console.print("There are no races yet. Create one with: snaprace race create --help")
    else:
        table = Table(show_edge=False, box=None, pad_edge=False, padding=(0, 2))
        for heading in ("race", "date", "name", "runners", "faces"):
            table.add_column(heading, overflow="fold")
        for each in found:
            runners = "no roster" if each.runners is None else f"{each.runners:,}"
            where = f"{each.organizer_id}/{each.event_id}"
            table.add_row(where, each.date, each.name, runners, setting(each.faces))
        answers.print(table)
    show_strays(strays)


def show_race(report: RaceReport, *, as_json: bool) -> None:
    """One race."""
    if as_json:
        print(races.as_json(report))
        return
    if report.settings is None:
        answers.print(f"The race {report.race} is not created yet: snaprace race create", markup=False)
    else:
        told = races.settings_by_name(report.settings)
        answers.print(facts(str(report.race), [(name, setting(value)) for name, value in told]))
    runners = "none" if report.runners is None else f"{report.runners:,}"
    answers.print(facts("", [(runners, "runners on the roster")], counts_of(report.status)))
    for name, why in report.refused.items():
        answers.print(f"The newest {name} was refused, and what held before holds: {why}", markup=False)
    show_problems(report.problems, before="left out of the roster: ", on=answers)
    refused = "never read as a bib, since the settings refuse it: "
    show_problems(report.refused_bibs, before=refused, in_all=report.refused_bibs_in_all, on=answers)
    for banner in report.banners:
        answers.print(banner.why, markup=False)
    if command := report.excluding_banners:
        which = "this is a banner" if len(report.banners) == 1 else "these are banners (else leave one out)"
        answers.print(f"If {which}: {command}", markup=False, soft_wrap=True)


def show_problems(
    problems: Sequence[Problem], *, before: str = "", in_all: int | None = None, on: Console = console
) -> None:
    """The first problems with their lines, and how many more there are, `in_all` where only the first are known."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        on.print(f"{before}line {problem.line}: {problem.message}", markup=False)
    if (more := (in_all or len(problems)) - _PROBLEMS_SHOWN) > 0:
        on.print(f"{before}and {more:,} more.")


def counts_of(found: RaceStatus) -> list[tuple[str, str]]:
    """How many uploads stand where: numbers, and what they count."""
    rows = [(len(found.uploads), "uploads"), *((found.counts[state], words) for state, words in _STATES.items())]
    rows += [(found.duplicates, "of them copies of others"), (found.unmatched, _UNMATCHED), (found.in_work, _IN_WORK)]
    return [(f"{number:,}", words) for number, words in rows if number or words in _SHOWN_ALWAYS]


def show_strays(strays: Sequence[Stray]) -> None:
    """One line for each place with uploads of no race, and what can be done with them; nothing where there are none."""
    for stray in strays:
        where = f"below {stray.beginning}" if stray.beginning else "in no folder"
        files = counted(stray.files, "file")
        answers.print(f"{files} of no race ({where}), as {stray.example}: {stray.why}", markup=False)
    if strays:
        answers.print("Move or delete what is of no race with: snaprace strays --help")
