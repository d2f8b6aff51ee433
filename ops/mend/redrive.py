"""Redrive: dead letters go back to where they came from, once what failed is repaired. The same on AWS and locally.

A letter of a function's queue goes back to that queue. A letter of the rules is an event that EventBridge could not
deliver: it goes to the queue it was meant for, which its attribute TARGET_ARN names.

Received, sent, deleted, in this order: whatever interrupts it, a letter is there twice rather than not at all, and
handlers take a second delivery for what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.mend.dead_letters import Place, places
from ops.reach import sqs
from ops.reach.target import Target
from shared.contracts import naming

_HIDDEN_SECONDS = 60  # from the others while a letter is on its way; a few seconds are enough
_KEPT_SECONDS = 600  # so long a letter that stays does not come again; put back at the end


@dataclass(frozen=True)
class Waiting:
    """A dead-letter queue with so many letters to move, about; there may be more where it was too long to look at."""

    place: Place
    letters: int
    more: bool = False


@dataclass
class Redriven:
    """What became of the letters of a redrive; `strays` are letters that do not say where they belong, and stay.

    Where one function's letters were asked for, strays are nobody's and not counted.
    """

    moved: int = 0
    strays: int = 0
    by_queue: dict[str, int] = field(default_factory=dict)


def waiting(target: Target, stage: str, function: str | None = None) -> list[Waiting]:
    """The stage's dead-letter queues with something to move; with `function` its queue, and what the rules have for it.

    Raises Failed for a stage or function there is not.
    """
    found = [_waiting(target, place, function) for place in places(target.env, stage, function)]
    return [each for each in found if each.letters]


def _waiting(target: Target, place: Place, function: str | None) -> Waiting:
    client = target.client("sqs")
    url = sqs.url_of(client, place.queue)
    depth = sqs.depth(client, url)
    if place.function or function is None or not depth:
        return Waiting(place, depth)
    wanted = naming.queue(target.env, place.stage, function)
    letters = sum(_goal(target.env, place, letter) == wanted for letter in sqs.peek(client, url))
    return Waiting(place, letters, more=depth > sqs.MOST_PEEKED)


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
    pace = sqs.Pace(rate)
    began_ms = time.time() * 1000
    for each in found:
        _empty(target, each.place, function, pace, began_ms, outcome, progress)
    return outcome


def _empty(
    target: Target,
    place: Place,
    function: str | None,
    pace: sqs.Pace,
    began_ms: float,
    outcome: Redriven,
    progress: Callable[[int], None],
) -> None:
    client = target.client("sqs")
    source = sqs.url_of(client, place.queue)
    wanted = None if function is None else naming.queue(target.env, place.stage, function)
    kept: dict[str, sqs.Message] = {}
    try:
        while letters := sqs.receive(client, source, hidden_s=_HIDDEN_SECONDS):
            by_queue: dict[str, list[sqs.Message]] = {}
            staying = []
            for letter in letters:
                goal = _goal(target.env, place, letter)
                if goal is None or _newer(letter, began_ms) or wanted not in (None, goal):
                    staying.append(letter)
                    outcome.strays += goal is None and wanted is None and letter["MessageId"] not in kept
                    kept[letter["MessageId"]] = letter
                else:
                    by_queue.setdefault(goal, []).append(letter)
            sqs.hide(client, source, staying, _KEPT_SECONDS)
            for goal, theirs in by_queue.items():
                sqs.send(client, sqs.url_of(client, goal), [_as_it_was(place, letter) for letter in theirs])
                sqs.delete(client, source, theirs)
                outcome.moved += len(theirs)
                outcome.by_queue[goal] = outcome.by_queue.get(goal, 0) + len(theirs)
                progress(outcome.moved)
                pace.after(len(theirs))
    finally:
        sqs.release(client, source, list(kept.values()))


def _goal(env: str, place: Place, letter: sqs.Message) -> str | None:
    """The queue a letter belongs to, or None where it does not say, or names none of the stage's."""
    if place.function:
        return naming.queue(env, place.stage, place.function)
    arn: Any = letter.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue")
    name = sqs.name_of(arn) if arn else None
    queues = {naming.queue(env, each.stage, each.function) for each in places(env, place.stage) if each.function}
    return name if name in queues else None


def _newer(letter: sqs.Message, began_ms: float) -> bool:
    return int(letter["Attributes"]["SentTimestamp"]) > began_ms


def _as_it_was(place: Place, letter: sqs.Message) -> sqs.Message:
    """The message as it would have arrived: what EventBridge wrote on it is for the dead-letter queue alone."""
    if place.function:
        return letter
    return {name: value for name, value in letter.items() if name != "MessageAttributes"}
