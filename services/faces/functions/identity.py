"""The identity function: who is in a photo, by all that is known about it and about those that match it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from services.faces.domain.tasks import Tasks
from services.faces.edges import Collections
from services.faces.notes import MatchRace, ResolvePhoto, SearchPhoto, TidyPhoto
from services.faces.resolver import Resolver
from services.faces.stage import STAGE
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import BibCorrected, BibsRead, Envelope, FacesIndexed, MatchCut, PhotoWithdrawn
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker


def handle(resolver: Resolver, messages: Sequence[Message]) -> None:
    """Do what the messages ask for, all at once. Raises InvalidMessage if one is none of ours."""
    tasks = Tasks()
    for message in messages:
        match message:
            case Envelope(data=BibsRead() | FacesIndexed() | PhotoWithdrawn() | BibCorrected() | MatchCut() as event):
                tasks.learn(event, message)
            case Noted(note=ResolvePhoto() | TidyPhoto() | SearchPhoto() as note):
                tasks.look_again(note, message)
            case Noted(note=MatchRace() as note):
                tasks.match_race(note, message)
            case _:
                raise InvalidMessage("not_ours", "The identity function does not hear this kind of message.")
    resolver.carry_out(tasks)


handler = worker.together(
    STAGE,
    "identity",
    lambda here: functools.partial(
        handle,
        Resolver(
            records=here.records,
            collections=Collections(here.client("rekognition"), here.environment.snaprace_env),
            bus=here.bus,
            queue=here.queue,
        ),
    ),
)
