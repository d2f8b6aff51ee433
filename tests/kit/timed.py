"""Workers on one queue in virtual time: as many at once as wanted, each a process of its own, hours within seconds.

A worker is a greenlet with the function's real handler. When that waits (for an answer, before it tries again, for its
turn), others go on, and when all wait the clock jumps to who is due first. Nothing else takes time.
"""

from __future__ import annotations

import copy
import heapq
import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from greenlet import getcurrent, greenlet

from shared.contracts import naming
from tests.kit.lambdas import CONTEXT, ENV, Deployed, configured
from tests.kit.wire import Killed, Refused, Wire

WAITING_CODE = ("botocore.endpoint.time", "shared.kit.pacing.time")
"""Where handlers wait: before a retry, and for a call's turn."""

_POLL_S = 1.0


class Clock:
    """Seconds since the beginning. Who sleeps lets others go on; an invocation is killed at its `deadlines`."""

    def __init__(self, wire: Wire) -> None:
        self.now = 0.0
        self.deadlines: dict[Any, float] = {}
        self._wire = wire
        self._hub = getcurrent()
        self._due: list[tuple[float, int, greenlet]] = []
        self._turns = itertools.count()

    def monotonic(self) -> float:
        """The time, as of time.monotonic and time.time."""
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        """Let others go on until then. Raises Killed at the invocation's deadline."""
        until, deadline = self.now + seconds, self.deadlines.get(getcurrent(), float("inf"))
        heapq.heappush(self._due, (min(until, deadline), next(self._turns), getcurrent()))
        with self._wire.used_by(self._wire.caller):  # a call may be on its way
            self._hub.switch()
        if until > deadline:
            raise Killed

    def run(self, *works: Callable[[], None]) -> None:
        """Do all of them at the same time, from now until the last one ends."""
        for work in works:
            heapq.heappush(self._due, (self.now, next(self._turns), greenlet(work)))
        while self._due:
            self.now, _turn, worker = heapq.heappop(self._due)
            worker.switch()

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Let handlers wait by this clock."""
        ours = SimpleNamespace(sleep=self.sleep, monotonic=self.monotonic)
        with ExitStack() as stack:
            for place in WAITING_CODE:
                stack.enter_context(mock.patch(place, ours))
            yield


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a function is fed: seconds a received message is hidden, receives in all, messages and seconds at most."""

    visibility_s: int
    max_receives: int
    batch: int
    timeout_s: int


def settings_of(assembly: Path, deployed: Deployed) -> Settings:
    """What the function's template says."""
    template = (assembly / f"{naming.stack(ENV, deployed.stage.name)}.template.json").read_text()
    resources = {name: (of["Type"], of.get("Properties", {})) for name, of in json.loads(template)["Resources"].items()}
    name = naming.queue(ENV, deployed.stage.name, deployed.card.name)
    [(logical_id, queue)] = [(at, asked) for at, (_, asked) in resources.items() if asked.get("QueueName") == name]
    [mapping] = [
        asked
        for kind, asked in resources.values()
        if kind == "AWS::Lambda::EventSourceMapping" and logical_id in asked["EventSourceArn"]["Fn::GetAtt"]
    ]
    return Settings(
        visibility_s=queue["VisibilityTimeout"],
        max_receives=queue["RedrivePolicy"]["maxReceiveCount"],
        batch=mapping["BatchSize"],
        timeout_s=deployed.card.timeout_s,
    )


@dataclass(eq=False)
class Message:
    """A message in a queue."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0

    def record(self) -> dict[str, Any]:
        """As Lambda hands it to a function."""
        attributes = {"ApproximateReceiveCount": str(self.receives), "SentTimestamp": str(int(1000 * self.sent_at))}
        return {
            "messageId": self.id,
            "receiptHandle": f"{self.id}/{self.receives}",
            "body": self.body,
            "attributes": attributes,
            "eventSource": "aws:sqs",
        }


class TimedQueue:
    """A function's queue and its dead letters; `answer` is what SQS says to the function itself."""

    def __init__(self, clock: Clock, deployed: Deployed, settings: Settings) -> None:
        self.messages: list[Message] = []
        self.dead: list[str] = []
        self._clock = clock
        self._deployed = deployed
        self._settings = settings
        self._ids = itertools.count()

    def send(self, body: str, delay_s: float = 0) -> None:
        """Put a message in."""
        now = self._clock.now
        self.messages.append(Message(str(next(self._ids)), body, now, now + delay_s))

    def receive(self) -> list[Message]:
        """A batch that is hidden from now on. What was received as often as it may be is a dead letter instead."""
        batch: list[Message] = []
        for message in [each for each in self.messages if each.visible_at <= self._clock.now]:
            if message.receives >= self._settings.max_receives:
                self.messages.remove(message)
                self.dead.append(message.body)
            elif len(batch) < self._settings.batch:
                message.receives += 1
                message.visible_at = self._clock.now + self._settings.visibility_s
                batch.append(message)
        return batch

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What SQS does when the function leaves notes, hides what failed or gives it up."""
        if asked["QueueUrl"] != self._deployed.queue_url:
            assert operation == "SendMessage"
            self.dead.append(asked["MessageBody"])
            return {"MessageId": "message"}
        match operation:
            case "SendMessage":
                self.send(asked["MessageBody"], asked.get("DelaySeconds", 0))
                return {"MessageId": "message"}
            case "SendMessageBatch":
                for entry in asked["Entries"]:
                    self.send(entry["MessageBody"], entry.get("DelaySeconds", 0))
            case "ChangeMessageVisibilityBatch":
                received = {f"{each.id}/{each.receives}": each for each in self.messages}
                for entry in asked["Entries"]:
                    received[entry["ReceiptHandle"]].visible_at = self._clock.now + entry["VisibilityTimeout"]
            case _:
                raise Refused("InvalidAction")
        return {"Successful": [{"Id": entry["Id"], "MessageId": "message"} for entry in asked["Entries"]], "Failed": []}

    def work_off(self, workers: int) -> None:
        """Let so many workers do what there is to do until nothing is left."""
        with configured(self._deployed.stage.name, self._deployed.card.name), redirect_stdout(io.StringIO()):
            self._clock.run(*[self._worker] * workers)

    def _worker(self) -> None:
        entry = copy.copy(self._deployed.entry)
        entry.restart()
        clock, me = self._clock, getcurrent()
        while self.messages:
            batch = self.receive()
            if not batch:
                clock.sleep(_POLL_S)
                continue
            ends = clock.deadlines[me] = clock.now + self._settings.timeout_s
            context = copy.copy(CONTEXT)
            context.get_remaining_time_in_millis = lambda ends=ends: int(1000 * (ends - clock.now))
            try:
                answer = entry({"Records": [message.record() for message in batch]}, context)
            except Killed:
                entry.restart()
                continue
            finally:
                del clock.deadlines[me]
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            self.messages = [each for each in self.messages if each not in batch or each.id in failed]
