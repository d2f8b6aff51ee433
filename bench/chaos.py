"""Whether the demo race always ends the same: shuffled, every event delivered again, and calls that fail.

The whole product runs as in the demo, real vision included, once in peace and then as often as asked for in chaos. (The
texts that were read in peace are given again in chaos, since reading them takes most of the time.) In chaos:

- photos are uploaded in another order;
- when a third of them are through, the archives are replayed to everybody, so that all that happened so far happens
  again, out of order and between what is new;
- of the calls that functions make to AWS and to vision, 12 in 100 fail: before they are made, after, or throttled.

A run's outcome is its state hash, which covers everything a user sees of the race (see ops/look/state_hash.py).
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.faults import Faults
from local import runtime
from local.runtime import Ports, Running
from ops.demo.material import Material, preparing
from ops.demo.run import Observer, Report
from ops.demo.run import run as run_demo
from ops.look.status import RaceStatus
from ops.reach.target import Target, of_runtime
from shared.contracts import naming

REPLAY_AT = 1 / 3  # of the uploads done


def run(runs: int, seed: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run the race once in peace and `runs` times in chaos; what each came to."""
    with tempfile.TemporaryDirectory(prefix="snaprace-chaos-") as folder, preparing() as drawn:
        material = drawn()
        texts: dict[bytes, bytes] = {}
        peace = _run(Path(folder), material, None, texts, tell)
        tell(f"in peace: {peace['state_hash']} in {peace['seconds']} s")
        chaos = []
        for number in range(1, runs + 1):
            chance = random.Random(seed + number)  # noqa: S311 - no secrets
            chaos.append(_run(Path(folder), material, chance, texts, tell))
            tell(f"chaos {number} of {runs}: {chaos[-1]['state_hash']} in {chaos[-1]['seconds']} s")
    ran = [peace, *chaos]
    hashes = {one["state_hash"] for one in ran}
    return {
        "runs": runs,
        "identical": len(hashes) == 1,
        "hashes": sorted(hashes),
        "worst_people_precision": min(one["people_precision"] for one in ran),
        "worst_people_recall": min(one["people_recall"] for one in ran),
        "faults": sum(one["faults"] for one in chaos),
        "peace": peace,
        "chaos": chaos,
    }


def _run(
    home: Path, material: Material, chance: random.Random | None, texts: dict[bytes, bytes], tell: Callable[[str], None]
) -> dict[str, Any]:
    """One run on a fresh runtime; in peace without `chance`."""
    ports, doors_at = Ports.free(), Ports.free()
    assembly = home / "cdk.out"
    behind = Running(pid=0, ports=ports, started="", keep=False)
    aws = Faults(behind=behind.aws_url, port=doors_at.aws, chance=chance)
    vision = Faults(behind=behind.vision_url, port=doors_at.vision, chance=chance, texts=texts)
    with (
        aws,
        vision,
        runtime.start(
            home,
            ports,
            keep=False,
            assembly=assembly if assembly.is_dir() else None,
            seen_by_functions={"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_REKOGNITION": vision.url},
        ) as running,
    ):
        observer = Observer()
        if chance is not None:
            material = replace(material, photos=chance.sample(material.photos, len(material.photos)))
            observer = _Chaos(of_runtime(running.running), [aws, vision], tell)
        began = time.monotonic()
        report = run_demo(running.running, lambda: material, began, observer, running.check)
    return _told(report, [aws, vision], round(time.monotonic() - began, 1))


def _told(report: Report, doors: list[Faults], seconds: float) -> dict[str, Any]:
    assert report.people is not None  # noqa: S101 - the drawn race brings its truth
    return {
        "state_hash": report.state_hash,
        "lost": report.lost,
        "dead_lettered": report.dead_lettered,
        "people_precision": report.people.precision,
        "people_recall": report.people.recall,
        "faults": sum(door.put_in.total() for door in doors),
        "calls": sum(door.calls for door in doors),
        "seconds": seconds,
    }


class _Chaos(Observer):
    """Replays all there is when a part of the uploads is done, and ends the faults when all is."""

    def __init__(self, target: Target, doors: list[Faults], tell: Callable[[str], None]) -> None:
        self._target = target
        self._doors = doors
        self._tell = tell
        self._replayed = False

    def processing(self, now: RaceStatus) -> None:
        done = sum(upload.done for upload in now.uploads)
        if not self._replayed and done >= REPLAY_AT * len(now.uploads):
            self._replayed = True
            self._tell(f"replaying all, with {done} of {len(now.uploads)} uploads done")
            replay_everything(self._target)

    def settled(self) -> None:
        for door in self._doors:
            door.rest()


def replay_everything(target: Target) -> None:
    """Deliver again, to everybody, all that both archives hold."""
    client = target.client("events")
    now = datetime.now(UTC)
    for archive in (naming.uploads_archive(target.env), naming.events_archive(target.env)):
        described = client.describe_archive(ArchiveName=archive)
        client.start_replay(
            ReplayName=f"{archive}-{now:%H%M%S}",
            EventSourceArn=described["ArchiveArn"],
            EventStartTime=now - timedelta(days=1),
            EventEndTime=now + timedelta(minutes=1),
            Destination={"Arn": described["EventSourceArn"]},
        )
