"""How often each operation may be asked: what a region of AWS calls transactions per second (TPS).

A call above the rate is answered with ProvisionedThroughputExceededException, as by Rekognition; SDKs wait and try
again by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from vision.errors import ProvisionedThroughputExceededException

_FAST = ("DetectText", "IndexFaces", "SearchFaces", "SearchFacesByImage")

REGIONS: dict[str, dict[str, float]] = {
    "us-east-1": dict.fromkeys(_FAST, 50.0),
    "us-west-2": dict.fromkeys(_FAST, 50.0),
    "eu-west-1": dict.fromkeys(_FAST, 50.0),
    "ap-northeast-2": dict.fromkeys(_FAST, 5.0),
}
"""Rekognition's default quotas in TPS, as looked up in November 2026, for the operations that a race lives on."""


class Bucket:
    """A token bucket: `rate` calls a second in the long run, and at most one second's worth (at least one) at once.

    In any `t` seconds it admits at most `rate * t + burst` calls. `clock` gives seconds and never runs backwards.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = max(rate, 1.0)
        self._clock = clock
        self._tokens = self.burst
        self._counted = clock()

    def admits(self) -> bool:
        """Whether a call may be made now; if so it is counted."""
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._counted) * self.rate)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Quotas:
    """The rates of some operations, in calls a second; operations that `rates` does not name have no limit."""

    def __init__(self, rates: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = {operation: Bucket(rate, clock) for operation, rate in rates.items()}

    def admit(self, operation: str) -> None:
        """Count a call. Raises ProvisionedThroughputExceededException above the rate."""
        bucket = self._buckets.get(operation)
        if bucket is not None and not bucket.admits():
            raise ProvisionedThroughputExceededException(
                f"Provisioned rate exceeded: {operation} may be called {bucket.rate:g} times a second. Try again."
            )
