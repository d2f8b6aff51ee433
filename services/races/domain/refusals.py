"""Which bibs of a race's roster its rules refuse: they follow from both, whichever came last."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from services.races.records import RaceHeld, RefusedBibs, RosterHeld
from shared.contracts.events import BibsRefused
from shared.contracts.keys import RaceRef
from shared.contracts.roster.runners import Runner, kept, refused


def are_of(known: RefusedBibs | None, rules: RaceHeld, roster: RosterHeld) -> bool:
    """Whether what is kept follows from these rules and this roster."""
    return known is not None and (known.revision, known.roster_revision) == (rules.revision, roster.revision)


def refused_bibs(rules: RaceHeld, roster: RosterHeld, runners: Iterable[Runner]) -> RefusedBibs:
    """What the rules refuse of the roster, whose runners these are."""
    by_line = sorted(refused(runners, rules.settings.bib_rules), key=lambda problem: problem.line)
    return RefusedBibs(
        problems=kept(by_line),
        refused=len(by_line),
        roster_revision=roster.revision,
        revision=rules.revision,
    )


def announcement(race: RaceRef, known: RefusedBibs) -> BibsRefused:
    """What is to be said of it."""
    return BibsRefused(**race._asdict(), **msgspec.structs.asdict(known))
