"""How often an account may call Rekognition, and how many workers that is: AWS's defaults by region.

Quotas are raised on request, for each operation by itself; then the CDK context says so (docs/operating.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from shared.contracts.card import MIN_CONCURRENCY, Function, Queue, Stage

OPERATIONS = frozenset({"DetectText", "IndexFaces", "SearchFaces"})
"""Of Rekognition, those that functions fed by a queue call once or more for a message."""

LARGE_REGIONS = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
LARGE, SMALL = 50.0, 5.0
"""Calls a second of each of OPERATIONS, in large regions and in all others.

Source: AWS General Reference, "Amazon Rekognition endpoints and quotas", as looked up in November 2026.
"""


UNRESERVED = 100
"""Of an account's Lambda concurrency, what cannot be reserved. Source: Lambda Developer Guide, reserved concurrency."""


def calls_a_photo(stages: Iterable[Stage]) -> dict[str, float]:
    """How often each operation is called for a photo in the busiest time, as the functions' cards say."""
    calls: dict[str, float] = {}
    for metered in (function.metered for stage in stages for function in stage.queued if function.metered):
        calls[metered.operation] = calls.get(metered.operation, 0) + metered.a_message
    return calls


def calls_a_second(operation: str, region: str | None, raised: Mapping[str, float]) -> float:
    """The quota of an operation: as it was `raised`, else the region's default, the smaller where none is known."""
    return raised.get(operation, LARGE if region in LARGE_REGIONS else SMALL)


def concurrency(function: Function, region: str | None, raised: Mapping[str, float]) -> int:
    """How many batches a function that a queue feeds works on at once: as many as use its quota up, if its card allows.

    More would not be faster: they would be refused, and wait. Raises ValueError for a function without a queue.
    """
    if not isinstance(function.fed_by, Queue):
        raise ValueError(f"{function.name} has no queue.")
    if function.metered is None:
        return function.fed_by.concurrency
    quota = calls_a_second(function.metered.operation, region, raised)
    using_it_up = math.ceil(quota * function.metered.message_s / function.metered.a_message)
    return max(MIN_CONCURRENCY, min(using_it_up, function.fed_by.concurrency))
