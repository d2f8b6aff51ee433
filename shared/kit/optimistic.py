"""Optimistic writes: read, decide, write if nobody else has written meanwhile, else all of it again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.contracts.errors import Conflict, TemporaryFailure, Throttled

T = TypeVar("T")
Sleep = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How often it is tried before the message goes back to its queue, and how long between the attempts.

    The pause before attempt n (0, 1, …) is `pause_s` · n seconds: those who met once part soon.
    """

    attempts: int
    pause_s: float


SELDOM = Policy(attempts=10, pause_s=0.01)
"""An item that few write at once, as one photo's or one key's: 0.45 s in all."""

CROWDED = Policy(attempts=20, pause_s=0.02)
"""Items that many write at once, as photos of the same people: 3.8 s in all, well below any function's timeout."""


def until_written(
    what: str, attempt: Callable[[], T | None], policy: Policy = SELDOM, *, sleep: Sleep = time.sleep
) -> T:
    """The first result of `attempt` that is not None, which means that somebody else was first.

    A temporary failure is an attempt, too, unless it is that there are too many calls: more would make it worse.
    Raises Conflict, Throttled, or what the last attempt did.
    """
    for number in range(policy.attempts):
        sleep(number * policy.pause_s)
        try:
            result = attempt()
        except Throttled:
            raise
        except TemporaryFailure:
            if number == policy.attempts - 1:
                raise
            continue
        if result is not None:
            return result
    raise Conflict(f"{what} was written by others {policy.attempts} times over.")
