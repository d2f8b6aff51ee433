"""Takes over what a version without a journal kept: ministack's own snapshots, made at the end of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.aws.clients import REGION
from local.aws.kept import archives, logs, queues, tables
from local.aws.kept.journal import Journal
from shared.contracts import naming

SNAPSHOTS = "state"
"""The folder of the snapshots, beside that of the objects. A new version makes none of that name."""

_ENV, _ACCOUNT = "dev", "000000000000"
_NEW_NAMES = {
    f"{naming.stack(_ENV, kind)}-{_ACCOUNT}": name
    for kind, name in (
        ("photos", naming.photo_bucket(_ENV, _ACCOUNT, REGION)),
        ("derived", naming.derived_bucket(_ENV, _ACCOUNT, REGION)),
    )
}
"""The buckets of those versions, whose names had no region, and what they are called now."""


def take_over(journal: Journal, snapshots: Path, objects: Path) -> None:
    """Write what the folder of snapshots has into a journal that has nothing yet, and then put the folder aside.

    Of the objects' files just the folders of buckets are renamed. What templates make is deployed anew.
    """
    if not snapshots.is_dir() or not journal.is_empty():
        return
    for old, new in _NEW_NAMES.items():
        for folder in (objects / _ACCOUNT, objects / ".versions" / _ACCOUNT):
            if (folder / old).is_dir() and not (folder / new).exists():
                (folder / old).rename(folder / new)
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
        text = file.read_text()
        for old, new in _NEW_NAMES.items():
            text = re.sub(rf"\b{old}\b", new, text)
        state = json.loads(text, object_hook=persistence._json_object_hook)
        found = state.get("payload", state).get(store)
        yield from found._data.values() if found is not None else ()
