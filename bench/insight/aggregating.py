"""How many events a second the aggregate function takes in full batches, and how many write units each costs.

Its real handler is given batches as Lambda makes them of the stream. Write units are counted of a minute of full
batches, the marks and the numbers that are worked out of it included.
"""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Sequence
from typing import Any

from bench.insight.day import ZONE, facts_of
from bench.insight.handlers import CONTEXT
from bench.insight.units import CountingTable
from ops.reach.target import Target
from services.insight.domain import calendar, feed
from services.insight.domain.facts import Fact
from services.insight.edges.numbers import Facts, Numbers
from services.insight.functions import aggregate
from services.insight.records import EVENTS, SESSIONS
from services.insight.stage import STAGE
from shared.contracts import naming
from shared.contracts.card import Stream
from shared.contracts.keys import RaceRef
from shared.kit.records import Records

BATCHES = 20
A_MINUTE = 60
"""Batches of a minute: a full one each second."""
_DAY = 1_000_000
"""Events of the day that the minute is of: how many visitors it has follows from it."""


def _full() -> int:
    fed_by = STAGE.function("aggregate").fed_by
    assert isinstance(fed_by, Stream)  # noqa: S101 - the card says so
    return fed_by.batch


def measure(race: RaceRef, now: int, each: int, batches: int = BATCHES) -> dict[str, float]:
    """Full batches of records with so many facts each: events a second, by the wall's clock and of its own time."""
    made = [_batch(race, facts) for facts in _facts(now, each, batches + 1)]
    aggregate.handler(made[0], CONTEXT)
    begun, cpu = time.perf_counter(), time.thread_time()
    for batch in made[1:]:
        answer = aggregate.handler(batch, CONTEXT)
        if answer != {"batchItemFailures": []}:
            raise RuntimeError(f"The aggregate function answered {answer}.")
    wall, own = time.perf_counter() - begun, time.thread_time() - cpu
    events = batches * _full() * each
    return {
        "facts_a_record": each,
        "events_per_s": round(events / wall),
        "events_per_own_s": round(events / own),
        "batch_ms": round(1000 * wall / batches, 1),
    }


def _facts(now: int, each: int, batches: int) -> list[list[list[Fact]]]:
    """By batch and record."""
    chance = random.Random(each)  # noqa: S311 - no secrets
    day = range(now - 1439, now + 1)
    return [
        [facts_of(now, each, day, _DAY, chance) for _ in range(_full())]
        for _ in range(batches)
    ]  # fmt: skip


def _batch(race: RaceRef, records: Sequence[Sequence[Fact]]) -> dict[str, Any]:
    data = [record for facts in records for record in feed.encode(race, facts)]
    return {"Records": [_record(number, each) for number, each in enumerate(data)]}


def _record(number: int, data: bytes) -> dict[str, Any]:
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": str(number),
        "sequenceNumber": str(number),
        "data": base64.b64encode(data).decode(),
        "approximateArrivalTimestamp": time.time(),
    }
    return {"eventSource": "aws:kinesis", "eventID": f"shardId-000000000000:{number}", "kinesis": kinesis}


def write_units(target: Target, race: RaceRef, now: int, batches: int = A_MINUTE) -> dict[str, float]:
    """Write units of a minute of full batches of one fact each, in all and for an event."""
    client = target.client("dynamodb")
    names = [target.table(STAGE.name).name]
    names += [naming.short_lived_table(target.env, STAGE.name, each.name) for each in (EVENTS, SESSIONS)]
    tables = [CountingTable(client, name) for name in names]
    main, events, sessions = map(Records, tables)
    facts = Facts(main, events)
    for batch in _facts(now, 1, batches):
        facts.keep(feed.Told(*race, each) for each in batch)
    taken_in = sum(table.units for table in tables)
    numbers = Numbers(main, events, sessions)
    marks = [mark for mark in numbers.marks(race) if mark.minute == now]
    numbers.roll_minute(race, now)
    numbers.roll_quarter(race, calendar.quarter_of(now))
    numbers.roll_day(race, calendar.day_of(now, ZONE), ZONE)
    for mark in marks:
        numbers.forget(mark)
    worked_out = sum(table.units for table in tables) - taken_in
    number = batches * _full()
    return {
        "events": number,
        "taking_in": round(taken_in / number, 4),
        "working_out": round(worked_out / number, 4),
        "working_out_a_minute": worked_out,
        "an_event": round((taken_in + worked_out) / number, 4),
    }
