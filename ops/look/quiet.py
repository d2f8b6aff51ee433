"""Waiting until races are quiet: no stage has a message in work, and no photo waits to be matched with the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from ops.look.backlog import backlog
from ops.look.status import to_be_matched
from ops.reach.target import Target
from shared.contracts.keys import RaceRef

_LOCAL_POLL_S, _AWS_POLL_S = 1.0, 5.0


def until_quiet(
    target: Target,
    races: Collection[RaceRef],
    *,
    polls: int = 3,
    patience_s: float,
    poll_s: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> bool:
    """Wait until nothing is left in `polls` polls in a row: between two queues a message is in neither.

    A poll is made each second locally, every five on AWS, or every `poll_s`: the larger a race, the more a poll reads.
    `progress` is given what is left at each poll, messages and photos together; it may raise to end the wait. False
    when that is not so after `patience_s` seconds: in a race that is on, there always is work.
    """
    deadline = time.monotonic() + patience_s
    pause_s = poll_s or (_LOCAL_POLL_S if target.local else _AWS_POLL_S)
    quiet = 0
    while True:
        left = backlog(target) + sum(len(to_be_matched(target, race)) for race in races)
        progress(left)
        quiet = 0 if left else quiet + 1
        if quiet == polls:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
