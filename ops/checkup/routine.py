"""Which checks belong to the day, the week and the month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from botocore.exceptions import ClientError

from ops.checkup import daily, monthly, weekly
from ops.reach.errors import Failed, explain
from ops.reach.target import Target
from ops.verify.check import Check, Verdict
from ops.verify.queues import letters

Period = Literal["daily", "weekly", "monthly"]
Looks = Callable[[Target], Iterator[Check]]

ROUTINE: dict[Period, tuple[Looks, ...]] = {
    "daily": (daily.alarms, letters, daily.oldest_messages, daily.waiting_uploads, daily.cost),
    "weekly": (weekly.deployment, weekly.logs, weekly.throttles, weekly.backups),
    "monthly": (monthly.next_races, monthly.code_storage, monthly.access),
}


def checkup(target: Target, period: Period, tell: Callable[[str], None] = lambda _: None) -> Verdict:
    """Carry out a period's checks; `tell` hears what is looked at."""
    checks: list[Check] = []
    for look in ROUTINE[period]:
        subject = look.__name__.replace("_", " ")
        tell(f"Looking at {subject}")
        try:
            checks += look(target)
        except (ClientError, Failed) as error:
            why = explain(error) if isinstance(error, ClientError) else str(error)
            checks.append(
                Check(name=subject, ok=False, seen=why, expected="it can be read", advice="read docs/deployment.md")
            )
    return Verdict.of(tuple(checks))
