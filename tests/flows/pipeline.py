"""The vision half of the pipeline (ocr, index, identity) on moto tables, with deliveries in any order a test likes."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

import boto3

from services.faces.adapters import Collections, FaceIndex, Identities, Identity
from services.faces.identity import Resolver
from services.faces.index import Indexer
from services.ocr.adapters import Photos, Rosters, TextDetector
from services.ocr.read import Reader
from shared import messages
from shared.bus import EventBus
from shared.events import (
    BibsRead,
    DomainEvent,
    Envelope,
    FacesIndexed,
    ImageRef,
    Meta,
    ObjectRef,
    PhotoIngested,
    PhotoMatched,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
    caused,
)
from shared.keys import RaceRef
from shared.queue import OwnQueue
from shared.race import RaceSettings, Roster, Runner, digest
from shared.table import Table
from tests.fakes import FakeEvents, FakeQueue, FakeRekognition

RACE = RaceRef("org", "race")
META = Meta(id="m", version=1, correlation_id="c", causation_id="x", occurred_at="2026-10-25T01:00:00Z")
HEARS = {
    "ocr": (PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported),
    "index": (PhotoIngested, PhotoWithdrawn, RaceConfigured),
    "identity": (BibsRead, FacesIndexed, PhotoWithdrawn),
}


@dataclass
class Pipeline:
    """Three functions, their queues, and what they said to the outside (PhotoMatched). Use inside mock_aws."""

    rekognition: FakeRekognition = field(default_factory=FakeRekognition)
    pending: list[tuple[str, str]] = field(default_factory=list)
    matched: list[PhotoMatched] = field(default_factory=list)

    def __post_init__(self) -> None:
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        for name in ("ocr", "faces"):
            dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
                BillingMode="PAY_PER_REQUEST",
            )
        s3.create_bucket(Bucket="derived")
        self.s3 = s3
        self.faces_table, self.ocr_table = Table(dynamodb, "faces"), Table(dynamodb, "ocr")
        rekognition: Any = self.rekognition
        bus = EventBus(FakeEvents(self._said), "bus")  # type: ignore[arg-type]
        self.functions = {
            "ocr": Reader(
                photos=Photos(self.ocr_table),
                detector=TextDetector(rekognition),
                rosters=Rosters(s3),
                bus=bus,
                queue=self._queue("ocr"),
            ),
            "index": Indexer(
                index=FaceIndex(self.faces_table),
                collections=Collections(rekognition, "dev"),
                bus=bus,
                queue=self._queue("index"),
            ),
            "identity": Resolver(Identities(self.faces_table), bus),
        }

    def _queue(self, function: str) -> OwnQueue:
        return OwnQueue(FakeQueue(lambda body: self.pending.append((function, body))), "url")  # type: ignore[arg-type]

    def _said(self, entry: dict[str, Any]) -> None:
        body = json.dumps(
            {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        )
        message = messages.parse(body)
        assert isinstance(message, Envelope)
        if isinstance(message.data, PhotoMatched):
            self.matched.append(message.data)
        self._enqueue(message.data, body)

    def _enqueue(self, event: DomainEvent, body: str) -> None:
        for function, hears in HEARS.items():
            if isinstance(event, hears):
                self.pending.append((function, body))

    def hear(self, *events: DomainEvent) -> None:
        """What other stages say."""
        for event in events:
            envelope = caused(event, META)
            detail = json.loads(envelope.detail())
            self._enqueue(
                event, json.dumps({"source": envelope.source, "detail-type": envelope.detail_type, "detail": detail})
            )

    def run(self, chance: random.Random | None = None, *, repeats: int = 1) -> None:
        """Deliver everything: in order, or as `chance` decides, each message up to `repeats` times."""
        while self.pending:
            at = chance.randrange(len(self.pending)) if chance else 0
            function, body = self.pending[at]
            if chance is None or repeats == 1 or chance.random() < 1 / repeats:
                self.pending.pop(at)
            self.functions[function].handle(messages.parse(body))

    def outcomes(self) -> dict[str, Identity]:
        """What identity holds, by photo."""
        items = self.faces_table.query(RACE.partition, "IDENTITY#")
        identities = Identities(self.faces_table)
        found = (identities.load(RACE, item["photo_id"]) for item in items)
        return {identity.photo_id: identity for identity in found if identity is not None}


def configured(*, faces: bool = True, revision: str = "01", **settings: Any) -> RaceConfigured:
    return RaceConfigured(
        organizer_id=RACE.organizer_id,
        event_id=RACE.event_id,
        settings=RaceSettings(name="Race", date="2026-10-25", faces=faces, **settings),
        revision=revision,
    )


def roster_imported(s3: Any, bibs: list[str], revision: str = "01") -> RosterImported:
    body = Roster(runners=tuple(Runner(bib=bib, printed=bib, name="") for bib in bibs), problems=()).to_json()
    key = f"roster/{digest(body)}.json"
    s3.put_object(Bucket="derived", Key=key, Body=body)
    return RosterImported(
        organizer_id=RACE.organizer_id,
        event_id=RACE.event_id,
        roster=ObjectRef(bucket="derived", key=key, sha256=digest(body)),
        runners=len(bibs),
        problems=(),
        revision=revision,
    )


def ingested(photo_id: str, revision: int = 1) -> PhotoIngested:
    image = ImageRef(bucket="derived", key=photo_id, width=1600, height=1067)
    return PhotoIngested(
        organizer_id=RACE.organizer_id,
        event_id=RACE.event_id,
        photo_id=photo_id,
        keys=(f"org/race/raw_photos/{photo_id}.jpg",),
        bucket="photos",
        content_sha256="0" * 64,
        processed=image,
        preview=image,
        thumbnail=image,
        placeholder="data:,",
        uploaded_at="2026-10-25T01:00:00Z",
        revision=revision,
    )


def withdrawn(photo_id: str, revision: int) -> PhotoWithdrawn:
    return PhotoWithdrawn(organizer_id=RACE.organizer_id, event_id=RACE.event_id, photo_id=photo_id, revision=revision)
