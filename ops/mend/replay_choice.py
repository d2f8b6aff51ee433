"""Which of the archived events a replay sends: all, those that failed, or those of which the stage holds nothing.

What people decided is always sent. A table of the past holds a photo that was deleted since: nothing of it is missing,
and yet it has to go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ops.look.status import UploadState, status
from ops.mend.collected import ArchivedEvent, CollectedEvents, Plan
from ops.mend.dead_letters import look_into, queues_of
from ops.reach import sqs
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.card import Function
from shared.contracts.events import Envelope
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.contracts.records import At, Record

Only = Literal["failed", "missing", "all"]

STUCK_AFTER = timedelta(minutes=15)
"""An upload that waits for the stage for so long is stuck there, whether a dead letter says so or not."""

_AT_ONCE = 1_000  # events whose records are looked for together


def choose(target: Target, plan: Plan, collected: CollectedEvents, only: Only) -> list[ArchivedEvent]:
    """The events to send, each with the functions that are to get it: with a decision, all that hear it."""
    events = collected.events
    wanted: dict[str, Collection[int]]
    if only == "all":
        return list(events)
    if only == "failed":
        wanted = _failed(target, plan, events)
    else:
        wanted = {function.name: _missing(target, plan.stage, function, collected) for function in plan.functions}
    narrowed = (
        event
        if event.decision
        else replace(event, functions=tuple(name for name in event.functions if number in wanted[name]))
        for number, event in enumerate(events)
    )
    return [event for event in narrowed if event.functions]


# --- what failed --------------------------------------------------------------------------------------


def _failed(target: Target, plan: Plan, events: Sequence[ArchivedEvent]) -> dict[str, Collection[int]]:
    """By function, the events about what lies in its dead-letter queues, or is stuck at it; by their numbers."""
    stuck = list(_stuck(target, {event.about.race for event in events if event.about.race}))
    failed: dict[str, Collection[int]] = {}
    for function in plan.functions:
        waiting = [upload for upload in stuck if function.step and function.step.name in upload.waits_for]
        subjects = _dead(target, plan.stage, function.name)
        subjects |= {name for upload in waiting for name in (upload.key, upload.photo_id) if name}
        failed[function.name] = {number for number, event in enumerate(events) if event.about.subjects & subjects}
    return failed


def _dead(target: Target, stage: str, function: str) -> set[str]:
    """What the dead letters of a function are about."""
    own_queue = naming.queue(target.env, stage, function)
    subjects: set[str] = set()
    for queue in queues_of(target.env, stage, function):
        letters, depth = look_into(target, queue)
        if depth > sqs.MOST_PEEKED:
            raise Failed(
                f"There are {depth:,} dead letters in {queue.name}, more than --only failed can look at. "
                "Use --only all, or snaprace redrive."
            )
        for letter in letters:
            if queue.function or (letter.target and sqs.name_of(letter.target) == own_queue):
                subjects |= letter.subjects
    return subjects


def _stuck(target: Target, races: Iterable[RaceRef]) -> Iterator[UploadState]:
    """The races' uploads that have waited for long."""
    now = datetime.now(UTC)
    for race in races:
        for upload in status(target, race).uploads:
            if upload.waits_for and (upload.age(now) or 0) >= STUCK_AFTER.total_seconds():
                yield upload


# --- what is missing ----------------------------------------------------------------------------------


def _missing(target: Target, stage: str, function: Function, collected: CollectedEvents) -> set[int]:
    """The events that the function heard and whose records its stage's table lacks, or one of them; by their numbers.

    Decisions are none of them: they are sent whatever the table holds.
    """
    records = target.records(stage)
    heard = [
        (number, event)
        for number, event in enumerate(collected.events)
        if function.name in event.functions and not event.decision
    ]
    missing: set[int] = set()
    for first in range(0, len(heard), _AT_ONCE):
        part = heard[first : first + _AT_ONCE]
        read = collected.messages([event for _, event in part])
        kept = {
            number: set(_records_of(function, event.about.race, message))
            for (number, event), message in zip(part, read, strict=True)
        }
        held = records.held(at for places in kept.values() for at in places)
        missing |= {number for number, places in kept.items() if not places <= held}
    return missing


def _records_of(function: Function, race: RaceRef | None, message: Message) -> Iterator[At[Any]]:
    """Where a function keeps what it makes of an event or upload, as far as that alone leads there.

    Where it has a step, that is the record of its progress: others may come and go on the way. It is nowhere where the
    function keeps nothing of the event.
    """
    said = message.data if isinstance(message, Envelope) else message
    kinds: list[type[Record]] = [kind for kind in function.keeps if type(said) in kind.FROM]
    if kinds and function.step:
        kinds = [function.step.progress]
    for kind in kinds:
        if race and kind.is_named_by(said):
            yield kind.of(race, said)
