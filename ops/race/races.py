"""Which race is meant; and its files, of which the races stage says what it made of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import msgspec

from ops.reach.errors import Failed
from ops.reach.target import Target
from services.races.records import Outcome, RaceKnown, RosterHeld, RosterOutcome
from shared.contracts.keys import PROBE, ROSTER_FILE, RaceRef, valid_id
from shared.contracts.roster.runners import Problem

OUTCOME_SECONDS = 60
_POLL_SECONDS = 0.3


class Imported(msgspec.Struct, frozen=True):
    """What became of a roster: how many runners it has, and the rows that were left out."""

    runners: int
    problems: tuple[Problem, ...]


def race_ref(organizer: str, event: str) -> RaceRef:
    """The race that two options name. Raises Failed when they cannot be ids."""
    for option, value in (("--organizer", organizer), ("--event", event)):
        if not valid_id(value):
            raise Failed(
                f"{option} '{value}' cannot be an id: use 1-64 letters, digits, '_', '.' or '-', "
                "with a letter or digit at both ends."
            )
    return RaceRef(organizer, event)


def races(target: Target) -> Iterator[RaceRef]:
    """The races that are configured."""
    return target.records("races").races(RaceKnown)


def the_race(target: Target, organizer: str | None, event: str | None, *, also_uncreated: bool = False) -> RaceRef:
    """The race that is meant: the named one, or the only one there is. Raises Failed.

    `also_uncreated` takes a named race, too, that is not configured, and of which something was uploaded. One that a
    probe of `snaprace verify` made is meant only where it is named.
    """
    if organizer and event:
        race = race_ref(organizer, event)
        if not (also_uncreated and _was_uploaded(target, race)):
            require(target, race)
        return race
    found = [
        race
        for race in races(target)
        if organizer in (None, race[0]) and event in (None, race[1]) and (organizer or race.organizer_id != PROBE)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failed(f"There is no such race in {target.where}. Create one with: snaprace race create --help")
    listed = ", ".join(map(str, sorted(found)[:8]))
    raise Failed(f"There are {len(found)} races ({listed}): say which with --organizer and --event.")


def known(target: Target, race: RaceRef) -> bool:
    """Whether the race is configured."""
    return target.records("races").get(RaceKnown.locate(race)) is not None


def _was_uploaded(target: Target, race: RaceRef) -> bool:
    found = target.client("s3").list_objects_v2(Bucket=target.photo_bucket, Prefix=race.prefix, MaxKeys=1)
    return bool(found.get("Contents"))


def require(target: Target, race: RaceRef) -> None:
    """Raise Failed unless the race is configured."""
    if not known(target, race):
        raise Failed(
            f"There is no race {race} in {target.where}. "
            f"Create it with: snaprace race create --organizer {race.organizer_id} --event {race.event_id} …"
        )


def import_roster(target: Target, race: RaceRef, body: bytes) -> Imported:
    """Upload roster.csv and wait until it holds. Raises Failed with what is wrong."""
    outcome = upload_file(target, race, ROSTER_FILE, body, RosterOutcome)
    held = target.records("races").get(RosterHeld.locate(race))
    return Imported(held.runners if held else 0, outcome.problems or ())


def upload_file(
    target: Target,
    race: RaceRef,
    filename: str,
    body: bytes,
    kind: type[Outcome],
    *,
    condition: Mapping[str, str] | None = None,
) -> Outcome:
    """Put one of the race's files, and wait until the races stage keeps what it says of it, a record of `kind`.

    `condition` is S3's for the write (IfMatch, IfNoneMatch). Raises Failed with what is wrong with the file.
    """
    records, place = target.records("races"), kind.locate(race)
    before = records.get(place)
    target.client("s3").put_object(
        Bucket=target.photo_bucket, Key=race.prefix + filename, Body=body, **(condition or {})
    )
    deadline = time.monotonic() + OUTCOME_SECONDS
    while time.monotonic() < deadline:
        outcome = records.get(place)
        if outcome and (before is None or outcome.sequencer != before.sequencer):
            if not outcome.ok:
                raise Failed(str(outcome.message))
            return outcome
        time.sleep(_POLL_SECONDS)
    raise Failed(
        f"{filename} is uploaded, but the races stage has said nothing for {OUTCOME_SECONDS} s. "
        "Look at: snaprace status"
    )
