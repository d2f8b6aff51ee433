"""The identity function: what is known about a photo, what follows from it, and for whom else it matters.

How it stays right under any order, repetition and concurrency of deliveries:
- evidence is kept first, with a counter; the outcome is computed from what is read after that, and written only
  while the counter still is the one it was computed from, else computed again;
- a photo whose links change bumps the counters of the photos its faces match and resolves them again;
- what was kept but not yet said or spread is marked so: a redelivery after a crash finishes it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from services.faces.adapters import Identities, Identity, with_links
from services.faces.config import Config
from services.faces.domain import Bibs, link_bibs, resolve
from shared import aws
from shared.bus import EventBus
from shared.errors import Conflict, InvalidMessage
from shared.events import BibsRead, Envelope, Face, FacesIndexed, Meta, PhotoMatched, PhotoWithdrawn, caused
from shared.keys import RaceRef
from shared.messages import Message
from shared.table import Table
from shared.telemetry import Telemetry
from shared.worker import handle_batch

ATTEMPTS = 20  # optimistic writes before the message goes back to the queue
replace = msgspec.structs.replace


class Resolver:
    """What the identity function does with each message."""

    def __init__(self, identities: Identities, bus: EventBus) -> None:
        self._identities = identities
        self._bus = bus

    def handle(self, message: Message) -> None:
        """Do what the message asks for; raises InvalidMessage for one that is none of ours."""
        match message:
            case Envelope(data=BibsRead() as event):
                self._learn(event.race, event.photo_id, functools.partial(_with_bibs, event), message.meta)
            case Envelope(data=FacesIndexed() as event):
                self._learn(event.race, event.photo_id, functools.partial(_with_faces, event), message.meta)
            case Envelope(data=PhotoWithdrawn() as event):
                self._learn(event.race, event.photo_id, functools.partial(_without, event), message.meta)
            case _:
                raise InvalidMessage("not_ours", "The identity function does not hear this kind of message.")

    def _learn(self, race: RaceRef, photo_id: str, learn: Callable[[Identity], Identity], meta: Meta) -> None:
        """Keep evidence, resolve the photo and those it matters for, say what came of it."""
        identity = self._keep(race, photo_id, learn)
        settled = [self._settle(race, photo_id)]
        if identity.spread < identity.links_version or identity.leaving:
            matches = self._identities.matches(photo_id)
            neighbours = sorted({match.photo_id for found in matches.values() for match in found})
            settled += [self._settle(race, other) for other in neighbours if self._identities.bump(race, other)]
        self._say(race, [each for each in settled if each and each.said < each.revision], meta)
        self._identities.forget_matches(photo_id, identity.leaving)
        if identity.spread < identity.links_version or identity.leaving:
            self._identities.mark_spread(race, photo_id, identity.links_version)

    def _keep(self, race: RaceRef, photo_id: str, learn: Callable[[Identity], Identity]) -> Identity:
        for _ in range(ATTEMPTS):
            held = self._identities.load(race, photo_id)
            learned = learn(held or Identity(photo_id=photo_id))
            if learned == held:
                return held
            links = link_bibs(learned.bibs, learned.faces)
            if links != learned.links:
                learned = replace(learned, links=links, links_version=learned.links_version + 1)
            learned = replace(learned, evidence=learned.evidence + 1)
            if self._identities.save(race, learned, held):
                return learned
        raise Conflict(f"Photo {photo_id} was written by others {ATTEMPTS} times over.")

    def _settle(self, race: RaceRef, photo_id: str) -> Identity | None:
        """Compute the photo's outcome by all evidence and keep it; None for a photo that is gone."""
        for _ in range(ATTEMPTS):
            identity = self._identities.load(race, photo_id)
            if identity is None or identity.withdrawn is not None:
                return None
            outcome = self._outcome(race, identity)
            if outcome == identity:
                return identity
            outcome = replace(outcome, revision=identity.revision + 1)
            if self._identities.save_outcome(race, outcome):
                return outcome
        raise Conflict(f"Photo {photo_id} was written by others {ATTEMPTS} times over.")

    def _outcome(self, race: RaceRef, identity: Identity) -> Identity:
        matches = self._identities.matches(identity.photo_id) if identity.faces else {}
        neighbours = self._identities.load_all(race, {m.photo_id for found in matches.values() for m in found})
        voters = {face_id: with_links(found, neighbours) for face_id, found in matches.items()}
        return replace(
            identity,
            runners=resolve(identity.bibs, identity.faces, voters),
            complete=identity.bibs_revision > 0 and identity.faces_revision > 0,
        )

    def _say(self, race: RaceRef, unsaid: list[Identity], meta: Meta) -> None:
        self._bus.publish(caused(_photo_matched(race, identity), meta) for identity in unsaid)
        for identity in unsaid:
            self._identities.mark_said(race, identity.photo_id, identity.revision)


def _with_bibs(event: BibsRead, held: Identity) -> Identity:
    if _is_of_the_past(event.photo_revision, held) or event.revision <= held.bibs_revision:
        return held
    return replace(
        held,
        bibs=Bibs(readings=event.readings, suggestions=event.suggestions),
        bibs_revision=event.revision,
        photo_revision=max(held.photo_revision, event.photo_revision),
        withdrawn=None,
    )


def _with_faces(event: FacesIndexed, held: Identity) -> Identity:
    if _is_of_the_past(event.photo_revision, held):
        # Found while the photo was being withdrawn: nobody will need what they match.
        return replace(held, leaving=_leaving(held, event.faces))
    if event.revision <= held.faces_revision:
        return held
    staying = {face.face_id for face in event.faces}
    return replace(
        held,
        faces=event.faces,
        faces_revision=event.revision,
        leaving=_leaving(held, [face for face in held.faces if face.face_id not in staying]),
        photo_revision=max(held.photo_revision, event.photo_revision),
        withdrawn=None,
    )


def _without(event: PhotoWithdrawn, held: Identity) -> Identity:
    if _is_of_the_past(event.revision, held) or held.photo_revision > event.revision:
        return held
    return Identity(
        photo_id=held.photo_id,
        photo_revision=held.photo_revision,
        evidence=held.evidence,
        links=held.links,
        links_version=held.links_version,
        spread=held.spread,
        leaving=_leaving(held, held.faces),
        revision=held.revision,
        said=held.said,
        withdrawn=event.revision,
    )


def _is_of_the_past(ingest_revision: int, held: Identity) -> bool:
    """Whether something is about the picture as it was before it was withdrawn."""
    return held.withdrawn is not None and ingest_revision <= held.withdrawn


def _leaving(held: Identity, faces: Iterable[Face]) -> tuple[str, ...]:
    return tuple(sorted({*held.leaving, *(face.face_id for face in faces)}))


def _photo_matched(race: RaceRef, identity: Identity) -> PhotoMatched:
    return PhotoMatched(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        photo_id=identity.photo_id,
        photo_revision=identity.photo_revision,
        runners=identity.runners,
        complete=identity.complete,
        revision=identity.revision,
    )


@functools.cache
def _telemetry() -> Telemetry:
    return Telemetry("faces", "identity")


@functools.cache
def _resolver() -> Resolver:
    config = Config.from_environment()
    return Resolver(Identities(Table(aws.client("dynamodb"), config.table)), EventBus(aws.client("events"), config.bus))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda entry: an SQS batch in, the failed messages out."""
    return handle_batch(event, context, handle=_resolver().handle, telemetry=_telemetry())
