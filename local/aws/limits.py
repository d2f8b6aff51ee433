"""What the local runtime does not emulate: the one table, for the check after a deployment and for the documents."""

from __future__ import annotations


class Limit:
    """Something AWS does and the local runtime does not: what, and how it is here.

    `properties` are "AWS::Type.Property" (or a whole "AWS::Type") of templates that are
    not expected to stand here; without them the entry is about behaviour alone.
    """

    def __init__(self, what: str, locally: str, *properties: str) -> None:
        self.what, self.locally, self.properties = what, locally, properties


# fmt: off
LIMITS: tuple[Limit, ...] = (
    Limit("IAM: roles, resource policies and Lambda permissions decide who may call what",
          "They stand as asked for, but every call is allowed. (What a function calls is compared with what its card "
          "allows by a test.)",
          "AWS::Lambda::Permission", "AWS::IAM::Role.PermissionsBoundary"),
    Limit("Each Lambda function has its own operating system, memory limit and Python packages",
          "Handlers are processes of one machine and one interpreter, in which all packages of the project can be "
          "imported; memory is not limited. (That a package ships what it imports is a test of its own.)"),
    Limit("CloudWatch keeps metrics for 15 months, and the states and history of alarms",
          "They are kept in memory: a metric for 15 days, and all of it until the embedded AWS is started again. "
          "Alarms are evaluated as there; anomaly detection, SEARCH, Metrics Insights and a rule for percentiles of "
          "few samples are not there."),
    Limit("AWS's services tell CloudWatch all that they measure, at times minutes late",
          "Told, at once, is what local/aws/metrics names, with AWS's dimensions. Not told are the capacity units of "
          "tables, empty receives, what buckets store, and all of Rekognition, WAF and Logs. Lambda's Duration "
          "includes the start of a process. Requests of a bucket are told as its template asks, which nobody can ask.",
          "AWS::S3::Bucket.MetricsConfigurations"),
    Limit("EventBridge retries a target for up to 24 hours and then uses the target's dead-letter queue",
          "There are no retries; an event for a queue that does not exist goes to the dead-letter queue at once."),
    Limit("SQS moves messages from a dead-letter queue back to where they came from (StartMessageMoveTask)",
          "It does not. (`snaprace redrive` receives them and sends them again, here and on AWS.)"),
    Limit("EventBridge takes up to ten minutes to archive an event; a replay takes minutes and can be cancelled",
          "An event is in the archive at once; a replay is over before it could be cancelled."),
    Limit("EventBridge may deliver an event more than once and in any order; so may SQS",
          "Deliveries are mostly single and in order. (Repetition and disorder are tested by property tests.)"),
    Limit("S3 moves old photos to archive tiers, ends old versions by lifecycle rules and encrypts at rest",
          "Objects stay where they are, as plain files, until the state is deleted.",
          "AWS::S3::Bucket.BucketEncryption", "AWS::S3::Bucket.IntelligentTieringConfigurations",
          "AWS::S3::Bucket.LifecycleConfiguration", "AWS::S3::Bucket.OwnershipControls"),
    Limit("S3 and API Gateway write access logs",
          "There are none.",
          "AWS::S3::Bucket.AccessControl", "AWS::S3::Bucket.LoggingConfiguration",
          "AWS::ApiGateway::Account",
          "AWS::ApiGateway::Stage.AccessLogSetting"),
    Limit("DynamoDB, Kinesis and SNS encrypt at rest; DynamoDB restores a table to any point in time",
          "What is kept is in plain files; a table is restored to moments since the runtime began, and at once.",
          "AWS::DynamoDB::Table.SSESpecification", "AWS::Kinesis::Stream.StreamEncryption",
          "AWS::SNS::Topic.KmsMasterKeyId"),
    Limit("Only signed requests are taken",
          "A request may have any key and signature. Signed links are checked, end at their time, and work on this "
          "machine only."),
    Limit("TLS everywhere",
          "Plain HTTP on 127.0.0.1."),
    Limit("Any page may ask an API, and read objects where a bucket's CORS rules allow it",
          "Only pages of the front door may; all others are refused, whatever they ask."),
    Limit("S3 takes up to 5 GB in one request, and names with segments '.' and '..'",
          "256 MB (SDKs send large files in parts), and no such names."),
    Limit("API Gateway compresses answers, at a regional endpoint; the account's concurrency bounds requests",
          "Nothing is compressed. Twice as many requests as the machine has processors are worked on at "
          "once and 64 wait; others are answered 503 with Retry-After.",
          "AWS::ApiGateway::RestApi.EndpointConfiguration"),
    Limit("A web application firewall (WAF) bounds what a client may ask, and refuses common attacks",
          "It stands as asked for, and lets everything through.",
          "AWS::WAFv2::WebACL.CustomResponseBodies"),
    Limit("AWS Backup takes a backup every night, copies it to another region, and deletes it when its time is over",
          "There are the backups that `snaprace backup` takes, until the runtime ends.",
          "AWS::Backup::BackupVault.LockConfiguration"),
    Limit("CodeDeploy moves the alias of a function to its new version step by step, and back when an alarm rings",
          "The alias points to the new version at once, and nothing moves it back but `snaprace rollback`.",
          "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"),
    Limit("X-Ray traces requests through all stages",
          "There are no traces; the correlation id in the logs is the same."),
    Limit("Rekognition",
          "SnapRace's own vision server speaks its protocol: real text reading and real faces, but other models, hence "
          "other scores and boxes."),
)
# fmt: on

PROPERTIES = frozenset(name for limit in LIMITS for name in limit.properties)


def as_markdown() -> str:
    """The table as it stands in the documents."""
    rows = [f"| {limit.what} | {limit.locally} |" for limit in LIMITS]
    return "\n".join(["| On AWS | On this machine |", "|---|---|", *rows, ""])
