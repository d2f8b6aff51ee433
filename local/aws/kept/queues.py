"""Keeps SQS's messages, with their receive counts and the times at which they are visible again.

It also gives ministack's queues a lock that all who change one hold: without it a message that arrives while another is
deleted is lost, since deleting makes a new list of those that stay.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterable
from typing import Any

from local.aws.kept.adopted import Holding, adopt_in
from local.aws.kept.journal import Journal

STORE = "messages"

_TAKEN = "taken"
"""Marks a message that a function works on. When that is cut off by a crash, it was no delivery."""


class Message(dict[str, Any]):
    """A message that notes its changes."""

    def __init__(self, journal: Journal, queue: str, message: dict[str, Any]) -> None:
        super().__init__(message)
        self._noted = functools.partial(journal.put, STORE, queue, self["id"], self)

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._noted()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._noted()


class Messages(list[Any]):
    """The messages of a queue."""

    def __init__(self, journal: Journal, queue: str, messages: Iterable[Any]) -> None:
        super().__init__(messages)
        self._journal = journal
        self.queue = queue

    def append(self, message: dict[str, Any]) -> None:
        """Send a message."""
        with self._journal.lock:
            kept = Message(self._journal, self.queue, message)
            self._journal.put(STORE, self.queue, kept["id"], kept)
            super().append(kept)

    def remove(self, message: Any) -> None:
        """Delete a message."""
        with self._journal.lock:
            super().remove(message)
            self._journal.drop(STORE, self.queue, message["id"])

    def clear(self) -> None:
        """Delete all messages."""
        with self._journal.lock:
            for message in self:
                self._journal.drop(STORE, self.queue, message["id"])
            super().clear()

    def replaced_by(self, messages: list[Any]) -> Messages:
        """Note which of them are gone. ministack only ever takes some away so."""
        if len(messages) < len(self):
            staying = {message["id"] for message in messages}
            for message in self:
                if message["id"] not in staying:
                    self._journal.drop(STORE, self.queue, message["id"])
        return Messages(self._journal, self.queue, messages)


def keep(journal: Journal) -> None:
    """Note each message that is sent, received, given back or deleted."""
    from ministack.services import sqs

    def adopt(_key: Any, record: Any) -> Holding:
        queue = record["attributes"]["QueueArn"]
        kept = [Message(journal, queue, message) for _, message in journal.rows(STORE, queue)]
        kept.sort(key=lambda message: message["sent_at"])
        for message in kept:
            _give_back(message)
        return Holding({**record, "messages": Messages(journal, queue, kept)}, "messages")

    adopt_in(sqs._queues, adopt, lambda queue: journal.drop_all(STORE, queue["attributes"]["QueueArn"]))
    _let_all_hold_the_lock(journal)
    _mark_what_functions_work_on()


def _give_back(message: Message) -> None:
    """Make a message that was being worked on visible at once, as if it had not been received."""
    if message.get(_TAKEN):
        del message[_TAKEN]
        message["visible_at"] = time.time()
        message["receive_count"] = max(0, message["receive_count"] - 1)


def _let_all_hold_the_lock(journal: Journal) -> None:
    from ministack.services import eventbridge, sqs

    def locked(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def hold_and_call(*arguments: Any, **named: Any) -> Any:
            with journal.lock:
                return function(*arguments, **named)

        return hold_and_call

    sqs._queues_lock = journal.lock
    for action, handler in list(sqs._HANDLERS.items()):
        if not inspect.iscoroutinefunction(handler):
            sqs._HANDLERS[action] = locked(handler)
    # Receiving waits between tries, so that not it but its steps are locked.
    for name in ("_collect_msgs", "_dlq_sweep", "_expire_retained"):
        setattr(sqs, name, locked(getattr(sqs, name)))
    # An event reaches all the queues that its rules name, or none.
    eventbridge._dispatch_event = locked(eventbridge._dispatch_event)


def _mark_what_functions_work_on() -> None:
    from ministack.services import lambda_svc, sqs

    receive, run = sqs._receive_messages_for_esm, lambda_svc._run_sqs_batch

    def receive_and_mark(queue_url: str, most: int) -> Any:
        with sqs._queues_lock:
            batch = receive(queue_url, most)
            for message in batch:
                message[_TAKEN] = True
        return batch

    def run_and_unmark(esm: Any, function: Any, event: Any, batch: Any, queue_url: str, queue_name: str) -> None:
        try:
            run(esm, function, event, batch, queue_url, queue_name)
        finally:
            with sqs._queues_lock:
                queue = sqs._queues.get(queue_url)
                staying = {message["id"] for message in queue["messages"]} if queue else set()
                for message in batch:
                    if message["id"] in staying and _TAKEN in message:
                        del message[_TAKEN]

    sqs._receive_messages_for_esm, lambda_svc._run_sqs_batch = receive_and_mark, run_and_unmark
