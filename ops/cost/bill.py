"""What a thousand photos cost, by what the functions really called and what lies in the buckets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from ops.cost.usage import FunctionUsage, calls_of, calls_per_photo, of_queues, usages
from ops.cost.visits import AGGREGATE, COLLECT, VisitBill, visit_bill, visits_as_dict
from ops.race.races import races
from ops.reach.errors import Failed
from ops.reach.raw_photos import raw_photos
from ops.reach.target import Target
from ops.reach.words import some_of
from shared.contracts import naming
from shared.contracts.prices import GB, Prices

# DynamoDB charges a read unit for 4 KB and a write unit for 1 KB, twice for each item of a transaction; functions do
# not log units. A photo's items have some 2 KB, and notes about it less than one.
_READ_UNITS, _WRITE_UNITS = 1, 2
_ITEMS_IN_TRANSACTION = 3  # of a photo: itself and what it is found by
# For archives that do not say how large they are, as the embedded AWS's.
_EVENT_BYTES = 1_500

LEFT_OUT = (
    "free tiers and discounts for more than a million pictures a month",
    "what runners ask: searches, selfies and the pictures they load",
    "faces kept in Rekognition ($0.01 a month for 1,000), tables' and logs' storage, backups, metrics, alarms, traces",
    "Lambda's looking for messages while there are none",
)


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What there was to pay for, over all races and as long as logs and archives are kept.

    `functions` are those that photos go through, `visits` those that visitors' events go through; events and bytes are
    counted by S3 and EventBridge.
    """

    photos: int
    functions: list[FunctionUsage]
    visits: list[FunctionUsage] = []
    upload_events: int
    domain_events: int
    archived_bytes: int
    raw_bytes: int
    derived_bytes: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the bill, for 1,000 photos: `number` of what, in dollars."""

    service: str
    what: str
    number: float
    dollars: float
    when: Literal["once", "monthly"] = "once"


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What 1,000 photos cost: once, and for each month that they are kept."""

    photos: int
    region: str
    prices_of: str
    lines: tuple[Line, ...]
    calls_per_photo: dict[str, float]
    visits: VisitBill
    left_out: tuple[str, ...]

    @property
    def once(self) -> float:
        """Dollars for taking in and working out 1,000 photos."""
        return sum(line.dollars for line in self.lines if line.when == "once")

    @property
    def monthly(self) -> float:
        """Dollars for keeping 1,000 photos a month."""
        return sum(line.dollars for line in self.lines if line.when == "monthly")


def used(target: Target, *, timed: bool = True) -> Used:
    """Ask what was used, with Lambda's time if `timed`. Raises Failed when there are no photos to divide by."""
    raw = [found for race in races(target) for found in raw_photos(target, race).values()]
    if not raw:
        raise Failed(f"There are no photos in {target.where} yet. Upload some with: snaprace upload --help")
    functions = usages(target, timed=timed)
    visits = [usage for usage in functions if usage.function in (COLLECT, AGGREGATE)]
    uploads, events = (_archive(target, name(target.env)) for name in (naming.uploads_archive, naming.events_archive))
    archived = sum(each.get("SizeBytes") or each.get("EventCount", 0) * _EVENT_BYTES for each in (uploads, events))
    return Used(
        photos=len(raw),
        functions=[usage for usage in functions if not usage.serves],
        visits=visits,
        upload_events=uploads.get("EventCount", 0),
        domain_events=events.get("EventCount", 0),
        archived_bytes=archived,
        raw_bytes=sum(each.size for each in raw),
        derived_bytes=_derived_bytes(target),
    )


def bill(used: Used, prices: Prices, region: str) -> Bill:
    """Price what was used, for 1,000 photos."""
    lines = [*_calls(used, prices), *_storage(used, prices)]
    timed = any(usage.gb_seconds is not None for usage in used.functions)
    return Bill(
        photos=used.photos,
        region=region,
        prices_of=prices.looked_up,
        lines=tuple(_per_thousand(line, used.photos) for line in lines if line.number),
        calls_per_photo=calls_per_photo(used.functions, used.photos),
        visits=visit_bill(used.visits, prices),
        left_out=LEFT_OUT if timed else (*LEFT_OUT, "Lambda's time"),
    )


