"""What a race's visitors did in a minute, as it follows from the minute's facts; and many minutes together."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Literal, get_args

import msgspec

from services.insight.domain import sessions
from services.insight.domain.facts import Fact, Kind, unrepeated
from services.insight.domain.sessions import Activity, Sessions
from services.insight.domain.uniques import Uniques

MOST_NAMED = 100
"""Pages, photos, searches and referrers that are named of a minute, a quarter of an hour or a day; the rest is counted
as OTHERS. So a list of the most wanted is exact while no more than these are wanted, and close to it beyond."""

OTHERS = ""
_REMEMBERED = 512
"""Unpacked visits, some 20 KB each. A live page asks every two seconds, and of its 30 minutes most are as before."""

Named = Literal["missed", "pages", "photos", "downloads", "referrers"]
NAMED: tuple[Named, ...] = get_args(Named)
"""Fields of Visits that count by name."""


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """What visitors did, of one minute or of many.

    `events` counts by kind, robots apart; `found` are searches that found something, `missed` those that found nothing,
    by what was searched for. `visitors` is a packed Uniques; `earlier_visitors` has those who came from the day before
    by their hash of that day, and all others as in `visitors`.
    """

    events: dict[str, int] = {}
    robots: int = 0
    found: int = 0
    missed: dict[str, int] = {}
    pages: dict[str, int] = {}
    photos: dict[str, int] = {}
    downloads: dict[str, int] = {}
    referrers: dict[str, int] = {}
    visitors: bytes = b""
    earlier_visitors: bytes = b""
    sessions: Sessions = Sessions()


def of_minute(facts: Iterable[Fact], known: Mapping[bytes, sessions.Seen]) -> tuple[Visits, Activity]:
    """A minute's visits, and who was there when; `known` were there in the half hour before (sessions.before)."""
    told = unrepeated(facts)
    added, activity = sessions.fold(known, told)
    return msgspec.structs.replace(_without_sessions(told), sessions=added), activity


def so_far(facts: Iterable[Fact]) -> Visits:
    """The visits of a minute that is not worked out yet, which says nothing of sessions."""
    return _without_sessions(unrepeated(facts))


def _without_sessions(told: Sequence[Fact]) -> Visits:
    people = [fact for fact in told if not fact.robot]
    searches = [fact for fact in people if fact.kind == "search"]
    named: dict[Kind, Counter[str]] = {kind: Counter() for kind in ("page_view", "photo_view", "download")}
    for fact in people:
        if fact.kind in named:
            named[fact.kind][fact.subject] += 1
    return Visits(
        events=dict(sorted(Counter(fact.kind for fact in people).items())),
        robots=len(told) - len(people),
        found=sum(1 for fact in searches if fact.found),
        missed=_most(Counter(fact.subject for fact in searches if not fact.found)),
        referrers=_most(Counter(fact.referrer for fact in people if fact.referrer)),
        visitors=Uniques.of(fact.visitor for fact in people).packed(),
        earlier_visitors=Uniques.of(fact.earlier or fact.visitor for fact in people).packed(),
        pages=_most(named["page_view"]),
        photos=_most(named["photo_view"]),
        downloads=_most(named["download"]),
    )


def pack(visits: Visits) -> bytes:
    """Visits as bytes; equal visits are equal bytes."""
    return zlib.compress(msgspec.msgpack.encode(visits, order="sorted"), 6)


@lru_cache(maxsize=_REMEMBERED)
def unpack(packed: bytes) -> Visits:
    """The inverse of `pack`. The answer is shared by all who ask for the same, so that nobody may change it."""
    return msgspec.msgpack.decode(zlib.decompress(packed), type=Visits)


def together(parts: Iterable[Visits]) -> Visits:
    """The sum of many; a visitor of several counts once."""
    summed = list(parts)
    those = visitors(summed).packed()
    # They differ in the half hour after midnight alone.
    alike = all(part.earlier_visitors == part.visitors for part in summed)
    earlier = those if alike else Uniques.merged(Uniques.unpacked(part.earlier_visitors) for part in summed).packed()
    return msgspec.structs.replace(counted(summed), visitors=those, earlier_visitors=earlier, **named(summed))


def counted(parts: Iterable[Visits]) -> Visits:
    """The sum of many, of what is neither named nor a set."""
    events: Counter[str] = Counter()
    robots = found = 0
    added = Sessions()
    for part in parts:
        events.update(part.events)
        robots, found, added = robots + part.robots, found + part.found, added + part.sessions
    return Visits(events=dict(sorted(events.items())), robots=robots, found=found, sessions=added)


def visitors(parts: Iterable[Visits]) -> Uniques:
    """The visitors of many, each once."""
    return Uniques.merged(Uniques.unpacked(part.visitors) for part in parts)


def named(parts: Iterable[Visits], fields: Iterable[Named] = NAMED) -> dict[str, dict[str, int]]:
    """What is counted by name, of many."""
    summed = list(parts)
    counts: dict[str, dict[str, int]] = {}
    for field in fields:
        counter: Counter[str] = Counter()
        for part in summed:
            counter.update(getattr(part, field))
        counts[field] = _most(counter)
    return counts


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    """The largest counts by name, and what the others come to: sums stay what they are."""
    if len(counts) <= MOST_NAMED:
        return dict(counts)
    by_name = sorted(each for each in counts.items() if each[0] != OTHERS)
    ranked = sorted(by_name, key=itemgetter(1), reverse=True)  # of equal counts the first by name, since it is stable
    rest = counts.get(OTHERS, 0) + sum(count for _, count in ranked[MOST_NAMED:])
    return dict(ranked[:MOST_NAMED]) | ({OTHERS: rest} if rest else {})
