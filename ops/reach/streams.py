"""Kinesis streams as the operator's commands use them: read a part of a shard once more, and put records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ops.reach.errors import Failed
from ops.reach.words import counted
from shared.contracts.parts import one_each, parts

_MOST_RECORDS, _MOST_BYTES = 500, 4_000_000
"""Of a request. Source: PutRecords, whose 10 MiB were 5 before 2025."""

_MOST_READ = 10_000  # records of a request. Source: GetRecords, Limit
_ATTEMPTS = 10
_PAUSE_S = 1.0
"""Between requests to a shard, which gives 2 MiB a second to all who read it, and nothing for up to 5 seconds after a
request that took 10 MiB. Source: GetRecords.
"""

_TOO_MANY = frozenset({"ProvisionedThroughputExceededException", "KMSThrottlingException"})
_NOT_THERE = frozenset({"InvalidArgumentException", "ResourceNotFoundException"})
"""Of a number, or a shard, that the stream does not know (any more). Source: GetShardIterator."""


class Record(NamedTuple):
    """A record, and the partition key that it is put under."""

    data: bytes
    key: str


class Part(NamedTuple):
    """What a stream holds of a part of a shard; `whole` where that is all, since a stream forgets the oldest first."""

    records: list[Record]
    whole: bool


def with_own_key(data: bytes) -> Record:
    """A record of which no key is known. Such keys spread evenly over the shards, as those do that rules give."""
    return Record(data, hashlib.blake2b(data, digest_size=8).hexdigest())


def put(client: Any, stream: str, records: Iterable[Record]) -> None:
    """Put the records. Those that Kinesis refuses are tried again; raises Failed when it goes on refusing one."""
    for together in parts(records, (one_each, _MOST_RECORDS), (_bytes, _MOST_BYTES)):
        left = [{"Data": record.data, "PartitionKey": record.key} for record in together]
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S)
            request = {"StreamName": stream, "Records": left}
            answers = _patiently(client.put_records, request, f"putting records into {stream}")["Records"]
            refused = [answer["ErrorCode"] for answer in answers if answer.get("ErrorCode")]
            left = [entry for entry, answer in zip(left, answers, strict=True) if answer.get("ErrorCode")]
            if not left:
                break
        else:
            some = counted(len(left), "record")
            raise Failed(f"Kinesis did not take {some} for {stream} ({refused[0]}). Try again in a while.")


def read(client: Any, stream: str, shard: str, first: str, last: str, about: int) -> Part:
    """The records of a shard from the sequence number `first` through `last`, some of which may have expired.

    A shard that was closed by resharding is read like any other until its records expire. `about` is how many there
    may be: to ask for more than is needed takes the shard's throughput from its function.
    """
    iterator = _iterator(client, stream, shard, first)
    found: dict[int, Record] = {}
    while iterator:
        request = {"ShardIterator": iterator, "Limit": max(1, min(about, _MOST_READ))}
        answer = _patiently(client.get_records, request, f"reading {stream}")
        numbers = {int(record["SequenceNumber"]): record for record in answer["Records"]}
        found |= {
            number: Record(record["Data"], record["PartitionKey"])
            for number, record in numbers.items()
            if int(first) <= number <= int(last)
        }
        at_the_end = not numbers and not answer.get("MillisBehindLatest")
        if at_the_end or max(numbers, default=0) >= int(last):
            break
        if iterator := answer.get("NextShardIterator"):  # none after the last record of a closed shard
            time.sleep(_PAUSE_S)
    return Part(list(found.values()), whole=int(first) in found)


def _iterator(client: Any, stream: str, shard: str, first: str) -> str | None:
    """Where to begin to read; None where the stream knows the shard or the number no more."""
    request = {
        "StreamName": stream,
        "ShardId": shard,
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": first,
    }
    try:
        return str(_patiently(client.get_shard_iterator, request, f"reading {stream}")["ShardIterator"])
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_THERE:
            return None
        raise


def _patiently(call: Callable[..., dict[str, Any]], request: dict[str, Any], doing: str) -> dict[str, Any]:
    """The answer, also where the shard is too busy for a while. Raises Failed when it goes on being so."""
    for _ in range(_ATTEMPTS):
        try:
            return call(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _TOO_MANY:
                raise
        time.sleep(_PAUSE_S)
    raise Failed(f"Kinesis is too busy for {doing}. Try again in a while.")


def _bytes(record: Record) -> int:
    return len(record.data) + len(record.key)
