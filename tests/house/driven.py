"""Run in a copy of the tree with two stages more: starts that copy, and asks its commands of them.

    python -m tests.house.driven HOME ASSEMBLY

Prints what each command said, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.rekognition import serving
from local import runtime
from local.runtime import Ports
from ops.reach.target import Target, of_runtime
from shared.contracts import naming
from shared.contracts.events import MatchedRunner, Meta, PhotoMatched, caused
from shared.contracts.keys import RaceRef
from shared.kit.bus import EventBus

RACE = RaceRef("hanriver", "seoul-2026")
NAMED = ("--organizer", RACE.organizer_id, "--event", RACE.event_id)


def main(home: Path, assembly: Path) -> dict[str, Any]:
    ports = Ports.free()
    with (
        serving(ports.vision, lambda _operation, _request: {}),  # nothing is looked at
        runtime.start(home, ports, report, keep=False, assembly=assembly, vision=False) as made,
    ):
        target = of_runtime(made.running)
        url = f"{made.running.front_door}/api/tally/races/{RACE.organizer_id}/{RACE.event_id}/tally"
        before = httpx.get(url, trust_env=False)
        say(target)
        answered = until(lambda: _counted(url))
        heard = until(lambda: len(list(items(target, "pulse"))) == 2)
        until(lambda: not waiting(target))
        for message in ("no JSON", json.dumps({"source": "snaprace.faces", "detail-type": "Nope", "detail": {}})):
            dead_letter(target, message)
        return {
            "refused": [before.status_code, before.json()],
            "answered": answered,
            "heard by the stream": heard,
            "dlq": command(home, "dlq", "--stage", "tally", "--json"),
            "replay": command(home, "replay", "--stage", "tally", "--yes", "--json"),
            "missing": command(home, "replay", "--stage", "tally", "--only", "missing", "--yes", "--json"),
            # Last, because a new race leaves notes for two minutes later, for which a replay would wait.
            "created": command(home, "race", "create", *NAMED, "--name", "Seoul", "--date", "2026-10-25"),
            "status": command(home, "status", *NAMED, "--json"),
            "stages": command(home, "dlq", "--stage", "nowhere"),
        }


def report(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def say(target: Target) -> None:
    """Say who is in two photos."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    cause = Meta(id="m", version=1, correlation_id="c", causation_id="x", occurred_at=now)
    runners = tuple(MatchedRunner(bib=bib, status="confirmed", confidence=99.0, read=True) for bib in ("7", "42"))
    events = [
        PhotoMatched(**RACE._asdict(), photo_id=photo, photo_revision=1, runners=runners, complete=True, revision=1)
        for photo in ("1" * 32, "2" * 32)
    ]
    bus = EventBus(target.client("events"), naming.bus(target.env))
    bus.publish([caused(event, cause) for event in events] * 2)  # twice, as EventBridge may


def _counted(url: str) -> Any:
    answer = httpx.get(url, trust_env=False)
    return answer.json() if answer.is_success and answer.json()["photos"] == 2 else None


def items(target: Target, stage: str) -> list[Any]:
    return list(target.client("dynamodb").scan(TableName=naming.table(target.env, stage))["Items"])


def waiting(target: Target) -> int:
    url = target.client("sqs").get_queue_url(QueueName=naming.queue(target.env, "tally", "count"))["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


def dead_letter(target: Target, body: str) -> None:
    queue = naming.dead_letter_queue(target.env, "tally", "count")
    url = target.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def command(home: Path, *words: str) -> list[Any]:
    """Exit code, stdout and stderr of `snaprace`."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli.main", *words],
        env=os.environ | {"SNAPRACE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [done.returncode, done.stdout, done.stderr]


def until(holds: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := holds():
            return result
        time.sleep(0.2)
    raise SystemExit(f"not within {seconds} seconds")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*map(Path, sys.argv[1:]))))
