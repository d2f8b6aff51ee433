"""What `snaprace alarms` shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text

from ops.cli.screen import answers
from ops.look.alarms import SeenAlarm
from ops.reach.words import counted, to_json

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def show_alarms(seen: Sequence[SeenAlarm], *, every: bool, as_json: bool) -> None:
    """The alarms that ring, then those without data; all of them where `every` is asked for."""
    if as_json:
        print(to_json([each for each in seen if every or each.state != "OK"]))
        return
    answers.print(rendered(seen, datetime.now(UTC), every=every))


def rendered(seen: Sequence[SeenAlarm], now: datetime, *, every: bool) -> RenderableType:
    """The same for a terminal."""
    of = {state: [each for each in seen if each.state == state] for state in ("ALARM", "INSUFFICIENT_DATA", "OK")}
    parts: list[RenderableType] = []
    for alarm in of["ALARM"]:
        parts.append(_ringing(alarm, now))
    if not of["ALARM"]:
        parts.append(
            Text("No alarm rings.", style="green") if seen else Text("There are no alarms in this environment.")
        )
    parts += _listed("Without data", of["INSUFFICIENT_DATA"], "yellow")
    if every:
        parts += _listed("All is well", of["OK"], "green")
    elif of["OK"]:
        parts.append(Text(f"{counted(len(of['OK']), 'other alarm')} OK; --all lists them.", style="dim"))
    return Group(*parts)


def _ringing(alarm: SeenAlarm, now: datetime) -> RenderableType:
    title = Text.assemble((f"{alarm.severity}  {alarm.name}", "bold red" if alarm.calls else "red"))
    title.append(f"  {_told(alarm)}", style="bold" if alarm.calls else "dim")
    lines = [f"For {_lasting(alarm, now)}, since {alarm.since.astimezone():%Y-%m-%d %H:%M}. {alarm.meaning}".rstrip()]
    lines.append(alarm.why)
    if alarm.quiet_by:
        lines.append(f"Kept quiet by {alarm.quiet_by}")
    if alarm.runbook:
        lines.append(f"What to do: {alarm.runbook}")
    return Group(title, *(Text(f"    {line}") for line in lines if line))


def _told(alarm: SeenAlarm) -> str:
    if alarm.quiet_by:
        return "silenced"
    if alarm.pages:
        return "pages"
    if alarm.acts:
        return "a ticket"
    return f"told by {', '.join(alarm.told_by)}" if alarm.told_by else "nobody is told"


def _lasting(alarm: SeenAlarm, now: datetime) -> str:
    seconds = max(0, int((now - alarm.since).total_seconds()))
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= unit:
            return counted(seconds // unit, name)
    return counted(seconds, "second")


def _listed(title: str, some: Sequence[SeenAlarm], style: str) -> list[RenderableType]:
    if not some:
        return []
    return [Text(f"{title}: {len(some)}", style=style), *(Text(f"    {each.name}") for each in some)]
