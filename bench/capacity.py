"""How long a race takes by the quotas of an account, and what to ask for: snaprace bench capacity.

Nothing is run: it follows from the cards and from AWS's quotas. What a photo needs is what the cards say of the busiest
time, so that less may do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from services import cards
from shared.contracts import quotas
from shared.contracts.api import Api
from shared.contracts.card import Function, Queue

NEW_ACCOUNT, USUAL = 10, 1_000
"""Lambda's concurrency in a new account, and what the quota is by default. Source: Lambda quotas."""
KEPT_HOURS = 7 * 24
"""What waits in a queue is kept so long (stacks/stage/feeds.py)."""


class Metered(NamedTuple):
    """A function, and the operation of Rekognition whose quota it uses up first."""

    function: str
    operation: str
    calls: float
    quota: float

    @property
    def hours(self) -> float:
        """How long all calls take at the quota."""
        return self.calls / self.quota / 3600


def run(photos: int, region: str, hours: float, raised: Mapping[str, float]) -> dict[str, Any]:
    """What so many photos take in a region, and what to ask AWS for so that they are done in so many hours.

    `raised` are quotas that were raised already, in calls a second.
    """
    metered = list(_metered(photos, region, raised))
    slowest = max(metered, key=lambda each: each.hours)
    wanted = {each.operation: math.ceil(each.calls / hours / 3600) for each in metered if each.hours > hours}
    concurrency = _concurrency(region, {**raised, **wanted})
    return {
        "photos": photos,
        "region": region,
        "quotas": {
            each.operation: {
                "function": each.function,
                "calls": round(each.calls),
                "calls_a_second": each.quota,
                "hours": round(each.hours, 2),
            }
            for each in metered
        },
        "hours": round(slowest.hours, 2),
        "limited_by": slowest.operation,
        "queues_keep_hours": KEPT_HOURS,
        "within_what_queues_keep": slowest.hours < KEPT_HOURS,
        "wanted_hours": hours,
        "ask_for": {"rekognition_calls_a_second": wanted, "lambda_concurrency": max(USUAL, sum(concurrency.values()))},
        "lambda_concurrency": {**concurrency, "a_new_account_has": NEW_ACCOUNT},
    }


def _metered(photos: int, region: str, raised: Mapping[str, float]) -> Iterator[Metered]:
    for card in cards():
        for function in card.queued:
            if function.metered:
                operation = function.metered.operation
                quota = quotas.calls_a_second(operation, region, raised)
                yield Metered(f"{card.name}.{function.name}", operation, photos * function.metered.a_message, quota)


def _concurrency(region: str, raised: Mapping[str, float]) -> dict[str, int]:
    """How many invocations run at once at most, by what feeds them."""
    functions = [function for card in cards() for function in card.functions]
    return {
        "queues": sum(quotas.concurrency(each, region, raised) for each in functions if isinstance(each.fed_by, Queue)),
        "apis_reserved": sum(each.reserved_concurrency or 0 for each in functions if isinstance(each.fed_by, Api)),
        "streams_and_clocks": sum(map(_at_once, functions)),
        "unreserved": quotas.UNRESERVED,
    }


def _at_once(function: Function) -> int:
    """Of a stream with one shard, or a clock."""
    if isinstance(function.fed_by, Queue | Api):
        return 0
    return getattr(function.fed_by, "parallelization", 1)
