from typing import Any, get_args

import pytest

from dashboards.alarms import Severity
from services import cards
from shared.contracts import naming
from shared.contracts.keys import SHORT_LIVED
from tests.templates.templates import Template, tls_only


@pytest.fixture
def platform(dev: dict[str, Template]) -> Template:
    return dev["platform"]


def test_all_buckets_are_encrypted_private_and_speak_tls_only(platform: Template) -> None:
    buckets = platform.of_type("AWS::S3::Bucket")
    assert len(buckets) == 3
    for name, bucket in buckets.items():
        (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms"), name
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }, name
        assert tls_only(platform.statements("AWS::S3::BucketPolicy", name, "Bucket")), name


def _bucket(template: Template, prefix: str) -> dict[str, Any]:
    (found,) = (each for each in template.of_type("AWS::S3::Bucket").values() if each.get("BucketNamePrefix") == prefix)
    return found


@pytest.mark.parametrize("what", ["photos", "derived"])
def test_buckets_are_named_in_the_namespace_of_their_account_and_region(platform: Template, what: str) -> None:
    """Another account cannot have them, and another region has its own."""
    bucket = _bucket(platform, f"snaprace-dev-{what}")
    assert bucket["BucketNamespace"] == "account-regional"
    assert "BucketName" not in bucket
    named = {"photos": naming.photo_bucket, "derived": naming.derived_bucket}[what]
    assert named("dev", "1" * 12, "eu-west-1") == f"{bucket['BucketNamePrefix']}-{'1' * 12}-eu-west-1-an"
    assert len(named("prod", "1" * 12, "ap-northeast-2")) <= 63


