"""Takes over what a version without a journal kept: ministack's own snapshots, made at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.aws.kept import archives, logs, queues, tables
from local.aws.kept.journal import Journal


def take_over(journal: Journal, snapshots: Path) -> None:
    """Write what the folder of snapshots has into a journal that has nothing yet, and then put the folder aside.

    Objects are not in it: their files stay where they are. What templates make is deployed anew.
    """
    if not snapshots.is_dir() or not journal.is_empty():
        return
    for table in _records(snapshots, "dynamodb", "tables"):
        for partition, items in table["items"].items():
            for sort, item in items.items():
                journal.put(tables.STORE, table["TableArn"], tables.key(partition, sort), item)
    for queue in _records(snapshots, "sqs", "queues"):
        for message in queue["messages"]:
            journal.put(queues.STORE, queue["attributes"]["QueueArn"], message["id"], message)
    for archive in _records(snapshots, "eventbridge", "archives"):
        for event in archive.get("Events", []):
            journal.append(archives.EVENTS, archive["ArchiveArn"], event)
    for replay in _records(snapshots, "eventbridge", "replays"):
        journal.put(archives.REPLAYS, "", replay["ReplayArn"], replay)
    for group in _records(snapshots, "cloudwatch_logs", "log_groups"):
        for stream, record in group["streams"].items():
            for event in record["events"]:
                journal.append(logs.STORE, group["arn"], [stream, event])
    journal.commit()
    snapshots.rename(snapshots.with_name(f"{snapshots.name}-taken-over"))


def _records(snapshots: Path, service: str, store: str) -> Iterator[Any]:
    """The records of one store of one service."""
    from ministack.core import persistence

    file = snapshots / f"{service}.json"
    if file.exists():
        state = json.loads(file.read_text(), object_hook=persistence._json_object_hook)
        found = state.get("payload", state).get(store)
        yield from found._data.values() if found is not None else ()
