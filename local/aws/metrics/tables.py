"""AWS/DynamoDB: how long requests took, and which failed, by table and operation.

Source: Amazon DynamoDB Developer Guide, "DynamoDB Metrics and dimensions": the latency's sample count is the number of
requests that succeeded; UserErrors has no table. Capacity units are not told, since ministack knows those of single
writes alone, and nothing is throttled; `snaprace cost` tells what requests cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from local.aws.cloudwatch.installed import CloudWatch

NAMESPACE = "AWS/DynamoDB"

Data = dict[str, Any]

_OPERATIONS = {
    "PutItem": "_put_item",
    "GetItem": "_get_item",
    "UpdateItem": "_update_item",
    "DeleteItem": "_delete_item",
    "Query": "_query",
    "Scan": "_scan",
    "BatchWriteItem": "_batch_write_item",
    "BatchGetItem": "_batch_get_item",
    "TransactWriteItems": "_transact_write_items",
    "TransactGetItems": "_transact_get_items",
}
"""Operations on items, and ministack's functions for them."""


def measure(cloudwatch: CloudWatch) -> None:
    """Tell of each request about items from now on."""
    from ministack.services import dynamodb

    for operation, name in _OPERATIONS.items():
        setattr(dynamodb, name, _told(cloudwatch, operation, getattr(dynamodb, name)))


def _told(cloudwatch: CloudWatch, operation: str, act: Callable[[Data], Any]) -> Callable[[Data], Any]:
    def act_and_tell(data: Data) -> Any:
        begun = time.monotonic()
        answer = act(data)
        took_ms = (time.monotonic() - begun) * 1000
        status, _, body = answer
        for table in _tables(data):
            if status < 400:
                dimensions = {"TableName": table, "Operation": operation}
                cloudwatch.count(NAMESPACE, "SuccessfulRequestLatency", dimensions, took_ms, unit="Milliseconds")
            elif b"ConditionalCheckFailed" in (body if isinstance(body, bytes) else body.encode()):
                cloudwatch.count(NAMESPACE, "ConditionalCheckFailedRequests", {"TableName": table})
            elif status < 500:
                cloudwatch.count(NAMESPACE, "UserErrors", {})
            else:
                cloudwatch.count(NAMESPACE, "SystemErrors", {"TableName": table, "Operation": operation})
        return answer

    return act_and_tell


def _tables(data: Data) -> Iterable[str]:
    """Which tables a request is about."""
    if "TableName" in data:
        return [data["TableName"]]
    if "RequestItems" in data:
        return list(data["RequestItems"])
    actions = (action for item in data.get("TransactItems", []) for action in item.values())
    return {action["TableName"] for action in actions if "TableName" in action}
