"""What brings a function its work: a queue, a stream or a clock, with the rules that fill it and its dead letters."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from shared.contracts import naming
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream
from shared.contracts.rules import Rule
from stacks.environment import Environment
from stacks.nag import acknowledge
from stacks.stage.titles import title

# Five deliveries ride out a throttled minute; a sixth would only delay the alarm.
MAX_RECEIVES = 5
KEPT_IN_DLQ = cdk.Duration.days(14)
RULE_RETRIES, RULE_PATIENCE = 185, cdk.Duration.hours(24)  # EventBridge's own maxima, said so that they stand


class QueueFeed:
    """The function's queue, the rules that fill it, and the mapping that takes partial batch responses."""

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        card: Function,
        feed: Queue,
        environment: Environment,
        rules_dlq: sqs.Queue,
    ) -> None:
        self._feed = feed
        env, name = environment.name, title(card.name)
        dlq = dead_letter_queue(scope, f"{name}Dlq", naming.dead_letter_queue(env, stage.name, card.name))
        self.queue = sqs.Queue(
            scope,
            f"{name}Queue",
            queue_name=naming.queue(env, stage.name, card.name),
            # AWS asks for six times the timeout, and the window besides.
            visibility_timeout=cdk.Duration.seconds(6 * card.timeout_s + feed.window_s),
            retention_period=KEPT_IN_DLQ,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dlq, max_receive_count=MAX_RECEIVES),
        )
        target = targets.SqsQueue(
            self.queue, dead_letter_queue=rules_dlq, retry_attempts=RULE_RETRIES, max_event_age=RULE_PATIENCE
        )
        for rule in feed.rules:
            add_rule(scope, stage, card, rule, environment, target)

    def feeds(self, function: lambda_.Function) -> None:
        """Let the queue feed the function."""
        window_s = self._feed.window_s
        function.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=self._feed.batch,
                max_batching_window=cdk.Duration.seconds(window_s) if window_s else None,
                max_concurrency=self._feed.concurrency,
                report_batch_item_failures=True,
            )
        )


class StreamFeed:
    """The function's stream, the rule that fills it, and a mapping that is bounded in retries and age.

    Retried for ever, as Kinesis mappings are by default, one bad record would block its shard until it expires.
    """

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        card: Function,
        feed: Stream,
        environment: Environment,
        rules_dlq: sqs.Queue,
    ) -> None:
        self._feed = feed
        env, name = environment.name, title(card.name)
        self._dlq = dead_letter_queue(scope, f"{name}Dlq", naming.dead_letter_queue(env, stage.name, card.name))
        acknowledge(self._dlq, {"AwsSolutions-SQS3": "This is the dead-letter queue of a stream."})
        self._stream = kinesis.Stream(
            scope,
            f"{name}Stream",
            stream_name=naming.stream(env, stage.name, card.name),
            # One shard costs a third of what on-demand does while nothing happens, which is most of the year.
            stream_mode=kinesis.StreamMode.ON_DEMAND if environment.retains_data else kinesis.StreamMode.PROVISIONED,
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=environment.removal_policy,
        )
        target = targets.KinesisStream(
            self._stream,
            # An event without the field would fail for good. Every domain event has an id, and ids spread evenly.
            partition_key_path="$.detail.meta.id",
            dead_letter_queue=rules_dlq,
            retry_attempts=RULE_RETRIES,
            max_event_age=RULE_PATIENCE,
        )
        for rule in feed.rules:
            add_rule(scope, stage, card, rule, environment, target)

    def feeds(self, function: lambda_.Function) -> None:
        """Let the stream feed the function; the places of what is given up go to the dead-letter queue."""
        function.add_event_source(
            sources.KinesisEventSource(
                self._stream,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=self._feed.batch,
                max_batching_window=cdk.Duration.seconds(self._feed.window_s),
                bisect_batch_on_error=True,
                retry_attempts=self._feed.retries,
                max_record_age=cdk.Duration.seconds(self._feed.max_age_s),
                parallelization_factor=self._feed.parallelization,
                on_failure=sources.SqsDlq(self._dlq),
                report_batch_item_failures=True,
            )
        )


class ScheduleFeed:
    """A clock's rule; an invocation that fails is retried by Lambda, then its event goes to the dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        card: Function,
        feed: Schedule,
        environment: Environment,
        rules_dlq: sqs.Queue,
    ) -> None:
        self._scope, self._stage, self._card, self._feed = scope, stage, card, feed
        self._rules_dlq = rules_dlq
        name = naming.dead_letter_queue(environment.name, stage.name, card.name)
        self._dlq = dead_letter_queue(scope, f"{title(card.name)}Dlq", name)
        acknowledge(self._dlq, {"AwsSolutions-SQS3": "This is the dead-letter queue of a function."})

    def feeds(self, function: lambda_.Function) -> None:
        """Let the clock feed the function."""
        function.configure_async_invoke(on_failure=destinations.SqsDestination(self._dlq), retry_attempts=2)
        events.Rule(
            self._scope,
            f"{title(self._card.name)}Schedule",
            description=f"When {self._stage.name}.{self._card.name} is due",
            schedule=events.Schedule.rate(cdk.Duration.minutes(self._feed.minutes)),
            targets=[
                targets.LambdaFunction(
                    function,
                    dead_letter_queue=self._rules_dlq,
                    retry_attempts=RULE_RETRIES,
                    max_event_age=RULE_PATIENCE,
                )
            ],
        )


def dead_letter_queue(scope: Construct, construct_id: str, name: str) -> sqs.Queue:
    """A queue that keeps what failed for as long as SQS keeps anything."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        retention_period=KEPT_IN_DLQ,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )


def add_rule(
    scope: Construct, stage: Stage, card: Function, rule: Rule, environment: Environment, target: events.IRuleTarget
) -> None:
    """A rule of the card on its bus, with its target."""
    domain = rule.kind == "Events"
    what = "Domain events" if domain else "Uploads"
    events.Rule(
        scope,
        f"{title(card.name)}{rule.kind}",
        description=f"{what} that {stage.name}.{card.name} hears",
        event_bus=_bus(scope, environment) if domain else None,
        event_pattern=_pattern(rule.pattern(naming.photo_bucket(environment.name, cdk.Aws.ACCOUNT_ID))),
        targets=[target],
    )


def _bus(scope: Construct, environment: Environment) -> events.IEventBus:
    known = scope.node.try_find_child("Bus")
    return known or events.EventBus.from_event_bus_name(scope, "Bus", naming.bus(environment.name))  # type: ignore[return-value]


def _pattern(pattern: dict[str, Any]) -> events.EventPattern:
    return events.EventPattern(
        source=pattern["source"], detail_type=pattern["detail-type"], detail=pattern.get("detail")
    )
