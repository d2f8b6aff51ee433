"""Takes over what a version without a journal kept: ministack's own snapshots, made at the end of a run."""

from __future__ import annotations

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
    from ministack.core import persistence

    persistence.PERSIST_STATE, persistence.STATE_DIR = True, str(snapshots)
    for table in _records("dynamodb", "tables"):
        for partition, items in table["items"].items():
            for sort, item in items.items():
                journal.put(tables.STORE, table["TableArn"], tables.key(partition, sort), item)
    for queue in _records("sqs", "queues"):
        for message in queue["messages"]:
            journal.put(queues.STORE, queue["attributes"]["QueueArn"], message["id"], message)
    for archive in _records("eventbridge", "archives"):
        for event in archive.get("Events", []):
            journal.append(archives.EVENTS, archive["ArchiveArn"], event)
    for replay in _records("eventbridge", "replays"):
        journal.put(archives.REPLAYS, "", replay["ReplayArn"], replay)
    for group in _records("cloudwatch_logs", "log_groups"):
        for stream, record in group["streams"].items():
            for event in record["events"]:
                journal.append(logs.STORE, group["arn"], [stream, event])
    journal.commit()
    snapshots.rename(snapshots.with_name(f"{snapshots.name}-taken-over"))


def _records(service: str, store: str) -> Iterator[Any]:
    from ministack.core import persistence

    state = persistence.load_state(service)
    yield from state[store]._data.values() if state and store in state else ()
