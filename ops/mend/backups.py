"""Backups of the stages' tables, taken now, and tables that are restored beside those they are of.

AWS Backup keeps backups in the environment's vault (stacks/backup.py); DynamoDB itself keeps every moment of
the same days. Both give a new table: nothing here writes into a table that stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ops.reach.cards import in_order
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming

KEPT_DAYS = {"dev": 7, "prod": 30}
"""The same as the backups of every night and the archives (stacks/environment.py): no longer, as none knows of an
erasure that the archives have forgotten.
"""

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 15.0
_FAILED = ("FAILED", "ABORTED", "EXPIRED")


class Backup(msgspec.Struct, frozen=True):
    """A backup of a stage's table; `id` is the ARN of AWS Backup's recovery point."""

    stage: str
    table: str
    id: str
    at: datetime


class Restored(msgspec.Struct, frozen=True):
    """A table that was restored: `at` is the moment it shows, `source` the table or the backup that it is of."""

    stage: str
    table: str
    source: str
    at: datetime


def with_tables() -> list[str]:
    """The stages that have a table of their own."""
    return [card.name for card in in_order() if card.has_table]


# --- backups ------------------------------------------------------------------------------------------


def take(target: Target, stages: Iterable[str], waiting: Callable[[int], None] = lambda _left: None) -> list[Backup]:
    """Back the stages' tables up at once, and wait until AWS Backup is through, which takes minutes. Raises Failed."""
    client = target.client("backup")
    jobs = {
        stage: client.start_backup_job(
            BackupVaultName=naming.backup_vault(target.env),
            ResourceArn=_table_arn(target, target.table_name(stage)),
            IamRoleArn=_role(target),
            Lifecycle={"DeleteAfterDays": KEPT_DAYS[target.env]},
        )["BackupJobId"]
        for stage in stages
    }
    done: dict[str, Any] = {}

    def look() -> bool:
        for stage in jobs.keys() - done.keys():
            job = client.describe_backup_job(BackupJobId=jobs[stage])
            if job["State"] in _FAILED:
                why = job.get("StatusMessage") or job["State"].lower()
                raise Failed(f"AWS Backup did not back up {target.table_name(stage)}: {why}.")
            if job["State"] == "COMPLETED":
                done[stage] = job
        waiting(len(jobs) - len(done))
        return len(done) == len(jobs)

    _until(look)
    return [
        Backup(stage, target.table_name(stage), done[stage]["RecoveryPointArn"], done[stage]["CreationDate"])
        for stage in jobs
    ]


def listed(target: Target) -> list[Backup]:
    """All finished backups of the environment's tables in this region, the newest first."""
    stages = {_table_arn(target, target.table_name(stage)): stage for stage in with_tables()}
    pages = target.client("backup").get_paginator("list_recovery_points_by_backup_vault")
    found = [
        point
        for page in pages.paginate(BackupVaultName=naming.backup_vault(target.env))
        for point in page["RecoveryPoints"]
        if point["Status"] == "COMPLETED"
    ]
    backups = [
        Backup(
            stages.get(point["ResourceArn"], ""),
            point["ResourceArn"].rsplit("/", 1)[-1],
            point["RecoveryPointArn"],
            point["CreationDate"],
        )
        for point in found
    ]
    return sorted(backups, key=lambda backup: backup.at, reverse=True)


def named(target: Target, stage: str, identity: str) -> Backup:
    """The stage's backup with that id, or with an id that ends so. Raises Failed where there is none, or more."""
    found = [each for each in listed(target) if each.id.endswith(identity) and each.stage == stage]
    if len(found) != 1:
        many = "several backups" if found else "no backup"
        raise Failed(f"The stage '{stage}' has {many} called '{identity}'. List them with: snaprace backup --list")
    return found[0]


# --- restoring ----------------------------------------------------------------------------------------


