"""The embedded AWS: ministack, with what it lacks and our templates use put in through its own service functions.

    python -m local.launcher --port 4566 --data DIR [--keep]

Serves on 127.0.0.1 until SIGTERM. With --keep, state is taken up from DIR and saved there at the end. The
environment it is started with is the environment of every Lambda handler, so AWS_ENDPOINT_URL and
AWS_ENDPOINT_URL_REKOGNITION belong there. What remains different from AWS is listed in local/limits.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"

_WINDOW = "MaximumBatchingWindowInSeconds"

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]
"""A resource's physical id and its attributes for Fn::GetAtt."""


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.launcher", description="The embedded AWS.")
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--data", type=Path, required=True, help="folder of the state")
    parser.add_argument("--keep", action="store_true", help="take up the state of the last run and save it at the end")
    arguments = parser.parse_args()
    _configure(arguments.port, arguments.data.resolve(), keep=arguments.keep)
    _register_missing_types()
    _honour_rule_dead_letter_queues()
    _archive_uploads()
    _replay_for_chosen_rules_only()
    _honour_batching_windows()
    _bound_workers(max(2, os.cpu_count() or 1))
    _wait_for_late_logs()
    asyncio.run(_serve(arguments.port))


def _configure(port: int, data: Path, *, keep: bool) -> None:
    """Set the environment variables that configure ministack; it reads them when it is imported."""
    temporary = data / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "PERSIST_STATE": "1" if keep else "0",
        "STATE_DIR": str(data / "state"),
        "S3_PERSIST": "1",  # objects on disk, not in memory
        "S3_DATA_DIR": str(data / "s3"),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",  # a throttled batch would count as a delivery
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # for the handlers
        "AWS_EMF_ENVIRONMENT": "Lambda",
        "TMPDIR": str(temporary),
    }
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    tempfile.tempdir = str(temporary)


async def _serve(port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    async def tidy_app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        """The application, told to shut down only after its Lambda workers have ended."""

        async def receive_and_tidy() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(_end_workers)
            return message

        await app(scope, receive_and_tidy if scope["type"] == "lifespan" else receive, send)

    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = os.environ["LOG_LEVEL"]
    logging.getLogger("hypercorn.error").setLevel(os.environ["LOG_LEVEL"])
    await serve(tidy_app, config)


# --- CloudFormation types and properties that ministack lacks ---------------------------------------------------


def _register_missing_types() -> None:
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::Events::Archive"] = {
        "create": _create_archive,
        "update": _update_archive,
        "delete": _delete_archive,
    }
    handlers["AWS::CloudWatch::CompositeAlarm"] = {
        "create": _put_composite_alarm,
        "update": _update_composite_alarm,
        "delete": _delete_composite_alarm,
    }
    alarm = handlers["AWS::CloudWatch::Alarm"]
    handlers["AWS::CloudWatch::Alarm"] = {
        **alarm,
        "create": _with_metric_math(alarm["create"], properties_at=1),
        "update": _with_metric_math(alarm["update"], properties_at=2),
    }
    for kind in ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"):
        table = handlers[kind]
        handlers[kind] = {
            **table,
            "create": _with_table_settings(table["create"], properties_at=1),
            "update": _with_table_settings(table["update"], properties_at=2),
        }


def _create_archive(logical_id: str, properties: Properties, stack: str) -> Created:
    from ministack.services import eventbridge

    name = properties.get("ArchiveName") or f"{stack}-{logical_id}"[:48]
    _require_success(
        eventbridge._create_archive(
            {"ArchiveName": name, "EventSourceArn": properties["SourceArn"], **_archive_settings(properties)}
        )
    )
    return name, {"Arn": eventbridge._archives[name]["ArchiveArn"], "ArchiveName": name}


def _update_archive(name: str, _old: Properties, properties: Properties, _stack: str) -> Created:
    from ministack.services import eventbridge

    _require_success(eventbridge._update_archive({"ArchiveName": name, **_archive_settings(properties)}))
    return name, {"Arn": eventbridge._archives[name]["ArchiveArn"], "ArchiveName": name}


