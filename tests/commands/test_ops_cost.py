"""What a thousand photos cost: counted in logs, buckets and archives, and priced from one table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.cost import visits
from ops.cost.bill import Bill, Used, as_dict, bill, dynamodb_units, used
from ops.cost.prices import prices_in
from ops.cost.usage import FunctionUsage
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.errors import SnapRaceError
from shared.contracts.prices import PRICES
from tests.commands.test_ops_usage import done, report, write
from tests.kit.deployed import ENV, configure, deployed
from tests.kit.events import RACE

REGION = "us-east-1"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        target.client("s3").create_bucket(Bucket=target.derived_bucket)
        for bus, name in (("default", naming.uploads_archive(ENV)), (naming.bus(ENV), naming.events_archive(ENV))):
            arn = target.client("events").describe_event_bus(Name=bus)["Arn"]
            target.client("events").create_archive(ArchiveName=name, EventSourceArn=arn)
        yield target


def some_use(photos: int = 100, **changed: object) -> Used:
    """Each photo looked at twice, and its face searched for in every other one."""
    calls = {"rekognition.DetectText": photos, "rekognition.IndexFaces": photos, "rekognition.SearchFaces": photos // 2}
    one = FunctionUsage(
        function="ocr-read",
        invocations=photos // 10,
        messages=photos,
        calls=Counter(calls | {"s3.GetObject": photos, "s3.PutObject": 3 * photos, "dynamodb.PutItem": photos}),
        gb_seconds=2.0 * photos,
        log_bytes=1000 * photos,
    )
    counted = {"upload_events": photos, "domain_events": 4 * photos, "archived_bytes": 5000 * photos}
    kept = {"raw_bytes": 4_000_000 * photos, "derived_bytes": 1_000_000 * photos}
    return Used(**({"photos": photos, "functions": [one]} | counted | kept | changed))  # type: ignore[arg-type]


def dollars(found: Bill, service: str, what: str) -> float:
    (line,) = [line for line in found.lines if (line.service, line.what) == (service, what)]
    return line.dollars


def test_a_bill_is_what_was_used_times_the_price_for_a_thousand_photos() -> None:
    found = bill(some_use(), PRICES[REGION], REGION)
    assert dollars(found, "Rekognition", "DetectText") == pytest.approx(1.00)
    assert dollars(found, "Rekognition", "SearchFaces") == pytest.approx(0.50)
    assert dollars(found, "DynamoDB", "write units (estimated)") == pytest.approx(1000 * 2 * 0.625e-6)
    assert dollars(found, "S3", "uploads and pictures written") == pytest.approx(4 * 0.005)
    assert dollars(found, "S3", "objects read") == pytest.approx(3 * 0.0004)
    assert dollars(found, "EventBridge", "events") == pytest.approx(0.005)
    assert dollars(found, "SQS", "requests") == pytest.approx((1000 + 2 * 100) * 0.4e-6)
    assert dollars(found, "Lambda", "GB-seconds") == pytest.approx(2000 * 0.0000166667)
    assert dollars(found, "S3", "GB kept") == pytest.approx(5 * 0.023)
    assert found.once == pytest.approx(sum(line.dollars for line in found.lines if line.when == "once"))
    assert found.monthly == pytest.approx(0.115 + 0.0025 + 0.005 * 0.023)


def test_the_price_does_not_depend_on_how_many_photos_there_are() -> None:
    few, many = (bill(some_use(photos), PRICES[REGION], REGION) for photos in (100, 5000))
    assert few.once == pytest.approx(many.once)


def test_units_are_estimated_by_the_kind_of_request() -> None:
    def units(messages: int, function: str = "search-gallery", **calls: int) -> tuple[float, float]:
        counted = Counter({f"dynamodb.{name}": number for name, number in calls.items()})
        return dynamodb_units([FunctionUsage(function=function, invocations=1, messages=messages, calls=counted)])

    assert units(1, GetItem=3, Query=2) == (5, 0)
    assert units(10, BatchGetItem=1) == (10, 0)
    assert units(1, PutItem=1, UpdateItem=1, DeleteItem=1) == (0, 5)
    assert units(1, TransactWriteItems=1) == (0, 12)
    assert units(10, TransactWriteItems=1) == (0, 120)
    assert units(500, "insight-aggregate", TransactWriteItems=1) == (0, 12), "each photo has a transaction of its own"
    assert dynamodb_units([FunctionUsage(function="f", calls=Counter({"dynamodb.BatchGetItem": 1}))]) == (1, 0)


def test_what_the_logs_do_not_tell_is_said_to_be_left_out() -> None:
    untimed = some_use()
    untimed.functions[0].gb_seconds = None
    found = bill(untimed, PRICES[REGION], REGION)
    assert "Lambda's time" in found.left_out
    assert not any(line.what == "GB-seconds" for line in found.lines)
    assert bill(some_use(), PRICES[REGION], REGION).left_out != found.left_out


def test_what_was_used_is_counted_where_it_was_used(target: Target) -> None:
    configure()
    for name, size in (("a.jpg", 700), ("b.jpg", 300)):
        target.client("s3").put_object(
            Bucket=target.photo_bucket, Key=f"{RACE.prefix}raw_photos/{name}", Body=b"x" * size
        )
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=f"{RACE.prefix}race.json", Body=b"{}")
    derived = target.derived_bucket
    target.client("s3").put_object(Bucket=derived, Key=f"{RACE.prefix}preview/p.jpg", Body=b"x" * 50)
    write(target, "ocr-read", done(2, rekognition_DetectText=2), report(1000, 1024))
    write(
        target, "search-api", json.dumps({"route": "POST /selfie", "api_calls": {"rekognition.SearchFacesByImage": 9}})
    )
    found = used(target)
    assert (found.photos, found.raw_bytes, found.derived_bytes) == (2, 1000, 50)
    assert [one.function for one in found.functions] == ["ocr-read"], "what runners ask is no photo's cost"
    told = as_dict(bill(found, PRICES[REGION], REGION))
    assert told["calls_per_photo"]["DetectText"] == 1.0
    assert sum(line["share"] for line in told["lines"] if line["when"] == "once") == pytest.approx(1.0, abs=0.001)


def test_without_photos_or_prices_one_sentence_says_so(target: Target) -> None:
    with pytest.raises(SnapRaceError, match="There are no photos in AWS account"):
        used(target)
    with pytest.raises(SnapRaceError, match="No prices are known for 'mars-1', only for us-east-1"):
        prices_in("mars-1")


# --- visitors -------------------------------------------------------------------------------------------


def test_a_million_events_are_priced_by_environment() -> None:
    collected = FunctionUsage(function=visits.COLLECT, serves=True, invocations=200, gb_seconds=1.0)
    aggregated = FunctionUsage(function=visits.AGGREGATE, invocations=1, messages=200, gb_seconds=0.5)
    found = visits.visit_bill([collected, aggregated], PRICES[REGION])
    requests = 1_000_000 / visits.EVENTS_A_REQUEST
    shared = requests * (3.5 + 0.6 + 0.2) / 1e6 + 1e6 * visits.WRITE_UNITS * 0.625e-6
    shared += requests * (1.5 / 200) * 16.6667e-6
    gb = requests * 1024 / 2**30
    assert found.dollars("dev") == pytest.approx(shared + requests * 0.014e-6)
    assert found.dollars("prod") == pytest.approx(shared + gb * 0.12)
    assert found.dollars("dev", monthly=True) == pytest.approx(730 * 0.015)
    assert found.dollars("prod", monthly=True) == pytest.approx(730 * 0.04)
    told = visits.visits_as_dict(found)
    assert told["dollars_per_million_events"]["dev"] == pytest.approx(found.dollars("dev"), abs=1e-4)
    assert told["left_out"] == []


def test_without_visitors_lambdas_time_is_said_to_be_left_out() -> None:
    found = visits.visit_bill([FunctionUsage(function=visits.COLLECT, serves=True)], PRICES[REGION])
    assert visits.visits_as_dict(found)["left_out"]
    assert not any("GB-seconds" in line.what for line in found.lines)
