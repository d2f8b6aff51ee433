"""Any one call of the insight stage's functions meets any mishap, and the numbers are those of an undisturbed run.

The real handlers, with Lambda's way to deliver again: a batch that failed comes back whole, and the clock strikes once
more. A record that nobody can read is set aside, once or more often, and the others of its batch count once.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.insight.domain import minutes
from services.insight.domain.facts import MINUTE_MS, Fact, short_id
from services.insight.domain.feed import encode
from services.insight.domain.uniques import Uniques
from services.insight.records import (
    EVENTS,
    SESSIONS,
    Coverage,
    CoveragePending,
    FlowCounts,
    MinuteVisits,
    Pending,
    QuarterVisits,
)
from shared.contracts import naming
from shared.contracts.records import COUNT
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.lambdas import ARRIVED, ENV
from tests.kit.wire import Killed, Mishap, Once
from tests.kit.world import World, world

MISHAPS: tuple[Mishap, ...] = ("unreachable", "unanswered", "asked twice", "killed before", "killed", "half taken")
AGGREGATE, ROLL = "insight.aggregate", "insight.roll"
TABLES = [
    naming.table(ENV, "insight"),
    *(naming.short_lived_table(ENV, "insight", each.name) for each in (EVENTS, SESSIONS)),
]
LATER = datetime.fromtimestamp(ARRIVED + 3600, ZoneInfo("UTC")).isoformat()
POISON = b"nobody can read this"


def visit(number: int, kind: Any, person: str, at_s: int) -> Fact:
    return Fact(
        id=short_id(str(number)),
        at_ms=1000 * (int(ARRIVED) + at_s),
        kind=kind,
        visitor=short_id(person),
        subject="/",
        found=0 if kind == "search" else None,
    )


VISITS = [
    visit(1, "page_view", "her", 0),
    visit(2, "search", "her", 20),
    visit(3, "page_view", "him", 70),
    visit(4, "download", "her", 600),
]


def story(here: World) -> None:
    """A race, a roster, photos on their way, and visitors; a minute is worked out before the last of it is told."""
    first, second, late, last = (next(encode(RACE, [fact])) for fact in VISITS)
    _deliver(here, events.on_the_bus(events.configured()), events.on_the_bus(here.hand_on(["11", "22"])))
    _deliver(here, first, POISON, late, events.on_the_bus(events.ingested("photo")))
    _strike(here)
    read = events.bibs_read("photo"), events.matched("photo", 1, *[_found("11")])
    _deliver(here, second, first, last, *map(events.on_the_bus, read), events.on_the_bus(events.rejected()))
    _strike(here)
    _strike(here)


def _found(bib: str) -> Any:
    return events.MatchedRunner(bib=bib, status="confirmed", confidence=90.0, read=True)


def _deliver(here: World, *records: Any) -> None:
    for _ in range(3):
        if not here.deliver(AGGREGATE, *records):
            return
    raise AssertionError("the batch does not come through")


def _strike(here: World) -> None:
    for _ in range(3):
        try:
            return here.call(ROLL, {"time": LATER}) and None
        except Killed:
            here.function(ROLL).restart()
        except Exception:  # noqa: BLE001, S112 - Lambda invokes it again
            continue
    raise AssertionError("the clock strikes in vain")


def kept(here: World) -> dict[str, Any]:
    """All that is kept, without how often it was written."""
    tables = {name: here.dynamodb.table(name).items for name in TABLES}
    return {
        f"{name} {pk} {sk}": {field: value for field, value in item.items() if field != "version"}
        for name, items in tables.items()
        for (pk, sk), item in items.items()
        if item.get(f"{COUNT}photos") != 0
    }


@functools.cache
def undisturbed() -> tuple[dict[str, Any], int]:
    with world() as here:
        story(here)
        return kept(here), len(here.wire.calls)


def test_what_an_undisturbed_run_counts_is_right() -> None:
    with world() as here:
        story(here)
        main = here.dynamodb.table(TABLES[0]).items
        items = [(sk, item) for (_, sk), item in main.items()]
        for kind in (MinuteVisits, QuarterVisits):
            packed = [item["visits"] for sk, item in items if sk.startswith(kind.prefix())]
            visits = minutes.together(map(minutes.unpack, packed))
            assert visits.events == {"download": 1, "page_view": 2, "search": 1}, kind
            assert visits.missed == {"/": 1}
            assert (visits.sessions.started, visits.sessions.engaged, visits.sessions.duration_ms) == (2, 1, 600_000)
            assert Uniques.unpacked(visits.visitors).count == 2
        counts = [item for sk, item in items if sk.startswith(FlowCounts.prefix())]
        for name in ("photos", "read", "searchable", "rejected.empty"):
            assert sum(item.get(COUNT + name, 0) for item in counts) == 1, name
        assert main[Coverage.locate(RACE).key]["missing"] == ["22"]
        assert [letter.body for letter in here.function(AGGREGATE).dead] == [POISON.decode()]
        assert not [sk for pk, sk in main if pk in (Pending.PARTITION, CoveragePending.PARTITION)]
        assert VISITS[0].at_ms % MINUTE_MS == 0


def try_it(number: int, mishap: Mishap) -> None:
    expected, _ = undisturbed()
    with world() as here:
        here.wire.trouble = Once(number, mishap)
        story(here)
        assert kept(here) == expected, (number, mishap, here.wire.calls[number - 1])
        assert {letter.body for letter in here.function(AGGREGATE).dead} == {POISON.decode()}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_sample_of_calls_may_meet_a_mishap(mishap: Mishap) -> None:
    _, calls = undisturbed()
    for number in range(1 + 4 * MISHAPS.index(mishap), calls + 1, 4 * len(MISHAPS)):
        try_it(number, mishap)


@pytest.mark.soak
@pytest.mark.parametrize("mishap", MISHAPS)
def test_every_call_may_meet_a_mishap(mishap: Mishap) -> None:
    _, calls = undisturbed()
    assert calls > 30
    for number in range(1, calls + 1):
        try_it(number, mishap)
