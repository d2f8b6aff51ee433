"""Each day: what is wrong now."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from ops.look.alarms import alarms as all_alarms
from ops.look.races import listed
from ops.look.status import status
from ops.look.strays import strays
from ops.reach.cards import in_order
from ops.reach.metrics import Metric, measured
from ops.reach.target import Target
from ops.reach.words import counted
from ops.verify.check import Check
from shared.contracts import naming
from shared.contracts.keys import RaceRef
from shared.contracts.metrics import OVERDUE_S

_RECENT = timedelta(days=7)
"""So long after its day a race's uploads are looked at: photographers are late, and rosters are mended."""

_DEARER = 1.5
"""A day that costs so many times as much as the week before, by its median, is worth a look; of cents nothing is."""
_CENTS = 1.0

_SLO_RUNBOOK = "slo-burn.md"


def alarms(target: Target) -> Iterator[Check]:
    """Which alarms are red, with their runbooks."""
    found = all_alarms(target)
    ringing = [alarm for alarm in found if alarm.rings]
    for alarm in ringing:
        yield Check(
            name=f"alarms: {alarm.name}",
            ok=False,
            seen=f"red since {alarm.since:%Y-%m-%d %H:%M}: {alarm.why}",
            expected="OK",
            advice=alarm.advice,
        )
    if not ringing:
        yield Check(name="alarms", ok=True, seen=f"none of {len(found)} is red")
    budgets = [alarm for alarm in found if alarm.runbook and alarm.runbook.endswith(_SLO_RUNBOOK)]
    if budgets and not any(alarm.rings for alarm in budgets):
        yield Check(name="error budgets", ok=True, seen=f"none of {len(budgets)} alarms on budgets says that one burns")


def oldest_messages(target: Target) -> Iterator[Check]:
    """How old the oldest message of each queue was in the last quarter of an hour."""
    names = [naming.queue(target.env, card.name, each.name) for card in in_order() for each in card.queued]
    metrics = [Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", (("QueueName", name),)) for name in names]
    now = datetime.now(UTC)
    ages = measured(target.client("cloudwatch"), metrics, now - timedelta(minutes=15), now)
    late = {name: age for name, age in zip(names, ages, strict=True) if age is not None and age >= OVERDUE_S}
    for name, age in late.items():
        yield Check(
            name=f"oldest message: {name}",
            ok=False,
            seen=f"{age / 60:.0f} minutes old",
            expected=f"younger than {OVERDUE_S // 60} minutes",
            advice="read docs/runbooks/queue-age.md; snaprace status",
        )
    if not late:
        oldest = max((age for age in ages if age is not None), default=0)
        yield Check(name="oldest message", ok=True, seen=f"{oldest:.0f} s, of {len(names)} queues")


def waiting_uploads(target: Target) -> Iterator[Check]:
    """Uploads of races about these days that wait for longer than promised; and those of no race."""
    found = 0
    for listed_race in listed(target):
        if abs(date.fromisoformat(listed_race.date) - datetime.now(UTC).date()) > _RECENT:
            continue
        race = RaceRef(listed_race.organizer_id, listed_race.event_id)
        oldest = status(target, race).oldest_waiting
        age = oldest.age(datetime.now(UTC)) if oldest else None
        if oldest and age is not None and age > OVERDUE_S:
            found += 1
            yield Check(
                name=f"waiting uploads: {race}",
                ok=False,
                seen=f"{oldest.filename} for {age / 60:.0f} minutes: {oldest.why}",
                expected=f"searchable, or rejected, within {OVERDUE_S // 60} minutes",
                advice=f"snaprace status --organizer {race.organizer_id} --event {race.event_id}",
            )
    lost = strays(target)
    if lost:
        uploads = sum(each.files for each in lost)
        yield Check(name="uploads of no race", ok=True, seen=counted(uploads, "upload"), advice="snaprace strays")
    if not found:
        yield Check(name="waiting uploads", ok=True, seen="none of a race about these days waits too long")


def cost(target: Target) -> Iterator[Check]:
    """What yesterday cost beside the week before, by the environment's tag.

    Cost Explorer charges a cent to be asked, and is asked in us-east-1 alone (source: AWS General Reference, "AWS
    Billing and Cost Management endpoints").
    """
    if target.local:
        yield Check(name="cost", ok=True, seen="nothing on this machine is billed; snaprace cost says what it would be")
        return
    today = datetime.now(UTC).date()
    answer = target.client("ce").get_cost_and_usage(
        TimePeriod={"Start": f"{today - timedelta(days=8)}", "End": f"{today}"},
        Granularity="DAILY",
        Metrics=["UnblendedCost"],
        Filter={"Tags": {"Key": "environment", "Values": [target.env]}},
    )
    *before, yesterday = [float(each["Total"]["UnblendedCost"]["Amount"]) for each in answer["ResultsByTime"]]
    usual = statistics.median(before)
    seen = f"${yesterday:.2f} yesterday, ${usual:.2f} on a usual day of the week before"
    if not any((*before, yesterday)):
        yield Check(
            name="cost",
            ok=True,
            seen="Cost Explorer knows no cost of this environment",
            advice="aws ce update-cost-allocation-tags-status --cost-allocation-tags-status "
            '\'[{"TagKey": "environment", "Status": "Active"}]\'',
        )
        return
    dear = yesterday > max(_CENTS, _DEARER * usual)
    yield Check(
        name="cost",
        ok=not dear,
        seen=seen,
        expected=f"at most {_DEARER:g} times as much" if dear else "",
        advice="snaprace cost" if dear else "",
    )
