"""Puts into ministack what EventBridge does and ministack leaves out: dead letters, archives, replays, streams."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from local.aws.cloudformation import Properties


def honour_rule_dead_letter_queues() -> None:
    """An event for a queue that is not there goes to the target's dead-letter queue, as on AWS, not to nowhere."""
    from ministack.core.arn import parse_arn
    from ministack.services import eventbridge, sqs

    invoke_target = eventbridge._invoke_target

    def invoke_or_set_aside(target: Properties, event: Properties, rule: Properties, view: Any = None) -> None:
        arn = target.get("Arn", "")
        dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not dead_letters or ":sqs:" not in arn or sqs._queue_by_arn(arn):
            invoke_target(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)
        eventbridge._dispatch_to_sqs(parse_arn(dead_letters), json.dumps(view.event_with_detail()))
        attributes = {
            "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
            "RULE_ARN": rule["Arn"],
            "TARGET_ARN": arn,
        }
        if queue := sqs._queue_by_arn(dead_letters):
            queue["messages"][-1]["message_attributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            }

    eventbridge._invoke_target = invoke_or_set_aside


def archive_uploads() -> None:
    """What S3 tells on the default bus goes into that bus's archives, as all events do, and at a time in seconds."""
    from ministack.services import eventbridge

    dispatch = eventbridge._dispatch_event

    def dispatch_and_archive(event: Properties, view: Any = None) -> None:
        if event.get("Source") != "aws.s3" or "ReplayName" in event:
            dispatch(event, view)
            return
        event = {**event, "Time": int(datetime.fromisoformat(event["Time"]).timestamp())}
        dispatch(event, view)
        eventbridge._archive_event(event)

    eventbridge._dispatch_event = dispatch_and_archive


def replay_for_chosen_rules_only() -> None:
    """A replay reaches the rules that its FilterArns name, and no others; without them all."""
    from ministack.services import eventbridge

    invoke_target = eventbridge._invoke_target

    def invoke_if_chosen(target: Properties, event: Properties, rule: Properties, view: Any = None) -> None:
        replay = eventbridge._replays[event["ReplayName"]] if "ReplayName" in event else None
        chosen = replay["Destination"].get("FilterArns") if replay else None
        if not chosen or rule["Arn"] in chosen:
            invoke_target(target, event, rule, view)

    eventbridge._invoke_target = invoke_if_chosen


def deliver_to_streams() -> None:
    """A Kinesis stream as a rule's target: the event is a record, its partition key what the target's path names.

    As on AWS an event without that field is not delivered, here without a retry.
    """
    from ministack.services import eventbridge, kinesis

    invoke_target = eventbridge._invoke_target

    def invoke_or_put_record(target: Properties, event: Properties, rule: Properties, view: Any = None) -> None:
        stream = kinesis._resolve_stream_by_arn(target["Arn"]) if ":kinesis:" in target.get("Arn", "") else None
        if stream is None:
            invoke_target(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)
        body = view.event_with_detail()
        key: Any = body
        for part in target["KinesisParameters"]["PartitionKeyPath"].removeprefix("$.").split("."):
            key = key.get(part) if isinstance(key, dict) else None
        data = base64.b64encode(json.dumps(body).encode()).decode()
        kinesis._put_record({"StreamName": stream["StreamName"], "PartitionKey": str(key or ""), "Data": data})

    eventbridge._invoke_target = invoke_or_put_record
