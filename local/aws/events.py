"""Puts into ministack what EventBridge does and ministack leaves out: dead letters, archives, replays, streams."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from local.aws.cloudformation import Properties


def deliver_as_aws_does() -> None:
    """A replay for chosen rules reaches no others, a stream may be a target, and no event goes to nowhere."""
    from ministack.services import eventbridge, kinesis, sqs

    invoke_target = eventbridge._invoke_target

    def deliver(target: Properties, event: Properties, rule: Properties, view: Any = None) -> None:
        replay = eventbridge._replays[event["ReplayName"]] if "ReplayName" in event else None
        chosen = replay["Destination"].get("FilterArns") if replay else None
        if chosen and rule["Arn"] not in chosen:
            return
        arn = target.get("Arn", "")
        dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
        if ":kinesis:" in arn and (stream := kinesis._resolve_stream_by_arn(arn)):
            path = target["KinesisParameters"]["PartitionKeyPath"]
            _put_record(stream["StreamName"], path, _body(event, view))
        elif ":sqs:" in arn and dead_letters and not sqs._queue_by_arn(arn):
            _set_aside(dead_letters, {"RULE_ARN": rule["Arn"], "TARGET_ARN": arn}, _body(event, view))
        else:
            invoke_target(target, event, rule, view)

    eventbridge._invoke_target = deliver


def _body(event: Properties, view: Any) -> Any:
    from ministack.services import eventbridge

    return (view or eventbridge._pattern_event_view(event)).event_with_detail()


def _put_record(stream: str, path: str, body: Any) -> None:
    """The event is a record, its partition key what the target's path names.

    As on AWS an event without that field is not delivered, here without a retry.
    """
    from ministack.services import kinesis

    key: Any = body
    for part in path.removeprefix("$.").split("."):
        key = key.get(part) if isinstance(key, dict) else None
    data = base64.b64encode(json.dumps(body).encode()).decode()
    kinesis._put_record({"StreamName": stream, "PartitionKey": str(key or ""), "Data": data})


def _set_aside(dead_letters: str, why: dict[str, str], body: Any) -> None:
    """An event for a queue that is not there goes to the target's dead-letter queue."""
    from ministack.core.arn import parse_arn
    from ministack.services import eventbridge, sqs

    eventbridge._dispatch_to_sqs(parse_arn(dead_letters), json.dumps(body))
    if queue := sqs._queue_by_arn(dead_letters):
        why = {"ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue", **why}
        queue["messages"][-1]["message_attributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in why.items()
        }


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
