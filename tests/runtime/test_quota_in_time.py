"""A race of 2,000 recorded photos at 5 calls a second with ten workers, on the embedded AWS and in real time.

tests/flows/test_quota.py tries the same within seconds, of one function at a time. Here are the emulator's visibility
and receive counts, a process for each worker, and both functions at once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import rekognition
from bench.recorded import Recording, race_of
from local.aws import deployment
from ops.look.backlog import dead_letters
from ops.reach.target import Target, of_runtime
from services.faces.records import IndexedPhoto
from services.ocr.records import ReadPhoto
from shared.contracts import naming
from shared.contracts.events import DomainEvent, ImageRef
from shared.contracts.keys import RaceRef, processed_key
from shared.kit.records import Records
from shared.kit.table import Table
from tests.kit.events import configured, ingested, said
from tests.runtime.conftest import launched, until
from vision.front.quotas import REGIONS, Quotas

PHOTOS, WORKERS = 2_000, 10
QUOTAS = REGIONS["ap-northeast-2"]
LOOK_S = 0.5
RACE = RaceRef("org", "busy")
STEPS = (("ocr", "read", ReadPhoto), ("faces", "index", IndexedPhoto))

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording(RACE, race_of(PHOTOS))


@pytest.fixture
def calls() -> Counter[str]:
    """How often each operation of Rekognition was called."""
    return Counter()


@pytest.fixture
def target(assembly: Path, tmp_path: Path, recording: Recording, calls: Counter[str]) -> Iterator[Target]:
    quotas = Quotas(QUOTAS)

    def answer(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        calls[operation] += 1
        quotas.admit(operation)
        time.sleep(LOOK_S)
        return recording.answer(operation, request)

    with launched(tmp_path, "--all-batches") as running, rekognition.serving(running.ports.vision, answer):
        deployment.deploy(assembly, running.client, verify=False)
        for stage, function, _ in STEPS:
            _work_on(running.client("lambda"), naming.function("dev", stage, function))
        yield of_runtime(running)


def _work_on(functions: Any, function: str) -> None:
    """Ten batches at once: as many as the card has at a quota ten times as high."""
    [mapping] = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    scaling = {"MaximumConcurrency": WORKERS}
    functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)


def _say(target: Target, events: list[DomainEvent]) -> None:
    entries = [
        {"EventBusName": naming.bus("dev"), "Source": one.source, "DetailType": one.detail_type, "Detail": one.detail()}
        for one in map(said, events)
    ]
    for first in range(0, len(entries), 10):
        target.client("events").put_events(Entries=entries[first : first + 10])


def _ingested(photo: str) -> DomainEvent:
    bucket = naming.derived_bucket("dev", "000000000000", "us-east-1")
    processed = ImageRef(bucket=bucket, key=processed_key(RACE, photo), width=1600, height=1067)
    return ingested(photo, race=RACE, processed=processed)


def _done(target: Target) -> bool:
    assert dead_letters(target) == {}
    time.sleep(5)  # to look is work for the emulator
    return all(
        len(list(Records(Table(target.client("dynamodb"), naming.table("dev", stage))).query(kind, RACE))) == PHOTOS
        for stage, _, kind in STEPS
    )


def test_ten_workers_at_a_small_quota_lose_no_photo_and_ask_seldom_in_vain(
    target: Target, recording: Recording, calls: Counter[str]
) -> None:
    _say(target, [configured(race=RACE)])
    _say(target, [_ingested(photo) for photo in recording.photo_ids])
    until(lambda: _done(target), seconds=3600)
    assert calls["DetectText"] <= 1.1 * PHOTOS
    assert calls["IndexFaces"] <= 1.1 * PHOTOS