def test_uploads_are_versioned_announced_and_move_to_cheaper_tiers(platform: Template) -> None:
    photos = _bucket(platform, "snaprace-dev-photos")
    assert photos["VersioningConfiguration"] == {"Status": "Enabled"}
    assert photos["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    (tiering,) = photos["IntelligentTieringConfigurations"]
    assert tiering["Status"] == "Enabled"
    assert {each["AccessTier"]: each["Days"] for each in tiering["Tierings"]} == {
        "ARCHIVE_ACCESS": 90,
        "DEEP_ARCHIVE_ACCESS": 180,
    }
    # Archive tiers take effect only on objects of that storage class.
    (transition,) = photos["LifecycleConfiguration"]["Rules"][0]["Transitions"]
    assert transition == {"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0}


def test_what_we_derive_makes_no_events(platform: Template) -> None:
    assert "NotificationConfiguration" not in _bucket(platform, "snaprace-dev-derived")


def test_archives_never_take_in_a_replay(platform: Template) -> None:
    archives = platform.of_type("AWS::Events::Archive")
    assert {each["ArchiveName"] for each in archives.values()} == {"snaprace-dev-uploads", "snaprace-dev-events"}
    for archive in archives.values():
        assert archive["EventPattern"]["replay-name"] == [{"exists": False}]
        assert archive["RetentionDays"] > 0
    (events,) = (each for each in archives.values() if each["ArchiveName"] == "snaprace-dev-events")
    assert events["EventPattern"]["detail"]["meta"]["replay"] == [{"exists": False}], "nor what is only repeated"


def test_of_the_bucket_just_what_functions_hear_is_archived_and_replayed(platform: Template) -> None:
    heard = {
        kind
        for card in cards()
        for function in card.functions
        for rule in function.fed_by.rules
        if rule.kind == "Uploads"
        for kind in rule.detail_types
    }
    patterns = [
        each["EventPattern"]
        for kind in ("AWS::Events::Archive", "AWS::Events::Rule")
        for each in platform.of_type(kind).values()
        if each["EventPattern"]["source"] == ["aws.s3"]
    ]
    assert len(patterns) == 2
    for pattern in patterns:
        assert set(pattern["detail-type"]) == heard == {"Object Created", "Object Deleted"}


def test_a_replay_is_collected_in_a_queue_of_its_own_and_nothing_else_is(platform: Template) -> None:
    ((queue_id, queue),) = platform.of_type("AWS::SQS::Queue").items()
    assert queue["QueueName"] == naming.replay_queue("dev")
    assert queue["SqsManagedSseEnabled"] is True
    assert tls_only(platform.statements("AWS::SQS::QueuePolicy", queue_id, "Queues"))
    rules = {
        rule.get("EventBusName", "default") == "default": rule
        for rule in platform.of_type("AWS::Events::Rule").values()
    }
    assert len(rules) == 2
    for rule in rules.values():
        assert rule["Name"] == naming.replay_rule("dev"), "the command finds the rule by its name"
        assert rule["EventPattern"]["replay-name"] == [{"prefix": naming.replay_prefix("dev")}]
        (target,) = rule["Targets"]
        assert platform.text(target["Arn"]) == f"AWS::SQS::Queue {naming.replay_queue('dev')}"
    uploads, said = rules[True]["EventPattern"], rules[False]["EventPattern"]
    assert uploads["source"] == ["aws.s3"]
    (bucket,) = uploads["detail"]["bucket"]["name"]
    assert platform.of_type("AWS::S3::Bucket")[bucket["Ref"]] == _bucket(platform, "snaprace-dev-photos")
    assert said["source"] == [{"prefix": "snaprace."}]


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_archived_events_go_no_later_than_a_deleted_photo_itself(env: str, request: pytest.FixtureRequest) -> None:
    """As docs/privacy.md promises."""
    platform: Template = request.getfixturevalue(env)["platform"]
    photos = _bucket(platform, f"snaprace-{env}-photos")
    kept = [
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in photos["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    ]
    for archive in platform.of_type("AWS::Events::Archive").values():
        assert 0 < archive["RetentionDays"] <= min(kept)


def test_s3_deletes_full_size_pictures_after_a_day(platform: Template) -> None:
    derived = _bucket(platform, "snaprace-dev-derived")
    (rule,) = (each for each in derived["LifecycleConfiguration"]["Rules"] if "TagFilters" in each)
    assert {tag["Key"]: tag["Value"] for tag in rule["TagFilters"]} == SHORT_LIVED
    assert (rule["ExpirationInDays"], rule["Status"]) == (1, "Enabled")


def test_alarm_topics_are_encrypted_speak_tls_only_and_hear_alarms(platform: Template) -> None:
    ((key_id, key),) = platform.of_type("AWS::KMS::Key").items()
    assert key["EnableKeyRotation"] is True
    topics = platform.of_type("AWS::SNS::Topic")
    assert {topic["TopicName"] for topic in topics.values()} == {
        naming.alarm_topic("dev", each) for each in get_args(Severity)
    }
    for logical_id, topic in topics.items():
        policy = list(platform.statements("AWS::SNS::TopicPolicy", logical_id, "Topics"))
        assert tls_only(iter(policy))
        assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key_id, "Arn"]}
        ours = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        cloudwatch = {"Service": "cloudwatch.amazonaws.com"}
        allowed = [
            (each["Action"], each.get("Condition"))
            for each in [*policy, *key["KeyPolicy"]["Statement"]]
            if each["Effect"] == "Allow" and each["Principal"] == cloudwatch
        ]
        assert allowed == [("sns:Publish", ours), (["kms:Decrypt", "kms:GenerateDataKey*"], ours)]


def test_api_gateway_may_write_the_access_logs_that_stages_ask_for(dev: dict[str, Template]) -> None:
    owners = [name for name, template in dev.items() if template.of_type("AWS::ApiGateway::Account")]
    assert owners == ["account"], "one of the account and region: an environment must not take it from another"
    (account,) = dev["account"].of_type("AWS::ApiGateway::Account").values()
    role, _ = account["CloudWatchRoleArn"]["Fn::GetAtt"]
    (trust,) = dev["account"].of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "apigateway.amazonaws.com"}
    for resource in ("ApiGatewayAccount", role):
        assert dev["account"].resources[resource]["DeletionPolicy"] == "RetainExceptOnCreate"
    for template in dev.values():
        for stage in template.of_type("AWS::ApiGateway::Stage").values():
            assert stage["TracingEnabled"] is True
            assert "AWS::Logs::LogGroup" in template.text(stage["AccessLogSetting"]["DestinationArn"])


KEPT_IN_PROD = ("AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable")


@pytest.mark.parametrize(
    ("env", "policies"), [("prod", ("RetainExceptOnCreate", "Retain")), ("dev", ("Delete", "Delete"))]
)
def test_only_prod_keeps_its_data_when_a_stack_goes_and_not_when_its_first_deployment_fails(
    env: str, policies: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    templates: dict[str, Template] = request.getfixturevalue(env)
    for_a_while = {naming.short_lived_table(env, card.name, each.name) for card in cards() for each in card.short_lived}
    kept, forgotten = [], []
    for template in templates.values():
        for resource in template.resources.values():
            if resource["Type"] in KEPT_IN_PROD:
                expires = resource["Properties"].get("TableName") in for_a_while
                (forgotten if expires else kept).append((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]))
    assert kept == [policies] * (3 + sum(card.has_table for card in cards()))  # buckets and tables
    assert forgotten == [("Delete", "Delete")] * len(for_a_while)


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_nothing_is_retained_of_a_first_deployment_that_fails(env: str, request: pytest.FixtureRequest) -> None:
    """Names are fixed: what stayed behind would refuse the next attempt."""
    templates: dict[str, Template] = request.getfixturevalue(env)
    for template in templates.values():
        for logical_id, resource in template.resources.items():
            assert resource.get("DeletionPolicy", "Delete") in ("Delete", "RetainExceptOnCreate"), logical_id
