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

from shared.contracts import environment as surroundings
from shared.contracts import naming
from shared.contracts.card import Queue, Schedule, Stream
from shared.contracts.redelivery import MAX_RECEIVES
from shared.contracts.rules import Rule
from stacks import quotas
from stacks.nag import acknowledge
from stacks.stage.release import move_mappings
from stacks.stage.setting import Setting

KEPT_IN_DLQ = cdk.Duration.days(14)
# A dead letter is as old as when it first came into the queue: this leaves at least a week to look at one.
# Source: SQS Developer Guide, "Understanding message retention periods for dead-letter queues".
KEPT_IN_QUEUE = cdk.Duration.days(7)


def add_queue(at: Setting, feed: Queue) -> sqs.Queue:
    """The function's queue, and the rules that fill it."""
    queue = sqs.Queue(
        at.stack,
        at.id("Queue"),
        queue_name=at.named(naming.queue),
        visibility_timeout=cdk.Duration.seconds(at.card.visibility_timeout_s),
        retention_period=KEPT_IN_QUEUE,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        dead_letter_queue=sqs.DeadLetterQueue(queue=_dead_letter_queue_of_queue(at), max_receive_count=MAX_RECEIVES),
    )
    target = targets.SqsQueue(queue, **_retried(at))
    for rule in feed.rules:
        _add_rule(at, rule, target)
    return queue


def feed_by_queue(at: Setting, function: lambda_.Function, live: lambda_.Alias, feed: Queue, queue: sqs.Queue) -> None:
    """The mapping from the queue to what is live of the function, which takes partial batch responses."""
    redriven = "What the function cannot handle goes to its queue's dead-letter queue; mappings of SQS know no other."
    acknowledge(function, {"Serverless-LambdaEventSourceMappingDestination": redriven})
    function.add_event_source(
        sources.SqsEventSource(
            queue,
            batch_size=feed.batch,
            max_batching_window=cdk.Duration.seconds(feed.window_s) if feed.window_s else None,
            max_concurrency=quotas.concurrency(at.stack, at.environment.name, at.card),
            report_batch_item_failures=True,
        )
    )
    move_mappings(function, live)


def feed_by_stream(at: Setting, function: lambda_.Function, live: lambda_.Alias, feed: Stream) -> None:
    """The function's stream, the rule that fills it, and a mapping that is bounded in retries and age.

    Retried for ever, as Kinesis mappings are by default, one bad record would block its shard until it expires. The
    places of records that are given up go to the dead-letter queue.
    """
    dlq = _dead_letter_queue(at, of="a stream")
    stream = kinesis.Stream(
        at.stack,
        at.id("Stream"),
        stream_name=at.named(naming.stream),
        # One shard costs a third of what on-demand does while nothing happens, which is most of the year.
        stream_mode=kinesis.StreamMode.ON_DEMAND if at.environment.retains_data else kinesis.StreamMode.PROVISIONED,
        encryption=kinesis.StreamEncryption.MANAGED,
        removal_policy=at.environment.removal_policy,
    )
    for rule in feed.rules:
        _add_rule(at, rule, targets.KinesisStream(stream, partition_key_path=_SPREAD_BY[rule.kind], **_retried(at)))
    function.add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=feed.batch,
            max_batching_window=cdk.Duration.seconds(feed.window_s),
            bisect_batch_on_error=True,
            retry_attempts=feed.retries,
            max_record_age=cdk.Duration.seconds(feed.max_age_s),
            parallelization_factor=feed.parallelization,
            on_failure=sources.SqsDlq(dlq),
            report_batch_item_failures=True,
        )
    )
    move_mappings(function, live)
    function.add_environment(surroundings.DEAD_LETTERS, dlq.queue_url)  # where the worker sets records aside


# An event without the field would fail for good. Every domain event has an id, every upload a key; both spread evenly.
_SPREAD_BY = {"Events": "$.detail.meta.id", "Uploads": "$.detail.object.key"}


