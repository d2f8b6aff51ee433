"""The embedded AWS gives Query the items of a range alone, and answers as if it had looked at all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import ranges

KEYS = ("PK", "SK")
SORTS = ("a", "b", "b#1", "b#2", "c", "d", "한")


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """Ministack's Query and ours, of one table with an index."""
    from ministack.services import dynamodb

    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in KEYS]
    schema = [{"AttributeName": name, "KeyType": kind} for name, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)]
    by_sort = {"IndexName": "by-sort", "KeySchema": schema[::-1], "Projection": {"ProjectionType": "KEYS_ONLY"}}
    by_sort["KeySchema"] = [{"AttributeName": "SK", "KeyType": "HASH"}, {"AttributeName": "PK", "KeyType": "RANGE"}]
    table = {"TableName": "ranges", "AttributeDefinitions": attributes, "KeySchema": schema}
    dynamodb._create_table(table | {"BillingMode": "PAY_PER_REQUEST", "GlobalSecondaryIndexes": [by_sort]})
    for partition in ("p", "q"):
        for sort in SORTS:
            dynamodb._put_item({"TableName": "ranges", "Item": {"PK": {"S": partition}, "SK": {"S": sort}}})
    monkeypatch.setattr(dynamodb, "_query", dynamodb._query)  # put back afterwards
    plain = dynamodb._query
    ranges.look_only_where_asked()
    yield plain, dynamodb._query
    dynamodb._delete_table({"TableName": "ranges"})


def asked(condition: str, values: dict[str, str], **more: Any) -> dict[str, Any]:
    told = {name: {"S": text} for name, text in values.items()}
    request = {"TableName": "ranges", "KeyConditionExpression": condition, "ExpressionAttributeValues": told}
    return request | more


ALL, BEGINS, BETWEEN = "PK = :pk", "PK = :pk AND begins_with(SK, :prefix)", "PK = :pk AND SK BETWEEN :low AND :high"
PLACE = {"PK": {"S": "p"}, "SK": {"S": "b#1"}}


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (asked(ALL, {":pk": "p"}), SORTS),
        (asked(ALL, {":pk": "nobody"}), ()),
        (asked(BEGINS, {":pk": "p", ":prefix": "b"}), ("b", "b#1", "b#2")),
        (asked(BEGINS, {":pk": "p", ":prefix": "b"}, ScanIndexForward=False, Limit=2), ("b#2", "b#1")),
        (asked(BEGINS, {":pk": "p", ":prefix": "b"}, ExclusiveStartKey=PLACE), ("b#2",)),
        (asked(BETWEEN, {":pk": "p", ":low": "b#2", ":high": "d"}), ("b#2", "c", "d")),
        (asked("PK = :pk AND SK > :low", {":pk": "p", ":low": "c"}), ("d", "한")),
        (asked("SK = :sk", {":sk": "c"}, IndexName="by-sort"), ("c", "c")),
        (asked(BETWEEN, {":pk": "p", ":low": "d", ":high": "b"}), None),
        (asked(BEGINS, {":pk": "p"}), None),
        (asked(ALL, {":pk": "p"}) | {"TableName": "nowhere"}, None),
        (asked(ALL, {}) | {"ExpressionAttributeValues": {":pk": {"N": "1"}}}, None),
    ],
)
def test_the_answer_is_ministacks(
    request_: dict[str, Any], found: tuple[str, ...] | None, queries: tuple[Any, Any]
) -> None:
    plain, ours = queries
    status, _, body = ours(request_)
    assert (status, body) == plain(request_)[::2]
    items = json.loads(body).get("Items")
    assert items is None if found is None else tuple(item["SK"]["S"] for item in items) == found


def test_what_is_not_asked_for_is_not_looked_at(queries: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import dynamodb

    looked: list[str] = []
    evaluate = dynamodb._evaluate_condition

    def looking(condition: str, item: Any, *others: Any, **named: Any) -> Any:
        looked.append(item["SK"]["S"])
        return evaluate(condition, item, *others, **named)

    monkeypatch.setattr(dynamodb, "_evaluate_condition", looking)
    queries[1](asked(BEGINS, {":pk": "p", ":prefix": "b"}))
    assert looked == ["b", "b#1", "b#2"]
