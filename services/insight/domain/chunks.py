"""From what a batch tells of visitors to what is kept of it: chunks of facts, and marks of the minutes they are of."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from services.insight.domain import facts as packing
from services.insight.domain.facts import Fact, Kind
from services.insight.domain.feed import Told
from services.insight.records import KEPT_S, Chunk, Pending
from shared.contracts.errors import InvalidMessage
from shared.contracts.keys import RaceRef
from shared.contracts.parts import one_each, parts

MOST_FACTS = 1_000
"""Of a chunk: packed they take some 25 KB, and 300 KB if all texts are as long as they may be. An item takes 400 KB."""
COUNTED_FOR_S = 20 * 3600
"""Seconds that a fact may be late. A minute is worked out from all of its facts, which are kept for KEPT_S only."""


def check_not_late(told: Told, arrived_ms: int) -> None:
    """Raises InvalidMessage for facts that came into the stream at `arrived_ms` and cannot be counted any more."""
    if any(arrived_ms - fact.at_ms > 1000 * COUNTED_FOR_S for fact in told.facts):
        hours = COUNTED_FOR_S // 3600
        raise InvalidMessage("too_late", f"What visitors did more than {hours} hours ago is not counted any more.")


def chunks(told: Iterable[Told]) -> dict[RaceRef, list[Chunk]]:
    """What is to be kept, by race."""
    together: dict[tuple[RaceRef, int, Kind], list[Fact]] = defaultdict(list)
    for each in told:
        for fact in each.facts:
            together[each.race, fact.minute, fact.kind].append(fact)
    by_race: dict[RaceRef, list[Chunk]] = defaultdict(list)
    for (race, minute, kind), facts in together.items():
        by_race[race] += _chunks(race, minute, kind, facts)
    return by_race


def _chunks(race: RaceRef, minute: int, kind: Kind, facts: Iterable[Fact]) -> Iterator[Chunk]:
    for some in parts(packing.unrepeated(facts), (one_each, MOST_FACTS)):
        yield Chunk(
            minute=minute,
            kind=kind,
            name=packing.chunk_name(some),
            facts=packing.pack(some),
            of_type=f"{race.partition}#{kind}",
            expires_at=60 * minute + KEPT_S,
        )


def marks(race: RaceRef, kept: Iterable[Chunk]) -> Iterator[Pending]:
    """The marks of the minutes that these chunks are of; the same chunks, tried again, are the same marks."""
    names: dict[int, list[str]] = defaultdict(list)
    for chunk in kept:
        names[chunk.minute].append(f"{chunk.kind}#{chunk.name}")
    for minute, those in names.items():
        token = hashlib.blake2b("\0".join(sorted(those)).encode(), digest_size=8).hexdigest()
        yield Pending(race=race.partition, minute=minute, token=token)
