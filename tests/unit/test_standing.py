"""What `python -m deploy --verify-only` reads of things that stand, where the embedded AWS shows too little of it."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from deploy.standing.differences import difference
from deploy.standing.readers import READERS, NotThere, _part_of_bucket

TOPIC = "arn:aws:sns:us-east-1:123456789012:snaprace-prod-alarms-p1"
HEARS = "oncall@example.org"
ASKED = {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": HEARS}


@pytest.mark.parametrize(
    ("pending", "told"),
    [
        ("false", []),
        ("true", [f'Endpoint is "{HEARS}, which has not confirmed it," where "{HEARS}" was asked.']),
    ],
)
def test_a_subscription_that_nobody_confirmed_does_not_stand(pending: str, told: list[str]) -> None:
    sns = boto3.client("sns", region_name="us-east-1")
    with Stubber(sns) as stub:
        attributes = {**ASKED, "SubscriptionArn": f"{TOPIC}:1", "PendingConfirmation": pending}
        stub.add_response("get_subscription_attributes", {"Attributes": attributes}, {"SubscriptionArn": f"{TOPIC}:1"})
        found: dict[str, Any] = READERS["AWS::SNS::Subscription"](lambda _service: sns, f"{TOPIC}:1", ASKED)
    differences = (difference(wanted, found[name], name) for name, wanted in ASKED.items())
    assert [str(each) for each in differences if each] == told


@contextmanager
def stubbed(service: str, *answers: tuple[str, dict[str, Any]]) -> Iterator[Any]:
    """A client whose operations answer so, in this order; botocore checks that AWS could answer so."""
    client = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]
    with Stubber(client) as stub:
        for operation, answer in answers:
            stub.add_response(operation, answer)
        yield client


BUCKET = {
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "tier",
                "Status": "Enabled",
                "Transitions": [{"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            {
                "Id": "short-lived",
                "Status": "Enabled",
                "ExpirationInDays": 1,
                "TagFilters": [{"Key": "kept", "Value": "a-day"}],
            },
        ]
    },
    "IntelligentTieringConfigurations": [
        {"Id": "archive", "Status": "Enabled", "Tierings": [{"AccessTier": "ARCHIVE_ACCESS", "Days": 90}]}
    ],
    "LoggingConfiguration": {"DestinationBucketName": "logs", "LogFilePrefix": "photos/"},
    "MetricsConfigurations": [{"Id": "all"}],
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
}
TOLD: list[tuple[str, dict[str, Any]]] = [
    (
        "get_bucket_encryption",
        {
            "ServerSideEncryptionConfiguration": {
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
            }
        },
    ),
    (
        "get_bucket_lifecycle_configuration",
        {
            "Rules": [
                {
                    "ID": "tier",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}],
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
                {
                    "ID": "short-lived",
                    "Status": "Enabled",
                    "Filter": {"Tag": {"Key": "kept", "Value": "a-day"}},
                    "Expiration": {"Days": 1},
                },
            ]
        },
    ),
    (
        "list_bucket_intelligent_tiering_configurations",
        {
            "IntelligentTieringConfigurationList": [
                {"Id": "archive", "Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}
            ]
        },
    ),
    ("get_bucket_logging", {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "photos/"}}),
    ("list_bucket_metrics_configurations", {"MetricsConfigurationList": [{"Id": "all"}]}),
    ("get_bucket_ownership_controls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
]


@pytest.mark.parametrize(("part", "answer"), [(part, told) for part, told in zip(BUCKET, TOLD, strict=True)])
def test_settings_of_a_bucket_are_read_in_the_words_of_its_template(
    part: str, answer: tuple[str, dict[str, Any]]
) -> None:
    with stubbed("s3", answer) as s3:
        assert difference(BUCKET[part], _part_of_bucket(s3, "photos", part), part) is None


def test_a_setting_that_a_bucket_does_not_have_is_none() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    with Stubber(s3) as stub:
        stub.add_client_error("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        assert _part_of_bucket(s3, "photos", "PublicAccessBlockConfiguration") is None
        stub.add_client_error("get_public_access_block", "NoSuchBucket")
        with pytest.raises(ClientError):
            _part_of_bucket(s3, "photos", "PublicAccessBlockConfiguration")


PERMISSION = {
    "FunctionName": "collect",
    "Action": "lambda:InvokeFunction",
    "Principal": "events.amazonaws.com",
    "SourceArn": "arn:aws:events:us-east-1:123456789012:rule/it",
}


@pytest.mark.parametrize(("arn", "there"), [(PERMISSION["SourceArn"], True), ("arn:aws:events:::rule/other", False)])
def test_a_permission_is_found_by_what_it_lets_somebody_do(arn: str, there: bool) -> None:
    statement = {
        "Sid": "named by CloudFormation",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:collect",
        "Condition": {"ArnLike": {"AWS:SourceArn": arn}},
    }
    with stubbed("lambda", ("get_policy", {"Policy": json.dumps({"Statement": [statement]})})) as client:
        read = functools.partial(READERS["AWS::Lambda::Permission"], lambda _: client, "id", PERMISSION)
        if there:
            assert read() == {**PERMISSION, "SourceAccount": None}
        else:
            with pytest.raises(NotThere):
                read()


@pytest.mark.parametrize("exact", [True, False])
def test_what_is_one_too_many_differs_where_it_must_be_exact(exact: bool) -> None:
    asked, found = {"source": ["snaprace.ocr"]}, {"source": ["snaprace.ocr"], "account": ["1"]}
    told = difference(asked, json.dumps(found), "EventPattern", exact=exact)
    assert (str(told) if told else None) == ('EventPattern.account is ["1"] where null was asked.' if exact else None)


def test_a_text_is_what_was_asked_also_where_cloudformation_tells_no_letter_of_it() -> None:
    assert difference("SnapRace: ?? ?", "SnapRace: 사진 …", "Description") is None
    assert difference("SnapRace: ??", "SnapRace: 사", "Description") is not None


BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


@pytest.mark.parametrize(
    ("stands", "told"),
    [
        ({"PermissionsBoundary": {"PermissionsBoundaryArn": BOUNDARY, "PermissionsBoundaryType": "Policy"}}, None),
        ({}, f'PermissionsBoundary is null where "{BOUNDARY}" was asked.'),
    ],
)
def test_a_role_without_its_boundary_does_not_stand(stands: dict[str, Any], told: str | None) -> None:
    iam = boto3.client("iam")
    role = {
        **{"Path": "/", "RoleName": "a-role", "RoleId": "AROA" * 5, "Arn": "arn:aws:iam::123456789012:role/a-role"},
        "CreateDate": datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC),
        **stands,
    }
    asked = {"RoleName": "a-role"}
    with Stubber(iam) as stub:
        stub.add_response("list_attached_role_policies", {"AttachedPolicies": []}, asked)
        stub.add_response("list_role_policies", {"PolicyNames": []}, asked)
        stub.add_response("get_role", {"Role": role}, asked)
        found = READERS["AWS::IAM::Role"](lambda _service: iam, "a-role", {})
    differs = difference(BOUNDARY, found["PermissionsBoundary"], "PermissionsBoundary")
    assert (str(differs) if differs else None) == told
