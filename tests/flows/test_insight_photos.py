"""Invariant of the insight stage: uploads and photos are where a plain recount has them, whatever happens on the way.

What was said comes twice, in any order and in any batches; two workers hold one shard; and any invocation dies at any
of its calls, before or after it was carried out.

Mutations that were tried: counts added in a transaction of their own; an event's revision not compared; what was said
of a picture before it was withdrawn kept; a photo that does not tell its former keys; a rejection that outlives its
upload; a later time kept where an event was said twice.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.insight.domain import flow
from services.insight.domain.feed import Said
from services.insight.records import BibPhotos, FlowCounts, FlowMinute
from shared.contracts.events import (
    BibsRead,
    DomainEvent,
    Envelope,
    FacesIndexed,
    MatchedRunner,
    PhotoIngested,
    PhotoMatched,
    PhotoRejected,
    PhotoWithdrawn,
)
from shared.contracts.messages import ObjectCreated, ObjectDeleted
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.insight_stage import Batch, InsightStage

BEGIN_MS = flow.milliseconds(events.AT)
Say = Callable[[Any], None]


def story(chance: random.Random) -> list[Said]:
    """What S3 and the stages say of some uploads, as they would, one thing after the other."""
    said: list[Said] = []
    at_ms = BEGIN_MS

    def say(message: Any) -> None:
        nonlocal at_ms
        at_ms += chance.randrange(90_000)
        said.append(Said(events.said(message) if isinstance(message, DomainEvent) else message, at_ms))

    for number in range(6):
        key, sequencer = events.raw_key(f"{number % 5}.jpg"), f"{number + 1:03x}"
        say(_of_upload(ObjectCreated, key, sequencer + "0", size=1, etag="e", version_id=sequencer))
        match chance.randrange(5):
            case 0:
                say(events.rejected(key, sequencer + "0", reason=chance.choice(["empty", "too_small"])))
                if chance.random() < 0.5:
                    say(_of_upload(ObjectDeleted, key, sequencer + "1"))
            case 1:
                pass  # nobody has looked at it yet
            case _:
                _taken_in(say, chance, f"photo {number % 4}", key, 100 * number)
    return said


def _taken_in(say: Say, chance: random.Random, photo_id: str, key: str, revision: int) -> None:
    """A photo goes some of its way; perhaps it is withdrawn, and perhaps it comes back."""
    keys = (key, *([events.raw_key("copy.jpg")] if chance.random() < 0.3 else []))
    say(events.ingested(photo_id, revision + 1, keys=keys))
    runners = [_runner(bib, chance) for bib in chance.sample(["11", "22", "33"], chance.randrange(3))]
    of_picture = {"photo_revision": revision + 1}
    steps = [
        events.bibs_read(photo_id, revision + 1, **of_picture),
        events.faces_indexed(photo_id, revision + 1, **of_picture),
        events.matched(photo_id, revision + 1, complete=False, **of_picture),
        events.matched(photo_id, revision + 2, *runners, **of_picture),
    ]
    for step in steps[: chance.randrange(5)]:
        say(step)
    if chance.random() < 0.3:
        say(events.withdrawn(photo_id, revision + 5))
        if chance.random() < 0.5:
            say(events.ingested(photo_id, revision + 6, keys=(key,)))


def _of_upload(kind: type[Any], key: str, sequencer: str, **more: Any) -> Any:
    return kind(meta=events.CAUSE, bucket=events.PHOTOS, key=key, sequencer=sequencer, at=events.AT, **more)


def _runner(bib: str, chance: random.Random) -> MatchedRunner:
    return MatchedRunner(bib=bib, status=chance.choice(["confirmed", "doubtful"]), confidence=90.0, read=True)


def as_batches(told: list[Said], chance: random.Random) -> list[Batch]:
    """All of it, some of it twice (and later), in any order."""
    again = [Said(each.message, each.at_ms + 30_000) for each in chance.choices(told, k=len(told) // 3)]
    records = [*told, *again, *chance.choices(told, k=len(told) // 3)]
    chance.shuffle(records)
    return [records[at : at + 6] for at in range(0, len(records), 6)]


# --- the recount ------------------------------------------------------------------------------------------------


def _newest(said: Iterable[Any], by: str) -> Any:
    return max(said, key=lambda each: getattr(each, by), default=None)


def recount(told: list[Said]) -> tuple[Counter[str], Counter[tuple[int, str]], Counter[str]]:
    """Counts, counts by minute, and photos of each runner, from all that was ever said."""
    counts, by_minute, bibs = Counter[str](), Counter[tuple[int, str]](), Counter[str]()
    said = [each.message.data if isinstance(each.message, Envelope) else each.message for each in told]
    held = set()
    for photo_id in {each.photo_id for each in said if hasattr(each, "photo_id")}:
        of_it = [
            (each, at.at_ms) for each, at in zip(said, told, strict=True) if getattr(each, "photo_id", "") == photo_id
        ]
        ingested = _newest([each for each, _ in of_it if isinstance(each, PhotoIngested)], "revision")
        withdrawn = max((each.revision for each, _ in of_it if isinstance(each, PhotoWithdrawn)), default=0)
        if ingested is None or ingested.revision <= withdrawn:
            continue
        held |= set(ingested.keys)
        of_it = [(each, at) for each, at in of_it if getattr(each, "photo_revision", 0) > withdrawn]
        counts.update(photos=1, files=len(ingested.keys))
        counts["read"] += any(isinstance(each, BibsRead) for each, _ in of_it)
        counts["indexed"] += any(isinstance(each, FacesIndexed) for each, _ in of_it)
        uploaded = flow.milliseconds(ingested.uploaded_at)
        by_minute[uploaded // 60_000, "uploaded"] += 1
        complete = [at for each, at in of_it if isinstance(each, PhotoMatched) and each.complete]
        if complete:
            counts["searchable"] += 1
            counts[f"took.{flow.class_of((min(complete) - uploaded) / 1000)}"] += 1
            by_minute[min(complete) // 60_000, "searchable"] += 1
            matched = _newest([each for each, _ in of_it if isinstance(each, PhotoMatched)], "revision")
            bibs.update(runner.bib for runner in matched.runners if runner.status != "doubtful")
        else:
            by_minute[uploaded // 60_000, "waiting"] += 1
    counts += _of_uploads(said, held, by_minute)
    return +counts, +by_minute, +bibs


def _of_uploads(said: list[Any], held: set[str], by_minute: Counter[tuple[int, str]]) -> Counter[str]:
    counts = Counter[str]()
    for key in {each.key for each in said if hasattr(each, "key")} - held:
        of_it = [each for each in said if getattr(each, "key", "") == key]
        newest = _newest([each for each in of_it if isinstance(each, ObjectCreated)], "sequencer")
        created = newest.sequencer if newest else ""
        deleted = max((each.sequencer for each in of_it if isinstance(each, ObjectDeleted)), default="")
        rejected = _newest([each for each in of_it if isinstance(each, PhotoRejected)], "revision")
        if rejected and rejected.revision >= created and rejected.revision > deleted:
            counts[f"rejected.{rejected.reason}"] += 1
        elif created > deleted:
            counts["arriving"] += 1
            by_minute[flow.milliseconds(newest.at) // 60_000, "waiting"] += 1
    return counts


def count_photos(seed: int, deaths: float) -> int:
    """Take a story through, and compare all that is kept with a recount; how many invocations died."""
    told = story(random.Random(seed))
    stage = InsightStage({RACE: "Asia/Seoul"}, seed, deaths)
    stage.run(as_batches(told, stage.chance), now=datetime(2026, 10, 25, 2, tzinfo=UTC))
    counts, by_minute, bibs = Counter[str](), Counter[tuple[int, str]](), Counter[str]()
    for _, numbers in stage.records.tallies(FlowCounts, RACE):
        counts.update(numbers)
    for tally, numbers in stage.records.tallies(FlowMinute, RACE):
        by_minute.update({(tally.minute, name): number for name, number in numbers.items()})
    for of_bib, numbers in stage.records.tallies(BibPhotos, RACE):
        bibs[of_bib.bib] += numbers["photos"]
    assert (+counts, +by_minute, +bibs) == recount(told), seed
    assert not -counts
    assert not -by_minute
    assert not -bibs
    return stage.died


def test_photos_are_where_a_plain_recount_has_them() -> None:
    assert sum(count_photos(seed, deaths=0.0) for seed in range(20)) == 0


def test_photos_count_once_though_processes_die_at_any_call() -> None:
    assert sum(count_photos(seed, deaths=0.05) for seed in range(100, 130)) > 30


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000, 2_000))
def test_many_stories_of_photos(seed: int) -> None:
    count_photos(seed, deaths=0.05)
