"""What visitors did last, as facts, for who looks into why a number is what it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from ops.reach.target import Target
from services.insight.records import EVENTS, Chunk
from services.insight.stage import STAGE
from shared.contracts.keys import RaceRef
from shared.contracts.records import At
from shared.kit.records import Records

_TOGETHER = 25
"""Chunks that are read together."""
_SHORT = 6
"""Characters of a hash that are shown: they tell visitors apart, and lead to nobody."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a visitor did. `visitor` and `id` are shortened hashes."""

    at: str
    kind: str
    subject: str
    found: int | None
    robot: bool
    visitor: str
    id: str


def last_done(target: Target, race: RaceRef, kind: str, most: int) -> list[Done]:
    """What visitors of a race did last of a kind, the newest first, each once."""
    events = target.records_in(STAGE.name, EVENTS)
    facts: dict[bytes, Any] = {}
    minute: int | None = None
    for chunk in _chunks(events, target.client("dynamodb"), f"{race.partition}#{kind}"):
        if len(facts) >= most and chunk.minute != minute:
            break  # chunks of one minute are in no order: only all of them have its last facts
        minute = chunk.minute
        facts.update({fact.id: fact for fact in chunk.told})
    newest = sorted(facts.values(), key=lambda fact: (fact.at_ms, fact.id), reverse=True)[:most]
    return [
        Done(
            at=datetime.fromtimestamp(fact.at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            kind=fact.kind,
            subject=fact.subject,
            found=fact.found,
            robot=fact.robot,
            visitor=fact.visitor.hex()[:_SHORT],
            id=fact.id.hex()[:_SHORT],
        )
        for fact in newest
    ]


def _chunks(events: Records, client: Any, of_type: str) -> Iterator[Chunk]:
    """Chunks of a type, the latest minute first; the index has their keys alone."""
    (by_type,) = EVENTS.indexes
    pages = client.get_paginator("query").paginate(
        TableName=events.name,
        IndexName=by_type.name,
        KeyConditionExpression="#type = :type",
        ExpressionAttributeNames={"#type": by_type.partition},
        ExpressionAttributeValues={":type": {"S": of_type}},
        ScanIndexForward=False,
        PaginationConfig={"PageSize": _TOGETHER},
    )
    for page in pages:
        places = [At(Chunk, item["PK"]["S"], item["SK"]["S"]) for item in page["Items"]]
        found = events.read(*places)
        yield from (chunk for place in places if (chunk := found.get(place)))
