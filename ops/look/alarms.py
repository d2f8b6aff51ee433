"""Which alarms ring, since when and why, who is woken by that, and what keeps one quiet: as CloudWatch tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ops.reach.target import Target
from shared.contracts import naming

PAGING = ("P0", "P1")
"""Severities that wake somebody; the others are tickets."""

_RUNBOOK = re.compile(r"\s*Runbook: (\S+\.md)\s*$")


class SeenAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm of the environment.

    `state` is OK, ALARM or INSUFFICIENT_DATA, `since` is when it came to that. `acts` says that somebody is told of it,
    `pages` that this wakes her. `quiet_by` is what keeps it from that now: its suppressor (with what makes that ring),
    or a period of waiting for it; `told_by` are composite alarms that ring with it.
    """

    name: str
    severity: str
    state: str
    since: datetime
    meaning: str
    why: str
    runbook: str | None
    composite: bool
    acts: bool
    pages: bool
    quiet_by: str | None = None
    told_by: tuple[str, ...] = ()

    @property
    def rings(self) -> bool:
        """Whether it is in alarm."""
        return self.state == "ALARM"

    @property
    def calls(self) -> bool:
        """Whether it rings, and wakes somebody now."""
        return self.rings and self.pages and self.quiet_by is None

    @property
    def advice(self) -> str:
        """What to read when it rings."""
        return f"read {self.runbook or 'docs/runbooks/README.md'}"


def alarms(target: Target) -> list[SeenAlarm]:
    """All alarms of the environment: the most urgent first, then the oldest."""
    pages = (
        target.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=naming.stack(target.env, ""), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    )
    told = [each for page in pages for kind in ("CompositeAlarms", "MetricAlarms") for each in page.get(kind, [])]
    return seen_in(target.env, told)


def seen_in(env: str, told: Sequence[Mapping[str, Any]]) -> list[SeenAlarm]:
    """What DescribeAlarms tells of all alarms of an environment: the most urgent first, then the oldest."""
    by_name = {each["AlarmName"]: each for each in told}
    seen = [_seen(env, each, by_name) for each in told]
    return sorted(seen, key=lambda each: (each.severity, each.since, each.name))


def _seen(env: str, alarm: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]]) -> SeenAlarm:
    name, text = alarm["AlarmName"], alarm.get("AlarmDescription") or ""
    severity = _severity(env, name)
    acts = bool(alarm.get("ActionsEnabled", True) and alarm.get("AlarmActions"))
    runbook = _RUNBOOK.search(text)
    meaning = _RUNBOOK.sub("", text).removeprefix(f"{severity}: ")
    return SeenAlarm(
        name=name,
        severity=severity,
        state=alarm["StateValue"],
        since=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        meaning=meaning,
        why=_why(alarm, by_name),
        runbook=runbook[1] if runbook else None,
        composite="AlarmRule" in alarm,
        acts=acts,
        pages=acts and severity in PAGING,
        quiet_by=_quiet_by(alarm, by_name),
        told_by=tuple(sorted(_told_by(name, by_name.values()))),
    )


def _severity(env: str, name: str) -> str:
    """Of snaprace-<env>-<severity>-<kind>-<subject>; "–" where an alarm is named otherwise, so that it comes last."""
    found = re.match(rf"{re.escape(naming.stack(env, ''))}(P\d)-", name)
    return found[1] if found else "–"


def _why(alarm: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """A metric alarm's reason, or which alarms make a composite one ring."""
    if "AlarmRule" not in alarm:
        return alarm.get("StateReason") or ""
    ringing = [name for name in _named(alarm["AlarmRule"]) if by_name.get(name, {}).get("StateValue") == "ALARM"]
    return f"Ringing: {', '.join(ringing)}." if ringing else alarm.get("StateReason") or ""


def _quiet_by(alarm: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]]) -> str | None:
    by = alarm.get("ActionsSuppressedBy")
    if not by:
        return None
    suppressor = _plain(alarm.get("ActionsSuppressor") or "")
    if by != "Alarm":
        after = "waits whether it rings" if by == "WaitPeriod" else "it has just stopped ringing"
        return f"{suppressor} ({after})"
    causes = by_name.get(suppressor)
    return f"{suppressor} ({_why(causes, by_name)})" if causes else suppressor


def _told_by(name: str, everything: Iterable[Mapping[str, Any]]) -> list[str]:
    acting = (each for each in everything if each.get("AlarmRule") and each.get("AlarmActions"))
    return [each["AlarmName"] for each in acting if name in _named(each["AlarmRule"])]


def _named(rule: str) -> list[str]:
    """The alarms that a rule names, as ALARM("name") or ALARM(arn)."""
    return [_plain(name) for name in re.findall(r"""(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*"?([^")]+?)"?\s*\)""", rule)]


def _plain(name: str) -> str:
    """The alarm's name, also of its ARN (arn:aws:cloudwatch:region:account:alarm:name)."""
    return name.split(":alarm:", 1)[1] if name.startswith("arn:") else name
