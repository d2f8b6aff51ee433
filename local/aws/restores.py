"""Lets the embedded DynamoDB restore a table to a moment of this run, as point-in-time recovery does.

Of each table with point-in-time recovery the items are remembered that later ones took the place of. A restore copies
the table as it is, which ministack does, and takes back what came after the moment. What was before this run, or before
the last MOST_CHANGES of a table, is no longer known: the table says from when on it can be restored.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any, NamedTuple

MOST_DAYS = 35
"""For which DynamoDB keeps a table's past where nobody says for how many. Source: its API Reference,
PointInTimeRecoverySpecification.
"""

MOST_CHANGES = 200_000
"""Of one table; a change holds the item before, most of which is shared with nothing: some 100 MB at worst."""


class _Change(NamedTuple):
    """A change of an item: when (seconds since 1970), which, and the item before it, None for a new one."""

    at: float
    partition: Any
    sort: Any
    before: Any


class _Past:
    """What a table's items were before, and since when (seconds since 1970) that is known."""

    def __init__(self, since: float) -> None:
        self.since = since
        self._changes: deque[_Change] = deque()

    def note(self, change: _Change) -> None:
        self._changes.append(change)
        if len(self._changes) > MOST_CHANGES:
            self.since = self._changes.popleft().at

    def take_back(self, items: dict[Any, dict[Any, Any]], moment: float) -> None:
        """Make of the present items those of the moment; what happened at it counts as happened."""
        for change in reversed(self._changes):
            if change.at <= moment:
                return
            if change.before is not None:
                items.setdefault(change.partition, {})[change.sort] = change.before
            elif change.partition in items:
                items[change.partition].pop(change.sort, None)


def remember() -> None:
    """Remember from now on."""
    from ministack.services import dynamodb

    began = time.time()
    pasts: dict[str, _Past] = {}
    set_item, remove_item = dynamodb._set_item, dynamodb._remove_item
    describe, restore = dynamodb._describe_continuous_backups, dynamodb._restore_table_to_point_in_time
    update, periods = dynamodb._update_continuous_backups, dict[str, int]()

    def past_of(table: Any) -> _Past:
        return pasts.setdefault(table["TableArn"], _Past(max(began, table.get("CreationDateTime", began))))

    def note(table: Any, partition: Any, sort: Any, before: Any) -> Any:
        if dynamodb._pitr_settings.get(table["TableName"]):
            past_of(table).note(_Change(time.time(), partition, sort, before))
        return before

    def set_and_note(table: Any, partition: Any, sort: Any, item: Any) -> Any:
        return note(table, partition, sort, set_item(table, partition, sort, item))

    def remove_and_note(table: Any, partition: Any, sort: Any) -> Any:
        return note(table, partition, sort, remove_item(table, partition, sort))

    def update_with_period(data: dict[str, Any]) -> Any:
        """Remember for how many days the table asks; all of this run is less."""
        days = data.get("PointInTimeRecoverySpecification", {}).get("RecoveryPeriodInDays")
        periods[data["TableName"]] = int(days or MOST_DAYS)
        return update(data)

    def describe_with_past(data: dict[str, Any]) -> Any:
        status, headers, body = describe(data)
        told = json.loads(body)
        recovery = told.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
        if "EarliestRestorableDateTime" in recovery:
            recovery["EarliestRestorableDateTime"] = int(past_of(dynamodb._tables[data["TableName"]]).since) + 1
            recovery["RecoveryPeriodInDays"] = periods.get(data["TableName"], MOST_DAYS)
            recovery["LatestRestorableDateTime"] = max(int(time.time()), recovery["EarliestRestorableDateTime"])
        return status, headers, json.dumps(told).encode()

    def restore_to_moment(data: dict[str, Any]) -> Any:
        answer = restore(data)
        if answer[0] < 300 and (moment := data.get("RestoreDateTime")):
            source, restored = dynamodb._tables[data["SourceTableName"]], dynamodb._tables[data["TargetTableName"]]
            past_of(source).take_back(restored["items"], float(moment))
            dynamodb._items_replaced(restored)
        return answer

    dynamodb._set_item, dynamodb._remove_item = set_and_note, remove_and_note
    dynamodb._describe_continuous_backups = describe_with_past
    dynamodb._restore_table_to_point_in_time = restore_to_moment
    dynamodb._update_continuous_backups = update_with_period
