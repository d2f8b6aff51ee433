"""CloudWatch's time, of which a minute may be shorter than a minute.

All of CloudWatch counts in minutes: how fine metrics are kept, how long an alarm's periods are, how often it looks. A
test that waits for an alarm starts the embedded AWS with minutes of two seconds; the periods of templates stay as they
are, and all of them shrink alike.
"""

from __future__ import annotations

import time

MINUTE = 60


class Clock:
    """Seconds since 1970, of which 60 pass in `minute_s` seconds."""

    def __init__(self, minute_s: float = MINUTE) -> None:
        self._speed = MINUTE / minute_s

    def now(self) -> float:
        """What time it is for CloudWatch."""
        return self.of(time.time())

    def of(self, real: float) -> float:
        """CloudWatch's time at a moment of the machine's clock."""
        return real * self._speed

    def real(self, at: float) -> float:
        """The machine's time at a moment of CloudWatch's."""
        return at / self._speed


def minute_of(at: float) -> int:
    """The minute, counted since 1970, that a moment belongs to."""
    return int(at // MINUTE)