def feed_by_schedule(at: Setting, live: lambda_.Alias, feed: Schedule) -> None:
    """A clock's rule; an invocation that fails is retried by Lambda, then its event goes to the dead-letter queue."""
    dlq = _dead_letter_queue(at, of="a function")
    live.configure_async_invoke(on_failure=destinations.SqsDestination(dlq), retry_attempts=2)
    events.Rule(
        at.stack,
        at.id("Schedule"),
        rule_name=naming.rule(at.environment.name, at.stage.name, at.card.name, "Schedule"),
        description=f"When {at.stage.name}.{at.card.name} is due",
        schedule=events.Schedule.rate(cdk.Duration.minutes(feed.minutes)),
        targets=[targets.LambdaFunction(live, **_retried(at))],
    )


def dead_letter_queue(
    scope: Construct, construct_id: str, name: str, of: str | None = None, source: str | None = None
) -> sqs.Queue:
    """A queue that keeps what failed for as long as SQS keeps anything.

    `of` is whose it is, if not a queue's: cdk-nag sees only the dead-letter queues of queues. `source` is the ARN of
    the one queue that may give up messages into it; without it none may.
    """
    allowed = sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.DENY_ALL)
    if source:
        from_source = [sqs.Queue.from_queue_arn(scope, f"{construct_id}Source", source)]
        allowed = sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=from_source)
    dlq = sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        retention_period=KEPT_IN_DLQ,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        redrive_allow_policy=allowed,
    )
    if of:
        acknowledge(dlq, {"AwsSolutions-SQS3": f"This is the dead-letter queue of {of}."})
    acknowledge(dlq, {"Serverless-SQSRedrivePolicy": "A dead-letter queue is the end, so it has none itself."})
    return dlq


def _dead_letter_queue(at: Setting, of: str) -> sqs.Queue:
    return dead_letter_queue(at.stack, at.id("Dlq"), at.named(naming.dead_letter_queue), of)


def _dead_letter_queue_of_queue(at: Setting) -> sqs.Queue:
    """Its queue is named, not referred to, since that refers to it."""
    source = at.stack.format_arn(service="sqs", resource=at.named(naming.queue))
    return dead_letter_queue(at.stack, at.id("Dlq"), at.named(naming.dead_letter_queue), source=source)


def _retried(at: Setting) -> dict[str, Any]:
    """How a rule's target is tried again: EventBridge's own maxima, said so that they stand."""
    return {"dead_letter_queue": at.rules_dlq, "retry_attempts": 185, "max_event_age": cdk.Duration.hours(24)}


def _add_rule(at: Setting, rule: Rule, target: events.IRuleTarget) -> None:
    """A rule of the card on its bus, with its target."""
    domain = rule.kind == "Events"
    pattern: dict[str, Any] = rule.pattern(naming.photo_bucket(at.environment.name, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION))
    made = events.Rule(
        at.stack,
        at.id(rule.kind),
        rule_name=naming.rule(at.environment.name, at.stage.name, at.card.name, rule.kind),
        description=f"{'Domain events' if domain else 'Uploads'} that {at.stage.name}.{at.card.name} hears",
        event_bus=_bus(at) if domain else None,
        event_pattern=events.EventPattern(
            source=pattern["source"], detail_type=pattern["detail-type"], detail=pattern.get("detail")
        ),
        targets=[target],
    )
    if "replay-name" in pattern:  # events.EventPattern does not know it
        cfn_rule: Any = made.node.default_child
        cfn_rule.add_property_override("EventPattern.replay-name", pattern["replay-name"])


def _bus(at: Setting) -> events.IEventBus:
    known = at.stack.node.try_find_child("Bus")
    return known or events.EventBus.from_event_bus_name(at.stack, "Bus", naming.bus(at.environment.name))  # type: ignore[return-value]
