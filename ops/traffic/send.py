"""Plays a plan of visitors: sends what they do when it is time, as their browsers would."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from ops.reach.insight_api import InsightApi
from ops.traffic.plan import Act
from shared.contracts.keys import RaceRef


class Sent(msgspec.Struct, kw_only=True):
    """What was sent so far. `events` counts those of people by kind, `robot_events` the others."""

    visitors: int = 0
    robots: int = 0
    requests: int = 0
    events: Counter[str] = msgspec.field(default_factory=Counter)
    robot_events: int = 0
    seconds: float = 0.0


def unstoppable(seconds: float) -> bool:
    """Wait; nothing ends the play."""
    time.sleep(seconds)
    return False


def play(
    acts: Sequence[Act],
    api: InsightApi,
    race: RaceRef,
    sent: Sent,
    *,
    speed: float = 1.0,
    progress: Callable[[int], None] = lambda _done: None,
    wait: Callable[[float], bool] = unstoppable,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send all acts, `speed` times as fast as they are planned, and count them in `sent`. Raises Failed.

    `wait` is given seconds, and says whether to stop. Events of two plays never have one id.
    """
    name, began = uuid.uuid4().hex, clock()
    known: set[tuple[str, bool]] = set()
    for done, act in enumerate(acts):
        progress(done)
        if wait(max(began + act.at_s / speed - clock(), 0)):
            return
        at_ms = time.time_ns() // 1_000_000  # so that what is sent again is of the same minute
        events = [msgspec.structs.replace(event, id=f"{name}-{event.id}", at_ms=at_ms) for event in act.events]
        api.tell(race, events, act.user_agent)
        known.add((act.user_agent, act.robot))
        _count(sent, act)
        sent.robots = sum(robot for _, robot in known)
        sent.visitors = len(known) - sent.robots
        sent.seconds = round(clock() - began, 1)
    progress(len(acts))


def _count(sent: Sent, act: Act) -> None:
    sent.requests += 1
    if act.robot:
        sent.robot_events += len(act.events)
    else:
        sent.events.update(kind_of(event) for event in act.events)


def kind_of(event: msgspec.Struct) -> str:
    """What the API calls an event's kind."""
    return str(event.__struct_config__.tag)
