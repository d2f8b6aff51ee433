"""A stage's DynamoDB table: items are plain dicts with the keys `PK` and `SK`.

Reads are strongly consistent: a handler decides by what it reads, and a stale read would decide wrongly.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from shared.contracts.errors import RefusedForGood, SnapRaceError, TemporaryFailure, Throttled
from shared.contracts.records import Addition
from shared.kit.failures import Kind, kind_of_code

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Key = tuple[str, str]

_MAX_BATCH_GET = 100
_MAX_BATCH_WRITE = 25
_ATTEMPTS = 6
_PAUSE_S = 0.05  # the first; all five are 1.55 s
_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


class Condition(msgspec.Struct, frozen=True):
    """A ConditionExpression with its names and values (keys with '#' and ':')."""

    expression: str
    names: Mapping[str, str] = {}
    values: Mapping[str, Any] = {}


ABSENT = Condition("attribute_not_exists(PK)")
ALWAYS = Condition("")


class Table:
    """Typed, thin access to one table."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self.name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """The item, or None."""
        response = self._client.get_item(TableName=self.name, Key=_key(pk, sk), ConsistentRead=True)
        return from_item(response["Item"]) if "Item" in response else None

    def put(self, item: Item, condition: Condition = ALWAYS) -> bool:
        """Write the item; False when the condition did not hold (then nothing was written)."""
        return self._conditional(self._client.put_item, condition, Item=to_item(item))

    def delete(self, pk: str, sk: str, condition: Condition = ALWAYS) -> bool:
        """Delete the item if it is there; False when the condition did not hold."""
        return self._conditional(self._client.delete_item, condition, Key=_key(pk, sk))

    def query(self, pk: str, prefix: str = "", *, after: str | None = None, only: Sequence[str] = ()) -> Iterator[Item]:
        """All items of a partition whose SK begins with `prefix`, in SK order; `after` an SK resumes there.

        `only` names the attributes to send, all if empty: what is read costs the same, what travels is less.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "PK = :pk AND begins_with(SK, :prefix)" if prefix else "PK = :pk",
            "ExpressionAttributeValues": to_item({":pk": pk, ":prefix": prefix} if prefix else {":pk": pk}),
            "ConsistentRead": True,
            **_projection(only),
        }
        if after is not None:
            request["ExclusiveStartKey"] = _key(pk, after)
        yield from self._pages(self._client.query, request)

    def scan(self, sk: str, *, only: Sequence[str] = ()) -> Iterator[Item]:
        """The items of all partitions that have this SK, in no particular order; `only` as in `query`.

        It reads the whole table.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "FilterExpression": "SK = :sk",
            "ExpressionAttributeValues": to_item({":sk": sk}),
            **_projection(only),
        }
        yield from self._pages(self._client.scan, request)

    def between(self, pk: str, low: str, high: str, *, descending: bool = False, page: int = 100) -> Iterator[Item]:
        """Items whose SK is from `low` through `high`, read `page` at a time as they are asked for."""
        if low > high:
            return
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "PK = :pk AND SK BETWEEN :low AND :high",
            "ExpressionAttributeValues": to_item({":pk": pk, ":low": low, ":high": high}),
            "ConsistentRead": True,
            "ScanIndexForward": not descending,
            "Limit": page,
        }
        yield from self._pages(self._client.query, request)

    def _pages(self, call: Any, request: dict[str, Any]) -> Iterator[Item]:
        while True:
            response = call(**request)
            yield from map(from_item, response["Items"])
            if "LastEvaluatedKey" not in response:
                return
            request["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    def batch_get(self, keys: Iterable[Key], *, only: Sequence[str] = ()) -> list[Item]:
        """The items that exist among `keys`, in no particular order; `only` as in `query`."""
        wanted = [_key(pk, sk) for pk, sk in dict.fromkeys(keys)]
        found: list[Item] = []
        attempts_left = _ATTEMPTS
        while wanted:
            chunk, wanted = wanted[:_MAX_BATCH_GET], wanted[_MAX_BATCH_GET:]
            request: Any = {"Keys": chunk, "ConsistentRead": True, **_projection(only)}
            response: Any = self._client.batch_get_item(RequestItems={self.name: request})
            found.extend(map(from_item, response["Responses"].get(self.name, [])))
            unprocessed = response.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if unprocessed:
                attempts_left = self._one_less(attempts_left, f"{len(unprocessed)} items of {self.name} unread")
                wanted = [*unprocessed, *wanted]
        return found

    def put_all(self, items: Iterable[Item]) -> None:
        """Write items that need no condition, 25 a request."""
        self._batch_write([{"PutRequest": {"Item": to_item(item)}} for item in items])

    def delete_all(self, keys: Iterable[Key]) -> None:
        """Delete items if they are there, 25 a request."""
        self._batch_write([{"DeleteRequest": {"Key": _key(pk, sk)}} for pk, sk in dict.fromkeys(keys)])

    def _batch_write(self, requests: list[Any]) -> None:
        attempts_left = _ATTEMPTS
        while requests:
            chunk, requests = requests[:_MAX_BATCH_WRITE], requests[_MAX_BATCH_WRITE:]
            response: Any = self._client.batch_write_item(RequestItems={self.name: chunk})
            unprocessed = response.get("UnprocessedItems", {}).get(self.name, [])
            if unprocessed:
                attempts_left = self._one_less(attempts_left, f"{len(unprocessed)} items of {self.name} unwritten")
                requests = [*unprocessed, *requests]

    def _one_less(self, attempts: int, left: str) -> int:
        """Pause before what DynamoDB left undone is asked for once more; how many attempts there are then.

        It asks for growing pauses, since it leaves things undone when there is too much: see its BatchGetItem. Raises
        Throttled.
        """
        if attempts == 1:
            raise Throttled(f"DynamoDB left {left}.")
        time.sleep(_PAUSE_S * 2 ** (_ATTEMPTS - attempts))
        return attempts - 1

    def write_guarded(
        self, puts: Sequence[tuple[Item, Condition]], deletes: Sequence[Key] = (), additions: Sequence[Addition] = ()
    ) -> bool:
        """All in one transaction (at most 100 items), each put under its own condition; additions make their items.

        False when a condition did not hold or another transaction was at the same items: read again, decide again.
        Raises RefusedForGood for what DynamoDB never takes, as an item above 400 KB.
        """
        actions: list[Any] = [
            {"Put": {"TableName": self.name, "Item": to_item(item), **_condition_arguments(condition)}}
            for item, condition in puts
        ]
        actions += [{"Delete": {"TableName": self.name, "Key": _key(pk, sk)}} for pk, sk in deletes]
        actions += [{"Update": {"TableName": self.name, **_addition_arguments(each)}} for each in additions]
        try:
            self._client.transact_write_items(TransactItems=actions)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
            if reasons <= {"None", "ConditionalCheckFailed", "TransactionConflict"}:
                return False
            raise _cancelled(reasons - {"None"}) from None
        return True

    def _conditional(self, call: Any, condition: Condition, **request: Any) -> bool:
        try:
            call(TableName=self.name, **request, **_condition_arguments(condition))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _cancelled(reasons: Collection[str]) -> SnapRaceError:
    """The error for a transaction that was cancelled for these reasons, not all of which are that others wrote."""
    sentence = f"DynamoDB cancelled a transaction: {', '.join(sorted(reasons))}."
    kinds = {kind_of_code(reason) for reason in reasons}
    if Kind.FINAL in kinds:
        return RefusedForGood(sentence)
    return Throttled(sentence) if Kind.THROTTLED in kinds else TemporaryFailure(sentence)


def _condition_arguments(condition: Condition) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if condition.expression:
        arguments["ConditionExpression"] = condition.expression
    if condition.names:
        arguments["ExpressionAttributeNames"] = dict(condition.names)
    if condition.values:
        arguments["ExpressionAttributeValues"] = to_item(dict(condition.values))
    return arguments


def _addition_arguments(addition: Addition) -> dict[str, Any]:
    """An UpdateExpression by aliases, since names may have dots and be reserved words."""
    names, values, added, told = {}, {}, [], []
    for place, (name, value) in enumerate([*addition.numbers.items(), *addition.fields.items()]):
        names[f"#{place}"], values[f":{place}"] = name, value
        if name in addition.numbers:
            added.append(f"#{place} :{place}")
        else:
            told.append(f"#{place} = :{place}")
    expression = f"ADD {', '.join(added)}" + (f" SET {', '.join(told)}" if told else "")
    return {
        "Key": _key(*addition.key),
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
    }


def _projection(only: Sequence[str]) -> dict[str, Any]:
    """Arguments that limit an answer to these attributes. Many words are reserved, so each goes by an alias."""
    if not only:
        return {}
    names = {f"#{number}": name for number, name in enumerate(only)}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _key(pk: str, sk: str) -> Any:
    return {"PK": {"S": pk}, "SK": {"S": sk}}


def to_item(item: Mapping[str, Any]) -> Any:
    """DynamoDB's form of a dict; structs become maps, None and UNSET are left out, floats keep their digits."""
    told = {name: value for name, value in item.items() if value is not msgspec.UNSET}
    plain = msgspec.to_builtins(told, builtin_types=(bytes,))
    return {name: _serializer.serialize(_decimal(value)) for name, value in plain.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> Item:
    """A plain dict of DynamoDB's form; whole numbers are int, others float; binaries are bytes."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def _decimal(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _decimal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_decimal(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Binary):
        return bytes(value.value)  # type: ignore[attr-defined]  # its stub does not know it
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
