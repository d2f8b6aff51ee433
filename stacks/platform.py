"""What all stages stand on: the bus and its archives, the buckets, the alarm topics. Deployed first."""

from __future__ import annotations

from typing import Any, get_args

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from dashboards.alarms import Severity
from shared.contracts import naming
from shared.contracts.events import SOURCE_PREFIX
from shared.contracts.keys import SHORT_LIVED
from shared.contracts.rules import UPLOADS
from stacks.environment import Address, Environment, EnvironmentStack
from stacks.nag import acknowledge


class PlatformStack(EnvironmentStack):
    """Bus, archives, buckets, topics."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            part="platform",
            description="SnapRace: what all stages stand on",
        )
        self._environment = environment
        kept_for_a_quarter = s3.LifecycleRule(expiration=cdk.Duration.days(90))
        logs = self._bucket("AccessLogs", lifecycle_rules=[kept_for_a_quarter])
        photos = self._photo_bucket(logs)
        self._derived_bucket(logs)
        bus = self._bus_and_archives(photos)
        self._replay_collector(bus, photos)
        self._alarm_topics()

    def _bucket(self, construct_id: str, **settings: Any) -> s3.Bucket:
        """A bucket that nobody outside the account sees."""
        return s3.Bucket(
            self,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=self._environment.removal_policy,
            **settings,
        )

    def _measured(self) -> dict[str, Any]:
        """Metrics of a bucket's requests, which S3 keeps only where they are asked for."""
        return {"metrics": [s3.BucketMetrics(id=naming.ALL_REQUESTS)]}

    def _named(self, what: str) -> dict[str, Any]:
        """A name in the namespace of the account and region: elsewhere the same environment has another."""
        return {
            "bucket_name_prefix": naming.bucket_prefix(self._environment.name, what),
            "bucket_namespace": s3.BucketNamespace.ACCOUNT_REGIONAL,
        }

    def _photo_bucket(self, logs: s3.IBucket) -> s3.Bucket:
        """Uploads. Every object made or deleted is an event on the default bus."""
        archiving = s3.IntelligentTieringConfiguration(
            name="archive",
            archive_access_tier_time=cdk.Duration.days(90),
            deep_archive_access_tier_time=cdk.Duration.days(180),
        )
        at_once = s3.Transition(
            storage_class=s3.StorageClass.INTELLIGENT_TIERING, transition_after=cdk.Duration.days(0)
        )
        tiering = s3.LifecycleRule(
            id="tier",
            transitions=[at_once],
            abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
            # A deleted photo can be brought back for a month, then it is gone for good.
            noncurrent_version_expiration=cdk.Duration.days(30),
        )
        # Browsers upload with a presigned POST, from whichever address the console has.
        uploading = s3.CorsRule(
            allowed_methods=[s3.HttpMethods.POST, s3.HttpMethods.PUT],
            allowed_origins=["*"],
            allowed_headers=["*"],
            max_age=3600,
        )
        bucket = self._bucket(
            "Photos",
            **self._named(naming.PHOTOS),
            **self._measured(),
            versioned=True,
            intelligent_tiering_configurations=[archiving],
            lifecycle_rules=[tiering],
            cors=[uploading],
            server_access_logs_bucket=logs,
            server_access_logs_prefix="photos/",
        )
        # As a property, because event_bridge_enabled=True would deploy a custom resource to set the same.
        _override(bucket, "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)
        return bucket

    def _derived_bucket(self, logs: s3.IBucket) -> None:
        """What we make of uploads; can be made again, so neither versioned nor tiered. Makes no events.

        S3 deletes full-size pictures a day after a runner asked for one: they are as large as all uploads together.
        """
        self._bucket(
            "Derived",
            **self._named(naming.DERIVED),
            **self._measured(),
            lifecycle_rules=[
                s3.LifecycleRule(id="clean", abort_incomplete_multipart_upload_after=cdk.Duration.days(1)),
                # By tag, since the race comes first in every key.
                s3.LifecycleRule(id="short-lived", tag_filters=SHORT_LIVED, expiration=cdk.Duration.days(1)),
            ],
            cors=[s3.CorsRule(allowed_methods=[s3.HttpMethods.GET], allowed_origins=["*"], max_age=3600)],
            server_access_logs_bucket=logs,
            server_access_logs_prefix="derived/",
        )

    def _bus_and_archives(self, photos: s3.IBucket) -> events.EventBus:
        """The bus of the domain events, and what can be replayed.

        A replayed event is never archived again, nor is what a stage only repeats because it heard one.
        """
        name = self._environment.name
        bus = events.EventBus(self, "Bus", event_bus_name=naming.bus(name))
        first_time_only = {"replay-name": [{"exists": False}]}
        no_repetition = {"detail": {"meta": {"replay": [{"exists": False}]}}}
        events.CfnArchive(
            self,
            "EventsArchive",
            archive_name=naming.events_archive(name),
            source_arn=bus.event_bus_arn,
            event_pattern={"source": [{"prefix": SOURCE_PREFIX}], **first_time_only, **no_repetition},
            retention_days=self._environment.past_days,
        )
        default_bus = self.format_arn(service="events", resource="event-bus", resource_name="default")
        events.CfnArchive(
            self,
            "UploadsArchive",
            archive_name=naming.uploads_archive(name),
            source_arn=default_bus,
            event_pattern={**UPLOADS.pattern(photos.bucket_name), **first_time_only},
            retention_days=self._environment.past_days,
        )
        return bus

    def _replay_collector(self, bus: events.IEventBus, photos: s3.IBucket) -> None:
        """A queue in which `snaprace replay` collects what an archive gives back, to choose from it.

        EventBridge can neither count nor choose: a replay for a stage's own rules would bring it all there is. Nothing
        is lost with this queue, as it all is in the archives.
        """
        name = self._environment.name
        queue = sqs.Queue(
            self,
            "ReplayQueue",
            queue_name=naming.replay_queue(name),
            visibility_timeout=cdk.Duration.minutes(2),
            retention_period=cdk.Duration.days(1),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        again = "The command that asked for a replay collects it, and can ask for it again."
        acknowledge(queue, {"AwsSolutions-SQS3": again, "Serverless-SQSRedrivePolicy": again})
        told = UPLOADS.pattern(photos.bucket_name)
        uploads = events.EventPattern(source=told["source"], detail_type=told["detail-type"], detail=told["detail"])
        said = events.EventPattern(source=events.Match.prefix(SOURCE_PREFIX))
        for what, on, pattern in (("Uploads", None, uploads), ("Events", bus, said)):
            rule = events.Rule(
                self,
                f"Replayed{what}",
                rule_name=naming.replay_rule(name),
                description=f"Collects what a replay gives back: {what.lower()}",
                event_bus=on,
                event_pattern=pattern,
                targets=[targets.SqsQueue(queue)],
            )
            acknowledge(rule, {"Serverless-EventBusDLQ": again})
            # As a property, because EventPattern does not know the field that only replays have.
            _override(rule, "EventPattern.replay-name", [{"prefix": naming.replay_prefix(name)}])

    def _alarm_topics(self) -> None:
        """A topic for each severity, so that who is woken by P1 hears nothing of P3; and who hears them."""
        key = kms.Key(
            self,
            "AlarmKey",
            description="Encrypts the alarm topics; CloudWatch may use it",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        alarms_of_ours = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
        cloudwatch = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=alarms_of_ours)
        key.grant(cloudwatch, "kms:Decrypt", "kms:GenerateDataKey*")
        for severity in get_args(Severity):
            topic = sns.Topic(
                self,
                f"Alarms{severity}",
                topic_name=naming.alarm_topic(self._environment.name, severity),
                display_name=f"SnapRace {severity}",
                enforce_ssl=True,
                master_key=key,
            )
            topic.grant_publish(cloudwatch)  # any policy of a topic's own replaces the one that lets alarms speak
            for address in self._environment.alarms.get(severity, ()):
                topic.add_subscription(_subscription(address))
            unheard = "Mail has no dead letters, and nobody who is not reached by a page would look into a queue."
            acknowledge(topic, {"Serverless-SNSRedrivePolicy": unheard})


def _subscription(address: Address) -> sns.ITopicSubscription:
    """Whoever is subscribed confirms it once: by the link in a mail, or by visiting the SubscribeURL that is posted."""
    if address.startswith("https://"):
        return subscriptions.UrlSubscription(address)
    return subscriptions.EmailSubscription(address)


def _override(construct: Construct, path: str, value: Any) -> None:
    """Set a property of the resource that CDK makes of a construct."""
    resource = construct.node.default_child
    assert isinstance(resource, cdk.CfnResource)  # noqa: S101 - what CDK makes of it
    resource.add_property_override(path, value)
