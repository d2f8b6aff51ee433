"""A race's uploads over a day, in memory and in simulated time: when hidden bibs are found, and for how many searches.

Identity's own code handles what ocr and index would say of the drawn race's photos. Its queue waits as SQS does: notes
for their delay, and a batch that is not full for its window (services/faces/stage.py).
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from local.race.cast import STRANGER
from local.race.plan import Visibility, plan
from services.faces.stage import STAGE
from shared.contracts import keys
from shared.contracts.card import Queue
from shared.contracts.events import Box, Face, Reading
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.fake_aws import Seen
from tests.kit.pipeline import Delivery, Pipeline, parsed

FACES_AFTER_S, BIBS_AFTER_S = 1.0, 2.0
"""After its upload a photo's faces are indexed, and its bibs read."""

_QUEUE = STAGE.function("identity").fed_by
assert isinstance(_QUEUE, Queue)


@dataclass(frozen=True)
class Someone:
    """Somebody in a photo; `bib` is None of a stranger, and `read` says whether it can be read there."""

    name: str
    bib: str | None
    read: bool


Photo = tuple[Someone, ...]
Hidden = tuple[int, str]
"""The number of a photo, and a bib that cannot be read there."""


def drawn_photos(races: int = 1) -> list[Photo]:
    """The photos of the drawn race in the order in which they are taken, of so many races at once with other people."""
    return [
        tuple(
            Someone(
                name=f"{each.person.name} {race}",
                bib=None if each.person is STRANGER else f"{race}{each.person.bib}",
                read=each.visibility is Visibility.FULL and each.person is not STRANGER,
            )
            for each in shot.appearances
        )
        for shot in plan()
        for race in range(races)
    ]


@dataclass
class RaceDay:
    """A race whose photos are uploaded at the given seconds. After `run`, `found_s` says when each was inferred."""

    photos: Sequence[Photo]
    uploaded_s: Sequence[float]
    pipeline: Pipeline = field(default_factory=Pipeline)
    found_s: dict[Hidden, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._now = 0.0
        self._order = itertools.count()
        self._to_come: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: list[tuple[float, Delivery]] = []  # in the queue, and since when
        self.pipeline.resolver = replace(self.pipeline.resolver, clock=lambda: round(self._now * 1000))

    @property
    def searches(self) -> int:
        """How often SearchFaces was called."""
        return self.pipeline.rekognition.calls.count("SearchFaces")

    @property
    def seen_s(self) -> dict[str, float]:
        """When the first photo was uploaded in which a bib can be read, by bib."""
        seen: dict[str, list[float]] = defaultdict(list)
        for at, people in zip(self.uploaded_s, self.photos, strict=True):
            for someone in people:
                if someone.bib and someone.read:
                    seen[someone.bib].append(at)
        return {bib: min(times) for bib, times in seen.items()}

    @property
    def hidden(self) -> list[Hidden]:
        """Who is where with a bib that cannot be read, though it can be read elsewhere."""
        seen = self.seen_s
        return [
            (number, someone.bib)
            for number, people in enumerate(self.photos)
            for someone in people
            if someone.bib in seen and someone.bib and not someone.read
        ]

    def run(self) -> None:
        """Let the day pass, until nothing is left to do."""
        for number, (at, people) in enumerate(zip(self.uploaded_s, self.photos, strict=True)):
            self._at(at + FACES_AFTER_S, functools.partial(index, self.pipeline, number, people))
            self._at(at + BIBS_AFTER_S, functools.partial(read, self.pipeline, number, people))
        while self._to_come or self._waiting:
            full = len(self._waiting) >= _QUEUE.batch
            closes = self._waiting[0][0] + _QUEUE.window_s if self._waiting else None
            if closes is not None and (full or not self._to_come or self._to_come[0][0] > closes):
                self._now = self._now if full else max(self._now, closes)
                self._handle()
            else:
                at, _, happen = heapq.heappop(self._to_come)
                self._now = max(self._now, at)
                happen()
            self._collect()

    def _at(self, second: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._to_come, (second, next(self._order), happen))

    def _collect(self) -> None:
        """Take what was said and noted: it is in the queue when its delay is over."""
        for delivery in self.pipeline.pending:
            self._at(self._now + delivery.delay_s, functools.partial(self._queue, delivery))
        self.pipeline.pending.clear()

    def _queue(self, delivery: Delivery) -> None:
        self._waiting.append((self._now, delivery))

    def _handle(self) -> None:
        batch, self._waiting = self._waiting[: _QUEUE.batch], self._waiting[_QUEUE.batch :]
        self.pipeline.handle("identity", [parsed(delivery) for _, delivery in batch])
        for event in self.pipeline.matched:
            for runner in event.runners:
                if runner.status == "inferred":
                    self.found_s.setdefault((int(event.photo_id), runner.bib), self._now)
        self.pipeline.matched.clear()


def index(pipeline: Pipeline, number: int, people: Photo, *, replay: str | None = None) -> None:
    """Let index say which faces are in a photo, when they are in the collection."""
    photo, faces = str(number), []
    collection = pipeline.rekognition.collections.setdefault(keys.collection_id("dev", RACE), {})
    for slot, someone in enumerate(people):
        face, _ = place(slot)
        collection[f"{photo}/{slot}"] = (photo, Seen(someone.name, face))
        faces.append(Face(face_id=f"{photo}/{slot}", box=face, confidence=99.5))
    pipeline.hear(events.faces_indexed(photo, 1, *faces), replay=replay)


def read(pipeline: Pipeline, number: int, people: Photo, *, replay: str | None = None) -> None:
    """Let ocr say which bibs it reads in a photo."""
    readings = [
        Reading(bib=someone.bib, text=someone.bib, confidence=97.5, box=place(slot)[1], verified=True)
        for slot, someone in enumerate(people)
        if someone.bib and someone.read
    ]
    pipeline.hear(events.bibs_read(str(number), 1, *readings), replay=replay)


def place(slot: int) -> tuple[Box, Box]:
    """Where the face and the bib of the n-th person in a photo are."""
    left = 0.05 + 0.24 * slot
    return (
        Box(left=left, top=0.2, width=0.06, height=0.09),
        Box(left=left + 0.005, top=0.42, width=0.05, height=0.03),
    )
