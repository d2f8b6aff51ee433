"""What people may do who use the `snaprace` command on AWS: a managed policy for each audience of it.

The policies stand ready to be attached to the roles that an organization's people have; nobody has one by itself.
Runners need none: the search API is open to everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from shared.contracts import naming
from shared.contracts.card import Stage
from shared.contracts.events import SOURCE_PREFIX, BibCorrected, DomainEvent, MatchCut
from shared.contracts.keys import RACE_FILE, RAW_PHOTOS, ROSTER_FILE, ROSTERS
from stacks.environment import Environment, EnvironmentStack
from stacks.nag import acknowledge, wildcard

Audience = Literal["photographer", "organizer", "operator", "inspector", "restorer", "eraser"]

_WORDS: tuple[type[DomainEvent], ...] = (BibCorrected, MatchCut)
"""What an organizer says by `snaprace correct`."""

READING = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan")


# Source of the names, which are not always the operations': Service Authorization Reference.
INSPECTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("acm", ("DescribeCertificate",)),
    ("apigateway", ("GET",)),
    ("backup", ("ListBackupVaults", "ListProtectedResources")),
    ("ce", ("GetCostAndUsage",)),
    ("cloudformation", ("DescribeStacks", "GetTemplate", "ListStackResources")),
    ("cloudwatch", ("DescribeAlarms", "GetDashboard", "GetMetricData")),
    ("codedeploy", ("GetApplication", "GetDeploymentGroup")),
    ("dynamodb", ("DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive")),
    ("events", ("DescribeArchive", "DescribeEventBus", "DescribeRule", "ListTargetsByRule")),
    (
        "iam",
        (
            "GetPolicy",
            "GetPolicyVersion",
            "GetRole",
            "GetRolePolicy",
            "ListAttachedRolePolicies",
            "ListEntitiesForPolicy",
            "ListPolicies",
            "ListRolePolicies",
        ),
    ),
    ("kinesis", ("DescribeStreamSummary",)),
    ("kms", ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus")),
    (
        "lambda",
        (
            "GetAccountSettings",
            "GetAlias",
            "GetEventSourceMapping",
            "GetFunctionConcurrency",
            "GetFunctionConfiguration",
            "GetFunctionEventInvokeConfig",
            "GetFunctionRecursionConfig",
            "GetLayerVersion",
            "GetPolicy",
        ),
    ),
    ("logs", ("DescribeLogGroups",)),
    (
        "s3",
        (
            "GetBucketCORS",
            "GetBucketLogging",
            "GetBucketNotification",
            "GetBucketPolicy",
            "GetBucketPublicAccessBlock",
            "GetBucketVersioning",
            "GetEncryptionConfiguration",
            "GetIntelligentTieringConfiguration",
            "GetLifecycleConfiguration",
            "GetMetricsConfiguration",
        ),
    ),
    ("servicequotas", ("ListServiceQuotas",)),
    ("sns", ("GetSubscriptionAttributes", "GetTopicAttributes", "ListSubscriptionsByTopic")),
    ("ssm", ("DescribeParameters",)),
    ("wafv2", ("GetWebACL", "GetWebACLForResource")),
)
"""By service, what `snaprace verify` and `checkup` ask for beyond what operators look at."""


class Right(NamedTuple):
    """Actions on resources; `said` are the only events that PutEvents may publish."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    said: tuple[type[DomainEvent], ...] = ()


