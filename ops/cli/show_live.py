"""What `snaprace live` shows: the numbers of the live page, in a terminal of any width."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops.cli.screen import answers
from ops.look.visits import Done
from ops.reach.errors import Failed
from ops.reach.words import counted, to_json
from services.insight.questions import CoverageAnswer, FlowAnswer, Named, RealtimeAnswer

EVERY_S = 2.0
_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_NAMED = 5
_MOST_MISSING = 8
_WIDE = 90
"""Characters of a terminal that shows two columns."""


def show_once(live: RealtimeAnswer, *, as_json: bool) -> None:
    """The numbers as they are."""
    answers.print(to_json(live), markup=False) if as_json else answers.print(screen(live, answers.width))


def follow(ask: Callable[[], RealtimeAnswer], sleep: Callable[[float], None] = time.sleep) -> None:
    """The numbers as they change, until Ctrl-C. Where they cannot be had any more, the last ones stay, and why.

    Raises Failed where they cannot be had at all.
    """
    known, why = ask(), ""
    with Live(console=answers, auto_refresh=False, screen=False) as shown:
        while True:
            # First, since a terminal that is not high enough shows the beginning.
            hint = Text(why, style="red") if why else Text("Ctrl-C ends it.", style="dim")
            shown.update(Group(hint, screen(known, answers.width)), refresh=True)
            sleep(EVERY_S)
            try:
                known, why = ask(), ""
            except Failed as failure:
                why = f"{failure} The numbers are of {_clock(known.minute, known.timezone)}."


def screen(live: RealtimeAnswer, width: int) -> RenderableType:
    """All numbers, in a terminal of so many characters."""
    title = Text.assemble((live.name, "bold"), f"  {_clock(live.minute, live.timezone)} {live.timezone}")
    left = Group(_visitors(live), Text(), _photos(live.flow), Text(), _coverage(live.coverage))
    right = Group(
        _ranked("Photos looked at most", [Named(name=each.name[:12], count=each.count) for each in live.photos]),
        Text(),
        _ranked("Pages", live.pages),
        Text(),
        _ranked("Searches without a result", live.missed),
    )
    if width < _WIDE:
        return Group(title, Text(), left, Text(), right, Text())
    return Group(title, Text(), Columns([left, right], padding=(0, 4)), Text())


def _visitors(live: RealtimeAnswer) -> RenderableType:
    now = [
        (f"{live.active_visitors:,}", "visitors in 5 minutes"),
        (f"{live.live_sessions:,}", "sessions going on"),
        (f"{live.robots:,}", "events of robots in 30 minutes"),
    ]
    return _section("Visitors", now, sparkline([each.visitors for each in live.trend]))


def _photos(flow: FlowAnswer) -> RenderableType:
    reasons = ", ".join(f"{each.count:,} {each.reason}" for each in flow.reasons)
    facts = [
        (f"{flow.uploaded:,}", "uploaded"),
        (f"{flow.bibs_read:,}", "bibs read"),
        (f"{flow.faces_indexed:,}", "faces looked at"),
        (f"{flow.searchable:,}", "searchable"),
        (f"{flow.waiting:,}", "on their way"),
        (f"{flow.duplicates:,}", "copies of others"),
        (f"{flow.rejected:,}", f"rejected{f': {reasons}' if reasons else ''}"),
    ]
    if flow.p50_s is not None and flow.p95_s is not None:
        facts.append((f"{flow.p50_s:.0f} s", f"until searchable; 95 of 100 within {flow.p95_s:.0f} s"))
    return _section("Photos", facts, sparkline([each.searchable for each in flow.trend]))


def _coverage(coverage: CoverageAnswer | None) -> RenderableType:
    if coverage is None:
        return _section("Runners", [("–", "no roster")])
    some = ", ".join(coverage.missing[:_MOST_MISSING])
    left = coverage.runners - coverage.covered
    more = f" and {left - _MOST_MISSING:,} more" if left > _MOST_MISSING else ""
    without = [(f"{left:,}", f"without: {some}{more}")] if left else []
    return _section("Runners", [(f"{coverage.covered:,}", f"of {coverage.runners:,} have a photo"), *without])


def _ranked(title: str, most: Sequence[Named]) -> RenderableType:
    shown = [(f"{each.count:,}", each.name or "others") for each in most[:_MOST_NAMED]]
    return _section(title, shown or [("–", "none in 30 minutes")])


def _section(title: str, rows: Iterable[tuple[str, str]], spark: str = "") -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", min_width=6, style="bold")
    table.add_column(overflow="fold")
    for number, what in rows:
        table.add_row(Text(number), Text(what))
    heading = Text(title, style="cyan")
    return Group(heading, table, Text(f"       {spark}  30 min", style="green")) if spark else Group(heading, table)


def sparkline(numbers: Sequence[int]) -> str:
    """A character for each number, as high as its share of the largest."""
    top = max(numbers, default=0)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[-(-number * steps // top) if top else 0] for number in numbers)


def _clock(minute: str, zone: str) -> str:
    return f"{datetime.fromisoformat(minute).astimezone(ZoneInfo(zone)):%H:%M}"


def show_done(done: Sequence[Done], kind: str, *, as_json: bool) -> None:
    """What visitors did last."""
    if as_json:
        print(to_json(done))
        return
    for each in done:
        found = "" if each.found is None else f"  found {each.found:,}"
        robot = "  robot" if each.robot else ""
        line = f"{each.at}  {each.visitor}  {each.subject}{found}{robot}"
        answers.print(Text(line), Text(each.id, style="dim"), sep="  ")
    if not done:
        answers.print(f"No {kind} was kept in the last day.")
    else:
        answers.print(Text(f"{counted(len(done), 'event')}, the newest first; times are UTC.", style="dim"))
