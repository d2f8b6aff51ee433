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

from ops import sqs
from ops.dead_letters import Place, places
from ops.target import Target
from shared import naming

_HIDDEN_SECONDS = 60  # from the others while a letter is on its way; a few seconds are enough


@dataclass(frozen=True)
class Waiting:
    """A dead-letter queue with so many letters, about."""

    place: Place
    letters: int


@dataclass
class Redriven:
    """What became of the letters of a redrive; `strays` are letters that do not say where they belong, and stay."""

    moved: int = 0
    strays: int = 0
    by_queue: dict[str, int] = field(default_factory=dict)


def waiting(target: Target, stage: str, function: str | None = None) -> list[Waiting]:
    """The stage's dead-letter queues that are not empty; with `function` that function's, and the rules'.

    Raises Failed for a stage or function there is not.
    """
    client = target.client("sqs")
    counted = [
        Waiting(place, sqs.depth(client, sqs.url_of(client, place.queue)))
        for place in places(target.env, stage, function)
    ]
    return [each for each in counted if each.letters]


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
    kept: dict[str, sqs.Message] = {}
    try:
        while letters := sqs.receive(client, source, hidden_s=_HIDDEN_SECONDS):
            fresh = [letter for letter in letters if letter["MessageId"] not in kept]
            if not fresh:
                return
            by_queue: dict[str, list[sqs.Message]] = {}
            for letter in fresh:
                goal = _goal(target.env, place, letter)
                if goal is None:
                    outcome.strays += 1
                if goal is None or _newer(letter, began_ms) or not _wanted(target.env, place, function, goal):
                    kept[letter["MessageId"]] = letter
                else:
                    by_queue.setdefault(goal, []).append(letter)
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


def _wanted(env: str, place: Place, function: str | None, goal: str) -> bool:
    return function is None or goal == naming.queue(env, place.stage, function)


def _newer(letter: sqs.Message, began_ms: float) -> bool:
    return int(letter["Attributes"]["SentTimestamp"]) > began_ms


def _as_it_was(place: Place, letter: sqs.Message) -> sqs.Message:
    """The message as it would have arrived: what EventBridge wrote on it is for the dead-letter queue alone."""
    if place.function:
        return letter
    return {name: value for name, value in letter.items() if name != "MessageAttributes"}
