"""`python -m deploy --empty`: what would keep an environment's stacks from going, and nothing else, is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy import assembly
from deploy.place import DeploymentFailed
from tests.runtime import assemblies

BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {}}


class Rekognition:
    """Has collections, in pages; moto has none."""

    def __init__(self, *collections: str) -> None:
        self.collections = list(collections)

    def get_paginator(self, operation: str) -> Rekognition:
        assert operation == "list_collections"
        return self

    def paginate(self) -> list[dict[str, list[str]]]:
        return [{"CollectionIds": [name]} for name in self.collections]

    def delete_collection(self, *, CollectionId: str) -> None:
        self.collections.remove(CollectionId)


class Backups:
    """AWS Backup with a vault of two backups, in pages."""

    def __init__(self) -> None:
        self.points = ["point-1", "point-2"]

    def get_paginator(self, operation: str) -> Backups:
        assert operation == "list_recovery_points_by_backup_vault"
        return self

    def paginate(self, *, BackupVaultName: str) -> list[dict[str, Any]]:
        assert BackupVaultName == "vault"
        return [{"RecoveryPoints": [{"RecoveryPointArn": point}]} for point in self.points]

    def delete_recovery_point(self, *, BackupVaultName: str, RecoveryPointArn: str) -> None:
        assert BackupVaultName == "vault"
        self.points.remove(RecoveryPointArn)


class CloudFormation:
    """Has one stack with one bucket and a vault, once it is deployed; moto's needs packages that we do not have."""

    def __init__(self, stack: str | None) -> None:
        self.stack = stack

    def get_paginator(self, operation: str) -> CloudFormation:
        assert operation == "list_stack_resources"
        return self

    def paginate(self, *, StackName: str) -> list[dict[str, Any]]:
        if StackName != self.stack:
            said = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": said}, "ListStackResources")
        bucket = {
            "ResourceType": "AWS::S3::Bucket",
            "PhysicalResourceId": "photos",
            "ResourceStatus": "CREATE_COMPLETE",
        }
        gone = {**bucket, "PhysicalResourceId": "gone", "ResourceStatus": "DELETE_COMPLETE"}
        other = {**bucket, "PhysicalResourceId": "role", "ResourceType": "AWS::IAM::Role"}
        vault = {**bucket, "PhysicalResourceId": "vault", "ResourceType": "AWS::Backup::BackupVault"}
        return [{"StackResourceSummaries": [gone, other]}, {"StackResourceSummaries": [bucket, vault]}]


@pytest.fixture
def rekognition() -> Iterator[Rekognition]:
    with mock_aws():
        yield Rekognition("snaprace-dev-o-e", "snaprace-prod-o-e", "of-others", "snaprace-dev-o-f")


def written(folder: Path, policy: str, env: str) -> Path:
    """An assembly of one stack with a bucket, and a version of a function, which always outlives its stack."""
    version = {"Type": "AWS::Lambda::Version", "Properties": {}, "DeletionPolicy": "RetainExceptOnCreate"}
    resources = {"Bucket": BUCKET | {"DeletionPolicy": policy}, "Version": version}
    out = assemblies.write(folder, {"Resources": resources}, f"snaprace-{env}-p")
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["artifacts"][f"snaprace-{env}-p"]["properties"]["tags"] = {"environment": env}
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def emptied(
    folder: Path, rekognition: Rekognition, stack: str | None = None, backups: Backups | None = None
) -> list[str]:
    """Of an environment of which that stack stands."""
    doubles: dict[str, Any] = {
        "rekognition": rekognition,
        "cloudformation": CloudFormation(stack),
        "backup": backups or Backups(),
    }

    def client(service: str) -> Any:
        return doubles.get(service) or boto3.client(service)  # type: ignore[call-overload]

    return list(assembly.empty(folder, client))


def test_every_version_and_the_environments_collections_go(tmp_path: Path, rekognition: Rekognition) -> None:
    folder = written(tmp_path, "Delete", "dev")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="photos", Key="a", Body=body)
    s3.put_object(Bucket="photos", Key="b", Body=b"3")
    s3.delete_object(Bucket="photos", Key="b")
    s3.create_bucket(Bucket="of-others")
    s3.put_object(Bucket="of-others", Key="a", Body=b"4")

    backups = Backups()
    told = emptied(folder, rekognition, "snaprace-dev-p", backups)

    left = s3.list_object_versions(Bucket="photos")
    assert not left.get("Versions") and not left.get("DeleteMarkers")
    assert told[:2] == ["photos: 4 versions deleted.", "vault: 2 backups deleted."]
    assert backups.points == []
    assert rekognition.collections == ["snaprace-prod-o-e", "of-others"]
    assert "Contents" in s3.list_objects_v2(Bucket="of-others")


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_an_environment_that_keeps_its_data_is_not_emptied(
    tmp_path: Path, rekognition: Rekognition, policy: str
) -> None:
    folder = written(tmp_path, policy, "prod")
    boto3.client("s3").create_bucket(Bucket="photos")
    boto3.client("s3").put_object(Bucket="photos", Key="a", Body=b"1")
    with pytest.raises(DeploymentFailed, match=r"snaprace-prod-p keeps its data \(Bucket\), so prod is not emptied\."):
        emptied(folder, rekognition, "snaprace-prod-p")
    assert "Contents" in boto3.client("s3").list_objects_v2(Bucket="photos")
    assert len(rekognition.collections) == 4


def test_where_no_stack_stands_there_is_no_bucket_to_empty(tmp_path: Path, rekognition: Rekognition) -> None:
    assert emptied(written(tmp_path, "Delete", "dev"), rekognition) == [
        "snaprace-dev-o-e: face collection deleted.",
        "snaprace-dev-o-f: face collection deleted.",
    ]
