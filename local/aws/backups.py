"""Puts into ministack what AWS Backup does with DynamoDB's tables: backups on demand, the list of them, restores.

A recovery point is one of ministack's own on-demand backups of a table, under the ARN and in the vault that AWS Backup
gives it; a restore makes a new table of it. Both take their time on AWS, and none here. Plans stand as asked for, and
nothing runs by them. Source: AWS Backup API Reference; its Developer Guide, "Restoring an Amazon DynamoDB table".
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any
from urllib.parse import unquote

Answer = tuple[int, dict[str, str], bytes]
Body = dict[str, Any]


class _Points:
    """The recovery points of all vaults, and the restores that were made of them."""

    def __init__(self) -> None:
        self._points: dict[str, Body] = {}
        self._restores: dict[str, Body] = {}

    def back_up(self, started: Answer, body: Body) -> Answer:
        """What ministack's StartBackupJob answered, with a backup of the table behind it."""
        from ministack.services import backup, dynamodb

        answer = json.loads(started[2])
        made = dynamodb._create_backup({"TableName": _table(body["ResourceArn"]), "BackupName": "aws-backup"})
        if made[0] >= 300:
            backup._jobs[answer["BackupJobId"]] |= {"State": "FAILED", "StatusMessage": _message(made)}
            return started
        arn = _arn("recovery-point")
        backup._jobs[answer["BackupJobId"]]["RecoveryPointArn"] = arn
        self._points[arn] = {
            "RecoveryPointArn": arn,
            "BackupVaultName": body["BackupVaultName"],
            "ResourceArn": body["ResourceArn"],
            "ResourceType": "DynamoDB",
            "CreationDate": answer["CreationDate"],
            "CompletionDate": time.time(),
            "Status": "COMPLETED",
            "Lifecycle": body.get("Lifecycle", {}),
            "IamRoleArn": body.get("IamRoleArn", ""),
            "backup": json.loads(made[2])["BackupDetails"]["BackupArn"],
        }
        return _ok({**answer, "RecoveryPointArn": arn})

    def listed(self, vault: str, resource: str | None) -> Answer:
        """The vault's points, or those of one resource."""
        found = [_told(each) for each in self._points.values() if each["BackupVaultName"] == vault]
        return _ok({"RecoveryPoints": [each for each in found if resource in (None, each["ResourceArn"])]})

    def metadata(self, arn: str) -> Answer:
        """What a restore of the point may be told."""
        if arn not in self._points:
            return _refused(f"Recovery point not found: {arn}")
        table = _table(self._points[arn]["ResourceArn"])
        return _ok({"RecoveryPointArn": arn, "RestoreMetadata": {"originalTableName": table}})

    def delete(self, arn: str) -> Answer:
        """The point is gone, with its backup."""
        from ministack.services import dynamodb

        if point := self._points.pop(arn, None):
            dynamodb._delete_backup({"BackupArn": point["backup"]})
        return _ok({}) if point else _refused(f"Recovery point not found: {arn}")

    def restore(self, body: Body) -> Answer:
        """A new table of a point; it is there at once, or the job says why it is not."""
        from ministack.services import dynamodb

        point = self._points.get(body["RecoveryPointArn"])
        if point is None:
            return _refused(f"Recovery point not found: {body['RecoveryPointArn']}")
        table = body["Metadata"]["targetTableName"]
        made = dynamodb._restore_table_from_backup({"BackupArn": point["backup"], "TargetTableName": table})
        succeeded = made[0] < 300
        job = str(uuid.uuid4())
        self._restores[job] = {
            "RestoreJobId": job,
            "RecoveryPointArn": point["RecoveryPointArn"],
            "Status": "COMPLETED" if succeeded else "FAILED",
            "StatusMessage": "" if succeeded else _message(made),
            "CreatedResourceArn": dynamodb._tables[table]["TableArn"] if succeeded else "",
        }
        return _ok({"RestoreJobId": job})

    def restored(self, job: str) -> Answer:
        """How a restore stands."""
        return _ok(self._restores[job]) if job in self._restores else _refused(f"Restore job not found: {job}")


def back_up_as_aws_does() -> None:
    """Answer AWS Backup's requests about recovery points and restores; ministack answers all others."""
    from ministack.services import backup

    points, handle = _Points(), backup.handle_request

    async def handle_request(method: str, path: str, headers: Any, content: bytes, query: Any) -> Answer:
        parts = [unquote(part) for part in path.strip("/").split("/") if part]
        body = json.loads(content) if content else {}
        match method, parts:
            case "PUT", ["backup-jobs"]:
                started: Answer = await handle(method, path, headers, content, query)
                return points.back_up(started, body) if started[0] < 300 else started
            case "GET", ["backup-vaults", vault, "recovery-points"]:
                return points.listed(vault, *(query.get("resourceArn") or [None])[:1])
            case "GET", ["backup-vaults", _, "recovery-points", *arn, "restore-metadata"]:
                return points.metadata("/".join(arn))
            case "DELETE", ["backup-vaults", _, "recovery-points", *arn]:
                return points.delete("/".join(arn))
            case "PUT", ["restore-jobs"]:
                return points.restore(body)
            case "GET", ["restore-jobs", job]:
                return points.restored(job)
        answered: Answer = await handle(method, path, headers, content, query)
        return answered

    backup.handle_request = handle_request


def _told(point: Body) -> Body:
    return {name: value for name, value in point.items() if name != "backup"}


def _table(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _arn(kind: str) -> str:
    from ministack.core.responses import get_account_id, get_region

    return f"arn:aws:backup:{get_region()}:{get_account_id()}:{kind}:{uuid.uuid4()}"


def _message(answer: tuple[int, Any, Any]) -> str:
    body = answer[2]
    return str(json.loads(body).get("message") or body)


def _ok(body: Body) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _refused(message: str) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": "ResourceNotFoundException"}
    return 404, headers, json.dumps({"Message": message}).encode()
