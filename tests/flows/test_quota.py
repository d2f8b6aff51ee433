"""A race of 1,000 recorded photos at Rekognition's smallest quota, 5 calls a second, with ten workers, in virtual time.

As fast as they are answered, ten workers would make four times as many calls. No photo may become a dead letter by
that, refused calls must stay few, and the quota must be used. With the real runtime and in real time the same is tried
by tests/runtime/test_quota_in_time.py.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.recorded import Recording, race_of
from shared.contracts.events import ImageRef
from shared.contracts.keys import processed_key
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.lambdas import DERIVED
from tests.kit.timed import Clock, TimedQueue, settings_of
from tests.kit.wire import Refused
from tests.kit.world import world
from vision.front.quotas import REGIONS, Bucket

PHOTOS, WORKERS = 1_000, 10
QUOTAS = REGIONS["ap-northeast-2"]
LOOK_S, REFUSAL_S = 0.5, 0.02
"""How long Rekognition takes to answer, and to refuse."""


@pytest.mark.parametrize(
    ("function", "operation"),
    [("ocr.read", "DetectText"), pytest.param("faces.index", "IndexFaces", marks=pytest.mark.soak)],
)
def test_ten_workers_at_a_small_quota_lose_no_photo_and_ask_seldom_in_vain(
    assembly: Path, function: str, operation: str
) -> None:
    random.seed(7)  # jitter
    recording = Recording(RACE, race_of(PHOTOS))
    with world() as here:
        deployed = here.function(function)
        assert here.deliver(function, here.says(events.configured("01"))) == []
        here.take(function)
        here.take_put_off(function)
        clock = Clock(here.wire)
        queue = TimedQueue(clock, deployed, settings_of(assembly, deployed))
        buckets = {name: Bucket(rate, clock.monotonic) for name, rate in QUOTAS.items()}
        calls: Counter[str] = Counter()

        def look(asked_for: str, request: dict[str, Any]) -> dict[str, Any]:
            calls[asked_for] += 1
            if asked_for in buckets and not buckets[asked_for].admits():
                clock.sleep(REFUSAL_S)
                raise Refused("ProvisionedThroughputExceededException")
            clock.sleep(LOOK_S)
            return recording.answer(asked_for, request)

        here.wire.doubles |= {"rekognition": look, "sqs": queue.answer}
        for photo in recording.photo_ids:
            processed = ImageRef(bucket=DERIVED, key=processed_key(RACE, photo), width=1600, height=1067)
            queue.send(events.as_body(events.ingested(photo, processed=processed)))
        with clock.ticking():
            queue.work_off(WORKERS)
        assert queue.dead == []
        assert calls[operation] <= 1.1 * PHOTOS
        assert clock.now <= 1.2 * PHOTOS / QUOTAS[operation]
