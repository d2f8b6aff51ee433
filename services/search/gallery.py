"""The gallery function: keeps the read model that the API answers from."""

from __future__ import annotations

import functools
from typing import Any

from services.search.adapters import Gallery
from services.search.config import Config
from shared import aws
from shared.errors import InvalidMessage
from shared.events import Envelope, PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured
from shared.messages import Message
from shared.table import Table
from shared.telemetry import Telemetry
from shared.worker import handle_batch


def handle(message: Message) -> None:
    """Learn what the message says; raises InvalidMessage for one that is none of ours."""
    match message:
        case Envelope(data=RaceConfigured() as event):
            _gallery().learn_race(event)
        case Envelope(data=PhotoIngested() | PhotoWithdrawn() | PhotoMatched() as event):
            _gallery().learn_photo(event)
        case _:
            raise InvalidMessage("not_ours", "The gallery function does not hear this kind of message.")


@functools.cache
def _telemetry() -> Telemetry:
    return Telemetry("search", "gallery")


@functools.cache
def _gallery() -> Gallery:
    return Gallery(Table(aws.client("dynamodb"), Config.from_environment().table))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda entry: an SQS batch in, the failed messages out."""
    return handle_batch(event, context, handle=handle, telemetry=_telemetry())
