"""What the local runtime does not emulate: the one table, for the check after a deployment and for the documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Something AWS does and the local runtime does not.

    `properties` are "AWS::Type.Property" (or a whole "AWS::Type") of templates that are
    not expected to stand here; without them the entry is about behaviour alone.
    """

    what: str
    locally: str
    properties: tuple[str, ...] = ()


LIMITS: tuple[Limit, ...] = (
    Limit(
        what="IAM: roles, resource policies and Lambda permissions decide who may call what",
        locally="They stand as asked for, but every call is allowed. (What a function calls is compared with what its "
        "card allows by a test.)",
        properties=("AWS::Lambda::Permission",),
    ),
    Limit(
        what="Each Lambda function has its own operating system, memory limit and Python packages",
        locally="Handlers are processes of one machine and one interpreter, in which all packages of the project can "
        "be imported; memory is not limited. (That a package ships what it imports is a test of its own.)",
    ),
    Limit(
        what="A mapping works on up to MaximumConcurrency batches at once",
        locally="On as many as the machine has processors (at least two), if that is fewer.",
    ),
    Limit(
        what="CloudWatch collects the metrics of the services and evaluates alarms on them",
        locally="Alarms and dashboards stand as asked for. Metrics of SQS, EventBridge and API Gateway do not exist, "
        "alarms do not tell dimensions apart, and alarms on expressions stay without data.",
    ),
    Limit(
        what="EventBridge retries a target for up to 24 hours and then uses the target's dead-letter queue",
        locally="There are no retries; an event for a queue that does not exist goes to the dead-letter queue at once.",
    ),
    Limit(
        what="SQS moves messages from a dead-letter queue back to where they came from (StartMessageMoveTask)",
        locally="It does not. (`snaprace redrive` receives them and sends them again, here and on AWS.)",
    ),
    Limit(
        what="EventBridge takes up to ten minutes to archive an event; a replay takes minutes and can be cancelled",
        locally="An event is in the archive at once; a replay is over before it could be cancelled.",
    ),
    Limit(
        what="EventBridge may deliver an event more than once and in any order; so may SQS",
        locally="Deliveries are mostly single and in order. (Repetition and disorder are tested by property tests.)",
    ),
    Limit(
        what="S3 moves old photos to archive tiers, ends old versions by lifecycle rules and encrypts at rest",
        locally="Objects stay where they are, as plain files, until the state is deleted.",
        properties=(
            "AWS::S3::Bucket.BucketEncryption",
            "AWS::S3::Bucket.IntelligentTieringConfigurations",
            "AWS::S3::Bucket.LifecycleConfiguration",
            "AWS::S3::Bucket.OwnershipControls",
        ),
    ),
    Limit(
        what="S3 and API Gateway write access logs",
        locally="There are none.",
        properties=(
            "AWS::S3::Bucket.AccessControl",
            "AWS::S3::Bucket.LoggingConfiguration",
            "AWS::ApiGateway::Account",
            "AWS::ApiGateway::Stage.AccessLogSetting",
        ),
    ),
    Limit(
        what="DynamoDB and SNS encrypt at rest; DynamoDB restores a table to any point in time",
        locally="What is kept is in plain files; a restore gives the present state.",
        properties=("AWS::DynamoDB::Table.SSESpecification", "AWS::SNS::Topic.KmsMasterKeyId"),
    ),
    Limit(
        what="Signed links and requests are checked, and end at their time",
        locally="Any signature is accepted, and an old one too; links of the search API work on this machine only.",
    ),
    Limit(
        what="TLS everywhere",
        locally="Plain HTTP on 127.0.0.1.",
    ),
    Limit(
        what="API Gateway throttles and measures requests, at a regional endpoint",
        locally="It answers all of them, on this machine.",
        properties=("AWS::ApiGateway::RestApi.EndpointConfiguration",),
    ),
    Limit(
        what="X-Ray traces requests through all stages",
        locally="There are no traces; the correlation id in the logs is the same.",
    ),
    Limit(
        what="Rekognition",
        locally="SnapRace's own vision server speaks its protocol: real text reading and real faces, but other models, "
        "hence other scores and boxes.",
    ),
)

PROPERTIES = frozenset(name for limit in LIMITS for name in limit.properties)


def as_markdown() -> str:
    """The table as it stands in the documents."""
    rows = [f"| {limit.what} | {limit.locally} |" for limit in LIMITS]
    return "\n".join(["| On AWS | On this machine |", "|---|---|", *rows, ""])
