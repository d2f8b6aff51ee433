"""What the functions called, by the lines they write when they are done: AWS calls, messages, time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from ops.reach import logs
from ops.reach.cards import card_of, stage_names
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.metrics import FAILED, HANDLED

_GROUP_PREFIX = "/aws/lambda/"
_BILLED = re.compile(r"Billed Duration: ([\d.]+) ms\tMemory Size: (\d+) MB")


class FunctionUsage(msgspec.Struct, kw_only=True):
    """What one function used, over all races and as long as its log is kept.

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


def usages(target: Target, *, timed: bool = False) -> list[FunctionUsage]:
    """What each function used, by its name ("ocr-read"); `timed` also reads what Lambda says of each invocation."""
    client = target.client("logs")
    prefix = _GROUP_PREFIX + naming.stack(target.env, "")
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    found = []
    for group in (group for page in pages for group in page["logGroups"]):
        name = group["logGroupName"]
        usage = FunctionUsage(function=name.removeprefix(prefix), log_bytes=group.get("storedBytes", 0))
        for line in logs.lines(client, name, '"api_calls"'):
            _count(usage, line)
        if timed:
            usage.gb_seconds = _gb_seconds(logs.lines(client, name, '"REPORT RequestId"'))
        found.append(usage)
    return found


def of_queues(functions: Iterable[FunctionUsage]) -> list[FunctionUsage]:
    """Those that queues feed: photos go through them. What wakes the others is time, or a reader."""
    fed = {f"{stage}-{function.name}" for stage in stage_names() for function in card_of(stage).queued}
    return [usage for usage in functions if usage.function in fed]


def calls_of(functions: Iterable[FunctionUsage]) -> Counter[str]:
    """The AWS calls of several functions together."""
    return sum((usage.calls for usage in functions), Counter())


def calls_per_photo(functions: Sequence[FunctionUsage], photos: int) -> dict[str, float]:
    """The calls that cost, per uploaded photo. A race's own files are not counted among the S3 GETs."""
    calls = calls_of(functions)
    fetching = {
        f"{stage}-{function.name}"
        for stage in stage_names()
        for function in card_of(stage).functions
        if function.uploads and not function.uploads.suffixes
    }
    fetched = sum(usage.calls["s3.GetObject"] for usage in functions if usage.function in fetching)
    counted = {
        "DetectText": calls["rekognition.DetectText"],
        "IndexFaces": calls["rekognition.IndexFaces"],
        "SearchFaces": calls["rekognition.SearchFaces"],
        "S3 GET": fetched,
        "DynamoDB": sum(number for call, number in calls.items() if call.startswith("dynamodb.")),
        "PutEvents": calls["eventbridge.PutEvents"],
    }
    return {call: round(number / photos, 2) for call, number in counted.items()}


def _count(usage: FunctionUsage, line: str) -> None:
    try:
        told = json.loads(line)
    except ValueError:
        return  # some other line that names api_calls
    usage.invocations += 1
    usage.serves |= "route" in told
    usage.messages += int(told.get(HANDLED, 0) + told.get(FAILED, 0))
    usage.calls.update(told["api_calls"])


def _gb_seconds(reports: Iterable[str]) -> float | None:
    billed = [match.groups() for line in reports if (match := _BILLED.search(line))]
    return sum(float(ms) / 1000 * int(memory_mb) / 1024 for ms, memory_mb in billed) if billed else None