def to_a_moment(target: Target, stage: str, table: str, at: datetime | None) -> Restored:
    """Begin to restore the stage's table as it was `at` a moment, else at the last that there is, as a new `table`.

    Raises Failed for a moment that DynamoDB does not have.
    """
    client, source = target.client("dynamodb"), target.table_name(stage)
    described = client.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
    kept = described["PointInTimeRecoveryDescription"]
    if kept["PointInTimeRecoveryStatus"] != "ENABLED":
        raise Failed(f"{source} has no point-in-time recovery. Restore it from a backup: snaprace backup --list")
    earliest, latest = (kept[f"{which}RestorableDateTime"].astimezone(UTC) for which in ("Earliest", "Latest"))
    moment = at.astimezone(UTC).replace(microsecond=0) if at else latest
    if not earliest <= moment <= latest:
        raise Failed(
            f"{source} can be restored to any second from {earliest:%Y-%m-%d %H:%M:%S} to {latest:%Y-%m-%d %H:%M:%S} "
            f"UTC, not to {moment:%Y-%m-%d %H:%M:%S}."
        )
    client.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=table, RestoreDateTime=moment)
    return Restored(stage, table, source, moment)


def from_backup(target: Target, backup: Backup, table: str) -> Restored:
    """Begin to restore a backup as a new `table`, and wait until AWS Backup has begun. Raises Failed."""
    client = target.client("backup")
    vault = naming.backup_vault(target.env)
    told = client.get_recovery_point_restore_metadata(BackupVaultName=vault, RecoveryPointArn=backup.id)
    job = client.start_restore_job(
        RecoveryPointArn=backup.id,
        ResourceType="DynamoDB",
        Metadata={**told["RestoreMetadata"], "targetTableName": table},
        IamRoleArn=_role(target),
    )["RestoreJobId"]

    def look() -> bool:
        found = client.describe_restore_job(RestoreJobId=job)
        if found["Status"] in _FAILED:
            raise Failed(f"AWS Backup did not restore {backup.table}: {found.get('StatusMessage', '')}.")
        return bool(found["Status"] == "COMPLETED")

    _until(look)
    return Restored(backup.stage, table, backup.id, backup.at)


def stands(target: Target, tables: Sequence[str], waiting: Callable[[int], None] = lambda _left: None) -> None:
    """Wait until the tables can be used; a restore takes from minutes to hours, however small the table is."""
    client = target.client("dynamodb")
    left = list(tables)

    def look() -> bool:
        for table in list(left):
            if client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE":
                left.remove(table)
        waiting(len(left))
        return not left

    _until(look)


def settle(target: Target, restored: Restored) -> list[str]:
    """Give a restored table what a restore leaves out: point-in-time recovery, protection, tags; what was done.

    Source: DynamoDB Developer Guide, "Point-in-time recovery: how it works", what has to be set by hand.
    """
    client, source = target.client("dynamodb"), target.table_name(restored.stage)
    kept = client.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
    days = kept["PointInTimeRecoveryDescription"].get("RecoveryPeriodInDays", KEPT_DAYS[target.env])
    recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}
    client.update_continuous_backups(TableName=restored.table, PointInTimeRecoverySpecification=recovery)
    done = ["point-in-time recovery"]
    described = client.describe_table(TableName=source)["Table"]
    if described.get("DeletionProtectionEnabled"):
        client.update_table(TableName=restored.table, DeletionProtectionEnabled=True)
        done.append("protection against deletion")
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=described["TableArn"])
    tags = [tag for page in pages for tag in page["Tags"] if not tag["Key"].startswith("aws:")]
    if tags:
        client.tag_resource(ResourceArn=_table_arn(target, restored.table), Tags=tags)
        done.append("tags, so that it is backed up")
    return done


def next_table(target: Target, stage: str) -> tuple[int, str]:
    """The next generation of the stage's table that does not stand yet: its number and name."""
    client, generation = target.client("dynamodb"), target.generation(stage) + 1
    while True:
        name = naming.table(target.env, stage, generation)
        try:
            client.describe_table(TableName=name)
        except client.exceptions.ResourceNotFoundException:
            return generation, name
        generation += 1


def _until(holds: Callable[[], bool]) -> None:
    """Wait, ever longer; AWS ends what it began, or says that it failed."""
    wait = _FIRST_WAIT_S
    while not holds():
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_S)


def _table_arn(target: Target, table: str) -> str:
    return f"arn:{_partition(target)}:dynamodb:{target.region}:{target.account}:table/{table}"


def _role(target: Target) -> str:
    """As whom AWS Backup works."""
    return f"arn:{_partition(target)}:iam::{target.account}:role/{naming.backup_role(target.env, target.region)}"


def _partition(target: Target) -> str:
    return str(target.session.get_partition_for_region(target.region))
