"""Races as their organizer sees them: settings, roster, what was refused, and where the photos stand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec

from ops.look.banners import Banner, banners
from ops.look.status import RaceStatus, status
from ops.reach.target import Target
from ops.reach.words import to_json
from services.races.records import Outcome, RaceHeld, RaceKnown, RaceOutcome, RefusedBibs, RosterHeld, RosterOutcome
from shared.contracts.keys import RACE_FILE, ROSTER_FILE, RaceRef
from shared.contracts.race import RaceSettings
from shared.contracts.roster.runners import Problem


class ListedRace(msgspec.Struct, frozen=True, kw_only=True):
    """A race in a list; `runners` is None where it has no roster."""

    organizer_id: str
    event_id: str
    name: str
    date: str
    faces: bool
    runners: int | None


class RaceReport(msgspec.Struct, frozen=True, kw_only=True):
    """A race; `settings` are None where it is not configured, and photos wait for it.

    `runners` is None where it has no roster, `problems` are the rows of it that were left out, `refused_bibs` the first
    of those whose bibs the settings refuse, so that they are in no photo. `refused` are its files whose newest upload
    could not be used, with why: what is told of here is then of an earlier one. `banners` are numbers that are read in
    many photos and are on no bib, as it seems.
    """

    race: RaceRef
    settings: RaceSettings | None
    runners: int | None
    problems: tuple[Problem, ...]
    refused_bibs: tuple[Problem, ...]
    refused_bibs_in_all: int
    refused: dict[str, str]
    status: RaceStatus
    banners: tuple[Banner, ...] = ()

    @property
    def excluding_banners(self) -> str | None:
        """The command by which the banners' numbers are no bibs from now on; None where there are none."""
        if not self.banners or self.settings is None:
            return None
        words = [*self.settings.bib_rules.excluded, *(each.bib for each in self.banners)]
        race = f"--organizer {self.race.organizer_id} --event {self.race.event_id}"
        return shlex.join(["snaprace", "race", "set", *race.split(), *(f"--exclude={word}" for word in words)])


def listed(target: Target) -> list[ListedRace]:
    """The races that are configured."""
    records = target.records("races")
    found = []
    for race in sorted(records.races(RaceKnown)):
        held, roster = records.get(RaceHeld.locate(race)), records.get(RosterHeld.locate(race))
        if held is not None:  # deleted meanwhile
            found.append(
                ListedRace(
                    **race._asdict(),
                    name=held.settings.name,
                    date=held.settings.date,
                    faces=held.settings.faces,
                    runners=roster.runners if roster else None,
                )
            )
    return found


def look_at(target: Target, race: RaceRef) -> RaceReport:
    """Look at a race."""
    records = target.records("races")
    held, roster = records.get(RaceHeld.locate(race)), records.get(RosterHeld.locate(race))
    never_read = records.get(RefusedBibs.locate(race))
    newest: dict[str, Outcome | None] = {
        RACE_FILE: records.get(RaceOutcome.locate(race)),
        ROSTER_FILE: records.get(RosterOutcome.locate(race)),
    }
    return RaceReport(
        race=race,
        settings=held.settings if held else None,
        runners=roster.runners if roster else None,
        problems=roster.problems if roster else (),
        refused_bibs=never_read.problems if never_read else (),
        refused_bibs_in_all=never_read.refused if never_read else 0,
        refused={name: str(outcome.message) for name, outcome in newest.items() if outcome and not outcome.ok},
        status=status(target, race),
        banners=banners(target, race),
    )


def settings_by_name(settings: RaceSettings) -> Iterator[tuple[str, Any]]:
    """The settings by their names in race.json, those of a part by both names (bib_rules.lowest), as JSON has them."""
    yield from _flat(msgspec.to_builtins(settings))


def _flat(values: dict[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{within}{name}.")
        else:
            yield within + name, value


def as_json(report: RaceReport) -> str:
    """The report for programs."""
    told: dict[str, Any] = {
        **report.race._asdict(),
        "settings": report.settings,
        "roster": None if report.runners is None else _roster(report),
        "refused": report.refused,
        "banners": report.banners,
        "uploads": len(report.status.uploads),
        "counts": dict(sorted(report.status.counts.items())),
    }
    return to_json(told)


def _roster(report: RaceReport) -> dict[str, Any]:
    return {
        "runners": report.runners,
        "problems": report.problems,
        "refused_bibs": report.refused_bibs,
        "refused_bibs_in_all": report.refused_bibs_in_all,
    }
