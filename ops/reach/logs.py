"""The log of a function: its lines with a text in them, however many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError


def lines(client: Any, group: str, pattern: str, *, since: datetime | None = None) -> Iterator[str]:
    """The lines of a log group that match a filter pattern, the oldest first; none where there is no such group.

    The embedded AWS gives at most 10,000 and no token to go on with; so what comes after the last is asked for again.
    """
    begin = int(since.timestamp() * 1000) if since else 0
    known = set[tuple[str, str]]()  # the lines of that very millisecond, which come again
    while True:
        fresh = False
        for event in _matching(client, group, pattern, begin):
            line = event.get("logStreamName", ""), event["message"]
            if line in known:
                continue
            if event["timestamp"] > begin:
                begin, known = event["timestamp"], set()
            known.add(line)
            fresh = True
            yield event["message"]
        if not fresh:
            return


def _matching(client: Any, group: str, pattern: str, begin: int) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=pattern, startTime=begin
    )
    try:
        for page in pages:
            yield from page["events"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
