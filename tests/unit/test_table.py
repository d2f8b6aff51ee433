"""The table wrapper against moto, and its stand-in in memory: conditions, pages, batches, numbers."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from shared.contracts.records import Addition
from shared.kit.table import ABSENT, ALWAYS, Condition, Table, from_item, to_item
from tests.kit.memory_table import MemoryTable


@pytest.fixture(params=["moto", "memory"])
def table(request: pytest.FixtureRequest) -> Table:
    return MemoryTable("t") if request.param == "memory" else request.getfixturevalue("on_moto")


@pytest.fixture
def on_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Table(client, "t")


def test_a_condition_that_fails_writes_nothing(table: Table) -> None:
    assert table.put({"PK": "p", "SK": "s", "n": 1}, ABSENT)
    assert not table.put({"PK": "p", "SK": "s", "n": 2}, ABSENT)
    assert not table.delete("p", "s", Condition("n = :no", values={":no": 9}))
    assert table.get("p", "s") == {"PK": "p", "SK": "s", "n": 1}


def test_a_query_reads_all_pages_in_order_and_resumes(table: Table) -> None:
    big = "x" * 300_000  # four of these fill DynamoDB's page of 1 MB
    table.put_all({"PK": "p", "SK": f"A#{n:03}", "big": big} for n in range(9))
    table.put({"PK": "p", "SK": "B#1"})
    assert [item["SK"] for item in table.query("p", "A#")] == [f"A#{n:03}" for n in range(9)]
    assert [item["SK"] for item in table.query("p", "A#", after="A#006")] == ["A#007", "A#008"]
    assert len(list(table.query("p"))) == 10


def test_what_is_added_counts_with_what_is_written_or_not_at_all(table: Table) -> None:
    added = Addition(("p", "counts"), {"minute": 7}, {"count.a": 2, "count.b.c": -1})
    assert table.write_guarded([({"PK": "p", "SK": "one"}, ABSENT)], additions=[added])
    assert not table.write_guarded([({"PK": "p", "SK": "one"}, ABSENT)], additions=[added])
    assert table.write_guarded([({"PK": "p", "SK": "two"}, ABSENT)], additions=[added])
    assert table.get("p", "counts") == {"PK": "p", "SK": "counts", "minute": 7, "count.a": 4, "count.b.c": -2}


def test_bytes_stay_bytes(table: Table) -> None:
    table.put({"PK": "p", "SK": "s", "packed": b"\x00\xff", "inside": {"packed": [b"a"]}})
    assert table.get("p", "s") == {"PK": "p", "SK": "s", "packed": b"\x00\xff", "inside": {"packed": [b"a"]}}


def test_only_the_attributes_asked_for_are_sent_also_those_with_reserved_names(table: Table) -> None:
    table.put_all({"PK": "p", "SK": f"{n:03}", "state": n, "words": {"n": n}} for n in range(120))
    assert list(table.query("p", "00", only=("SK", "state")))[7] == {"SK": "007", "state": 7}
    assert list(table.query("p", only=("gone",))) == [{}] * 120
    found = table.batch_get((("p", f"{n:03}") for n in range(120)), only=("state",))
    assert sorted(item["state"] for item in found) == list(range(120))
    assert {name for item in found for name in item} == {"state"}


def test_batches_of_any_size(table: Table) -> None:
    table.put_all({"PK": "p", "SK": f"{n:03}"} for n in range(120))
    keys = [("p", f"{n:03}") for n in range(130)]
    assert len(table.batch_get(keys + keys)) == 120
    assert table.batch_get([]) == []
    table.delete_all(keys)
    assert list(table.query("p")) == []


def test_a_transaction_is_all_or_nothing(table: Table) -> None:
    table.put({"PK": "p", "SK": "old"})
    new = {"PK": "p", "SK": "new"}
    other = {"PK": "p", "SK": "other"}
    assert not table.write_guarded([(new, Condition("attribute_exists(PK)")), (other, ALWAYS)], [("p", "old")])
    assert [item["SK"] for item in table.query("p")] == ["old"]
    assert table.write_guarded([(new, ABSENT), (other, ALWAYS)], [("p", "old")])
    table.delete("p", "other")
    assert (table.get("p", "old"), table.get("p", "new")) == (None, new)


JSON = st.recursive(
    st.text()
    | st.integers(-(10**15), 10**15)
    | st.floats(-1e9, 1e9).map(lambda number: round(number, 6))
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), JSON, max_size=4))
def test_what_is_kept_comes_back(document: dict[str, object]) -> None:
    assert from_item(to_item(document)) == document


def test_structs_are_kept_as_maps_and_none_is_left_out() -> None:
    class Point(msgspec.Struct):
        x: float

    assert from_item(to_item({"at": Point(x=0.1), "none": None})) == {"at": {"x": 0.1}}