class PeopleStack(EnvironmentStack):
    """The policies of an environment."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, cards: Sequence[Stage]
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            part="people",
            description="SnapRace: what people may do with the snaprace command",
        )
        self._env = environment.name
        self._cards = cards
        uploading = [*self._find_races(), *self._upload(f"{RAW_PHOTOS}/*"), *self._see_uploads()]
        looking = [*self._look(), *self._see_uploads()]
        organizing = [*looking, *self._upload(RACE_FILE, ROSTER_FILE), *self._change(), *self._correct()]
        self._policy("photographer", "Uploads photos.", uploading)
        self._policy("organizer", "Sets up races, looks into them and corrects them.", organizing)
        self._policy(
            "operator", "Looks into races, mends what failed, and counts what it costs.", [*looking, *self._mend()]
        )
        inspecting = [*looking, *self._inspect()]
        self._policy("inspector", "Verifies a deployment without its probe, and does the checkups.", inspecting)
        going_back = [*looking, *self._roll_back(), *self._restore(), *self._collect()]
        self._policy("restorer", "Goes back: to earlier code, and to what tables held.", going_back)
        erasing = [*self._look_into_stages(), *self._see_uploads(), *self._upload(f"{RAW_PHOTOS}/*"), *self._erase()]
        self._policy("eraser", "Deletes races for good, and moves or deletes uploads of no race.", erasing)

    def _policy(self, who: Audience, description: str, rights: Sequence[Right]) -> None:
        policy = iam.ManagedPolicy(
            self,
            who.capitalize(),
            managed_policy_name=naming.policy(self._env, who, cdk.Aws.REGION),
            description=description,
            statements=[_statement(right) for right in rights],
        )
        named = "Keys and queues are named by races and stages, so the policy names how they begin."
        for resource in dict.fromkeys(resource for right in rights for resource in right.resources):
            if "*" in resource:
                acknowledge(policy, {wildcard(self, resource): named})

    # --- rights ---------------------------------------------------------------------------------------------

    def _find_races(self) -> Iterator[Right]:
        """`--organizer` and `--event` may be left out where there is one race."""
        yield Right(READING, (self._table("races"),))

    def _see_uploads(self) -> Iterator[Right]:
        """Which photos are there."""
        yield Right(("s3:ListBucket",), (f"arn:{cdk.Aws.PARTITION}:s3:::{self._photos}",))

    def _upload(self, *files: str) -> Iterator[Right]:
        """Files of any race: {organizer_id}/{event_id}/ comes first in every key."""
        objects = f"arn:{cdk.Aws.PARTITION}:s3:::{self._photos}/*/*/"
        yield Right(("s3:PutObject",), tuple(f"{objects}{file}" for file in files))

    def _look(self) -> Iterator[Right]:
        """Where uploads stand, who is in a photo and why, and what was given up."""
        yield from self._look_into_stages()
        parameters = (naming.api_url_parameter(self._env, card.name) for card in self._cards if card.serving)
        named = [*parameters, naming.front_door_parameter(self._env)]
        yield Right(("ssm:GetParameter",), tuple(self._arn("ssm", "parameter", name.lstrip("/")) for name in named))
        yield Right(("logs:FilterLogEvents",), (self._logs,))

    def _look_into_stages(self) -> Iterator[Right]:
        """What the stages keep, and what lies in their queues."""
        yield Right(READING, tuple(self._tables()))
        # A look at dead letters receives them, and lets them be seen again at once.
        looking = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility")
        yield Right(looking, (self._queues,))
        yield Right(("sqs:ListQueues",), ("*",))  # has no resource

    def _change(self) -> Iterator[Right]:
        """Settings are read before they are changed; also S3 asks for it, for a write on the condition of an ETag."""
        objects = f"arn:{cdk.Aws.PARTITION}:s3:::{self._photos}/*/*/"
        yield Right(("s3:GetObject",), (f"{objects}{RACE_FILE}",))

    def _erase(self) -> Iterator[Right]:
        """All versions of a race's objects, its items in every table, its face collection and dead letters.

        What is of no race lies anywhere in the photo bucket, and is copied into a race.
        """
        photos, derived = (f"arn:{cdk.Aws.PARTITION}:s3:::{each}" for each in (self._photos, self._derived))
        yield Right(("s3:ListBucketVersions",), (photos, derived))
        yield Right(("s3:GetObject", "s3:DeleteObject"), (f"{photos}/*",))
        yield Right(("s3:DeleteObjectVersion",), (f"{photos}/*", f"{derived}/*"))
        yield Right(("dynamodb:BatchWriteItem",), tuple(self._tables()))
        collections = self._arn("rekognition", "collection", f"{naming.stack(self._env, '*')}")
        yield Right(("rekognition:DescribeCollection", "rekognition:DeleteCollection"), (collections,))
        yield Right(("sqs:DeleteMessage",), (self._queues,))

    def _correct(self) -> Iterator[Right]:
        """An organizer's word; a bib is looked for in the race's roster."""
        yield Right(("s3:GetObject",), (f"arn:{cdk.Aws.PARTITION}:s3:::{self._derived}/*/*/{ROSTERS}/*",))
        yield Right(("events:PutEvents",), (self._arn("events", "event-bus", naming.bus(self._env)),), said=_WORDS)

    def _mend(self) -> Iterator[Right]:
        """Redrive and replay; and what was used, of which archives, logs and derived pictures tell."""
        yield Right(("sqs:SendMessage",), (self._queues,))
        yield from self._collect()
        if streams := tuple(self._streams()):
            yield Right(("kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:PutRecords"), streams)
        yield Right(("logs:DescribeLogGroups",), ("*",))  # has no resource that is known before
        yield Right(("s3:ListBucket",), (f"arn:{cdk.Aws.PARTITION}:s3:::{self._derived}",))

    def _collect(self) -> Iterator[Right]:
        """What the archives hold is collected in the platform's queue."""
        yield Right(("sqs:DeleteMessage",), (self._queues,))
        names = (naming.uploads_archive(self._env), naming.events_archive(self._env))
        archives = tuple(self._arn("events", "archive", name) for name in names)
        replays = self._arn("events", "replay", f"{naming.replay_prefix(self._env)}*")
        rule = naming.replay_rule(self._env)
        yield Right(("events:DescribeArchive",), archives)
        yield Right(("events:StartReplay",), (*archives, replays))
        yield Right(("events:DescribeReplay", "events:CancelReplay"), (replays,))
        yield Right(("events:ListReplays",), ("*",))  # has no resource that is known before
        rules = (self._arn("events", "rule", each) for each in (rule, f"{naming.bus(self._env)}/{rule}"))
        yield Right(("events:DescribeRule",), tuple(rules))

    def _roll_back(self) -> Iterator[Right]:
        """Make another version of a function live, also by stopping CodeDeploy while it does so."""
        named = naming.stack(self._env, "*")
        functions = self._named("lambda", "function", named)
        yield Right(("lambda:GetAlias", "lambda:UpdateAlias", "lambda:ListVersionsByFunction"), (functions,))
        yield Right(("lambda:GetFunction",), (functions,))  # what a drill runs
        yield Right(("cloudformation:ListStackResources",), (self._arn("cloudformation", "stack", f"{named}/*"),))
        groups = self._named("codedeploy", "deploymentgroup", f"{named}/*")
        yield Right(("codedeploy:ListDeployments", "codedeploy:StopDeployment"), (groups,))

    def _restore(self) -> Iterator[Right]:
        """Back tables up, and restore them into new ones, which are filled, looked into and, after a drill, deleted.

        DynamoDB asks who restores for the right to write into the new table. Source: its Developer Guide, "Using IAM
        with DynamoDB backup and restore".
        """
        all_of_them, beside = (self._arn("dynamodb", "table", naming.stack(self._env, each)) for each in ("*", "*-*"))
        looking = ("dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:ListTagsOfResource")
        yield Right((*looking, "dynamodb:RestoreTableToPointInTime"), (all_of_them,))
        filling = ("dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
        yield Right((*READING, *filling), (beside,))
        settling = ("dynamodb:TagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable")
        yield Right(settling, (beside,))
        yield Right(("dynamodb:DeleteTable",), (naming.drill_table(all_of_them),))
        vault = self._named("backup", "backup-vault", naming.backup_vault(self._env))
        yield Right(("backup:StartBackupJob", "backup:ListRecoveryPointsByBackupVault"), (vault,))
        points = self._named("backup", "recovery-point", "*")
        yield Right(("backup:GetRecoveryPointRestoreMetadata", "backup:StartRestoreJob"), (points,))
        yield Right(("backup:DescribeBackupJob", "backup:DescribeRestoreJob"), ("*",))  # have no resource
        role = naming.backup_role(self._env, cdk.Aws.REGION)
        yield Right(
            ("iam:PassRole",), (self.format_arn(service="iam", region="", resource="role", resource_name=role),)
        )

    def _inspect(self) -> Iterator[Right]:
        """How everything is set that stands, and nothing of what is kept in it.

        Names of many things are CloudFormation's, and some actions have no resource. What `snaprace verify` reads of
        code are the assets that were deployed.
        """
        yield Right(tuple(f"{service}:{action}" for service, actions in INSPECTED for action in actions), ("*",))
        bootstrapped = f"cdk-*-assets-{cdk.Aws.ACCOUNT_ID}-{cdk.Aws.REGION}"
        yield Right(("s3:GetObject",), (f"arn:{cdk.Aws.PARTITION}:s3:::{bootstrapped}/*",))

    # --- resources ------------------------------------------------------------------------------------------

    def _arn(self, service: str, resource: str, name: str) -> str:
        return self.format_arn(service=service, resource=resource, resource_name=name)

    def _named(self, service: str, resource: str, name: str) -> str:
        """An ARN in which a colon comes before the name."""
        arn_format = cdk.ArnFormat.COLON_RESOURCE_NAME
        return self.format_arn(service=service, resource=resource, resource_name=name, arn_format=arn_format)

    def _table(self, stage: str) -> str:
        (generation,) = (card.generation for card in self._cards if card.name == stage)
        return self._arn("dynamodb", "table", naming.table(self._env, stage, generation))

    def _tables(self) -> Iterator[str]:
        """All that stages keep something in."""
        yield from (self._table(card.name) for card in self._cards if card.has_table)
        for card in self._cards:
            for each in card.short_lived:
                yield self._arn("dynamodb", "table", naming.short_lived_table(self._env, card.name, each.name))

    def _streams(self) -> Iterator[str]:
        """All that functions read. They are encrypted with Kinesis' own key, which asks no rights of who uses it."""
        for card in self._cards:
            for function in card.streamed:
                yield self._arn("kinesis", "stream", naming.stream(self._env, card.name, function.name))

    @property
    def _photos(self) -> str:
        return naming.photo_bucket(self._env, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION)

    @property
    def _derived(self) -> str:
        return naming.derived_bucket(self._env, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION)

    @property
    def _queues(self) -> str:
        return self.format_arn(service="sqs", resource=naming.stack(self._env, "*"))

    @property
    def _logs(self) -> str:
        group = f"log-group:/aws/lambda/{naming.stack(self._env, '*')}"
        return self.format_arn(service="logs", resource=group, arn_format=cdk.ArnFormat.NO_RESOURCE_NAME)


def _statement(right: Right) -> iam.PolicyStatement:
    if not right.said:
        return iam.PolicyStatement(actions=list(right.actions), resources=list(right.resources))
    conditions = {
        "events:source": sorted({SOURCE_PREFIX + event.STAGE for event in right.said}),
        "events:detail-type": sorted(event.__name__ for event in right.said),
    }
    return iam.PolicyStatement(
        actions=list(right.actions), resources=list(right.resources), conditions={"StringEquals": conditions}
    )
