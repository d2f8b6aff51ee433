"""What visitors did, kept as the aggregate function keeps it."""

from __future__ import annotations

from typing import Any

from services.insight.domain.chunks import chunks
from services.insight.domain.facts import Fact, Kind
from services.insight.domain.feed import Told
from shared.contracts.keys import RaceRef
from shared.kit.records import Records
from tests.kit.events import RACE


def fact(number: int, at_ms: int, kind: Kind = "search", **fields: Any) -> Fact:
    """Something that one of three visitors did, about 42."""
    name, visitor = number.to_bytes(8, "little"), (number % 3).to_bytes(8, "little")
    return Fact(id=name, at_ms=at_ms, kind=kind, visitor=visitor, subject="42", **fields)


def keep(events: Records, *batches: list[Fact], race: RaceRef = RACE) -> None:
    """Keep what each batch tells."""
    for batch in batches:
        for ref, kept in chunks([Told(*race, batch)]).items():
            events.put_all(ref, kept)
