"""What a deployment may make: the rights of CloudFormation's execution role, and the bounds of the roles it makes.

`cdk bootstrap` gives that role AdministratorAccess unless it is told another policy. These have what the product's own
templates ask for (a test compares both) on what is called as the product's things are called. They make things and
look into none: no photo, item, message, record or log.

Nobody has deployed with them yet: where AWS denies an action that a template needs, the stack's events name it. It is
added here, and `make delivery` run by an administrator; a deployment cannot widen its own rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from shared.contracts import naming
from shared.contracts.card import Stage

# Of every region: IAM has one namespace for all, and an account may have environments in several.
_HERE = f"*:{cdk.Aws.ACCOUNT_ID}"
_OURS = f"{naming.PREFIX}-*"
_QUALIFIER = cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER


def _arn(rest: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:{rest}"


class Making(NamedTuple):
    """Actions of a service, and the resources that they may be done to."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: dict[str, Any] | None = None


def _all(service: str, *resources: str) -> tuple[Making, ...]:
    return (Making((f"{service}:*",), tuple(_arn(each) for each in resources)),)


MAKING: dict[str, tuple[Making, ...]] = {
    "AWS::ApiGateway": _all(
        "apigateway",
        *(f"apigateway:*::/{each}" for each in ("account", "restapis", "restapis/*", "tags/*")),
    ),
    "AWS::Backup": (
        Making(
            (
                *("backup:CreateBackupPlan", "backup:CreateBackupSelection", "backup:CreateBackupVault"),
                *("backup:DeleteBackupPlan", "backup:DeleteBackupSelection", "backup:DeleteBackupVault"),
                *("backup:DeleteBackupVault*Configuration", "backup:Describe*", "backup:Get*", "backup:List*"),
                *("backup:PutBackupVault*", "backup:TagResource", "backup:UntagResource", "backup:UpdateBackupPlan"),
            ),
            # Plans have random names.
            (_arn(f"backup:{_HERE}:backup-vault:{_OURS}"), _arn(f"backup:{_HERE}:backup-plan:*")),
        ),
    ),
    "AWS::CloudWatch": _all(
        "cloudwatch", f"cloudwatch:{_HERE}:alarm:*", f"cloudwatch::{cdk.Aws.ACCOUNT_ID}:dashboard/{_OURS}"
    ),
    "AWS::CodeDeploy": _all(
        "codedeploy",
        f"codedeploy:{_HERE}:application:{_OURS}",
        f"codedeploy:{_HERE}:deploymentgroup:{_OURS}",
        f"codedeploy:{_HERE}:deploymentconfig:*",  # those of CodeDeploy's own are read
    ),
    "AWS::DynamoDB": (
        Making(
            (
                *("dynamodb:CreateGlobalTable*", "dynamodb:CreateTable*", "dynamodb:DeleteResourcePolicy"),
                *("dynamodb:DeleteTable*", "dynamodb:Describe*", "dynamodb:GetResourcePolicy"),
                *("dynamodb:ListTagsOfResource", "dynamodb:PutResourcePolicy", "dynamodb:TagResource"),
                *("dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateContributorInsights"),
                *("dynamodb:UpdateGlobalTable*", "dynamodb:UpdateTable*", "dynamodb:UpdateTimeToLive"),
            ),
            (
                _arn(f"dynamodb:{_HERE}:table/{_OURS}"),
                _arn(f"dynamodb::{cdk.Aws.ACCOUNT_ID}:global-table/{_OURS}"),
            ),
        ),
        # AWS::DynamoDB::GlobalTable asks for DynamoDB's own role, also for a single replica.
        Making(
            ("iam:CreateServiceLinkedRole",),
            (_arn(f"iam::{cdk.Aws.ACCOUNT_ID}:role/aws-service-role/replication.dynamodb.amazonaws.com/*"),),
        ),
    ),
    "AWS::Events": _all(
        "events",
        f"events:{_HERE}:rule/{_OURS}",
        f"events:{_HERE}:event-bus/{_OURS}",
        f"events:{_HERE}:archive/{_OURS}",
        f"events:{_HERE}:event-bus/default",  # where uploads are archived from
    ),
    "AWS::KMS": (
        Making(("kms:CreateKey",), ("*",), {"StringEquals": {"aws:RequestTag/project": naming.PREFIX}}),
        Making(("kms:*",), (_arn(f"kms:{_HERE}:key/*"),), {"StringEquals": {"aws:ResourceTag/project": naming.PREFIX}}),
    ),
    "AWS::Kinesis": (
        Making(
            (
                *("kinesis:AddTagsToStream", "kinesis:CreateStream", "kinesis:DecreaseStreamRetentionPeriod"),
                *("kinesis:DeleteStream", "kinesis:Describe*", "kinesis:DisableEnhancedMonitoring"),
                *("kinesis:EnableEnhancedMonitoring", "kinesis:IncreaseStreamRetentionPeriod", "kinesis:ListTags*"),
                *("kinesis:RemoveTagsFromStream", "kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption"),
                *("kinesis:TagResource", "kinesis:UntagResource", "kinesis:Update*"),
            ),
            (_arn(f"kinesis:{_HERE}:stream/{_OURS}"),),
        ),
    ),
    "AWS::Lambda": (
        # Layers are called by their logical ids, mappings by random ones.
        *_all(
            "lambda",
            f"lambda:{_HERE}:function:{_OURS}",
            f"lambda:{_HERE}:layer:*",
            f"lambda:{_HERE}:event-source-mapping:*",
        ),
        # Whoever makes a function or layer reads its code.
        Making(
            ("s3:GetObject*",),
            (_arn(f"s3:::cdk-{_QUALIFIER}-assets-{cdk.Aws.ACCOUNT_ID}-*/*"),),
        ),
    ),
    "AWS::Logs": (
        Making(
            (
                *("logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:ListTags*"),
                *("logs:PutRetentionPolicy", "logs:TagLogGroup", "logs:TagResource", "logs:UntagLogGroup"),
                "logs:UntagResource",
            ),
            (_arn(f"logs:{_HERE}:log-group:*{_OURS}"),),
        ),
    ),
    "AWS::S3": (
        # An object's ARN begins as its bucket's does, so that the actions must leave objects out.
        Making(
            (
                *("s3:CreateBucket", "s3:DeleteBucket*", "s3:GetBucket*", "s3:Get*Configuration"),
                *("s3:ListTagsForResource", "s3:PutBucket*", "s3:Put*Configuration", "s3:TagResource"),
                "s3:UntagResource",
            ),
            (_arn(f"s3:::{_OURS}"),),
        ),
    ),
    "AWS::SNS": _all("sns", f"sns:{_HERE}:{_OURS}"),
    "AWS::SQS": (
        Making(
            (
                *("sqs:AddPermission", "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes"),
                *("sqs:GetQueueUrl", "sqs:ListQueueTags", "sqs:RemovePermission", "sqs:SetQueueAttributes"),
                *("sqs:TagQueue", "sqs:UntagQueue"),
            ),
            (_arn(f"sqs:{_HERE}:{_OURS}"),),
        ),
    ),
    "AWS::SSM": (
        *_all("ssm", f"ssm:{_HERE}:parameter/{naming.PREFIX}/*"),
        # Every template has the version of the bootstrap as a parameter.
        Making(("ssm:GetParameters",), (_arn(f"ssm:{_HERE}:parameter/cdk-bootstrap/{_QUALIFIER}/version"),)),
    ),
    "AWS::WAFv2": (
        *_all(
            "wafv2",
            f"wafv2:{_HERE}:regional/webacl/{_OURS}",
            f"wafv2:{_HERE}:regional/managedruleset/*",
            "apigateway:*::/restapis/*",
        ),
    ),
}
"""By the namespace of a resource's type. AWS::IAM is in `identities`, since it depends on the environments."""

