"""Redrive: dead letters go back to where they came from, once what failed is repaired. The same on AWS and locally.

A letter of a function's queue goes back to that queue. Of a stream's function the record that its worker set aside
goes back into the stream, and records of which Lambda tells only the place are read there, as long as the stream keeps
them, and put once more. A letter of the rules is an event that EventBridge could not deliver: it goes to what it was
meant for, which its attribute TARGET_ARN names. What a schedule began stays: nothing can be sent back there yet.

Received, sent, deleted, in this order: whatever interrupts it, a letter is there twice rather than not at all, and
handlers take a second delivery for what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.look.dead_letters import DeadLetterQueue, queues_of
from ops.mend.goals import Goal, goal_of, message_of, range_of, record_of
from ops.reach import queues, streams
from ops.reach.target import Target
from shared.contracts import naming

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
        """Whether these letters cannot be sent back: they tell of calls by a schedule."""
        return self.queue.holds == "calls"


@dataclass
class Redriven:
    """What became of the letters of a redrive, and how many messages or records went where.

    `strays` are letters that do not say where they belong, `unsendable` those for a schedule, `expired` those of whose
    records the stream has forgotten some or all: they stay. Where one function's letters were asked for, the rules'
    strays are nobody's and not counted. `missing` are letters that were counted and did not come.
    """

    moved: int = 0
    strays: int = 0
    unsendable: int = 0
    expired: int = 0
    missing: int = 0
    by_queue: dict[str, int] = field(default_factory=dict)
    by_stream: dict[str, int] = field(default_factory=dict)


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
    wanted = naming.function(target.env, queue.stage, function)
    goals = [goal_of(target.env, queue, letter) for letter in queues.peek(client, url)]
    letters = sum(goal is not None and goal.name == wanted for goal in goals)
    return Waiting(queue, letters, more=depth > queues.MOST_PEEKED)


def redrive(
    target: Target,
    found: Sequence[Waiting],
    *,
    rate: float,
    function: str | None = None,
    progress: Callable[[int], None] = lambda _moved: None,
) -> Redriven:
    """Move the letters back, `rate` messages or records a second; with `function` only what belongs to it.

    What dies again meanwhile stays where it is: a letter that was sent after this began is not moved. Raises Failed
    where SQS or Kinesis goes on refusing what is sent.
    """
    outcome = Redriven()
    pace = queues.Pace(rate)
    began_ms = time.time() * 1000
    movable = [each for each in found if not each.stays]
    for each in movable:
        _Emptying(target, each.queue, function, pace, began_ms, outcome, progress).run()
    total = sum(each.letters for each in movable)
    left = outcome.strays + outcome.unsendable + outcome.expired
    outcome.missing = max(0, total - outcome.moved - left)
    return outcome


@dataclass
class _Emptying:
    """The redrive of one dead-letter queue. `_held` are the letters that were received and are there, by their ids."""

    target: Target
    queue: DeadLetterQueue
    function: str | None
    pace: queues.Pace
    began_ms: float
    outcome: Redriven
    progress: Callable[[int], None]
    _held: dict[str, queues.Message] = field(default_factory=dict)

    def run(self) -> None:
        """Move what can be moved, and let the others see what stays."""
        # A letter of a stream may be a whole batch of records. These are put at once; the next letter waits its turn.
        most = 1 if self.queue.holds == "records" else queues.MOST_AT_ONCE
        try:
            while letters := queues.receive(self._sqs, self._url, hidden_s=_HIDDEN_SECONDS, most=most):
                for goal, theirs in self._sorted(letters).items():
                    if goal.takes == "records":
                        self._into_stream(goal.name, theirs)
                    else:
                        self._into_queue(goal.name, theirs)
        finally:
            queues.release(self._sqs, self._url, list(self._held.values()))

    def _sorted(self, letters: Sequence[queues.Message]) -> dict[Goal, list[queues.Message]]:
        """Which letters go where; the others are counted when they come first, and hidden for longer."""
        by_goal: dict[Goal, list[queues.Message]] = {}
        staying = []
        for letter in letters:
            goal = goal_of(self.target.env, self.queue, letter)
            is_new = letter["MessageId"] not in self._held
            self._held[letter["MessageId"]] = letter
            if is_new and goal and goal.is_reached and self._is_wanted(goal) and not self._is_newer(letter):
                by_goal.setdefault(goal, []).append(letter)
                continue
            staying.append(letter)
            if is_new:
                self.outcome.strays += goal is None and (self.function is None or self.queue.function is not None)
                self.outcome.unsendable += goal is not None and not goal.is_reached and self._is_wanted(goal)
        queues.hide(self._sqs, self._url, staying, _KEPT_SECONDS)
        return by_goal

    def _into_queue(self, name: str, letters: Sequence[queues.Message]) -> None:
        messages = [message_of(self.queue, letter) for letter in letters]
        queues.send(self._sqs, queues.url_of(self._sqs, name), messages)
        self._moved(letters)
        self.outcome.by_queue[name] = self.outcome.by_queue.get(name, 0) + len(messages)
        self.pace.after(len(messages))

    def _into_stream(self, name: str, letters: Sequence[queues.Message]) -> None:
        """Put the letters' records. A letter of which some have expired stays, after those that are left were put."""
        client = self.target.client("kinesis")
        found = [(letter, self._records(client, name, letter)) for letter in letters]
        records = [record for _, part in found for record in part.records]
        streams.put(client, name, records)
        self._moved([letter for letter, part in found if part.whole])
        staying = [letter for letter, part in found if not part.whole]
        queues.hide(self._sqs, self._url, staying, _KEPT_SECONDS)
        self.outcome.expired += len(staying)
        if records:
            self.outcome.by_stream[name] = self.outcome.by_stream.get(name, 0) + len(records)
            self.pace.after(len(records))

    def _records(self, client: Any, stream: str, letter: queues.Message) -> streams.Part:
        """The records that a letter is about, as far as the stream or the letter itself still has them."""
        place = range_of(letter) if self.queue.holds == "records" else None
        if place is None:
            return streams.Part([record_of(letter)], whole=True)
        return streams.read(client, stream, place.shard, place.first, place.last, place.records)

    def _moved(self, letters: Sequence[queues.Message]) -> None:
        """Delete what was sent."""
        queues.delete(self._sqs, self._url, letters)
        for letter in letters:
            del self._held[letter["MessageId"]]
        self.outcome.moved += len(letters)
        self.progress(self.outcome.moved)

    def _is_wanted(self, goal: Goal) -> bool:
        return self.function is None or goal.name == naming.function(self.target.env, self.queue.stage, self.function)

    def _is_newer(self, letter: queues.Message) -> bool:
        return int(letter["Attributes"]["SentTimestamp"]) > self.began_ms

    @property
    def _sqs(self) -> Any:
        return self.target.client("sqs")

    @property
    def _url(self) -> str:
        return queues.url_of(self._sqs, self.queue.name)
