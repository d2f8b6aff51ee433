"""People may do what the commands of their audience call, and nothing that no command calls.

What a command can call is read from the code that its module of ops/cli reaches by its imports.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from services import cards
from shared.contracts import naming
from stacks.people import INSPECTED, READING
from tests.kit.synthesis import ROOT
from tests.templates.templates import Template, as_list

# The modules of ops/cli with the commands of each audience.
AUDIENCES = {
    "photographer": "ops.cli.photographer",
    "organizer": "ops.cli.organizer",
    "operator": "ops.cli.operator",
    "restorer": "ops.cli.wayback",
    "eraser": "ops.cli.eraser",
}
SERVICES = (
    "s3",
    "sqs",
    "kinesis",
    "events",
    "ssm",
    "logs",
    "rekognition",
    "lambda",
    "cloudformation",
    "codedeploy",
    "backup",
    "dynamodb",
)  # tables are read through shared.kit.records
# Actions that are called otherwise than the operations, or need none.
_WRITING = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
CALLED: dict[str, str | list[str]] = {
    "backup:StartBackupJob": ["backup:StartBackupJob", "iam:PassRole"],
    "backup:StartRestoreJob": ["backup:StartRestoreJob", "iam:PassRole"],
    "dynamodb:RestoreTableToPointInTime": [
        "dynamodb:RestoreTableToPointInTime",
        *(f"dynamodb:{name}" for name in _WRITING),
    ],
    "s3:CopyObject": ["s3:GetObject", "s3:PutObject"],
    "s3:DeleteObjects": "s3:DeleteObjectVersion",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
# What modules that are shared can do, and the audience's own commands do not.
NOT_THEIRS = {
    "photographer": {"ssm:GetParameter"},
    "organizer": {"sqs:DeleteMessage", "sqs:SendMessage"},
    "operator": {"s3:PutObject"},
    "restorer": {"s3:PutObject", "sqs:SendMessage"},
    "eraser": {"sqs:SendMessage", "ssm:GetParameter"},
}


@functools.cache
def _operations() -> dict[str, str | list[str]]:
    """boto3's methods and the actions of these, for the services that commands speak to."""
    session = botocore.session.get_session()
    named = ((service, name) for service in SERVICES for name in session.get_service_model(service).operation_names)
    return {xform_name(name): CALLED.get(f"{service}:{name}", f"{service}:{name}") for service, name in named}


def _reached(module: str, known: set[str]) -> set[str]:
    """The modules of ops that a module imports, also inside functions; and those they import."""
    path = ROOT / f"{module.replace('.', '/')}.py"
    if module not in known and module.startswith("ops.") and path.is_file():
        known.add(module)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for imported in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    _reached(imported, known)
    return known


