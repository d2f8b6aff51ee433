"""What is asked of the gallery, and how entries are put in order and cut into pages."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import islice
from typing import cast

import msgspec

from services.search.questions import BadCursor, Filtered, Order, PhotosAsked
from services.search.records import PhotoEntry, TimeEntry
from shared.contracts.keys import RaceRef

# Asked for one photographer's photos, a page passes over at most so many of others; the next page goes on there.
MAX_PASSED = 2_000

_AFTER_ALL = "~"  # sorts after every character of a time
_YEAR_ZERO = "0"  # sorts before every known time, and after an unknown one

Position = tuple[str | float, ...]
"""Where a photo stands in an order: what the order goes by, and the photo's id to make it unique."""

_IN_TIME = tuple[Order, tuple[str, str, str]]
_RANKED = tuple[Order, tuple[float, float, str, str, str]]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Wall-clock times of the race: `begin` ≤ shot_at < `end`; all of them holds photos of unknown time ("") too."""

    begin: str = ""
    end: str = _AFTER_ALL

    def holds(self, shot_at: str) -> bool:
        """Whether a photo taken then is in the window."""
        return self.begin <= shot_at < self.end


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A question to the gallery. `after` is the position of the last photo of the page before."""

    order: Order
    window: Window = Window()
    photographer: str | None = None
    doubtful: bool = False
    limit: int
    after: Position | None = None

    def admits(self, entry: PhotoEntry) -> bool:
        """Whether the photo is one of those asked for, on whatever page."""
        if self.photographer is not None and entry.photographer != self.photographer:
            return False
        return self.window.holds(entry.shot_at) and (self.doubtful or not entry.doubtful)

    def is_ahead(self, entry: PhotoEntry) -> bool:
        """Whether the photo comes after the page before."""
        if self.after is None:
            return True
        position = position_of(entry, self.order)
        return position > self.after if self.order == "oldest" else position < self.after

    def keys(self, race: RaceRef) -> tuple[str, str]:
        """Between which sort keys of the race's order in time the photos are, without those of pages before."""
        low, high = TimeEntry.prefix() + self.window.begin, TimeEntry.prefix() + self.window.end
        if self.after is None:
            return low, high
        here = TimeEntry.locate(race, *self.after).sort_key
        return (max(low, here), high) if self.order == "oldest" else (low, min(high, here))


class Page(msgspec.Struct, frozen=True):
    """A page of entries in order, and where the next one goes on (None at the end)."""

    entries: list[PhotoEntry]
    next_cursor: str | None


def query_of(asked: Filtered) -> Query | BadCursor:
    """The question that is asked."""
    after = None if asked.cursor is None else _position(asked.order, asked.cursor)
    if isinstance(after, BadCursor):
        return after
    return Query(
        order=asked.order,
        window=_window(asked.begin, asked.end),
        photographer=asked.photographer,
        doubtful=isinstance(asked, PhotosAsked) and asked.doubtful,
        limit=asked.limit,
        after=after,
    )


def _window(begin: str | None, end: str | None) -> Window:
    if begin is None and end is None:
        return Window()
    return Window(
        begin=_YEAR_ZERO if begin is None else begin,
        # Through the end of what `to` names: "…T09:30" is that whole minute, a date that whole day.
        end=_AFTER_ALL if end is None else end + _AFTER_ALL,
    )


def page(entries: Iterable[PhotoEntry], query: Query) -> Page:
    """The next page of all entries, given in any order."""
    chosen = [entry for entry in entries if query.admits(entry) and query.is_ahead(entry)]
    chosen.sort(key=lambda entry: position_of(entry, query.order), reverse=query.order != "oldest")
    shown = chosen[: query.limit]
    return Page(shown, _cursor(query.order, shown[-1]) if len(chosen) > query.limit else None)


def page_of_sorted(entries: Iterable[PhotoEntry], query: Query) -> Page:
    """The next page of entries that come in the query's order already; reads few more than it needs."""
    shown: list[PhotoEntry] = []
    coming = iter(entries)
    last = None
    for last in islice(coming, MAX_PASSED):
        if query.admits(last) and query.is_ahead(last):
            if len(shown) == query.limit:
                return Page(shown, _cursor(query.order, shown[-1]))
            shown.append(last)
    if last is None or next(coming, None) is None:
        return Page(shown, None)
    return Page(shown, _cursor(query.order, last))


def position_of(entry: PhotoEntry, order: Order) -> Position:
    """Where the photo stands; "newest" and "best" count down from the greatest."""
    in_time = (entry.shot_at, entry.uploaded_at, entry.photo_id)
    return (*entry.trust, *in_time) if order == "best" else in_time


def _cursor(order: Order, entry: PhotoEntry) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([order, position_of(entry, order)])).decode().rstrip("=")


def _position(order: Order, cursor: str) -> Position | BadCursor:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        said_order, position = msgspec.json.decode(text, type=_RANKED if order == "best" else _IN_TIME)
    except (ValueError, msgspec.DecodeError):
        return BadCursor()
    return cast(Position, position) if said_order == order else BadCursor()
