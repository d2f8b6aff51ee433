"""How many of DynamoDB's write units something costs, by AWS's rule, since the embedded one does not tell.

A write of an item takes a unit for each KB of it, rounded up; of an index that holds keys alone one more where the
entry is new. A delete takes as much as the item that goes, which is a mark of less than 1 KB here. Names of attributes
count, too. Source: DynamoDB Developer Guide, "Item sizes and formats" and "Read/write capacity of indexes".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.insight.records import EVENTS
from shared.kit.table import ALWAYS, Condition, Item, Table, to_item

_KB = 1024
_INDEXED = tuple(index.partition for index in EVENTS.indexes)


class CountingTable(Table):
    """A table that counts the units of what is written into it."""

    units = 0

    def put(self, item: Item, condition: Condition = ALWAYS) -> bool:
        """Write the item, and count it."""
        self.units += units(item)
        return super().put(item, condition)

    def put_all(self, items: Iterable[Item]) -> None:
        """Write the items, and count them."""
        listed = list(items)
        self.units += sum(map(units, listed))
        super().put_all(listed)

    def delete(self, pk: str, sk: str, condition: Condition = ALWAYS) -> bool:
        """Delete a mark, and count it."""
        self.units += 1
        return super().delete(pk, sk, condition)


def units(item: Item) -> int:
    """The units of writing an item that is new."""
    written: Mapping[str, Any] = to_item(item)
    size = sum(len(name.encode()) + _size(value) for name, value in written.items())
    return -(-size // _KB) + sum(name in written for name in _INDEXED)


def _size(value: Mapping[str, Any]) -> int:
    (kind, content), *_ = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(bytes(content.value if hasattr(content, "value") else content))
        case "N":
            return (len(content.lstrip("-").replace(".", "")) + 1) // 2 + 1
        case "L":
            return 3 + sum(1 + _size(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(each) for name, each in content.items())
        case _:  # NULL and BOOL
            return 1
