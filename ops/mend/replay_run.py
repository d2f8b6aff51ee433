"""A replay as a whole: collect, choose, ask, send, wait until the stages have handled it, and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.look.backlog import dead_letters
from ops.look.changes import Changes, changes, view
from ops.look.quiet import until_quiet
from ops.mend.collected import ArchivedEvent, CollectedEvents, Plan
from ops.mend.progress import Bar
from ops.mend.replay import collect, deliveries, send
from ops.mend.replay_choice import Only, choose
from ops.reach.target import Target
from shared.contracts.keys import RaceRef

_PATIENCE_SECONDS = 600  # in a race that is on, there always is work


@dataclass(frozen=True)
class Choice:
    """What a replay is to send, of how many events that were collected; those that are `unreadable` are left out."""

    events: Sequence[ArchivedEvent]
    collected: int
    unreadable: int

    @property
    def deliveries(self) -> dict[str, int]:
        """How many events each function gets."""
        return deliveries(self.events)


@dataclass(frozen=True)
class Outcome:
    """What became of a replay.

    `given_up` counts messages that became dead letters meanwhile; it was not `quiet` where other work went on for
    longer than a replay is waited for.
    """

    choice: Choice
    changed: Changes
    given_up: int = 0
    quiet: bool = True


def run(
    target: Target,
    plan: Plan,
    only: Only,
    *,
    rate: float,
    agree: Callable[[Choice], bool],
    bar: Bar,
    interrupted: Callable[[int, int], None],
) -> Outcome | None:
    """Replay what the plan says, `rate` events a second; None where `agree`, asked before it is sent, says no.

    What interrupts it after that is told before: how many events were sent, of how many. Raises Failed.
    """
    with tempfile.TemporaryDirectory(prefix="snaprace-replay-") as folder:
        events = CollectedEvents(Path(folder) / "events.jsonl")
        with bar("Collecting from the archive", None) as advance:
            collect(target, plan, events, progress=advance)
        choice = Choice(choose(target, plan, events, only), len(events.events), events.unreadable)
        if not agree(choice):
            return None
        if not choice.events:
            return Outcome(choice, Changes({}, ()))
        return _carry_out(target, plan, events, choice, rate, bar, interrupted)


def _carry_out(
    target: Target,
    plan: Plan,
    events: CollectedEvents,
    choice: Choice,
    rate: float,
    bar: Bar,
    interrupted: Callable[[int, int], None],
) -> Outcome:
    """Send, wait and compare."""
    races = {event.about.race for event in choice.events if event.about.race}
    before, given_up = view(target, races), _given_up(target)
    sent, total = 0, sum(choice.deliveries.values())
    try:
        with bar("Sending", total) as advance:

            def progress(done: int) -> None:
                nonlocal sent
                sent = done
                advance(done)

            send(target, plan, events, choice.events, rate=rate, progress=progress)
        quiet = _wait_until_quiet(target, races, bar)
    except KeyboardInterrupt:
        interrupted(sent, total)
        raise
    return Outcome(choice, changes(before, view(target, races)), max(0, _given_up(target) - given_up), quiet)


def _given_up(target: Target) -> int:
    return sum(each.messages for each in dead_letters(target))


def _wait_until_quiet(target: Target, races: Collection[RaceRef], bar: Bar) -> bool:
    """Wait until no stage has work: what is sent to one is heard by others in turn. False where it does not come."""
    most = 0
    with bar("Waiting for the stages", None) as advance:

        def progress(left: int) -> None:
            nonlocal most
            most = max(most, left)
            advance(most - left, most)

        return until_quiet(target, races, patience_s=_PATIENCE_SECONDS, progress=progress)
