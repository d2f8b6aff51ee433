"""How fast a process calls operations that have a quota: as fast as it likes until one is refused, then by a pace.

An operation's quota holds for the account, and a process does not know who else uses it. So it finds its share: half as
fast after each refusal, twice as fast after each minute without one. Ten processes at a quota of 5 calls a second are
then refused some 4 of 100 calls (tests/unit/test_pacing.py).
"""

from __future__ import annotations

import random
import time
from typing import Any

from shared.contracts.errors import Throttled
from shared.kit.failures import THROTTLED_CODES

CUT = 0.5
DOUBLES_IN_S = 60.0
SLOWEST = 0.2
"""Calls a second. Who is refused at this pace, too, tells by it that the quota is still used up."""


class Pace:
    """The pace of one operation; None for `rate` is as fast as you like. Times in seconds, rates in calls a second."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._since = 0.0  # when `rate` held
        self._last_call: float | None = None
        self._call_before: float | None = None
        self._next_call = 0.0

    def next_call(self, now: float) -> float:
        """When the operation may be called next."""
        return max(now, self._next_call)

    def called(self, at: float) -> None:
        """Remember that the operation is called at that time."""
        if self.rate is not None:
            self.rate *= 2 ** ((at - self._since) / DOUBLES_IN_S)
            self._since, self._next_call = at, at + 1 / self.rate
        self._call_before, self._last_call = self._last_call, at

    def refused(self, now: float, drawn: float) -> None:
        """Slow down. `drawn`, from 0 to 1, parts processes that were refused at the same time."""
        self.rate = max(SLOWEST, CUT * (self._observed() if self.rate is None else self.rate))
        self._since, self._next_call = now, now + (0.5 + drawn) / self.rate

    def _observed(self) -> float:
        """The rate of the last two calls, at most one a second where there was but one."""
        if self._call_before is None or self._last_call is None:
            return 1.0
        return 1 / max(self._last_call - self._call_before, 0.02)


class Paces:
    """The paces of all operations of a process."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}
        self._until: float | None = None

    def within(self, seconds: float) -> None:
        """Wait no longer than this from now on: then the invocation ends."""
        self._until = time.monotonic() + seconds

    def keep(self, client: Any) -> None:
        """Have a boto3 client keep to the pace, in its own retries too."""
        client.meta.events.register_first("before-send.*.*", self._before_send)
        client.meta.events.register("needs-retry.*.*", self._answered)

    def wait(self, operation: str) -> None:
        """Wait until the operation may be called. Raises Throttled if that is after the invocation's end."""
        pace = self._paces.setdefault(operation, Pace())
        now = time.monotonic()
        at = pace.next_call(now)
        if self._until is not None and at > self._until:
            raise Throttled(f"{operation} is called too often: its next turn comes in {at - now:.0f} s.")
        if at > now:
            time.sleep(at - now)
        pace.called(at)

    def refused(self, operation: str) -> None:
        """Slow down: a call was refused because there were too many."""
        self._paces[operation].refused(time.monotonic(), random.random())  # noqa: S311 - nothing kept depends on it

    def _before_send(self, event_name: str, **_: Any) -> None:
        self.wait(event_name.removeprefix("before-send."))

    def _answered(self, event_name: str, response: Any = None, **_: Any) -> None:
        """Listen when botocore asks whether to try again: None leaves that to its own policy."""
        code = response[1].get("Error", {}).get("Code") if response else None
        if code in THROTTLED_CODES:
            self.refused(event_name.removeprefix("needs-retry."))
