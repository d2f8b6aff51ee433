"""A restore is rehearsed: tables beside the live ones, what is missing replayed into them, and the state compared.

Nothing that is live is written to. All stages' tables are restored. What is missing since can be replayed without the
environment's part into those tables alone that are all that their functions write (ops/mend/live_function.py): the
gallery, which is what runners see. See docs/decisions/restore-drill.md.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from botocore.exceptions import ClientError

from ops.look.state_hash import state_hash
from ops.mend import backups, live_function
from ops.mend.backups import Restored
from ops.mend.collected import CollectedEvents
from ops.mend.replay import collect, plan
from ops.mend.replay_choice import choose
from ops.race.races import races
from ops.reach.cards import card_of
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.card import Function
from shared.contracts.keys import RaceRef

Report = Callable[[str], None]

HANDLED_WITHIN = timedelta(minutes=15)
"""So long before the restored moment a replay begins: what was said by then may not have been handled yet."""


class Table(msgspec.Struct, frozen=True):
    """A restored table: as of when, how many items it has, and the live one meanwhile."""

    stage: str
    source: str
    at: datetime
    items: int
    items_live: int


class Compared(msgspec.Struct, frozen=True):
    """A race's state by the live tables, and by the restored ones."""

    race: str
    live: str
    restored: str


class Drill(msgspec.Struct, frozen=True):
    """What a drill came to, in seconds.

    `rpo_s` is how far before the moment of loss the oldest restored table ends; `rto_s` how long it took from then
    until all was restored, replayed and found equal. `left` are tables that could not be deleted yet.
    """

    ok: bool
    lost_at: datetime
    rpo_s: float
    rto_s: float
    replayed: int
    tables: tuple[Table, ...]
    races: tuple[Compared, ...]
    left: tuple[str, ...] = ()


def drill(target: Target, *, from_backups: bool, report: Report = lambda _what: None) -> Drill:
    """Rehearse the loss of all tables just now. Raises Failed where something cannot be restored.

    The tables are restored from their newest backups, or to the last moment that DynamoDB has. What was made is deleted
    again, whatever happens.
    """
    stages = backups.with_tables()
    lost_at, began = datetime.now(UTC), time.monotonic()
    names = {stage: naming.drill_table(target.table_name(stage)) for stage in stages}
    _delete(target, list(names.values()), report, "left by a drill before")
    try:
        report(f"Restoring {len(stages)} tables")
        restored = [_restored(target, stage, names[stage], from_backups=from_backups) for stage in stages]
        backups.stands(target, list(names.values()))
        copy = replace(target, instead=naming.drill_table)
        replayed = sum(_replay_missing(target, copy, each, lost_at, report) for each in restored)
        report("Comparing")
        compared = tuple(_compared(target, copy, race) for race in sorted(races(target)))
        rto_s = time.monotonic() - began
        tables = tuple(_table(target, copy, each) for each in restored)
    finally:
        left = _delete(target, list(names.values()), report, "made by this drill")
    return Drill(
        ok=all(each.live == each.restored for each in compared),
        lost_at=lost_at,
        rpo_s=round(max((lost_at - each.at).total_seconds() for each in restored), 1),
        rto_s=round(rto_s, 1),
        replayed=replayed,
        tables=tables,
        races=compared,
        left=tuple(left),
    )


def _restored(target: Target, stage: str, table: str, *, from_backups: bool) -> Restored:
    if not from_backups:
        return backups.to_a_moment(target, stage, table, None)
    newest = next((each for each in backups.listed(target) if each.stage == stage), None)
    if newest is None:
        raise Failed(f"The stage '{stage}' has no backup. Take one with: snaprace backup")
    return backups.from_backup(target, newest, table)


# --- replaying ----------------------------------------------------------------------------------------


def _replay_missing(target: Target, copy: Target, restored: Restored, now: datetime, report: Report) -> int:
    """Have the stage's functions hear what their restored table lacks; how many messages that is."""
    functions = [each for each in card_of(restored.stage).functions if live_function.keeps_alone(each)]
    return sum(_replay_to(target, copy, restored, function, now, report) for function in functions)


def _replay_to(
    target: Target, copy: Target, restored: Restored, function: Function, now: datetime, report: Report
) -> int:
    report(f"Collecting what {restored.stage}.{function.name} heard since {restored.at:%Y-%m-%d %H:%M:%S} UTC")
    begin = restored.at - HANDLED_WITHIN
    wanted = plan(target, restored.stage, function.name, begin=begin, now=max(now, datetime.now(UTC)))
    with tempfile.TemporaryDirectory(prefix="snaprace-drill-") as folder:
        events = CollectedEvents(Path(folder) / "events.jsonl")
        collect(target, wanted, events)
        chosen = sorted(choose(copy, wanted, events, "missing"), key=lambda event: (not event.decision, event.at))
        if not chosen:
            return 0
        report(f"Replaying {len(chosen):,} messages into {restored.table}")
        with live_function.running(target, restored.stage, function, restored.table) as live:
            for batch in _batches(list(events.bodies(chosen)), function.fed_by.batch):  # type: ignore[union-attr]
                live.hear(batch)
    return len(chosen)


def _batches(bodies: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(bodies), size):
        yield bodies[first : first + size]


# --- comparing ----------------------------------------------------------------------------------------


def _compared(target: Target, copy: Target, race: RaceRef) -> Compared:
    return Compared(str(race), state_hash(target, race), state_hash(copy, race))


def _table(target: Target, copy: Target, restored: Restored) -> Table:
    counts = [_count(each, restored.stage) for each in (copy, target)]
    return Table(restored.stage, restored.source, restored.at, *counts)


def _count(target: Target, stage: str) -> int:
    """How many items a table has; DynamoDB's own count is hours old."""
    pages = target.client("dynamodb").get_paginator("scan")
    return sum(int(page["Count"]) for page in pages.paginate(TableName=target.table_name(stage), Select="COUNT"))


# --- leaving nothing behind ---------------------------------------------------------------------------


def _delete(target: Target, tables: Sequence[str], report: Report, which: str) -> list[str]:
    """Delete those of the drill's tables that stand, and wait for that; which could not be deleted yet.

    DynamoDB deletes no table that is still being made: the next drill does.
    """
    client = target.client("dynamodb")
    going, left = [], []
    for table in tables:
        try:
            client.delete_table(TableName=table)
            going.append(table)
        except client.exceptions.ResourceNotFoundException:
            continue
        except client.exceptions.ResourceInUseException:
            left.append(table)
    if going:
        report(f"Deleting {len(going)} tables {which}")
    for table in going:
        with contextlib.suppress(ClientError):
            client.get_waiter("table_not_exists").wait(TableName=table)
    if left:
        report(f"Still there: {', '.join(left)}. The next drill deletes them.")
    return left
