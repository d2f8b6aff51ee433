"""What functions used, read from their logs, and what that is for each photo."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ops.cost.usage import FunctionUsage, calls_of, calls_per_photo, usages
from ops.reach.target import Target
from shared.contracts import naming
from tests.kit.deployed import ENV, deployed
from tests.kit.mending import Tokenless


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        yield target


def write(target: Target, function: str, *lines: str) -> None:
    client, group = target.client("logs"), f"/aws/lambda/{naming.stack(ENV, function)}"
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)  # logs take nothing old
    events = [{"timestamp": now + number, "message": line} for number, line in enumerate(lines)]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def done(handled: int, failed: int = 0, **calls: int) -> str:
    told = {"MessagesHandled": handled, "MessagesFailed": failed, "request_id": "r"}
    return json.dumps(told | {"api_calls": {name.replace("_", "."): number for name, number in calls.items()}})


def report(milliseconds: float, memory_mb: int) -> str:
    """As Lambda writes it."""
    return (
        f"REPORT RequestId: r\tDuration: {milliseconds - 0.4} ms\tBilled Duration: {milliseconds} ms\t"
        f"Memory Size: {memory_mb} MB\tMax Memory Used: 120 MB\t"
    )


def test_each_function_says_what_it_used(target: Target) -> None:
    write(
        target,
        "ocr-read",
        "START RequestId: r",
        done(9, 1, rekognition_DetectText=10, dynamodb_PutItem=20),
        report(1500, 1024),
        '{"level": "ERROR", "message": "api_calls are not what this line is about: \\"api_calls\\""',
        done(1, dynamodb_PutItem=2),
        report(500, 1024),
    )
    write(
        target, "search-api", json.dumps({"message": "request answered", "route": "GET /", "api_calls": {"s3.Get": 1}})
    )
    found = {one.function: one for one in usages(target, timed=True)}
    read, api = found["ocr-read"], found["search-api"]
    assert read.calls == {"rekognition.DetectText": 10, "dynamodb.PutItem": 22}
    assert (read.invocations, read.messages, read.serves) == (2, 11, False)
    assert read.gb_seconds == pytest.approx(2.0)
    assert read.log_bytes > 0
    assert (api.serves, api.gb_seconds) == (True, None)
    assert calls_of([read, api])["s3.Get"] == 1
    assert usages(target)[0].gb_seconds is None, "it is read only where it is asked for"


@pytest.mark.parametrize("most", [3, 4, 10, 100])
def test_a_long_log_is_read_to_its_end_and_each_line_once(target: Target, most: int) -> None:
    numbers = count()
    lines = [(at, done(1, **{f"sqs_{next(numbers)}": 1})) for at in (1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 9)]
    target._clients["logs"] = Tokenless(f"/aws/lambda/{naming.stack(ENV, 'ocr-read')}", lines, most)
    (one,) = usages(target)
    assert (one.invocations, set(one.calls.values())) == (11, {1})


def test_calls_are_given_per_uploaded_photo_and_a_races_own_files_are_no_photos() -> None:
    used = [
        FunctionUsage(function="ingest-intake", calls=Counter({"s3.GetObject": 10, "dynamodb.PutItem": 15})),
        FunctionUsage(function="ocr-read", calls=Counter({"s3.GetObject": 3, "rekognition.DetectText": 10})),
        FunctionUsage(
            function="faces-index", calls=Counter({"rekognition.IndexFaces": 10, "rekognition.SearchFaces": 6})
        ),
        FunctionUsage(function="search-gallery", calls=Counter({"dynamodb.Query": 5, "eventbridge.PutEvents": 40})),
    ]
    assert calls_per_photo(used, 10) == {
        "DetectText": 1.0,
        "IndexFaces": 1.0,
        "SearchFaces": 0.6,
        "S3 GET": 1.0,
        "DynamoDB": 2.0,
        "PutEvents": 4.0,
    }
