"""The functions as they stand: each with its real handler, its queue and its dead letters.

What they hear and how many messages they take is read from the cards, as stacks/stage does.
"""

from __future__ import annotations

import base64
import importlib
import io
import logging
import os
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from services import cards
from shared.contracts import naming
from shared.contracts.card import Function, Queue, Stage, Stream
from tests.kit.events import Happened
from tests.kit.wire import Killed

ENV, ACCOUNT = "dev", "123456789012"
REGION = "us-east-1"
PHOTOS, DERIVED = naming.photo_bucket(ENV, ACCOUNT, REGION), naming.derived_bucket(ENV, ACCOUNT, REGION)
CONTEXT = types.SimpleNamespace(
    aws_request_id="request",
    function_name="function",
    memory_limit_in_mb=512,
    invoked_function_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:function",
    get_remaining_time_in_millis=lambda: 120_000,
)
ARRIVED = 1792893600.0
"""When records came into a stream: in the hour in which tests' uploads happen."""

AFTER_A_WHILE, AFTER_A_DEATH = 1, 2
"""When a letter is seen that is not seen now: what failed, or was sent with a delay, when nothing else is left; what a
process had that died when that is through, too, since nobody shortens its visibility timeout.
"""


@dataclass(eq=False)
class Letter:
    """A message in a queue or a record of a stream, in its place by `number`.

    It is seen when `later` is 0: see AFTER_A_WHILE.

    `receives` are those since it came or was handled, `handled` is how often that was. `why` is what the worker wrote
    on it when it gave it up.
    """

    number: int
    body: str | bytes
    later: int = 0
    receives: int = 0
    handled: int = 0
    why: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Deployed:
    """A function with its real handler, and what waits for it where a queue or a stream feeds it."""

    stage: Stage
    card: Function
    queue: list[Letter] = field(default_factory=list)
    dead: list[Letter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.died = False  # with the last batch
        self.name = f"{self.stage.name}.{self.card.name}"
        self.queue_url = _url(naming.queue, self.stage.name, self.card.name)
        self.dead_letter_queue_url = _url(naming.dead_letter_queue, self.stage.name, self.card.name)
        self.stream_name = naming.stream(ENV, self.stage.name, self.card.name)
        self.entry = importlib.import_module(f"services.{self.stage.name}.functions.{self.card.name}").handler

    @property
    def batch(self) -> int:
        """How many letters it is handed at once, at the most."""
        assert isinstance(self.card.fed_by, Queue | Stream)
        return self.card.fed_by.batch

    def restart(self) -> None:
        """End the process; the next one begins with the next batch.

        Its logger goes too: Powertools would keep it for as long as tests run, with the output of the first.
        """
        self.entry.restart()
        logging.root.manager.loggerDict.pop(self.entry.name, None)

    @property
    def due(self) -> list[Letter]:
        """What can be received now, the oldest first."""
        return sorted((letter for letter in self.queue if not letter.later), key=lambda letter: letter.number)

    @property
    def put_off(self) -> list[Letter]:
        """What was sent with a delay and is not seen yet, the oldest first."""
        return sorted((letter for letter in self.queue if letter.later), key=lambda letter: letter.number)

    def hears(self, event: Happened) -> bool:
        """Whether one of the function's rules brings it the event."""
        return self.card.brought(event)

    def invoke(self, batch: list[Letter]) -> list[Letter]:
        """Hand the letters to the handler; those that failed."""
        form = _kinesis_record if isinstance(self.card.fed_by, Stream) else _sqs_record
        self.died = False
        try:
            answer = self.call({"Records": [form(letter) for letter in batch]})
        except Killed:
            self.died = True
            self.restart()
            return batch
        except Exception:
            if isinstance(self.card.fed_by, Queue):
                raise
            return batch  # Lambda tries the records of a stream again
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        if isinstance(self.card.fed_by, Stream) and failed:
            return batch  # from the first that failed on
        return [letter for letter in batch if str(letter.number) in failed]

    def call(self, event: dict[str, Any]) -> Any:
        """Have the handler handle what Lambda hands it."""
        with configured(self.stage.name, self.card.name), redirect_stdout(io.StringIO()):
            return self.entry(event, CONTEXT)


def _sqs_record(letter: Letter) -> dict[str, Any]:
    return {
        "messageId": str(letter.number),
        "receiptHandle": str(letter.number),
        "body": letter.body,
        "attributes": {"ApproximateReceiveCount": str(letter.receives), "SentTimestamp": "0"},
        "eventSource": "aws:sqs",
    }


def _kinesis_record(letter: Letter) -> dict[str, Any]:
    body = letter.body.encode(errors="surrogateescape") if isinstance(letter.body, str) else letter.body
    data = base64.b64encode(body).decode()
    record = {"sequenceNumber": str(letter.number), "data": data, "approximateArrivalTimestamp": ARRIVED}
    return {"kinesis": record, "eventSource": "aws:kinesis"}


def as_letter(data: bytes) -> str:
    """What a stream carries, as the body of a letter, also where it is no text."""
    return data.decode(errors="surrogateescape")


def deployed() -> list[Deployed]:
    """Every function of every card."""
    return [Deployed(stage, card) for stage in cards() for card in stage.functions]


@contextmanager
def configured(stage: str, function: str) -> Iterator[None]:
    """The environment that stacks/stage gives a function."""
    settings = {
        "SNAPRACE_ENV": ENV,
        "BUS_NAME": naming.bus(ENV),
        "PHOTO_BUCKET": PHOTOS,
        "DERIVED_BUCKET": DERIVED,
        "TABLE_NAME": naming.table(ENV, stage),
        "STREAM_NAME": _stream_name(stage),
        "QUEUE_URL": _url(naming.queue, stage, function),
        "DEAD_LETTER_QUEUE_URL": _url(naming.dead_letter_queue, stage, function),
        "POWERTOOLS_SERVICE_NAME": f"{stage}.{function}",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "AWS_EMF_ENVIRONMENT": "Lambda",
    }
    with mock.patch.dict(os.environ, settings):
        yield


def _stream_name(stage: str) -> str:
    """The stream of the stage, "" if it has none."""
    streamed = next((card.streamed for card in cards() if card.name == stage), ())
    return next((naming.stream(ENV, stage, each.name) for each in streamed), "")


def _url(name: Callable[[str, str, str], str], stage: str, function: str) -> str:
    return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name(ENV, stage, function)}"
