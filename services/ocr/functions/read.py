"""The ocr function: words are kept once, and read as bibs by what the race says now."""

from __future__ import annotations

import functools

from services.ocr.edges import Rosters, TextDetector
from services.ocr.notes import RereadPhoto, RereadRace
from services.ocr.reader import Reader
from services.ocr.stage import STAGE
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker


def handle(reader: Reader, message: Message) -> None:
    """Do what the message asks for. Raises InvalidMessage for one that is none of ours."""
    match message:
        case Envelope(data=PhotoIngested() as event):
            reader.take(event, message)
        case Envelope(data=PhotoWithdrawn() as event):
            reader.withdraw(event, message)
        case Envelope(data=RaceConfigured() as event):
            reader.configure(event, message)
        case Envelope(data=RosterImported() as event):
            reader.import_roster(event, message)
        case Noted(note=RereadRace() as note):
            reader.reread_page(note, message)
        case Noted(note=RereadPhoto() as note):
            reader.reread(note, message)
        case _:
            raise InvalidMessage("not_ours", "The ocr stage does not hear this kind of message.")


handler = worker.each(
    STAGE,
    "read",
    lambda here: functools.partial(
        handle,
        Reader(
            records=here.records,
            detector=TextDetector(here.client("rekognition")),
            rosters=Rosters(here.client("s3")),
            bus=here.bus,
            queue=here.queue,
        ),
    ),
)
