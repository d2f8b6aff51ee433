"""Keeps DynamoDB's items."""

from __future__ import annotations

import json
from typing import Any

from local.aws.kept.adopted import adopt_in
from local.aws.kept.journal import Journal

STORE = "items"


def keep(journal: Journal) -> None:
    """Note each item that is set or removed."""
    from ministack.services import dynamodb

    set_item, remove_item, replaced = dynamodb._set_item, dynamodb._remove_item, dynamodb._items_replaced

    def set_and_note(table: Any, partition: Any, sort: Any, item: Any) -> Any:
        journal.put(STORE, table["TableArn"], key(partition, sort), item)
        return set_item(table, partition, sort, item)

    def remove_and_note(table: Any, partition: Any, sort: Any) -> Any:
        journal.drop(STORE, table["TableArn"], key(partition, sort))
        return remove_item(table, partition, sort)

    def replaced_and_noted(table: Any) -> None:
        """All items are others, as after a restore."""
        replaced(table)
        kept = {key(*place): item for *place, item in _items(table)}
        for name, _ in journal.rows(STORE, table["TableArn"]):
            if name not in kept:
                journal.drop(STORE, table["TableArn"], name)
        for name, item in kept.items():
            journal.put(STORE, table["TableArn"], name, item)

    def adopt(_name: Any, table: Any) -> Any:
        for name, item in journal.rows(STORE, table["TableArn"]):
            partition, sort = json.loads(name)
            table["items"][partition][sort] = item
        replaced(table)
        return table

    dynamodb._set_item, dynamodb._remove_item = set_and_note, remove_and_note
    dynamodb._items_replaced = replaced_and_noted
    adopt_in(dynamodb._tables, adopt, lambda table: journal.drop_all(STORE, table["TableArn"]))


def _items(table: Any) -> list[tuple[Any, Any, Any]]:
    return [(partition, sort, item) for partition, items in table["items"].items() for sort, item in items.items()]


def key(partition: Any, sort: Any) -> str:
    """The journal's key of an item, of which these are the values of its key attributes."""
    return json.dumps([partition, sort])