def _calls(used: Used, prices: Prices) -> Iterable[Line]:
    calls = calls_of(used.functions)
    for operation in ("DetectText", "IndexFaces", "SearchFaces"):
        yield _line("Rekognition", operation, calls[f"rekognition.{operation}"], prices.rekognition_image)
    reads, writes = dynamodb_units(used.functions)
    yield _line("DynamoDB", "read units (estimated)", reads, prices.dynamodb_read_unit)
    yield _line("DynamoDB", "write units (estimated)", writes, prices.dynamodb_write_unit)
    yield _line("S3", "uploads and pictures written", used.photos + calls["s3.PutObject"], prices.s3_write)
    # Rekognition fetches what it looks at from the bucket.
    looked_at = calls["rekognition.DetectText"] + calls["rekognition.IndexFaces"]
    yield _line("S3", "objects read", calls["s3.GetObject"] + looked_at, prices.s3_read)
    yield _line("S3", "moves into Intelligent-Tiering", used.photos, prices.s3_transition)
    yield _line("EventBridge", "events", used.upload_events + used.domain_events, prices.event)
    yield _line("EventBridge", "GB archived", used.archived_bytes / GB, prices.archive_gb)
    messages = sum(usage.messages for usage in used.functions)
    invocations = sum(usage.invocations for usage in used.functions)
    # Each message is sent, and each batch received and deleted.
    yield _line("SQS", "requests", messages + 2 * invocations, prices.sqs_request)
    yield _line("Lambda", "invocations", invocations, prices.lambda_request)
    yield _line("Lambda", "GB-seconds", sum(usage.gb_seconds or 0 for usage in used.functions), prices.lambda_gb_second)
    yield _line("Logs", "GB", sum(usage.log_bytes for usage in used.functions) / GB, prices.logs_gb)


def _storage(used: Used, prices: Prices) -> Iterable[Line]:
    pictures = used.raw_bytes + used.derived_bytes
    yield _line("S3", "GB kept", pictures / GB, prices.s3_gb_month, "monthly")
    yield _line("S3", "objects monitored", used.photos, prices.s3_monitored_object_month, "monthly")
    yield _line("EventBridge", "GB kept", used.archived_bytes / GB, prices.archive_gb_month, "monthly")


def dynamodb_units(functions: Sequence[FunctionUsage]) -> tuple[float, float]:
    """Read and write units, estimated by the kind of request.

    A request for several items is taken to be for as many as the function had messages at a time, a transaction for
    three items of each; but of one alone in a function that a stream feeds, which moves on a photo in each.
    """
    fed_by_queues = {usage.function for usage in of_queues(functions)}
    reads = writes = 0.0
    for usage in functions:
        calls = Counter({call.removeprefix("dynamodb."): number for call, number in usage.calls.items()})
        together = max(1.0, usage.messages / usage.invocations) if usage.invocations else 1.0
        reads += _READ_UNITS * (calls["GetItem"] + calls["Query"] + calls["BatchGetItem"] * together)
        single = calls["PutItem"] + calls["UpdateItem"]
        writes += _WRITE_UNITS * single + calls["DeleteItem"] + calls["BatchWriteItem"] * together
        photos = calls["TransactWriteItems"] * (together if usage.function in fed_by_queues else 1)
        writes += 2 * _WRITE_UNITS * _ITEMS_IN_TRANSACTION * photos
    return reads, writes


def _line(service: str, what: str, number: float, price: float, when: Literal["once", "monthly"] = "once") -> Line:
    return Line(service=service, what=what, number=number, dollars=number * price, when=when)


def _per_thousand(line: Line, photos: int) -> Line:
    share = 1000 / photos
    return msgspec.structs.replace(line, number=line.number * share, dollars=line.dollars * share)


def _archive(target: Target, name: str) -> dict[str, Any]:
    return dict(target.client("events").describe_archive(ArchiveName=name))


def _derived_bytes(target: Target) -> int:
    bucket = target.derived_bucket
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(item["Size"] for page in pages for item in page.get("Contents", ()))


def as_dict(bill: Bill) -> dict[str, Any]:
    """The bill for programs."""
    totals = {"once": bill.once, "monthly": bill.monthly}
    return {
        **some_of(bill, "photos", "region", "prices_of"),
        "dollars_per_1000_photos": round(bill.once, 4),
        "dollars_a_month_per_1000_photos": round(bill.monthly, 4),
        "lines": [
            {
                **some_of(line, "service", "what", "when"),
                "number_per_1000_photos": round(line.number, 4),
                "dollars_per_1000_photos": round(line.dollars, 6),
                "share": round(line.dollars / totals[line.when], 4) if totals[line.when] else 0.0,
            }
            for line in bill.lines
        ],
        **some_of(bill, "calls_per_photo", "left_out"),
        "visits": visits_as_dict(bill.visits),
    }
