"""When a composite alarm keeps quiet because of its ActionsSuppressor, and when it speaks after all.

Source: Amazon CloudWatch User Guide, "Suppressing composite alarm actions", whose examples are a test of this module:
after a change of state the alarm waits for its suppressor to ring (WaitPeriod), is quiet while that rings, and for a
while after it (ExtensionPeriod); when none of these holds any longer, it takes the actions of the state that it is in.
A change of state begins the wait anew, and the suppressor's alarm ends either period.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

By = Literal["WaitPeriod", "ExtensionPeriod", "Alarm"]


@dataclass(frozen=True)
class Suppression:
    """Of one composite alarm. Times are seconds of CloudWatch's clock.

    `owing`: it has changed its state and not yet acted on it.
    """

    wait: float
    extension: float
    by: By | None = None
    until: float = 0.0
    owing: bool = False

    def changed(self, now: float, *, suppressed: bool) -> Suppression:
        """The composite alarm has changed its state; `suppressed` says whether its suppressor rings."""
        owing = replace(self, owing=True)
        if suppressed:
            return replace(owing, by="Alarm")
        if self.by == "Alarm":  # it has stopped ringing since it was looked at
            return replace(owing, by="ExtensionPeriod", until=now + self.extension)
        if self.by == "ExtensionPeriod" and now < self.until:
            return owing
        return replace(owing, by="WaitPeriod", until=now + self.wait)

    def looked_at(self, now: float, *, suppressed: bool) -> tuple[Suppression, bool]:
        """How it stands now, and whether the composite alarm acts on its state at last."""
        if suppressed:
            return replace(self, by="Alarm"), False
        if self.by == "Alarm":
            return replace(self, by="ExtensionPeriod", until=now + self.extension).looked_at(now, suppressed=False)
        if self.by is not None and now < self.until:
            return self, False
        return replace(self, by=None, owing=False), self.owing
