"""The gallery function: keeps the read model that the API answers from."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from services.search.adapters import Gallery
from services.search.config import Config
from services.search.domain import PhotoEvent
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured
from shared.contracts.messages import Message
from shared.kit import aws
from shared.kit.table import Table
from shared.kit.telemetry import Telemetry
from shared.kit.worker import handle_together


def handle(messages: Sequence[Message]) -> None:
    """Learn what the messages say; raises InvalidMessage, with nothing learned, when one of them is none of ours."""
    races: list[RaceConfigured] = []
    photos: list[PhotoEvent] = []
    for message in messages:
        match message:
            case Envelope(data=RaceConfigured() as event):
                races.append(event)
            case Envelope(data=PhotoIngested() | PhotoWithdrawn() | PhotoMatched() as event):
                photos.append(event)
            case _:
                raise InvalidMessage("not_ours", "The gallery function does not hear this kind of message.")
    for race in races:
        _gallery().learn_race(race)
    if photos:
        _gallery().learn_photos(photos)


@functools.cache
def _telemetry() -> Telemetry:
    return Telemetry("search", "gallery")


@functools.cache
def _gallery() -> Gallery:
    return Gallery(Table(aws.client("dynamodb"), Config.from_environment().table))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda entry: an SQS batch in, the failed messages out."""
    return handle_together(event, context, handle=handle, telemetry=_telemetry())
