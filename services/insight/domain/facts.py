"""What a visitor did, as a fact that counts once however often it is told, and facts packed into chunks.

Counts follow from the set of facts (domain/minutes.py). A set does not mind repetition, order, halved batches or two
writers, where a sum that is added to would.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Kind = Literal["page_view", "search", "photo_view", "download", "share"]

MINUTE_MS = 60_000
ID_BYTES = 8
"""Of a fact's id and of a visitor's: among the 60,000 facts of a busy minute two are alike once in 10^10 minutes."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, array_like=True, omit_defaults=True):
    """Something that a visitor did at `at_ms` (milliseconds since 1970, by the collector's clock).

    `visitor` is a hash that rotates when the race's day turns; `earlier` is hers of the day before, for as long as a
    session of that day may go on. `subject` is the page, the photo's id or what was searched for; `found` is how many
    photos a search found. Robots, headless browsers and link previews are counted apart.
    """

    id: bytes
    at_ms: int
    kind: Kind
    visitor: bytes
    subject: str = ""
    found: int | None = None
    referrer: str = ""
    robot: bool = False
    earlier: bytes = b""

    @property
    def minute(self) -> int:
        """Minutes since 1970."""
        return self.at_ms // MINUTE_MS


def short_id(text: str) -> bytes:
    """The id of what is called so elsewhere, as a UUID that a browser made."""
    return hashlib.blake2b(text.encode(), digest_size=ID_BYTES).digest()


def unrepeated(facts: Iterable[Fact]) -> list[Fact]:
    """Each fact once, in order of time.

    Of two that have one id but differ, as none do that our page sends, the lesser counts: whichever came first.
    """
    by_id: dict[bytes, Fact] = {}
    for fact in facts:
        held = by_id.get(fact.id)
        if held is None or _order(fact) < _order(held):
            by_id[fact.id] = fact
    return sorted(by_id.values(), key=lambda fact: (fact.at_ms, fact.id))


def _order(fact: Fact) -> tuple[int, bytes, bytes]:
    return fact.at_ms, fact.id, msgspec.msgpack.encode(fact)


def pack(facts: Sequence[Fact]) -> bytes:
    """Facts as bytes, some 25 of them each: an item of 4 KB holds a hundred and fifty."""
    return zlib.compress(msgspec.msgpack.encode(facts), 6)


def unpack(packed: bytes) -> list[Fact]:
    """The facts of a chunk."""
    return msgspec.msgpack.decode(zlib.decompress(packed), type=list[Fact])


def chunk_name(facts: Iterable[Fact]) -> str:
    """What a chunk of these facts is called: the same facts, tried again, are the same item."""
    digest = hashlib.blake2b(digest_size=ID_BYTES)
    for each in sorted(fact.id for fact in facts):
        digest.update(each)
    return digest.hexdigest()
