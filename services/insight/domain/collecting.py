"""From what a browser says that a visitor did to facts; what would tell who she is, is left out here.

- Of a search, a bib is kept in its one spelling, and the words by which our page names searches without one. Whatever
  else was typed into the field is "other": it may be a name or a phone number.
- Of a referrer, the host is kept, since the rest of an address may name a person; our own host says nothing.
- The address and the browser's name become a hash (domain/visitors.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.insight.domain.facts import MINUTE_MS, Fact, Kind, short_id
from services.insight.domain.visitors import Visitor
from services.insight.questions import BadEvents, Download, Event, PageView, PhotoView, Search, Share
from shared.contracts import bibs

OTHER = "other"
SEARCHES = frozenset({"selfie", "time", "all", OTHER})
"""What is kept as it is of searches that are not for a bib."""

LONGEST_BIB = 8
"""Characters of a bib that is kept: in races they have six at most, and phone numbers have nine."""

MOST_LATE_MS = 120_000
"""A page of ours sends an event for the last time after a minute."""

_LONGEST_HOST = 253
"""Source: RFC 1035, 2.3.4, of a name as it is written."""


def events_of(sent: Sequence[Any]) -> list[Event] | BadEvents:
    """The events, or which of them is wrong and why."""
    if not sent:
        return BadEvents("Send one event at least.")
    try:
        return msgspec.convert(sent, list[Event])
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        return BadEvents(f"events{where.removesuffix('`')}: {what}. None of the events was taken.")


def facts_of(
    events: Sequence[Event], visitor_at: Callable[[int], Visitor], own_host: str, received_ms: int
) -> list[Fact]:
    """What is kept of the events of a visitor, who is at a page of `own_host`; `visitor_at` a time says who that is."""
    times = [happened_ms(event, received_ms) for event in events]
    visitors = {minute: visitor_at(minute * MINUTE_MS) for minute in {at_ms // MINUTE_MS for at_ms in times}}
    return [
        _fact(event, visitors[at_ms // MINUTE_MS], own_host, at_ms) for event, at_ms in zip(events, times, strict=True)
    ]


def happened_ms(event: Event, received_ms: int) -> int:
    """When an event happened: as its sender says, if that can be, so that what is sent again is of the same moment.

    Clocks of visitors' devices are wrong, and can be set. A sender knows ours, and is believed for MOST_LATE_MS.
    """
    said = event.at_ms
    return received_ms if said is None or not 0 <= received_ms - said <= MOST_LATE_MS else said


def _fact(event: Event, visitor: Visitor, own_host: str, at_ms: int) -> Fact:
    kind, subject = _kept(event)
    referrer = host(event.referrer)
    return Fact(
        id=short_id(event.id),
        at_ms=at_ms,
        kind=kind,
        visitor=visitor.id,
        earlier=visitor.earlier,
        subject=subject,
        found=event.found if isinstance(event, Search) else None,
        referrer="" if referrer == own_host else referrer,
        robot=visitor.robot,
    )


def _kept(event: Event) -> tuple[Kind, str]:
    match event:
        case PageView():
            return "page_view", event.page
        case Search():
            return "search", searched(event.query)
        case PhotoView():
            return "photo_view", event.photo_id
        case Download():
            return "download", event.photo_id
        case Share():
            return "share", event.photo_id


def searched(query: str) -> str:
    """What is kept of a search."""
    bib = bibs.canonical(query)
    if bib is not None and len(bib) <= LONGEST_BIB:
        return bib
    return query if query in SEARCHES else OTHER


def host(address: str) -> str:
    """The host of an address, "" where it has none that could be one."""
    try:
        name = urlsplit(address).hostname or ""
        name = name.encode("ascii").decode().rstrip(".")
    except ValueError:
        return ""
    return name if len(name) <= _LONGEST_HOST and _is_host(name) else ""


def _is_host(name: str) -> bool:
    return all(each.isalnum() or each in "-._:" for each in name)
