"""Putting records into a Kinesis stream: many at a time, and those that Kinesis refuses once more."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from shared.contracts.parts import one_each, parts

_MOST_RECORDS, _MOST_BYTES = 500, 4_000_000
"""Of a request. Source: PutRecords, whose 10 MiB were 5 before 2025."""


class Record(NamedTuple):
    """A record, and the partition key that it is put under."""

    data: bytes
    key: str


def with_own_key(data: bytes) -> Record:
    """A record under a key that follows from it alone, which spreads records evenly over the shards."""
    return Record(data, hashlib.blake2b(data, digest_size=8).hexdigest())


def put(
    put_records: Callable[..., Any],
    stream: str,
    records: Iterable[Record],
    *,
    pauses_s: Callable[[], Iterable[float]],
    sleep: Callable[[float], object] = time.sleep,
) -> list[str]:
    """Put the records, and what is refused again after each pause; the error codes of those that stay out at last.

    PutRecords takes what it can, and says of each record in its place whether it was taken. After a request of which
    some stay out no other is made.
    """
    for together in parts(records, (one_each, _MOST_RECORDS), (_bytes, _MOST_BYTES)):
        left = [{"Data": record.data, "PartitionKey": record.key} for record in together]
        for pause_s in (*pauses_s(), None):
            answers = put_records(StreamName=stream, Records=left)["Records"]
            codes = [answer["ErrorCode"] for answer in answers if answer.get("ErrorCode")]
            left = [entry for entry, answer in zip(left, answers, strict=True) if answer.get("ErrorCode")]
            if not left:
                break
            if pause_s is None:
                return codes
            sleep(pause_s)
    return []


def _bytes(record: Record) -> int:
    return len(record.data) + len(record.key)
