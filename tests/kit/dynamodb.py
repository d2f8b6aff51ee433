"""DynamoDB's protocol in front of tables in memory, for handlers that run so often that moto would take too long."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from botocore import xform_name

from shared.contracts.records import Addition
from shared.kit.table import Condition, Item, Key, from_item, to_item
from tests.kit.memory_table import MemoryTable
from tests.kit.wire import Refused

Json = dict[str, Any]


class DynamoDB:
    """`tables` by name; a table is there as soon as it is asked for."""

    def __init__(self) -> None:
        self.tables: dict[str, MemoryTable] = {}
        self._tokens: set[str] = set()

    def answer(self, operation: str, asked: Json) -> Json:
        """Do what is asked, in the subset of DynamoDB that shared/kit/table.py uses."""
        answer: Json = getattr(self, f"_{xform_name(operation)}")(_binaries(asked, base64.b64decode))
        return _binaries(answer, lambda value: base64.b64encode(value).decode())

    def table(self, name: str) -> MemoryTable:
        return self.tables.setdefault(name, MemoryTable(name))

    def _get_item(self, asked: Json) -> Json:
        item = self.table(asked["TableName"]).get(*_key(asked["Key"]))
        return {"Item": to_item(item)} if item else {}

    def _put_item(self, asked: Json) -> Json:
        return _conditional(self.table(asked["TableName"]).put(from_item(asked["Item"]), _condition(asked)))

    def _delete_item(self, asked: Json) -> Json:
        return _conditional(self.table(asked["TableName"]).delete(*_key(asked["Key"]), _condition(asked)))

    def _batch_get_item(self, asked: Json) -> Json:
        found = {name: self.table(name).batch_get(map(_key, of["Keys"])) for name, of in asked["RequestItems"].items()}
        return {"Responses": {name: [to_item(item) for item in items] for name, items in found.items()}}

    def _batch_write_item(self, asked: Json) -> Json:
        for name, requests in asked["RequestItems"].items():
            table = self.table(name)
            table.put_all(from_item(one["PutRequest"]["Item"]) for one in requests if "PutRequest" in one)
            table.delete_all(_key(one["DeleteRequest"]["Key"]) for one in requests if "DeleteRequest" in one)
        return {}

    def _query(self, asked: Json) -> Json:
        table, values = self.table(asked["TableName"]), from_item(asked["ExpressionAttributeValues"])
        descending = not asked.get("ScanIndexForward", True)
        if ":low" in values:
            found = list(table.between(values[":pk"], values[":low"], values[":high"], descending=descending))
        else:
            found = list(table.query(values[":pk"], values.get(":prefix", "")))
        if "ExclusiveStartKey" in asked:
            _, start = _key(asked["ExclusiveStartKey"])
            found = [item for item in found if (item["SK"] < start if descending else item["SK"] > start)]
        page = found[: asked.get("Limit")]
        more = {"LastEvaluatedKey": to_item({name: page[-1][name] for name in ("PK", "SK")})} if page != found else {}
        return {"Items": [to_item(item) for item in page], **more}

    def _transact_write_items(self, asked: Json) -> Json:
        """The same token means the same request, done before."""
        actions, token = asked["TransactItems"], asked["ClientRequestToken"]
        if token in self._tokens:
            return {}
        puts = [(from_item(one["Put"]["Item"]), _condition(one["Put"])) for one in actions if "Put" in one]
        deletes = [_key(one["Delete"]["Key"]) for one in actions if "Delete" in one]
        additions = [_addition(one["Update"]) for one in actions if "Update" in one]
        (name,) = {next(iter(one.values()))["TableName"] for one in actions}
        if not self.table(name).write_guarded(puts, deletes, additions):
            raise Refused("TransactionCanceledException", more={"CancellationReasons": [{"Code": _FAILED}]})
        self._tokens.add(token)
        return {}


_FAILED = "ConditionalCheckFailed"


def _binaries(part: Any, turned: Callable[[Any], Any]) -> Any:
    """All binary values turned: JSON has them as base64."""
    if isinstance(part, dict):
        return {
            name: turned(value) if name == "B" and isinstance(value, str | bytes) else _binaries(value, turned)
            for name, value in part.items()
        }
    return [_binaries(each, turned) for each in part] if isinstance(part, list) else part


def _conditional(held: bool) -> Json:
    if not held:
        raise Refused(f"{_FAILED}Exception")
    return {}


def _key(key: Json) -> Key:
    return key["PK"]["S"], key["SK"]["S"]


def _addition(asked: Json) -> Addition:
    """What `ADD #0 :0, #1 :1 SET #2 = :2` says."""
    names, values = asked["ExpressionAttributeNames"], from_item(asked["ExpressionAttributeValues"])
    added, _, told = asked["UpdateExpression"].removeprefix("ADD ").partition(" SET ")
    numbers = dict(one.split() for one in added.split(", "))
    fields = dict(one.split(" = ") for one in told.split(", ")) if told else {}
    by_name = [{names[name]: values[value] for name, value in each.items()} for each in (fields, numbers)]
    return Addition(_key(asked["Key"]), *by_name)


def _condition(asked: Json) -> Condition:
    values: Item = from_item(asked.get("ExpressionAttributeValues", {}))
    return Condition(asked.get("ConditionExpression", ""), asked.get("ExpressionAttributeNames", {}), values)
