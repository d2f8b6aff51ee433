"""The insight stage's bench: it measures requests that were taken, of a day that can be believed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bench.insight import collector
from bench.insight.day import facts_of
from bench.insight.units import units
from ops.cost.visits import WRITE_UNITS
from services.insight.domain import chunks, senders
from services.insight.domain.feed import Told
from shared.contracts.keys import RaceRef


def test_it_measures_requests_that_are_taken() -> None:
    measured = collector.run(requests=40, events=3)
    assert (measured["requests"], measured["events_each"]) == (40, 3)
    assert 0 < measured["p50_ms"] <= measured["p95_ms"]


def test_what_is_refused_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "may_send", lambda _: False)
    with pytest.raises(RuntimeError, match="answered 403"):
        collector.run(requests=1, events=1)


# --- the drawn day, and write units -----------------------------------------------------------------------


NOW = 29_000_000
DAY = range(NOW - 1439, NOW + 1)


def test_a_drawn_minute_has_its_events_of_visitors_who_stay() -> None:
    chance = random.Random(1)
    facts = facts_of(NOW, 500, DAY, 1_000_000, chance)
    assert {fact.minute for fact in facts} == {NOW}
    assert len({fact.id for fact in facts}) == 500
    assert 100 < len({fact.visitor for fact in facts}) <= 138, "of 20,000 a day, those of ten minutes"
    before = facts_of(NOW - 1, 500, DAY, 1_000_000, chance)
    assert {fact.visitor for fact in facts} & {fact.visitor for fact in before}
    long_ago = facts_of(NOW - 30, 500, DAY, 1_000_000, chance)
    assert not {fact.visitor for fact in facts} & {fact.visitor for fact in long_ago}
    assert {fact.kind for fact in facts} == {"page_view", "search", "photo_view", "download", "share"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"PK": "p", "SK": "s"}, 1),
        ({"PK": "p" * 1019, "SK": "s"}, 1),
        ({"PK": "p" * 1020, "SK": "s"}, 2),
        ({"PK": "é" * 510, "SK": "s"}, 2),
        ({"PK": "p", "SK": "s", "facts": b"f" * 1012}, 1),
        ({"PK": "p", "SK": "s", "facts": b"f" * 2048}, 3),
        ({"PK": "p", "SK": "s", "of_type": "t"}, 2),
        ({"PK": "p" * 1013, "SK": "s", "n": 1234567}, 1),
        ({"PK": "p" * 1013, "SK": "s", "n": 123456789}, 2),
    ],
)
def test_units_are_counted_by_the_size_of_an_item(item: dict[str, Any], expected: int) -> None:
    assert units(item) == expected


def test_a_full_batch_takes_no_more_units_than_the_bill_says() -> None:
    race = RaceRef("bench", "race")
    chance = random.Random(2)
    told = [Told(*race, facts_of(NOW, 1, DAY, 1_000_000, chance)) for _ in range(500)]
    kept = chunks.chunks(told)[race]
    written = [chunk.item(race) for chunk in kept]
    written += [mark.item(mark.PARTITION) for mark in chunks.marks(race, kept)]
    assert sum(map(units, written)) / 500 <= WRITE_UNITS
