"""DynamoDB's protocol in front of tables in memory, for handlers that run so often that moto would take too long."""

from __future__ import annotations

import base64
from collections.abc import Mapping
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
        answer: Json = getattr(self, f"_{xform_name(operation)}")(asked)
        return answer

    def table(self, name: str) -> MemoryTable:
        return self.tables.setdefault(name, MemoryTable(name))

    def _get_item(self, asked: Json) -> Json:
        item = self.table(asked["TableName"]).get(*_key(asked["Key"]))
        return {"Item": _sent(item)} if item else {}

    def _put_item(self, asked: Json) -> Json:
        return _conditional(self.table(asked["TableName"]).put(_item(asked["Item"]), _condition(asked)))

    def _delete_item(self, asked: Json) -> Json:
        return _conditional(self.table(asked["TableName"]).delete(*_key(asked["Key"]), _condition(asked)))

    def _batch_get_item(self, asked: Json) -> Json:
        found = {name: self.table(name).batch_get(map(_key, of["Keys"])) for name, of in asked["RequestItems"].items()}
        return {"Responses": {name: [_sent(item) for item in items] for name, items in found.items()}}

    def _batch_write_item(self, asked: Json) -> Json:
        for name, requests in asked["RequestItems"].items():
            table = self.table(name)
            table.put_all(_item(one["PutRequest"]["Item"]) for one in requests if "PutRequest" in one)
            table.delete_all(_key(one["DeleteRequest"]["Key"]) for one in requests if "DeleteRequest" in one)
        return {}

    def _query(self, asked: Json) -> Json:
        table, values = self.table(asked["TableName"]), _item(asked["ExpressionAttributeValues"])
        descending = not asked.get("ScanIndexForward", True)
        if ":low" in values:
            found = list(table.between(values[":pk"], values[":low"], values[":high"], descending=descending))
        else:
            found = list(table.query(values[":pk"], values.get(":prefix", "")))
        if "ExclusiveStartKey" in asked:
            _, start = _key(asked["ExclusiveStartKey"])
            found = [item for item in found if (item["SK"] < start if descending else item["SK"] > start)]
        page = found[: asked.get("Limit")]
        more = {"LastEvaluatedKey": _sent({name: page[-1][name] for name in ("PK", "SK")})} if page != found else {}
        return {"Items": [_sent(item) for item in page], **more}

    def _transact_write_items(self, asked: Json) -> Json:
        """The same token means the same request, done before."""
        actions, token = asked["TransactItems"], asked["ClientRequestToken"]
        if token in self._tokens:
            return {}
        puts = [(_item(one["Put"]["Item"]), _condition(one["Put"])) for one in actions if "Put" in one]
        deletes = [_key(one["Delete"]["Key"]) for one in actions if "Delete" in one]
        additions = [_addition(one["Update"]) for one in actions if "Update" in one]
        (name,) = {next(iter(one.values()))["TableName"] for one in actions}
        if not self.table(name).write_guarded(puts, deletes, additions):
            raise Refused("TransactionCanceledException", more={"CancellationReasons": [{"Code": _FAILED}]})
        self._tokens.add(token)
        return {}


def _item(sent: Json) -> Item:
    """An item of a request, in which bytes are base64."""
    return from_item({name: _decoded(value) if "B" in value else value for name, value in sent.items()})


def _decoded(value: Json) -> Json:
    return {"B": base64.b64decode(value["B"])}


def _sent(item: Mapping[str, Any]) -> Json:
    """An item of an answer."""
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value
        for name, value in to_item(item).items()
    }


_FAILED = "ConditionalCheckFailed"


def _conditional(held: bool) -> Json:
    if not held:
        raise Refused(f"{_FAILED}Exception")
    return {}


def _key(key: Json) -> Key:
    return key["PK"]["S"], key["SK"]["S"]


def _addition(asked: Json) -> Addition:
    """What `ADD #0 :0, #1 :1 SET #2 = :2` says."""
    names, values = asked["ExpressionAttributeNames"], _item(asked["ExpressionAttributeValues"])
    added, _, told = asked["UpdateExpression"].removeprefix("ADD ").partition(" SET ")
    numbers = dict(one.split() for one in added.split(", "))
    fields = dict(one.split(" = ") for one in told.split(", ")) if told else {}
    by_name = [{names[name]: values[value] for name, value in each.items()} for each in (fields, numbers)]
    return Addition(_key(asked["Key"]), *by_name)


def _condition(asked: Json) -> Condition:
    values: Item = _item(asked.get("ExpressionAttributeValues", {}))
    return Condition(asked.get("ConditionExpression", ""), asked.get("ExpressionAttributeNames", {}), values)
