"""Kinesis streams as the operator's commands use them: read a part of a shard once more, and put records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ops.reach.errors import Failed
from ops.reach.words import counted
from shared.kit import stream
from shared.kit.stream import Record

_MOST_READ = 10_000  # records of a request. Source: GetRecords, Limit
_ATTEMPTS = 10
_PAUSE_S = 1.0
"""Between requests to a shard, which gives 2 MiB a second to all who read it, and nothing for up to 5 seconds after a
request that took 10 MiB. Source: GetRecords.
"""

_TOO_MANY = frozenset({"ProvisionedThroughputExceededException", "KMSThrottlingException"})
_NOT_THERE = frozenset({"InvalidArgumentException", "ResourceNotFoundException"})
"""Of a number, or a shard, that the stream does not know (any more). Source: GetShardIterator."""


class Part(NamedTuple):
    """What a stream holds of a part of a shard; `whole` where that is all, since a stream forgets the oldest first."""

    records: list[Record]
    whole: bool


def put(client: Any, name: str, records: Iterable[Record]) -> None:
    """Put the records. Those that Kinesis refuses are tried again; raises Failed when it goes on refusing one."""

    def put_records(**request: Any) -> dict[str, Any]:
        return _patiently(client.put_records, request, f"putting records into {name}")

    refused = stream.put(put_records, name, records, pauses_s=lambda: [_PAUSE_S] * (_ATTEMPTS - 1), sleep=time.sleep)
    if refused:
        some = counted(len(refused), "record")
        raise Failed(f"Kinesis did not take {some} for {name} ({refused[0]}). Try again in a while.")


def read(client: Any, name: str, shard: str, first: str, last: str, about: int) -> Part:
    """The records of a shard from the sequence number `first` through `last`, some of which may have expired.

    A shard that was closed by resharding is read like any other until its records expire. `about` is how many there
    may be: to ask for more than is needed takes the shard's throughput from its function.
    """
    iterator = _iterator(client, name, shard, first)
    found: dict[int, Record] = {}
    while iterator:
        request = {"ShardIterator": iterator, "Limit": max(1, min(about, _MOST_READ))}
        answer = _patiently(client.get_records, request, f"reading {name}")
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


def _iterator(client: Any, name: str, shard: str, first: str) -> str | None:
    """Where to begin to read; None where the stream knows the shard or the number no more."""
    request = {
        "StreamName": name,
        "ShardId": shard,
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": first,
    }
    try:
        return str(_patiently(client.get_shard_iterator, request, f"reading {name}")["ShardIterator"])
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