def _delete_archive(name: str, _properties: Properties) -> None:
    from ministack.services import eventbridge

    eventbridge._delete_archive({"ArchiveName": name})


def _archive_settings(properties: Properties) -> Properties:
    settings = {
        "Description": properties.get("Description", ""),
        "RetentionDays": int(properties.get("RetentionDays", 0)),
    }
    if pattern := properties.get("EventPattern"):
        settings["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
    return settings


def _put_composite_alarm(logical_id: str, properties: Properties, stack: str) -> Created:
    from ministack.services import cloudwatch

    name = properties.get("AlarmName") or f"{stack}-{logical_id}"
    settings = {**properties, "AlarmName": name}
    if "ActionsEnabled" in settings:
        settings["ActionsEnabled"] = str(settings["ActionsEnabled"]).lower() == "true"
    _require_success(cloudwatch._put_composite_alarm({}, settings, False, is_json=True))
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def _update_composite_alarm(name: str, _old: Properties, properties: Properties, stack: str) -> Created:
    return _put_composite_alarm(name, {**properties, "AlarmName": name}, stack)


def _delete_composite_alarm(name: str, _properties: Properties) -> None:
    from ministack.services import cloudwatch

    cloudwatch._delete_alarms({}, {"AlarmNames": [name]}, False, is_json=True)


def _with_metric_math(provision: Callable[..., Created], *, properties_at: int) -> Callable[..., Created]:
    """Let an alarm on an expression stand (its provisioner refuses those); it is not evaluated."""

    def provision_and_set(*arguments: Any) -> Created:
        from ministack.services import cloudwatch

        properties = arguments[properties_at]
        if "Metrics" not in properties:
            return provision(*arguments)
        plain = {name: value for name, value in properties.items() if name != "Metrics"}
        plain |= {"Namespace": "SnapRace/MetricMath", "MetricName": "Expression"}
        created = provision(*arguments[:properties_at], plain, *arguments[properties_at + 1 :])
        alarm = cloudwatch._alarms[created[0]]
        for name in ("Namespace", "MetricName", "Statistic", "Period"):
            del alarm[name]
        alarm["Metrics"] = properties["Metrics"]
        return created

    return provision_and_set


def _with_table_settings(provision: Callable[..., Created], *, properties_at: int) -> Callable[..., Created]:
    """Let a table's provisioner also set time to live and point-in-time recovery, which it leaves out."""

    def provision_and_set(*arguments: Any) -> Created:
        from ministack.services import dynamodb

        created = provision(*arguments)
        properties = arguments[properties_at]
        if "Replicas" in properties:  # a global table: some settings are of the replica, and there is one
            properties = properties["Replicas"][0] | properties
            protected = str(properties.get("DeletionProtectionEnabled")).lower() == "true"
            dynamodb._tables[created[0]]["DeletionProtectionEnabled"] = protected
        if time_to_live := properties.get("TimeToLiveSpecification"):
            enabled = str(time_to_live.get("Enabled")).lower() == "true"
            request = {"TableName": created[0], "TimeToLiveSpecification": {**time_to_live, "Enabled": enabled}}
            _require_success(dynamodb._update_ttl(request))
        if recovery := properties.get("PointInTimeRecoverySpecification"):
            enabled = str(recovery.get("PointInTimeRecoveryEnabled")).lower() == "true"
            setting = {"PointInTimeRecoveryEnabled": enabled}
            request = {"TableName": created[0], "PointInTimeRecoverySpecification": setting}
            _require_success(dynamodb._update_continuous_backups(request))
        return created

    return provision_and_set


def _require_success(response: tuple[int, Any, Any]) -> None:
    status, _headers, body = response
    if status >= 300:
        raise ValueError(body.decode() if isinstance(body, bytes) else str(body))


# --- behaviour that ministack lacks ------------------------------------------------------------------------------


def _honour_rule_dead_letter_queues() -> None:
    """An event for a queue that is not there goes to the target's dead-letter queue, as on AWS, not to nowhere."""
    from ministack.core.arn import parse_arn
    from ministack.services import eventbridge, sqs

    invoke_target = eventbridge._invoke_target

    def invoke_or_bury(target: Properties, event: Properties, rule: Properties, view: Any = None) -> None:
        arn = target.get("Arn", "")
        grave = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not grave or ":sqs:" not in arn or sqs._queue_by_arn(arn):
            invoke_target(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)
        eventbridge._dispatch_to_sqs(parse_arn(grave), json.dumps(view.event_with_detail()))
        attributes = {
            "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
            "RULE_ARN": rule["Arn"],
            "TARGET_ARN": arn,
        }
        if queue := sqs._queue_by_arn(grave):
            queue["messages"][-1]["message_attributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            }

    eventbridge._invoke_target = invoke_or_bury


def _archive_uploads() -> None:
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


def _replay_for_chosen_rules_only() -> None:
    """A replay reaches the rules that its FilterArns name, and no others; without them all."""
    from ministack.services import eventbridge

    invoke_target = eventbridge._invoke_target

    def invoke_if_chosen(target: Properties, event: Properties, rule: Properties, view: Any = None) -> None:
        replay = eventbridge._replays[event["ReplayName"]] if "ReplayName" in event else None
        chosen = replay["Destination"].get("FilterArns") if replay else None
        if not chosen or rule["Arn"] in chosen:
            invoke_target(target, event, rule, view)

    eventbridge._invoke_target = invoke_if_chosen


def _honour_batching_windows() -> None:
    """Give out a batch only when it is full or its mapping's window has passed, and of more than ten if asked for."""
    from ministack.services import lambda_svc, sqs

    receive = sqs._receive_messages_for_esm

    def receive_when_due(queue_url: str, most: int) -> list[Any]:
        queue = sqs._queues[queue_url]
        arn = queue["attributes"]["QueueArn"]
        mappings = [mapping for _account, _region, mapping in lambda_svc._iter_all_esms()]
        window = max(mapping.get(_WINDOW, 0) for mapping in mappings if mapping.get("EventSourceArn") == arn)
        now = time.time()
        visible_since = [since for message in list(queue["messages"]) if (since := message.get("visible_at", 0)) <= now]
        if len(visible_since) < most and min(visible_since, default=now) + window > now:
            return []
        batch: list[Any] = []
        while len(batch) < most and (more := receive(queue_url, most - len(batch))):
            batch += more
        return batch

    sqs._receive_messages_for_esm = receive_when_due


def _bound_workers(most: int) -> None:
    """Work on at most `most` batches of a function at once: a worker is a process, and this is one machine."""
    from ministack.services import lambda_svc

    asked = lambda_svc._sqs_esm_concurrency

    def bounded(*arguments: Any) -> int:
        return min(int(asked(*arguments)), most)

    lambda_svc._sqs_esm_concurrency = bounded


def _wait_for_late_logs() -> None:
    """Give an invocation's log line longer to come through the pipe than the emulator does (50 ms).

    On a busy machine a late line would go to the worker's next invocation, and be lost after its last. A function
    that logged is not waited for; ours all log.
    """
    from ministack.core.lambda_runtime import Worker

    drain = Worker._drain_stderr_bounded

    def patient(worker: Any, first_line_wait: float = 0.25, idle_confirm: float = 0.005, hard_cap: float = 0.5) -> str:
        return str(drain(worker, first_line_wait, idle_confirm, hard_cap))

    Worker._drain_stderr_bounded = patient


def _end_workers() -> None:
    """End the Lambda workers. A batch that this cuts off was no delivery: the next run has it at once."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc, sqs

    lambda_svc._poll_sqs = lambda: False
    lambda_runtime.reset()
    now = time.time()
    for queue in sqs._queues.all_values():
        for message in queue["messages"]:
            if message["receipt_handle"] and message["visible_at"] > now:
                message["visible_at"] = now
                message["receive_count"] = max(0, message["receive_count"] - 1)


if __name__ == "__main__":
    main()
