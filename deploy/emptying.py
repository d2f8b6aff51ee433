"""Empties what goes with its stacks, so that these can be destroyed: CloudFormation deletes no bucket with objects.

CDK's own way (auto_delete_objects) is a function of its own with a custom resource in each stack. Face collections are
no resources of any stack, since they are made race by race; nothing but this deletes those of a whole environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.place import Client, DeploymentFailed
from shared.contracts import naming

_RETAINED = "Retain"
_NO_DATA = frozenset({"AWS::Lambda::Version"})
"""Kept while their function stands, to be gone back to; they go with it."""


def empty(stacks: Iterable[tuple[str, Mapping[str, Any]]], env: str, client: Client) -> Iterator[str]:
    """Delete all objects, with all versions, all backups and all face collections of an environment; tells of each.

    `stacks` are the names and templates of the environment's stacks. Raises DeploymentFailed, before anything is
    deleted, where one of them keeps its data.
    """
    every = list(stacks)
    for name, template in every:
        if name.startswith(naming.stack(env, "")) and (kept := _kept(template)):
            raise DeploymentFailed(f"{name} keeps its data ({', '.join(kept)}), so {env} is not emptied.")
    for bucket in (bucket for name, _ in every for bucket in _resources(name, "AWS::S3::Bucket", client)):
        yield f"{bucket}: {_empty_bucket(client('s3'), bucket):,} versions deleted."
    for vault in (vault for name, _ in every for vault in _resources(name, "AWS::Backup::BackupVault", client)):
        yield f"{vault}: {_empty_vault(client('backup'), vault):,} backups deleted."
    for collection in _collections(client("rekognition"), naming.stack(env, "")):
        client("rekognition").delete_collection(CollectionId=collection)
        yield f"{collection}: face collection deleted."


def _kept(template: Mapping[str, Any]) -> list[str]:
    """The resources that outlive their stack."""
    resources: Mapping[str, Any] = template["Resources"]
    return [
        key
        for key, each in resources.items()
        if each["Type"] not in _NO_DATA and each.get("DeletionPolicy", "").startswith(_RETAINED)
    ]


def _resources(stack: str, kind: str, client: Client) -> Iterator[str]:
    """The resources of a kind of a stack that stands; none where it does not."""
    try:
        pages = list(client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack))
    except ClientError as error:
        if "does not exist" in str(error):
            return
        raise
    for resource in (each for page in pages for each in page["StackResourceSummaries"]):
        if resource["ResourceType"] == kind and resource["ResourceStatus"] != "DELETE_COMPLETE":
            yield resource["PhysicalResourceId"]


def _empty_bucket(s3: Any, bucket: str) -> int:
    """Delete every version and delete marker; a page of them has as many as one request deletes (1,000)."""
    deleted = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not found:
            continue
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if refused := answer.get("Errors"):
            raise DeploymentFailed(f"{bucket}: {refused[0]['Key']} was not deleted: {refused[0]['Message']}")
        deleted += len(objects)
    return deleted


def _empty_vault(backup: Any, vault: str) -> int:
    """Delete every backup; CloudFormation deletes no vault that holds one."""
    pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(BackupVaultName=vault)
    points = [point["RecoveryPointArn"] for page in pages for point in page["RecoveryPoints"]]
    for point in points:
        backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    return len(points)


def _collections(rekognition: Any, prefix: str) -> list[str]:
    pages = rekognition.get_paginator("list_collections").paginate()
    return [name for page in pages for name in page["CollectionIds"] if name.startswith(prefix)]
