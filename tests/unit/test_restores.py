"""The embedded DynamoDB restores a table to any second since it began to remember."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import restores

TABLE = "restores"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, and a table that is remembered from 1,000 s on."""
    from ministack.services import dynamodb

    now = [1_000.0]
    monkeypatch.setattr(restores.time, "time", lambda: now[0])
    backups = ("_describe_continuous_backups", "_update_continuous_backups", "_restore_table_to_point_in_time")
    for name in ("_set_item", "_remove_item", *backups):
        monkeypatch.setattr(dynamodb, name, getattr(dynamodb, name))  # put back afterwards
    restores.remember()
    keys = [("PK", "HASH"), ("SK", "RANGE")]
    dynamodb._create_table(
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        }
    )
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb._update_continuous_backups({"TableName": TABLE, "PointInTimeRecoverySpecification": recovery})
    yield now
    for name in list(dynamodb._tables):
        dynamodb._delete_table({"TableName": name})


def put(sort: str, value: str) -> None:
    from ministack.services import dynamodb

    item = {"PK": {"S": "p"}, "SK": {"S": sort}, "value": {"S": value}}
    assert dynamodb._put_item({"TableName": TABLE, "Item": item})[0] == 200


def delete(sort: str) -> None:
    from ministack.services import dynamodb

    assert dynamodb._delete_item({"TableName": TABLE, "Key": {"PK": {"S": "p"}, "SK": {"S": sort}}})[0] == 200


def restored(moment: int) -> dict[str, str]:
    from ministack.services import dynamodb

    name = f"{TABLE}-{moment}"
    request = {"SourceTableName": TABLE, "TargetTableName": name, "RestoreDateTime": moment}
    assert dynamodb._restore_table_to_point_in_time(request)[0] == 200
    found = json.loads(dynamodb._scan({"TableName": name})[2])["Items"]
    return {item["SK"]["S"]: item["value"]["S"] for item in found}


def kept() -> tuple[Any, Any]:
    from ministack.services import dynamodb

    told = json.loads(dynamodb._describe_continuous_backups({"TableName": TABLE})[2])
    recovery = told["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]


def test_a_table_is_restored_to_a_second(clock: list[float]) -> None:
    for second, change in enumerate(
        (
            lambda: put("a", "first"),
            lambda: put("b", "new"),
            lambda: put("a", "second"),
            lambda: delete("b"),
            lambda: delete("a"),
        )
    ):
        clock[0] = 1_010.0 + second
        change()
    assert [restored(1_009 + second) for second in range(6)] == [
        {},
        {"a": "first"},
        {"a": "first", "b": "new"},
        {"a": "second", "b": "new"},
        {"a": "second"},
        {},
    ]


def test_what_is_no_longer_known_cannot_be_asked_for(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restores, "MOST_CHANGES", 2)
    clock[0] = 1_005.0
    put("a", "1")
    earliest, latest = kept()
    assert latest == 1_005
    for second in range(3):
        clock[0] = 1_020.0 + second
        put("a", str(second))
    assert kept() == (1_021, 1_022), "the changes of 1,005 and 1,020 are forgotten"
    assert earliest < 1_021
    assert restored(1_021) == {"a": "1"}
