"""Each week: what grows wrong slowly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ops.reach.cards import in_order
from ops.reach.metrics import Metric, measured
from ops.reach.target import Target
from ops.verify.check import Check
from ops.verify.verification import verify
from shared.contracts import naming
from shared.contracts.metrics import NAMESPACE, THROTTLED, dimensions

_WEEK = timedelta(days=7)
_GROWN = 2.0
"""Logs that grow so many times as fast as the week before, and by more than a gigabyte, are worth a look."""
_GIGABYTE = 1e9
_BACKED_UP_WITHIN = timedelta(hours=26)  # a day, and what a job may take


def deployment(target: Target) -> Iterator[Check]:
    """The whole verification without its probe: all that is wrong, and all notices; what is well in one line."""
    checks = verify(target).checks
    yield from (check for check in checks if check.advice)
    well = sum(check.ok for check in checks)
    yield Check(name="deployment", ok=True, seen=f"{well} of {len(checks)} checks of snaprace verify are well")


def logs(target: Target) -> Iterator[Check]:
    """How much the functions logged this week, beside the week before."""
    now, client = datetime.now(UTC), target.client("cloudwatch")
    groups = [f"/aws/lambda/{name}" for name in _functions(target)]
    metrics = [Metric("AWS/Logs", "IncomingBytes", "Sum", (("LogGroupName", group),)) for group in groups]
    this_week = measured(client, metrics, now - _WEEK, now)
    before = measured(client, metrics, now - 2 * _WEEK, now - _WEEK)
    grown = 0
    for group, later, earlier in zip(groups, this_week, before, strict=True):
        if (later or 0) > max(_GIGABYTE, _GROWN * (earlier or 0)):
            grown += 1
            yield Check(
                name=f"logs: {group}",
                ok=False,
                seen=f"{_gigabytes(later)} this week, {_gigabytes(earlier)} the week before",
                expected=f"at most {_GROWN:g} times as much",
                advice=f"aws logs tail {group} --since 1h",
            )
    if not grown:
        total = sum(each or 0 for each in this_week)
        yield Check(name="logs", ok=True, seen=f"{_gigabytes(total)} this week, of {len(groups)} functions")


def _gigabytes(number: float | None) -> str:
    return f"{(number or 0) / _GIGABYTE:.2f} GB"


def throttles(target: Target) -> Iterator[Check]:
    """How often functions, and messages for a service's sake, were told to wait this week."""
    now, client = datetime.now(UTC), target.client("cloudwatch")
    functions = {
        naming.function(target.env, card.name, each.name): dimensions(target.env, card.name, each.name)
        for card in in_order()
        for each in card.functions
    }
    metrics = {
        "function-throttles": [
            Metric("AWS/Lambda", "Throttles", "Sum", (("FunctionName", name),)) for name in functions
        ],
        "message-throttles": [Metric(NAMESPACE, THROTTLED, "Sum", tuple(each.items())) for each in functions.values()],
    }
    some = False
    for runbook, of_kind in metrics.items():
        for name, number in zip(functions, measured(client, of_kind, now - _WEEK, now), strict=True):
            if number:
                some = True
                yield Check(
                    name=f"throttles: {name}",
                    ok=False,
                    seen=f"{number:,.0f} this week ({runbook})",
                    expected="none",
                    advice=f"read docs/runbooks/{runbook}.md; snaprace verify --only quotas",
                )
    if not some:
        yield Check(name="throttles", ok=True, seen="none this week")


def backups(target: Target) -> Iterator[Check]:
    """Whether each stage's table has a backup of the last day, where vaults are deployed."""
    client, now = target.client("backup"), datetime.now(UTC)
    vaults = [
        vault["BackupVaultName"]
        for page in client.get_paginator("list_backup_vaults").paginate()
        for vault in page["BackupVaultList"]
        if vault["BackupVaultName"].startswith(naming.stack(target.env, ""))
    ]
    if not vaults:
        yield Check(name="backups", ok=True, seen="no vault of this environment is deployed")
        return
    pages = client.get_paginator("list_protected_resources").paginate()
    last = {each["ResourceArn"]: each.get("LastBackupTime") for page in pages for each in page["Results"]}
    tables = {f"table/{target.table(card.name).name}" for card in in_order() if card.has_table}
    made = {
        table: next((at for arn, at in last.items() if arn.endswith(f":{table}")), None) for table in sorted(tables)
    }
    old = {table: at for table, at in made.items() if at is None or now - at > _BACKED_UP_WITHIN}
    for table, at in old.items():
        yield Check(
            name=f"backups: {table}",
            ok=False,
            seen=f"the last is of {at:%Y-%m-%d %H:%M}" if at else "there is none",
            expected="one of the last day",
            advice="read docs/runbooks/restore.md; aws backup list-backup-jobs --by-state FAILED",
        )
    if not old:
        yield Check(name="backups", ok=True, seen=f"{len(made)} tables have one of the last day")


def _functions(target: Target) -> list[str]:
    return [naming.function(target.env, card.name, each.name) for card in in_order() for each in card.functions]
