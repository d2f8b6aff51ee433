"""Runs all measurements of the insight stage on a runtime of its own."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.insight import aggregating, collector, reading, seen
from bench.insight.day import ZONE, Tables, fill
from bench.insight.handlers import surroundings
from local import runtime
from local.runtime import Ports
from local.runtime.processes import signals_raise
from ops.reach.target import Target, of_runtime
from services.insight.domain import calendar
from services.insight.records import EVENTS, SESSIONS
from services.insight.stage import STAGE
from shared.contracts.keys import RaceRef

MANY, FEW = 1_000_000, 10_000
_AHEAD = 60
"""Minutes by which the drawn days are ahead of the clock: the roll function leaves them as they are."""


def run(many: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure all. Raises CannotRun where an answer is not what it should be."""
    signals_raise()
    collected = collector.run()
    with (
        tempfile.TemporaryDirectory(prefix="snaprace-insight-") as home,
        runtime.start(Path(home), Ports.free(), tell, keep=False) as started,
    ):
        target = of_runtime(started.running)
        tell("Sending events, and looking when they are seen")
        visible = seen.measure(target, RaceRef("bench", "seen"))
        now = _end_of_a_day(int(time.time()) // 60 + _AHEAD)
        tables = _tables(target)
        races = {"many": RaceRef("bench", "many"), "few": RaceRef("bench", "few")}
        for name, events in (("few", FEW), ("many", many)):
            tell(f"Putting a day of {events:,} events into the tables")
            fill(tables, races[name], events, now)
        with surroundings(started.running):
            tell("Asking for numbers, in turns of both days")
            asked = reading.measure(races, now, tables.main)
            tell("Handing full batches to the aggregate function")
            batches = [aggregating.measure(RaceRef("bench", f"batch{each}"), now, each) for each in (1, 5)]
        units = aggregating.write_units(target, RaceRef("bench", "units"), now)
    return _report(many, collected, visible, asked, batches, units)


def _tables(target: Target) -> Tables:
    events, sessions = (target.records_in(STAGE.name, each) for each in (EVENTS, SESSIONS))
    return Tables(target.records(STAGE.name), events, sessions)


def _end_of_a_day(minute: int) -> int:
    """The last minute of the first day of the race that ends after a minute."""
    return calendar.day(calendar.day_of(minute, ZONE), ZONE).stop - 1


def _report(
    many: int, collected: Any, visible: Any, asked: Any, batches: list[dict[str, float]], units: dict[str, float]
) -> dict[str, Any]:
    stats = [question for question in reading.QUESTIONS if question.startswith("stats")]
    growths = {name: _growth(asked[name]) for name in reading.QUESTIONS}
    return {
        "collector_p50_ms": collected["p50_ms"],
        "realtime_p95_ms": asked["realtime"]["many"]["p95_ms"],
        "stats_p95_ms": max(asked[each]["many"]["p95_ms"] for each in stats),
        "visible_after_s": visible["most_s"],
        "aggregator_events_per_s": min(int(batch["events_per_s"]) for batch in batches),
        "growth": max(growths.values(), key=lambda growth: abs(growth - 1)),
        "write_units_an_event": units["an_event"],
        "events": {"many": many, "few": FEW},
        "growths": growths,
        "collector": collected,
        "asked": asked,
        "visible": visible,
        "aggregator": batches,
        "write_units": units,
        "reference": {"plain_loop_ms": _plain_loop_ms(), "get_item": asked["get_item"]["few"]},
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def _growth(by_race: dict[str, dict[str, float]]) -> float:
    """How many times as long the day of many events takes as that of few."""
    return round(by_race["many"]["p95_ms"] / by_race["few"]["p95_ms"], 2)


def _plain_loop_ms() -> float:
    """What this machine needs to count to a million."""
    begun = time.thread_time()
    for _ in range(1_000_000):
        pass
    return round(1000 * (time.thread_time() - begun), 1)
