"""What the insight stage's stream carries, and how it is told apart."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.insight.domain.facts import Fact
from services.insight.domain.feed import PAYLOAD_UNIT, Said, Told, decode, encode
from services.insight.domain.flow import milliseconds
from shared.contracts.errors import InvalidMessage
from shared.contracts.keys import RaceRef
from shared.contracts.messages import ObjectCreated
from tests.kit import events

RACE = RaceRef("acme", "city-run-2026")
EIGHT = st.binary(min_size=8, max_size=8)
FACTS = st.builds(
    Fact,
    id=EIGHT,
    at_ms=st.integers(1, 4_000_000_000_000),
    kind=st.sampled_from(["page_view", "search", "photo_view", "download", "share"]),
    visitor=EIGHT,
    subject=st.text(max_size=200),
    found=st.none() | st.integers(0, 100_000),
    referrer=st.text(max_size=253),
    robot=st.booleans(),
    earlier=st.just(b"") | EIGHT,
)


def _fact(**fields: Any) -> Fact:
    return Fact(**{"id": b"i" * 8, "at_ms": 1, "kind": "share", "visitor": b"v" * 8, **fields})


@given(st.lists(FACTS, max_size=100))
def test_what_is_told_is_read_and_no_record_is_above_a_payload_unit(facts: list[Fact]) -> None:
    records = list(encode(RACE, facts))
    assert all(len(record) <= PAYLOAD_UNIT for record in records)
    told = [decode(record) for record in records]
    assert all(isinstance(each, Told) and each.race == RACE for each in told)
    assert [fact for each in told if isinstance(each, Told) for fact in each.facts] == facts


def test_a_usual_request_is_one_record_and_the_longest_is_few() -> None:
    assert len(list(encode(RACE, [_fact(subject="/live/")] * 100))) == 1
    longest = [_fact(kind="page_view", subject="/" * 200, referrer="x" * 253, earlier=b"e" * 8)] * 100
    assert len(list(encode(RaceRef("o" * 64, "e" * 64), longest))) == 3


def test_a_domain_event_is_told_apart() -> None:
    envelope = events.said(events.withdrawn())
    assert decode(events.as_body(envelope).encode()) == Said(envelope, milliseconds(envelope.meta.occurred_at))


def test_what_s3_says_is_told_apart() -> None:
    happened = events.notification("acme/run/raw_photos/a.jpg", "Created", at="2026-11-08T09:30:00Z")
    said = decode(json.dumps(happened).encode())
    assert isinstance(said, Said)
    assert isinstance(said.message, ObjectCreated)
    assert said.at_ms == milliseconds("2026-11-08T09:30:00Z")


POISON = {
    "nothing": b"",
    "text": b"hello",
    "no JSON after all": b"{",
    "no UTF-8": b'{"source": "\xff"}',
    "no event": b"{}",
    "no time of day": json.dumps(
        {
            "source": "aws.s3", "detail-type": "Object Created", "id": "1", "time": "today",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": "01"}},
        }
    ).encode(),
    "another array": msgspec.msgpack.encode(["acme", 1, []]),
    "no race": msgspec.msgpack.encode(["acme#", "run", []]),
    "unknown kind": msgspec.msgpack.encode(["acme", "run", [[b"i" * 8, 1, "dance", b"v" * 8]]]),
    "short id": msgspec.msgpack.encode(["acme", "run", [_fact(id=b"i")]]),
    "long visitor": msgspec.msgpack.encode(["acme", "run", [_fact(visitor=b"v" * 9)]]),
    "half a visitor of yesterday": msgspec.msgpack.encode(["acme", "run", [_fact(earlier=b"e" * 4)]]),
    "no time": msgspec.msgpack.encode(["acme", "run", [_fact(at_ms=0)]]),
    "cut off": next(encode(RACE, [_fact()]))[:-1],
    "too deep": b"\x94" + msgspec.msgpack.encode(["acme", "run", []])[1:] + b"\x91" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("data", POISON.values(), ids=POISON)
def test_poison_is_named_as_such(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        decode(data)
