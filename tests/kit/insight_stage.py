"""The insight stage's aggregate and roll functions on tables in memory: several invocations at once, which may die."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from unittest import mock

from greenlet import greenlet

from services.insight.domain.feed import Said, Told
from services.insight.edges.numbers import Numbers
from services.insight.edges.photos import Covered, Overdue
from services.insight.functions.aggregate import Aggregator
from services.insight.functions.roll import Roller
from services.insight.records import Pending, Race
from shared.contracts.keys import RaceRef
from shared.kit.optimistic import until_written
from shared.kit.records import Records
from tests.kit.memory_table import Crash, MemoryTable, Workers

Batch = Sequence[Told | Said]


class InsightStage:
    """The aggregate and the roll function on tables in memory, several invocations at once."""

    def __init__(self, zones: Mapping[RaceRef, str], seed: int, deaths: float) -> None:
        self.chance = random.Random(seed)
        self.workers = Workers(self.chance, deaths)
        self.died = 0
        made = (MemoryTable(name, self.workers.step) for name in ("main", "facts", "sessions"))
        self.main, self.facts, self.sessions = made
        self.records, self.events = Records(self.main), Records(self.facts)
        self.numbers = Numbers(self.records, self.events, Records(self.sessions))
        self._covered = Covered(self.records, None)  # type: ignore[arg-type]  # no race here has a roster
        self.overdue: list[float] = []
        """What the last roll measured."""
        self._telemetry = mock.Mock(measure=lambda _measure, value: self.overdue.append(value))
        for race, zone in zones.items():
            self.records.put(race, Race(name=race.event_id, timezone=zone, revision="01"))

    def run(self, batches: Iterable[Batch], now: datetime) -> None:
        """Take all batches through, and roll now and then as at `now`, until nothing is left to be done."""
        self._now = now
        with mock.patch.dict(until_written.__kwdefaults__, sleep=lambda _: None):
            self._run(list(batches))

    def _run(self, waiting: list[Batch]) -> None:
        while waiting or self.workers.running:
            if len(self.workers.running) < 4 and self.chance.random() < 0.3:
                self._begin_something(waiting)
            elif self.workers.running:
                self.workers.go_on()
        while list(self.records.query(Pending, Pending.PARTITION)):
            self._invoke(self._roll, lambda: None)
            while self.workers.running:
                self.workers.go_on()

    def stand_still(
        self, first: Callable[[], None], calls: int, meanwhile: Iterable[Callable[[], None]], *, dies: bool
    ) -> bool:
        """Have an invocation make some calls, others all of theirs, and it the rest, or die after one more.

        Whether it made so many calls at all.
        """
        worker = self._invoke(first, lambda: None)
        for _ in range(calls):
            if worker.dead:
                return False
            self.workers.go_on()
        for work in meanwhile:
            self.workers.finish(self.workers.begin(work))
        if dies:
            self.workers.kill_after_a_call(worker)
        self.workers.finish(worker)
        return True

    def _begin_something(self, waiting: list[Batch]) -> greenlet:
        if not waiting or self.chance.random() < 0.3:
            return self._invoke(self._roll, lambda: None)
        batch = waiting.pop(self.chance.randrange(len(waiting)))
        if self.chance.random() < 0.2:
            waiting.append(batch)  # another worker has it, too
        half = self.chance.randint(0, len(batch))
        return self._invoke(
            lambda: self.tell(*batch),
            lambda: waiting.extend(part for part in (batch[:half], batch[half:]) if part),
        )

    def tell(self, *batch: Told | Said) -> None:
        """Handle a batch."""
        Aggregator(self.records, self.events).handle(batch)

    def _roll(self) -> None:
        self.roll(self._now)

    def roll(self, now: datetime) -> None:
        """Work out what is over."""
        self.overdue.clear()
        Roller(self.records, self.numbers, self._covered, Overdue(self.records), self._telemetry).due(now.isoformat())

    def _invoke(self, work: Callable[[], None], again: Callable[[], None]) -> greenlet:
        def invocation() -> None:
            try:
                work()
            except Crash:
                self.died += 1
                again()

        return self.workers.begin(invocation)
