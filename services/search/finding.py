"""What can be asked of the gallery, and how answers are put in order and cut into pages. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Literal, cast

import msgspec

from services.search.domain import wall_clock
from shared.contracts import bibs
from shared.contracts.errors import RequestRefused
from shared.contracts.events import Status
from shared.contracts.keys import RaceRef, valid_id

Order = Literal["newest", "oldest", "best"]
ORDERS: tuple[Order, ...] = ("newest", "oldest", "best")
DEFAULT_LIMIT = 24
MAX_LIMIT = 100  # what one BatchGetItem reads

# Asked for one photographer's photos, a page passes over at most so many of others; the next page goes on there.
MAX_PASSED = 2_000

_MAX_BIB = 20
_MAX_CURSOR = 400
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?)?", re.ASCII)
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
    bib: str | None = None
    window: Window = Window()
    photographer: str | None = None
    doubtful: bool = False
    limit: int = DEFAULT_LIMIT
    after: Position | None = None

    def admits(self, entry: Entry) -> bool:
        """Whether the photo is one of those asked for, on whatever page."""
        if self.photographer is not None and entry.photographer != self.photographer:
            return False
        if entry.status == "doubtful" and not self.doubtful:
            return False
        return self.window.holds(entry.shot_at)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A photo as an index knows it: enough to choose and to order by.

    `trust` is what "best" goes by: for a bib, how it is known; for a selfie, how similar the face is.
    """

    photo_id: str
    shot_at: str
    uploaded_at: str
    photographer: str | None = None
    status: Status | None = None
    trust: tuple[float, float] = (0.0, 0.0)

    def position(self, order: Order) -> Position:
        """Where the photo stands; "newest" and "best" count down from the greatest."""
        in_time = (self.shot_at, self.uploaded_at, self.photo_id)
        return (*self.trust, *in_time) if order == "best" else in_time


class Page(msgspec.Struct, frozen=True):
    """A page of entries in order, and where the next one goes on (None at the end)."""

    entries: list[Entry]
    next_cursor: str | None


def parse_query(parameters: Mapping[str, Any], *, ranked: bool = False) -> Query:
    """Read a query string (or the same names in a JSON body). Raises RequestRefused, saying what to do.

    `ranked` says that there is something to be best at even without a bib (a selfie).
    """
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    bib = parse_bib(given["bib"]) if "bib" in given else None
    order = given.get("order", "best" if ranked else "newest")
    if order not in ORDERS:
        raise RequestRefused("bad_order", "Ask for order=newest, order=oldest or order=best.")
    if order == "best" and bib is None and not ranked:
        raise RequestRefused("bad_order", "order=best needs a bib; without one, ask for newest or oldest.")
    photographer = given.get("photographer")
    return Query(
        order=order,
        bib=bib,
        window=_window(given.get("from"), given.get("to")),
        photographer=None if photographer is None else str(photographer),
        doubtful=given.get("doubtful") in (True, "true", "1"),
        limit=_limit(given.get("limit", DEFAULT_LIMIT)),
        after=_position(order, given["cursor"]) if "cursor" in given else None,
    )


def parse_race(organizer_id: str, event_id: str) -> RaceRef:
    """The race of these ids. Raises RequestRefused for what cannot be one."""
    if not (valid_id(organizer_id) and valid_id(event_id)):
        raise unknown_race()
    return RaceRef(organizer_id, event_id)


def unknown_race() -> RequestRefused:
    """The refusal for a race that nobody configured."""
    return RequestRefused("unknown_race", "There is no such race. Check the organizer and the event.", 404)


def parse_bib(text: Any) -> str:
    """The canonical bib. Raises RequestRefused."""
    bib = bibs.canonical(text) if isinstance(text, str) and len(text) <= _MAX_BIB else None
    if bib is None:
        raise RequestRefused(
            "bad_bib", "Give the bib as it is printed: digits, perhaps after letters, like 1042 or A42."
        )
    return bib


def _window(begin: Any, end: Any) -> Window:
    if begin is None and end is None:
        return Window()
    return Window(
        begin=_YEAR_ZERO if begin is None else _local_time(begin),
        # Through the end of what `to` names: "…T09:30" is that whole minute, a date that whole day.
        end=_AFTER_ALL if end is None else _local_time(end) + _AFTER_ALL,
    )


def _local_time(text: Any) -> str:
    if isinstance(text, str) and _TIME.fullmatch(text) and wall_clock(text):
        return text
    raise RequestRefused("bad_time", "Give from and to as the race's local time without a zone, like 2026-11-08T09:30.")


def _limit(value: Any) -> int:
    try:
        limit = int(value) if isinstance(value, str | int) else 0
    except ValueError:
        limit = 0
    if not 1 <= limit <= MAX_LIMIT:
        raise RequestRefused("bad_limit", f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return limit


def page(entries: Iterable[Entry], query: Query) -> Page:
    """The next page of all entries, given in any order."""
    chosen = [entry for entry in entries if query.admits(entry) and _is_ahead(entry, query)]
    chosen.sort(key=lambda entry: entry.position(query.order), reverse=query.order != "oldest")
    shown = chosen[: query.limit]
    return Page(shown, _cursor(query.order, shown[-1]) if len(chosen) > query.limit else None)


def page_of_sorted(entries: Iterable[Entry], query: Query) -> Page:
    """The next page of entries that come in the query's order already; reads few more than it needs."""
    shown: list[Entry] = []
    coming = iter(entries)
    last = None
    for last in islice(coming, MAX_PASSED):
        if query.admits(last) and _is_ahead(last, query):
            if len(shown) == query.limit:
                return Page(shown, _cursor(query.order, shown[-1]))
            shown.append(last)
    if last is None or next(coming, None) is None:
        return Page(shown, None)
    return Page(shown, _cursor(query.order, last))


def _is_ahead(entry: Entry, query: Query) -> bool:
    if query.after is None:
        return True
    position = entry.position(query.order)
    return position > query.after if query.order == "oldest" else position < query.after


def _cursor(order: Order, entry: Entry) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([order, entry.position(order)])).decode().rstrip("=")


def _position(order: Order, cursor: Any) -> Position:
    try:
        if not isinstance(cursor, str) or len(cursor) > _MAX_CURSOR:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        said_order, position = msgspec.json.decode(text, type=_RANKED if order == "best" else _IN_TIME)
        if said_order != order:
            raise ValueError
    except (ValueError, msgspec.DecodeError):
        message = "Send next_cursor back as it came, with the same order; or leave cursor out to start over."
        raise RequestRefused("bad_cursor", message) from None
    return cast(Position, position)
