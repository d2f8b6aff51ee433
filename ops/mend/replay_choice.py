"""Which of the archived events a replay sends: all, those that failed, or those of which the stage holds nothing.

What people decided is always sent. A table of the past holds a photo that was deleted since: nothing of it is missing,
and yet it has to go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from ops.look.status import status
from ops.mend.dead_letters import letters_in, places
from ops.mend.spool import Collected, Plan
from ops.reach import sqs
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.errors import InvalidKey
from shared.contracts.keys import KeyKind, RaceRef, parse_key, sort_key
from shared.kit.table import Key

Only = Literal["failed", "missing", "all"]

STUCK_AFTER = timedelta(minutes=15)
"""An upload that waits for the stage for so long is stuck there, whether a dead letter says so or not."""

_STEPS: Mapping[tuple[str, str], str] = {
    ("ingest", "intake"): "ingest",
    ("ocr", "read"): "ocr",
    ("faces", "index"): "faces",
    ("faces", "identity"): "identity",
    ("search", "gallery"): "gallery",
}


def choose(target: Target, plan: Plan, events: Sequence[Collected], only: Only) -> list[Collected]:
    """The events to send, each with the functions that are to get it: with a decision, all that hear it."""
    wanted: dict[str, Collection[int]]
    if only == "all":
        return list(events)
    if only == "failed":
        wanted = {function.name: _failed(target, plan, function.name, events) for function in plan.functions}
    else:
        wanted = {function.name: _missing(target, plan, function.name, events) for function in plan.functions}
    narrowed = (
        event
        if event.decision
        else replace(event, functions=tuple(name for name in event.functions if number in wanted[name]))
        for number, event in enumerate(events)
    )
    return [event for event in narrowed if event.functions]


# --- what failed --------------------------------------------------------------------------------------


def _failed(target: Target, plan: Plan, function: str, events: Sequence[Collected]) -> set[int]:
    """The events about what lies in the function's dead-letter queues, or is stuck at it; by their numbers."""
    races = {event.about.race for event in events} - {None}
    subjects = _dead(target, plan.stage, function).union(
        *(_stuck(target, plan.stage, function, race) for race in races if race)
    )
    return {number for number, event in enumerate(events) if event.about.subjects & subjects}


def _dead(target: Target, stage: str, function: str) -> set[str]:
    client = target.client("sqs")
    queue = naming.queue(target.env, stage, function)
    subjects: set[str] = set()
    for place in places(target.env, stage, function):
        depth = sqs.depth(client, sqs.url_of(client, place.queue))
        if depth > sqs.MOST_PEEKED:
            raise Failed(
                f"There are {depth:,} dead letters in {place.queue}, more than --only failed can look at. "
                "Use --only all, or snaprace redrive."
            )
        for letter in letters_in(target, place):
            if place.function or (letter.target and sqs.name_of(letter.target) == queue):
                subjects |= letter.subjects
    return subjects


def _stuck(target: Target, stage: str, function: str, race: RaceRef) -> set[str]:
    step = _STEPS.get((stage, function))
    now = datetime.now(UTC)
    found = [
        upload
        for upload in status(target, race).uploads
        if step in upload.waits_for and (upload.age(now) or 0) >= STUCK_AFTER.total_seconds()
    ]
    return {name for upload in found for name in (upload.key, upload.photo_id) if name}


# --- what is missing ----------------------------------------------------------------------------------


def _missing(target: Target, plan: Plan, function: str, events: Sequence[Collected]) -> set[int]:
    """The events that the function heard and whose item its stage's table lacks, or one of them; by their numbers."""
    items = {
        number: set(_items(plan.stage, function, event))
        for number, event in enumerate(events)
        if function in event.functions
    }
    keys = sorted({key for found in items.values() for key in found})
    held = {(item["PK"], item["SK"]) for item in target.table(plan.stage).batch_get(keys, only=("PK", "SK"))}
    return {number for number, found in items.items() if not found <= held}


def _items(stage: str, function: str, event: Collected) -> Iterable[Key]:
    """The items in which a stage keeps what it makes of an event; none where it keeps nothing of it, nor of decisions.

    Decisions are sent whatever the table holds.
    """
    about = event.about
    if about.race is None or event.decision:
        return
    match stage:
        case "races":
            return  # hears of settings and rosters alone, which are decisions
        case "ingest":
            names = [sort_key("KEY#", about.key)] if about.key and _is_photo(about.key) else []
        case "faces":
            names = [f"{'INDEXED' if function == 'index' else 'IDENTITY'}#{photo}" for photo in about.subjects]
        case _:
            names = [f"PHOTO#{photo}" for photo in about.subjects]
    for name in names:
        yield about.race.partition, name


def _is_photo(key: str) -> bool:
    try:
        return parse_key(key).kind is KeyKind.RAW_PHOTO
    except InvalidKey:
        return True  # misplaced: ingest keeps why it rejected it
