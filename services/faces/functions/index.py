"""The index function: a photo's faces go into the race's collection."""

from __future__ import annotations

import functools

from services.faces.edges import Collections
from services.faces.indexer import Indexer
from services.faces.notes import ReviewPhoto, ReviewRace
from services.faces.stage import STAGE
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, PhotoIngested, PhotoWithdrawn, RaceConfigured
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker


def handle(indexer: Indexer, message: Message) -> None:
    """Do what the message asks for. Raises InvalidMessage for one that is none of ours."""
    match message:
        case Envelope(data=PhotoIngested() as event):
            indexer.take(event, message)
        case Envelope(data=PhotoWithdrawn() as event):
            indexer.withdraw(event, message)
        case Envelope(data=RaceConfigured() as event):
            indexer.switch(event, message)
        case Noted(note=ReviewRace() as note):
            indexer.review_page(note, message)
        case Noted(note=ReviewPhoto() as note):
            indexer.review(note, message)
        case _:
            raise InvalidMessage("not_ours", "The index function does not hear this kind of message.")


handler = worker.each(
    STAGE,
    "index",
    lambda here: functools.partial(
        handle,
        Indexer(
            records=here.records,
            collections=Collections(here.client("rekognition"), here.environment.snaprace_env),
            bus=here.bus,
            queue=here.queue,
        ),
    ),
)