UNNAMED: dict[str, tuple[str, ...]] = {
    # Where a vault's backups lie. Source: AWS Backup Developer Guide, "API permissions", CreateBackupVault.
    "AWS::Backup": ("backup-storage:MountCapsule",),
    "AWS::Kinesis": ("kinesis:DescribeLimits",),
    "AWS::Lambda": ("lambda:ListEventSourceMappings",),
    "AWS::Logs": ("logs:DescribeLogGroups",),
    "AWS::SNS": ("sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"),
    "AWS::SSM": ("ssm:DescribeParameters",),
}
"""Actions that know no resource. Source: the AWS Service Authorization Reference."""

MADE_BY_SERVICES = frozenset(
    {
        "apigateway.amazonaws.com",
        "backup.amazonaws.com",
        "codedeploy.amazonaws.com",
        "events.amazonaws.com",
        "lambda.amazonaws.com",
    }
)
"""The services that the templates give roles to."""


def identities(environments: Sequence[str]) -> tuple[Making, ...]:
    """Roles, which must have the boundary, and policies, of these environments and of what the account has once.

    Not of the delivery stack: what deploys can neither widen its rights nor change who may use it.
    """
    whose = [*(naming.stack(env, "*") for env in environments), f"{naming.ACCOUNT_STACK}-*"]
    roles = tuple(_arn(f"iam::{cdk.Aws.ACCOUNT_ID}:role/{name}") for name in whose)
    policies = tuple(_arn(f"iam::{cdk.Aws.ACCOUNT_ID}:policy/{name}") for name in whose)
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn()}}
    return (
        Making(
            (
                *("iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy"),
                *("iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
            ),
            roles,
            bounded,
        ),
        Making(
            (
                *("iam:DeleteRole", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"),
                *("iam:ListRolePolicies", "iam:ListRoleTags", "iam:TagRole", "iam:UntagRole"),
                *("iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"),
            ),
            roles,
        ),
        Making(("iam:PassRole",), roles, {"StringEquals": {"iam:PassedToService": sorted(MADE_BY_SERVICES)}}),
        Making(
            (
                *("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion"),
                *("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListEntitiesForPolicy", "iam:ListPolicyTags"),
                *("iam:ListPolicyVersions", "iam:SetDefaultPolicyVersion", "iam:TagPolicy", "iam:UntagPolicy"),
            ),
            policies,
        ),
    )


def boundary_arn() -> str:
    """The boundary of every role that a deployment makes."""
    return _arn(f"iam::{cdk.Aws.ACCOUNT_ID}:policy/{naming.BOUNDARY}")


def bounded_actions(cards: Iterable[Stage]) -> list[str]:
    """The actions that roles of ours may do at all: all of a service that the cards name, or that every function has.

    Of some services only what looks. IAM and STS are at most among these: by no action can a role give itself more.
    """
    of_cards = {
        action.partition(":")[0]
        for card in cards
        for each in card.functions
        for call in each.calls
        for action in call.actions
    }
    done = [f"{service}:*" for service in sorted(of_cards | _OF_EVERY_FUNCTION)]
    looked = [f"{service}:{action}" for service, actions in LOOKED_AT.items() for action in actions]
    return [*done, *_OF_BACKUPS, *looked]


_OF_EVERY_FUNCTION = {"lambda", "logs", "sqs", "xray"}
"""Its log, its traces, its queue, and what moves its alias."""

_OF_BACKUPS = ("backup:CopyFromBackupVault", "backup:CopyIntoBackupVault", "backup:TagResource", "tag:GetResources")
"""What AWS Backup does in its role, beside what it does to tables."""

LOOKED_AT = {
    "acm": ("Describe*",),
    "apigateway": ("GET",),
    "backup": ("Describe*", "Get*", "List*"),
    "ce": ("Get*",),
    "cloudformation": ("Describe*", "Get*", "List*"),
    "cloudwatch": ("Describe*", "Get*", "List*"),
    "codedeploy": ("Get*",),
    "iam": ("Get*", "List*"),
    "kms": ("Describe*", "Get*"),
    "servicequotas": ("List*",),
    "sns": ("Get*", "List*"),
    "ssm": ("Describe*", "Get*"),
    "wafv2": ("Get*",),
}
"""The services that roles look at without changing anything there: CodeDeploy, and whoever verifies a deployment."""


def statements(makings: Iterable[Making]) -> list[iam.PolicyStatement]:
    """As IAM has them."""
    return [
        iam.PolicyStatement(actions=list(each.actions), resources=list(each.resources), conditions=each.conditions)
        for each in makings
    ]
