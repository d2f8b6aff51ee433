"""Redrive: dead letters go back to where they came from, once what failed is repaired. The same on AWS and locally.

A letter of a function's queue goes back to that queue. A letter of the rules is an event that EventBridge could not
deliver: it goes to the queue it was meant for, which its attribute TARGET_ARN names. What is for a stream or a schedule
stays: nothing can be sent back there yet.

Received, sent, deleted, in this order: whatever interrupts it, a letter is there twice rather than not at all, and
handlers take a second delivery for what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.look.dead_letters import DeadLetterQueue, queues_of
from ops.reach import queues
from ops.reach.cards import card_of
from ops.reach.target import Target
from shared.contracts import naming, redelivery

_HIDDEN_SECONDS = 60  # from the others while a letter is on its way; a few seconds are enough
_KEPT_SECONDS = 600  # so long a letter that stays does not come again; put back at the end


@dataclass(frozen=True)
class Waiting:
    """A dead-letter queue with so many letters, about; there may be more to move where it was too long to look at."""

    queue: DeadLetterQueue
    letters: int
    more: bool = False

    @property
    def stays(self) -> bool:
        """Whether these letters cannot be sent back: they tell of invocations by a stream or a schedule."""
        return self.queue.holds == "invocations"


@dataclass
class Redriven:
    """What became of the letters of a redrive.

    `strays` are letters that do not say where they belong, `unsendable` those for a stream or a schedule; both stay.
    Where one function's letters were asked for, strays are nobody's and not counted. `missing` are letters that were
    counted and did not come.
    """

    moved: int = 0
    strays: int = 0
    unsendable: int = 0
    missing: int = 0
    by_queue: dict[str, int] = field(default_factory=dict)


def waiting(target: Target, stage: str, function: str | None = None) -> list[Waiting]:
    """The stage's dead-letter queues with something in them; with `function` its queue, and what the rules have for it.

    Raises Failed for a stage or function there is not.
    """
    found = [_waiting(target, queue, function) for queue in queues_of(target.env, stage, function)]
    return [each for each in found if each.letters]


def _waiting(target: Target, queue: DeadLetterQueue, function: str | None) -> Waiting:
    client = target.client("sqs")
    url = queues.url_of(client, queue.name)
    depth = queues.depth(client, url)
    if queue.function or function is None or not depth:
        return Waiting(queue, depth)
    wanted = naming.queue(target.env, queue.stage, function)
    letters = sum(_goal(target.env, queue, letter) == wanted for letter in queues.peek(client, url))
    return Waiting(queue, letters, more=depth > queues.MOST_PEEKED)


def redrive(
    target: Target,
    found: Sequence[Waiting],
    *,
    rate: float,
    function: str | None = None,
    progress: Callable[[int], None] = lambda _moved: None,
) -> Redriven:
    """Move the letters back, `rate` a second; with `function` only what belongs to its queue.

    What dies again meanwhile stays where it is: a letter that was sent after this began is not moved.
    """
    outcome = Redriven()
    pace = queues.Pace(rate)
    began_ms = time.time() * 1000
    movable = [each for each in found if not each.stays]
    for each in movable:
        _empty(target, each.queue, function, pace, began_ms, outcome, progress)
    total = sum(each.letters for each in movable)
    outcome.missing = max(0, total - outcome.moved - outcome.strays - outcome.unsendable)
    return outcome


def _empty(
    target: Target,
    queue: DeadLetterQueue,
    function: str | None,
    pace: queues.Pace,
    began_ms: float,
    outcome: Redriven,
    progress: Callable[[int], None],
) -> None:
    client = target.client("sqs")
    source = queues.url_of(client, queue.name)
    wanted = None if function is None else naming.queue(target.env, queue.stage, function)
    sendable = _queues(target.env, queue.stage)
    kept: dict[str, queues.Message] = {}
    try:
        while letters := queues.receive(client, source, hidden_s=_HIDDEN_SECONDS):
            by_queue: dict[str, list[queues.Message]] = {}
            staying = []
            for letter in letters:
                goal = _goal(target.env, queue, letter)
                if goal in sendable and wanted in (None, goal) and not _newer(letter, began_ms):
                    by_queue.setdefault(goal, []).append(letter)
                    continue
                staying.append(letter)
                if letter["MessageId"] not in kept:
                    outcome.strays += goal is None and wanted is None
                    outcome.unsendable += goal is not None and goal not in sendable and wanted in (None, goal)
                kept[letter["MessageId"]] = letter
            queues.hide(client, source, staying, _KEPT_SECONDS)
            for goal, theirs in by_queue.items():
                queues.send(client, queues.url_of(client, goal), [_as_it_was(queue, letter) for letter in theirs])
                queues.delete(client, source, theirs)
                outcome.moved += len(theirs)
                outcome.by_queue[goal] = outcome.by_queue.get(goal, 0) + len(theirs)
                progress(outcome.moved)
                pace.after(len(theirs))
    finally:
        queues.release(client, source, list(kept.values()))


def _queues(env: str, stage: str) -> frozenset[str]:
    """The queues of the stage's functions."""
    return frozenset(naming.queue(env, stage, function.name) for function in card_of(stage).queued)


def _goal(env: str, queue: DeadLetterQueue, letter: queues.Message) -> str | None:
    """What a letter is for: the name of a queue, stream or function of the stage's; None where it names none.

    A function, its queue and its stream have the same name.
    """
    if queue.function:
        return naming.queue(env, queue.stage, queue.function)
    arn: Any = letter.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue")
    name = queues.name_of(arn) if arn else None
    names = {naming.function(env, each.stage, each.function) for each in queues_of(env, queue.stage) if each.function}
    return name if name in names else None


def _newer(letter: queues.Message, began_ms: float) -> bool:
    return int(letter["Attributes"]["SentTimestamp"]) > began_ms


def _as_it_was(queue: DeadLetterQueue, letter: queues.Message) -> queues.Message:
    """The message as it would have arrived: what worker or EventBridge wrote on it is for the dead letters alone."""
    if queue.function and redelivery.REASON not in letter.get("MessageAttributes", {}):
        return letter
    return {name: value for name, value in letter.items() if name != "MessageAttributes"}
