"""What the embedded AWS was given, kept on disk as it changes: it survives a kill -9 at any moment.

Kept is data: items, messages with their receive counts, objects, archived events, stream records and logs. What
templates make (tables, queues, functions, rules) is not: each start deploys it anew, and a resource that is made again
is given what was kept of it. Until then nobody is served (see requests).

journal   one SQLite file; what a request changed is in it before the request is answered
tables    DynamoDB's items
queues    SQS's messages
objects   S3's objects, which are files
archives  EventBridge's archives, and replays that were cut off
streams   Kinesis's records, and how far they were read
logs      CloudWatch's log events
adopted   dictionaries that give a new resource what was kept of it
requests  nothing is served before all stands, nothing answered before it is kept
earlier   takes over what versions without a journal kept

ministack's own persistence saves at an orderly end only, so of it just the files of objects are used.
"""

from __future__ import annotations

import os
from pathlib import Path

from local.aws.kept import archives, earlier, logs, objects, queues, requests, streams, tables
from local.aws.kept.journal import Journal

__all__ = ["FILE", "Journal", "keep"]

FILE = "journal.sqlite"
"""In the folder of the state, beside s3/, which has the objects."""


def keep(journal: Journal) -> None:
    """Let ministack, which must be configured, keep in the journal what it is given."""
    objects_folder = Path(os.environ["S3_DATA_DIR"])
    earlier.take_over(journal, objects_folder.with_name(earlier.SNAPSHOTS), objects_folder)
    for store in (tables, queues, objects, archives, streams, logs):
        store.keep(journal)
    requests.hold_work_while_deploying(journal)
