"""What is asked of the gallery, and how entries are put in order and cut into pages."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import islice
from typing import Any

import msgspec

from services.search.questions import BadCursor, DayAndHours, Filtered, Order, PhotosAsked
from services.search.records import PhotoEntry, TimeEntry
from shared.contracts.keys import RaceRef

# Asked for one photographer's photos, a page passes over at most so many of others; the next page goes on there.
MAX_PASSED = 2_000

_AFTER_ALL = "~"  # sorts after every character of a time
_YEAR_ZERO = "0"  # sorts before every known time, and after an unknown one

Position = tuple[str | float, ...]
"""Where a photo stands in an order: what the order goes by, and the photo's id to make it unique."""

_IN_TIME = tuple[str, str, str]
_RANKED = tuple[float, float, str, str, str]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Wall-clock times of the race: `begin` ≤ shot_at < `end`; all of them holds photos of unknown time ("") too."""

    begin: str = ""
    end: str = _AFTER_ALL

    def holds(self, shot_at: str) -> bool:
        """Whether a photo taken then is in the window."""
        return self.begin <= shot_at < self.end

    @property
    def span(self) -> tuple[str, str]:
        """Between which times all of it is."""
        return self.begin, self.end


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """Times of day, of whichever day: `begin` ≤ the wall clock < `end`; if `end` is less, over midnight."""

    begin: str = ""
    end: str = _AFTER_ALL

    def holds(self, shot_at: str) -> bool:
        """Whether a photo taken then is in these hours."""
        clock = shot_at[len("2026-11-08T") :]
        if self._over_midnight:
            return bool(clock) and (clock >= self.begin or clock < self.end)
        return bool(clock) and self.begin <= clock < self.end

    @property
    def span(self) -> tuple[str, str]:
        """Between which times all of it is: the known ones."""
        return _YEAR_ZERO, _AFTER_ALL

    def stretch(self, shot_at: str, order: Order) -> tuple[str, str]:
        """Begin and end of the hours of one day: those that hold `shot_at`, or come next in the order."""
        yesterday, today, tomorrow = (self._of_day(shot_at, days) for days in (-1, 0, 1))
        if order == "oldest":
            return next((each for each in (yesterday, today) if shot_at < each[1]), tomorrow)
        return today if today[0] <= shot_at else yesterday

    @property
    def _over_midnight(self) -> bool:
        return self.end < self.begin

    def _of_day(self, shot_at: str, days: int) -> tuple[str, str]:
        """The hours that begin so many days later than `shot_at`."""
        begins, ends = _day(shot_at, days), _day(shot_at, days + self._over_midnight)
        return f"{begins}T{self.begin}", f"{ends}T{self.end}"


def _day(shot_at: str, later: int) -> str:
    try:
        return (date.fromisoformat(shot_at[:10]) + timedelta(days=later)).isoformat()
    except OverflowError:  # cameras say that it is the year 9999
        return _YEAR_ZERO if later < 0 else _AFTER_ALL


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A question to the gallery. `after` is the position of the last photo of the page before.

    `digest` stands for all that decides which photos are found in which order: a cursor is good for that alone.
    """

    digest: str
    order: Order
    window: Window | Hours = Window()
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
        low, high = (TimeEntry.prefix() + each for each in self.window.span)
        if self.after is None:
            return low, high
        here = TimeEntry.locate(race, *self.after).sort_key
        return (max(low, here), high) if self.order == "oldest" else (low, min(high, here))


class Page(msgspec.Struct, frozen=True):
    """A page of entries in order, and where the next one goes on (None at the end)."""

    entries: list[PhotoEntry]
    next_cursor: str | None


def query_of(asked: Filtered, face: str = "") -> Query | DayAndHours | BadCursor:
    """The question that is asked; `face` stands for the face whose photos are asked for, if it is one's."""
    window = _window(asked.begin, asked.end)
    if isinstance(window, DayAndHours):
        return window
    doubtful = isinstance(asked, PhotosAsked) and asked.doubtful
    digest = _digest(face, asked.race, asked.bib, asked.order, asked.begin, asked.end, asked.photographer, doubtful)
    after = None if asked.cursor is None else _position(digest, asked.order, asked.cursor)
    if isinstance(after, BadCursor):
        return after
    return Query(
        digest=digest,
        order=asked.order,
        window=window,
        photographer=asked.photographer,
        doubtful=doubtful,
        limit=asked.limit,
        after=after,
    )


def _window(begin: str | None, end: str | None) -> Window | Hours | DayAndHours:
    if begin is None and end is None:
        return Window()
    of_any_day = {_is_of_any_day(each) for each in (begin, end) if each is not None}
    if of_any_day == {True}:
        return Hours(begin=begin or "", end=_AFTER_ALL if end is None else end + _AFTER_ALL)
    if True in of_any_day:
        return DayAndHours()
    return Window(
        begin=_YEAR_ZERO if begin is None else begin,
        # Through the end of what `to` names: "…T09:30" is that whole minute, a date that whole day.
        end=_AFTER_ALL if end is None else end + _AFTER_ALL,
    )


def _is_of_any_day(time: str) -> bool:
    return time[2:3] == ":"


def page(entries: Iterable[PhotoEntry], query: Query) -> Page:
    """The next page of all entries, given in any order."""
    chosen = [entry for entry in entries if query.admits(entry) and query.is_ahead(entry)]
    chosen.sort(key=lambda entry: position_of(entry, query.order), reverse=query.order != "oldest")
    shown = chosen[: query.limit]
    return Page(shown, _cursor(query, shown[-1]) if len(chosen) > query.limit else None)


def page_of_sorted(entries: Iterable[PhotoEntry], query: Query) -> Page:
    """The next page of entries that come in the query's order already; reads few more than it needs."""
    shown: list[PhotoEntry] = []
    coming = iter(entries)
    last = None
    for last in islice(coming, MAX_PASSED):
        if query.admits(last) and query.is_ahead(last):
            if len(shown) == query.limit:
                return Page(shown, _cursor(query, shown[-1]))
            shown.append(last)
    if last is None or next(coming, None) is None:
        return Page(shown, None)
    return Page(shown, _cursor(query, last))


def position_of(entry: PhotoEntry, order: Order) -> Position:
    """Where the photo stands; "newest" and "best" count down from the greatest."""
    in_time = (entry.shot_at, entry.uploaded_at, entry.photo_id)
    return (*entry.trust, *in_time) if order == "best" else in_time


def _digest(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def _cursor(query: Query, entry: PhotoEntry) -> str:
    """The entry's position, and a digest of it and of the question, so that no other question takes it."""
    position = msgspec.convert(position_of(entry, query.order), _positions(query.order))
    encoded = msgspec.json.encode([_digest(query.digest, position), position])
    return base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def _position(question: str, order: Order, cursor: str) -> Position | BadCursor:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        digest, position = msgspec.json.decode(text, type=tuple[str, _positions(order)])  # type: ignore[misc]
    except (ValueError, msgspec.DecodeError):
        return BadCursor()
    return position if digest == _digest(question, position) else BadCursor()


def _positions(order: Order) -> Any:
    """The type of the positions in an order."""
    return _RANKED if order == "best" else _IN_TIME
