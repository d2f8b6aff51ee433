"""The vision half of the pipeline (ocr, index, identity) in memory, with deliveries in any order a test likes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from greenlet import greenlet

from services.faces.edges import Indexing
from services.faces.functions.identity import Resolver
from services.faces.functions.index import Indexer
from services.faces.records import IdentifiedPhoto
from services.faces.stage import STAGE as FACES
from services.ocr.edges import TextDetector
from services.ocr.functions.read import Reader
from services.ocr.stage import STAGE as OCR
from shared.contracts import messages
from shared.contracts.events import DomainEvent, Envelope, PhotoMatched, RosterImported
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.kit.bus import EventBus
from shared.kit.detection import Pictures
from shared.kit.queue import OwnQueue
from shared.kit.records import Records
from shared.kit.rosters import Rosters
from shared.kit.telemetry import Telemetry
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.fake_aws import FakeEvents, FakeQueue, FakeRekognition, FakeRosters
from tests.kit.memory_table import Crash, MemoryTable, Workers

CARDS = {"ocr": OCR.function("read"), "index": FACES.function("index"), "identity": FACES.function("identity")}


@dataclass(frozen=True, eq=False)
class Delivery:
    """A message in a function's queue. `after` are invocations that its delay, `delay_s` seconds, outlasts."""

    function: str
    body: str
    after: tuple[greenlet, ...] = ()
    delay_s: int = 0

    @property
    def ready(self) -> bool:
        return all(worker.dead for worker in self.after)


def parsed(delivery: Delivery) -> Message:
    """The message as its function reads it."""
    return messages.parse(delivery.body, CARDS[delivery.function].fed_by.notes)


@dataclass
class Pipeline:
    """Three functions, their queues, and what they said to the outside (PhotoMatched)."""

    chance: random.Random = field(default_factory=lambda: random.Random(0))
    deaths: float = 0.0
    rekognition: FakeRekognition = field(default_factory=FakeRekognition)
    rosters: FakeRosters = field(default_factory=FakeRosters)
    pending: list[Delivery] = field(default_factory=list)
    matched: list[PhotoMatched] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    clock: int = 0
    occurred_at: str = events.AT

    def __post_init__(self) -> None:
        self.workers = Workers(self.chance, self.deaths)
        step = self.workers.step
        self.rekognition.step = step
        self.faces_table, self.ocr_table = MemoryTable("faces", step), MemoryTable("ocr", step)
        rekognition: Any = self.rekognition
        rosters: Any = self.rosters
        bus = EventBus(FakeEvents(self._said, step), "bus")  # type: ignore[arg-type]
        pictures = Pictures(None)  # type: ignore[arg-type]  # S3 is asked only of one that Rekognition does not get
        collections = Indexing(rekognition, "dev", pictures)
        self.reader = Reader(
            records=Records(self.ocr_table),
            detector=TextDetector(rekognition, pictures),
            rosters=Rosters(rosters),
            bus=bus,
            queue=self._queue("ocr"),
            telemetry=Telemetry("dev", "ocr", "read", CARDS["ocr"].measures),
        )
        self.indexer = Indexer(
            records=Records(self.faces_table), collections=collections, bus=bus, queue=self._queue("index")
        )
        self.resolver = Resolver(
            records=Records(self.faces_table),
            collections=collections,
            bus=bus,
            queue=self._queue("identity"),
            clock=self._tick,
            sleep=lambda _seconds: None,
        )

    def _tick(self) -> int:
        self.clock += 1
        return self.clock

    def _queue(self, function: str) -> OwnQueue:
        def leave(body: str, delay_s: int) -> None:
            # A delay as long as the function may run outlasts whoever is running now; any other promises nothing.
            outlasts = tuple(self.workers.running) if delay_s >= CARDS[function].timeout_s else ()
            self.pending.append(Delivery(function, body, outlasts, delay_s))

        return OwnQueue(FakeQueue(leave, self.workers.step), "url")  # type: ignore[arg-type]

    def _said(self, entry: dict[str, Any]) -> None:
        body = json.dumps(
            {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        )
        message = messages.parse(body)
        assert isinstance(message, Envelope)
        self.envelopes.append(message)
        if isinstance(message.data, PhotoMatched):
            self.matched.append(message.data)
        self._enqueue(message.data, body)

    def _enqueue(self, event: DomainEvent, body: str) -> None:
        for name, function in CARDS.items():
            if isinstance(event, function.hears):
                self.pending.append(Delivery(name, body))

    def hear(self, *heard: DomainEvent, replay: str | None = None) -> None:
        """What other stages say."""
        for event in heard:
            happened = events.on_the_bus(event, self.occurred_at)
            self._enqueue(event, json.dumps(events.replayed(happened, replay) if replay else happened))

    def roster(self, bibs: list[str], revision: str = "01", names: Mapping[str, str] | None = None) -> RosterImported:
        """Put a roster where the races stage puts it; what that stage says of it."""
        imported = events.roster_imported(bibs, revision, names=names)
        self.rosters.bodies[imported.roster.key] = events.roster_of(bibs, names)
        return imported

    def handle(self, function: str, batch: list[Message]) -> None:
        """Give a function some messages, as its handler would."""
        match function:
            case "identity":
                self.resolver.handle(batch)
            case "index":
                for message in batch:
                    self.indexer.handle(message)
            case _:
                for message in batch:
                    self.reader.handle(message)

    def run(self) -> None:
        """Deliver everything in order, one by one; notes that were to wait come when nothing else is left."""
        while self.pending:
            at = next((n for n, each in enumerate(self.pending) if '"match-race"' not in each.body), 0)
            delivery = self.pending.pop(at)
            self.handle(delivery.function, [parsed(delivery)])

    def run_but_rounds(self) -> None:
        """Deliver everything in order but the notes that plan the race's rounds."""
        while others := [each for each in self.pending if '"match-race"' not in each.body and each.ready]:
            self.pending.remove(others[0])
            self.handle(others[0].function, [parsed(others[0])])

    def run_anyhow(self, *, workers: int, repeats: int) -> None:
        """Deliver everything as chance decides: in any order and grouping, repeated, several workers taking turns.

        A delivery whose worker dies comes again.
        """
        chance, left = self.chance, dict[Delivery, int]()
        while self.pending or self.workers.running:
            room = len(self.workers.running) < workers
            if room and (ready := [each for each in self.pending if each.ready]) and chance.random() < 0.5:
                self._begin([chance.choice(ready)], left, repeats)
            elif self.workers.running:
                self.workers.go_on()

    def _begin(self, chosen: list[Delivery], left: dict[Delivery, int], repeats: int) -> None:
        function = chosen[0].function
        others = [each for each in self.pending if each.function == function and each.ready and each not in chosen]
        most = min(len(others), 4) if CARDS[function].fed_by.batch > 1 else 0
        chosen += self.chance.sample(others, self.chance.randint(0, most))
        for each in chosen:
            if left.setdefault(each, self.chance.randint(1, repeats)) <= 1:
                self.pending.remove(each)
            left[each] -= 1

        def work() -> None:
            try:
                self.handle(function, [parsed(each) for each in chosen])
            except Crash:
                self.pending.extend(each for each in chosen if each not in self.pending)

        self.workers.begin(work)

    def outcomes(self, race: RaceRef = RACE) -> dict[str, IdentifiedPhoto]:
        """What identity holds, by photo."""
        return {photo.photo_id: photo for photo in Records(self.faces_table).query(IdentifiedPhoto, race)}
