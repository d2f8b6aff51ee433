"""What the functions did, by the lines they write when they are done: AWS calls, messages, time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.metrics import FAILED, HANDLED

_GROUP_PREFIX = "/aws/lambda/"
_BILLED = re.compile(r"Billed Duration: ([\d.]+) ms\tMemory Size: (\d+) MB")


class Work(msgspec.Struct, kw_only=True):
    """What one function did, over all races and as long as its log is kept.

    `calls` are HTTP requests to AWS by "service.Operation", retries included; `messages` were handled or failed.
    `gb_seconds` are what Lambda charges for, None unless asked for or where the log does not tell; `log_bytes` is the
    log's size. A function that `serves` answers runners, and costs by what they ask, not by photos.
    """

    function: str
    serves: bool = False
    invocations: int = 0
    messages: int = 0
    calls: Counter[str] = msgspec.field(default_factory=Counter)
    gb_seconds: float | None = None
    log_bytes: int = 0


def work(target: Target, *, timed: bool = False) -> list[Work]:
    """Each function's work, by its name ("ocr-read"); `timed` also reads what Lambda says of each invocation."""
    client = target.client("logs")
    prefix = _GROUP_PREFIX + naming.stack(target.env, "")
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    found = []
    for group in (group for page in pages for group in page["logGroups"]):
        name = group["logGroupName"]
        one = Work(function=name.removeprefix(prefix), log_bytes=group.get("storedBytes", 0))
        for line in _lines(client, name, '"api_calls"'):
            _count(one, line)
        if timed:
            one.gb_seconds = _gb_seconds(_lines(client, name, '"REPORT RequestId"'))
        found.append(one)
    return found


def calls_of(works: Iterable[Work]) -> Counter[str]:
    """The AWS calls of several functions together."""
    return sum((one.calls for one in works), Counter())


def calls_per_photo(works: Sequence[Work], photos: int) -> dict[str, float]:
    """The calls that cost, per uploaded photo. A race's own files are not counted among the S3 GETs."""
    calls = calls_of(works)
    fetched = sum(one.calls["s3.GetObject"] for one in works if one.function.startswith("ingest-"))
    counted = {
        "DetectText": calls["rekognition.DetectText"],
        "IndexFaces": calls["rekognition.IndexFaces"],
        "SearchFaces": calls["rekognition.SearchFaces"],
        "S3 GET": fetched,
        "DynamoDB": sum(number for call, number in calls.items() if call.startswith("dynamodb.")),
        "PutEvents": calls["eventbridge.PutEvents"],
    }
    return {call: round(number / photos, 2) for call, number in counted.items()}


def _count(one: Work, line: str) -> None:
    try:
        told = json.loads(line)
    except ValueError:
        return  # some other line that names api_calls
    one.invocations += 1
    one.serves |= "route" in told
    one.messages += int(told.get(HANDLED, 0) + told.get(FAILED, 0))
    one.calls.update(told["api_calls"])


def _gb_seconds(reports: Iterable[str]) -> float | None:
    billed = [match.groups() for line in reports if (match := _BILLED.search(line))]
    return sum(float(ms) / 1000 * int(memory_mb) / 1024 for ms, memory_mb in billed) if billed else None


def _lines(client: Any, group: str, pattern: str) -> Iterator[str]:
    """A log's lines with a text in them, oldest first.

    The embedded AWS gives at most 10,000 and no token to go on with; so what comes after the last is asked for again.
    """
    since, known = 0, set[tuple[str, str]]()  # the lines of that very millisecond, which come again
    while True:
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=pattern, startTime=since
        )
        fresh = False
        for event in (event for page in pages for event in page["events"]):
            line = event.get("logStreamName", ""), event["message"]
            if line in known:
                continue
            if event["timestamp"] > since:
                since, known = event["timestamp"], set()
            known.add(line)
            fresh = True
            yield event["message"]
        if not fresh:
            return