def _called_in(path: Path) -> Iterator[str]:
    """The actions that a module calls, by a method or by the name of an operation."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else None
        if isinstance(name, str) and name in _operations():
            yield from as_list(_operations()[name])
        if name == "delete_all":
            yield "dynamodb:BatchWriteItem"
        if name == "publish":
            yield "events:PutEvents"
        if name == "records":
            yield from READING


def _can_call(who: str) -> set[str]:
    modules = _reached(AUDIENCES[who], set())
    return {action for each in modules for action in _called_in(ROOT / f"{each.replace('.', '/')}.py")}


def _statements(template: Template, who: str) -> list[dict[str, Any]]:
    (policy,) = (
        policy
        for policy in template.of_type("AWS::IAM::ManagedPolicy").values()
        if template.text(policy["ManagedPolicyName"]) == f"snaprace-prod-{who}-${{AWS::Region}}"
    )
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def _may(template: Template, who: str) -> set[tuple[str, str]]:
    return {
        (action, template.text(resource))
        for statement in _statements(template, who)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


@pytest.mark.parametrize("who", AUDIENCES)
def test_a_policy_allows_what_the_commands_call_and_nothing_else(prod: dict[str, Template], who: str) -> None:
    allowed = {action for action, _ in _may(prod["people"], who)}
    assert allowed == _can_call(who) - NOT_THEIRS[who]
    assert _can_call(who) >= NOT_THEIRS[who], "an exception for nothing"


def test_an_inspector_sees_how_all_is_set_and_changes_nothing(prod: dict[str, Template]) -> None:
    """Which actions are called is measured: tests/runtime/test_verify.py."""
    told = _may(prod["people"], "inspector")
    everywhere = {action for action, on in told if on == "*"}
    assert everywhere == {f"{service}:{action}" for service, actions in INSPECTED for action in actions} | {
        "sqs:ListQueues"
    }
    assert all(re.match(r"\w+:(Describe|Get|List|GET)", action) for action in everywhere)
    looking = _may(prod["people"], "operator") & told
    assets = ("s3:GetObject", "arn:${AWS::Partition}:s3:::cdk-*-assets-${AWS::AccountId}-${AWS::Region}/*")
    assert {each for each in told - looking if each[1] != "*"} == {assets}


@pytest.mark.parametrize("who", [*AUDIENCES, "inspector"])
def test_no_policy_is_longer_than_iam_takes(prod: dict[str, Template], who: str) -> None:
    """Source: IAM User Guide, "IAM and AWS STS quotas": 6,144 characters of a managed policy, without white space."""
    longest = {"${AWS::Partition}": "aws", "${AWS::Region}": "ap-northeast-2", "${AWS::AccountId}": "123456789012"}
    text = json.dumps([_resolved(prod["people"], each) for each in _statements(prod["people"], who)])
    for name, value in longest.items():
        text = text.replace(name, value)
    assert len(re.sub(r"\s", "", text)) < 6_000


def _resolved(template: Template, statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, "Resource": [template.text(each) for each in as_list(statement["Resource"])]}


def test_a_photographer_writes_nothing_but_photos(prod: dict[str, Template]) -> None:
    photos = "arn:${AWS::Partition}:s3:::snaprace-prod-photos-${AWS::AccountId}-${AWS::Region}-an"
    writing = {(action, on) for action, on in _may(prod["people"], "photographer") if "Put" in action}
    assert writing == {("s3:PutObject", f"{photos}/*/*/raw_photos/*")}


def test_an_organizer_writes_the_races_files_and_says_corrections(prod: dict[str, Template]) -> None:
    photos = "arn:${AWS::Partition}:s3:::snaprace-prod-photos-${AWS::AccountId}-${AWS::Region}-an"
    written = {on for action, on in _may(prod["people"], "organizer") if action == "s3:PutObject"}
    assert written == {f"{photos}/*/*/race.json", f"{photos}/*/*/roster.csv"}
    (saying,) = (each for each in _statements(prod["people"], "organizer") if each["Action"] == "events:PutEvents")
    assert saying["Condition"] == {
        "StringEquals": {"events:source": ["snaprace.review"], "events:detail-type": ["BibCorrected", "MatchCut"]}
    }


@pytest.mark.parametrize("who", AUDIENCES)
def test_nobody_reaches_what_is_not_of_the_environment(prod: dict[str, Template], who: str) -> None:
    without_resource = {"sqs:ListQueues", "events:ListReplays", "logs:DescribeLogGroups"}
    without_resource |= {"backup:DescribeBackupJob", "backup:DescribeRestoreJob"}
    for action, resource in _may(prod["people"], who):
        if resource.endswith(":recovery-point:*"):  # a number tells no environment; the role that is passed does
            assert action in ("backup:GetRecoveryPointRestoreMetadata", "backup:StartRestoreJob")
            continue
        assert "snaprace-prod" in resource or "snaprace/prod" in resource or action in without_resource, resource
        assert "*" not in action


def test_nobody_but_the_eraser_deletes_what_is_live(prod: dict[str, Template]) -> None:
    """DynamoDB's BatchWriteItem deletes, too."""
    deleting = {
        who: {
            (action, on)
            for action, on in _may(prod["people"], who)
            if "Delete" in action or action == "dynamodb:BatchWriteItem"
        }
        for who in AUDIENCES
    }
    assert {who for who, what in deleting.items() if what} == {"eraser", "operator", "restorer"}
    assert {action for action, _ in deleting["operator"]} == {"sqs:DeleteMessage"}
    tables = {action: on.rsplit("/", 1)[-1] for action, on in deleting["restorer"] if action.startswith("dynamodb:")}
    assert tables.pop("dynamodb:DeleteTable") == naming.drill_table("snaprace-prod-*")
    assert set(tables.values()) == {"snaprace-prod-*-*"}
    beginnings = [naming.table("prod", card.name) for card in cards() if card.has_table]
    assert not any(fnmatch(table, "snaprace-prod-*-*") for table in beginnings), "a stage's first table is not one"
