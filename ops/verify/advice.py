"""The command that mends a resource which does not stand as its template asks.

Deploying again does not: CloudFormation updates what has changed in a template, and looks at nothing else. What
somebody changed in a service is put back there, or by a change set that reverts drift.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session

from deploy.standing.differences import Differs
from deploy.standing.examination import Difference, Resource
from ops.verify.deployed import Deployed

Mend = Callable[[Resource, Differs], str | None]
"""The command for what differs of a resource; None where there is none of its service's own."""


def advice(deployed: Deployed, difference: Difference) -> str:
    """What to type."""
    resource, at = difference.resource, difference.at
    if at is None:
        recreate = _RECREATED.get(resource.kind)
        return recreate(resource) if recreate else reverting(deployed, resource.stack)
    part = at.path.split(".", 1)[0].split("[", 1)[0]
    for key in ((resource.kind, part), (resource.kind, "")):
        if (mend := _MENDED.get(key)) and (command := mend(resource, at)):
            return command
    return reverting(deployed, resource.stack)


def reverting(deployed: Deployed, stack: str) -> str:
    """How a whole stack is brought back to its template.

    Source: AWS CloudFormation User Guide, "Using drift-aware change sets". The embedded AWS has none; there the stack
    is made anew.
    """
    if deployed.target.local:
        deleted = aws("cloudformation delete-stack", stack_name=stack)
        return f"{deleted} && snaprace down && snaprace up --detach  (what the stack kept is gone then)"
    named = {"stack_name": stack, "change_set_name": "revert-drift"}
    made = aws(
        "cloudformation create-change-set",
        **named,
        use_previous_template=True,
        deployment_mode="REVERT_DRIFT",
        capabilities="CAPABILITY_NAMED_IAM",
    )
    waited = aws("cloudformation wait change-set-create-complete", **named)
    return f"{made} && {waited} && {aws('cloudformation execute-change-set', **named)}"


def aws(operation: str, **options: Any) -> str:
    """A command of the AWS CLI: True is a flag, text stands as it is, everything else is JSON."""
    words = ["aws", *operation.split()]
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return shlex.join(words)


# --- by type of resource and property -----------------------------------------------------------------------


def _bus(rule: Resource) -> dict[str, str]:
    return {"event_bus_name": rule.asked["EventBusName"]} if "EventBusName" in rule.asked else {}


def _name_of_rule(rule: Resource) -> str:
    return rule.name.rsplit("|", 1)[-1]


def _rule_state(rule: Resource, _at: Differs) -> str:
    operation = "enable-rule" if rule.asked["State"] == "ENABLED" else "disable-rule"
    return aws(f"events {operation}", name=_name_of_rule(rule), **_bus(rule))


def _rule_targets(rule: Resource, _at: Differs) -> str:
    return aws("events put-targets", rule=_name_of_rule(rule), **_bus(rule), targets=rule.asked["Targets"])


def _rule(rule: Resource, _at: Differs) -> str:
    """The whole rule: what PutRule is not told it takes away."""
    told: dict[str, Any] = {
        name: rule.asked[name] for name in ("Description", "ScheduleExpression", "State") if name in rule.asked
    }
    if "EventPattern" in rule.asked:
        told["EventPattern"] = json.dumps(rule.asked["EventPattern"], ensure_ascii=False)
    if "EventBusName" in rule.asked:
        told["EventBusName"] = rule.asked["EventBusName"]
    return aws("events put-rule", cli_input_json={"Name": _name_of_rule(rule), **told})


def _archive(archive: Resource, _at: Differs) -> str:
    pattern = json.dumps(archive.asked["EventPattern"], ensure_ascii=False)
    days = archive.asked.get("RetentionDays", 0)
    return aws("events update-archive", archive_name=archive.name, event_pattern=pattern, retention_days=days)


def _mapping(mapping: Resource, at: Differs) -> str | None:
    if at.path == "Enabled":
        return aws("lambda update-event-source-mapping", uuid=mapping.name, enabled=True)
    part, value = _part(mapping.asked, at)
    if not _takes("lambda", "UpdateEventSourceMapping", part):
        return None
    return aws("lambda update-event-source-mapping", cli_input_json={"UUID": mapping.name, part: value})


def _configuration(function: Resource, at: Differs) -> str | None:
    part, value = _part(function.asked, at)
    if not _takes("lambda", "UpdateFunctionConfiguration", part):
        return None
    return aws("lambda update-function-configuration", cli_input_json={"FunctionName": function.name, part: value})


def _recursion(function: Resource, _at: Differs) -> str:
    asked = function.asked["RecursiveLoop"]
    return aws("lambda put-function-recursion-config", function_name=function.name, recursive_loop=asked)


def _reserved(function: Resource, _at: Differs) -> str:
    reserved = function.asked["ReservedConcurrentExecutions"]
    if reserved is None:
        return aws("lambda delete-function-concurrency", function_name=function.name)
    return aws(
        "lambda put-function-concurrency", function_name=function.name, reserved_concurrent_executions=int(reserved)
    )


def _alias(alias: Resource, at: Differs) -> str | None:
    if at.path != "FunctionVersion":
        return None
    function, name = alias.asked["FunctionName"], alias.asked["Name"]
    return aws("lambda update-alias", function_name=function, name=name, function_version=str(at.wanted))


def _time_to_live(table: Resource, _at: Differs) -> str | None:
    """Which attribute is to be left alone is not known where none was asked for; DynamoDB wants it named."""
    asked = table.asked["TimeToLiveSpecification"]
    if "AttributeName" not in asked:
        return None
    return aws("dynamodb update-time-to-live", table_name=table.name, time_to_live_specification=asked)


def _replica(table: Resource, at: Differs) -> str | None:
    """A replica's settings stand on the table of its region, of which there is one."""
    replica = table.asked["Replicas"][0]
    if "PointInTimeRecovery" in at.path:
        asked = replica["PointInTimeRecoverySpecification"]
        return aws(
            "dynamodb update-continuous-backups", table_name=table.name, point_in_time_recovery_specification=asked
        )
    if "DeletionProtection" in at.path:
        flag = "deletion_protection_enabled" if at.wanted is True else "no_deletion_protection_enabled"
        return aws("dynamodb update-table", table_name=table.name, **{flag: True})
    return None


def _stream(stream: Resource, at: Differs) -> str | None:
    match at.path.split(".", 1)[0]:
        case "ShardCount":
            return aws(
                "kinesis update-shard-count",
                stream_name=stream.name,
                target_shard_count=int(at.wanted),
                scaling_type="UNIFORM_SCALING",
            )
        case "StreamEncryption":
            asked = stream.asked["StreamEncryption"]
            return aws(
                "kinesis start-stream-encryption",
                stream_name=stream.name,
                encryption_type=asked["EncryptionType"],
                key_id=asked["KeyId"],
            )
        case "RetentionPeriodHours":
            longer = int(at.wanted) > int(at.found or 0)
            operation = f"{'increase' if longer else 'decrease'}-stream-retention-period"
            return aws(f"kinesis {operation}", stream_name=stream.name, retention_period_hours=int(at.wanted))
    return None


def _queue(queue: Resource, at: Differs) -> str | None:
    part, value = _part(queue.asked, at)
    if part == "QueueName":
        return None
    text = (
        json.dumps(value) if isinstance(value, dict) else str(value).lower() if value in (True, False) else str(value)
    )
    return aws("sqs set-queue-attributes", queue_url=queue.name, attributes={part: text})


def _notifications(bucket: Resource, _at: Differs) -> str:
    return aws(
        "s3api put-bucket-notification-configuration",
        bucket=bucket.name,
        notification_configuration={"EventBridgeConfiguration": {}},
    )


def _public_access(bucket: Resource, _at: Differs) -> str:
    asked = bucket.asked["PublicAccessBlockConfiguration"]
    return aws("s3api put-public-access-block", bucket=bucket.name, public_access_block_configuration=asked)


def _versioning(bucket: Resource, _at: Differs) -> str:
    asked = bucket.asked["VersioningConfiguration"]
    return aws("s3api put-bucket-versioning", bucket=bucket.name, versioning_configuration=asked)


def _alarm(alarm: Resource, at: Differs | None = None) -> str:
    """CloudFormation's properties of an alarm are what PutMetricAlarm takes, tags apart."""
    if at is not None and at.path == "ActionsEnabled":
        return aws("cloudwatch enable-alarm-actions", alarm_names=alarm.asked["AlarmName"])
    operation = "put-metric-alarm" if alarm.kind == "AWS::CloudWatch::Alarm" else "put-composite-alarm"
    return aws(f"cloudwatch {operation}", cli_input_json=_without_tags(alarm.asked))


def _dashboard(dashboard: Resource, _at: Differs | None = None) -> str:
    name, body = dashboard.asked["DashboardName"], dashboard.asked["DashboardBody"]
    return aws("cloudwatch put-dashboard", dashboard_name=name, dashboard_body=body)


def _retention(group: Resource, at: Differs) -> str:
    return aws("logs put-retention-policy", log_group_name=group.name, retention_in_days=int(at.wanted))


def _parameter(parameter: Resource, _at: Differs | None = None) -> str:
    told = {name: parameter.asked[name] for name in ("Name", "Type", "Value")}
    return aws("ssm put-parameter", cli_input_json={**told, "Overwrite": True})


def _rotation(key: Resource, at: Differs) -> str:
    return aws(f"kms {'enable' if at.wanted is True else 'disable'}-key-rotation", key_id=key.name)


def _throttles(stage: Resource, _at: Differs) -> str:
    """All settings of the stage's methods. Source: Amazon API Gateway API Reference, Patch Operations, Stage."""
    names = {
        "ThrottlingRateLimit": "throttling/rateLimit",
        "ThrottlingBurstLimit": "throttling/burstLimit",
        "MetricsEnabled": "metrics/enabled",
        "DataTraceEnabled": "logging/dataTrace",
        "LoggingLevel": "logging/loglevel",
    }
    operations = [
        {"op": "replace", "path": f"{setting['ResourcePath']}/{setting['HttpMethod']}/{names[name]}", "value": value}
        for setting in stage.asked["MethodSettings"]
        for name, value in ((name, _text(value)) for name, value in setting.items())
        if name in names
    ]
    return aws(
        "apigateway update-stage",
        rest_api_id=stage.asked["RestApiId"],
        stage_name=stage.asked["StageName"],
        patch_operations=operations,
    )


_MENDED: dict[tuple[str, str], Mend] = {
    ("AWS::ApiGateway::Stage", "MethodSettings"): _throttles,
    ("AWS::CloudWatch::Alarm", ""): _alarm,
    ("AWS::CloudWatch::CompositeAlarm", ""): _alarm,
    ("AWS::CloudWatch::Dashboard", ""): _dashboard,
    ("AWS::DynamoDB::GlobalTable", "Replicas"): _replica,
    ("AWS::DynamoDB::GlobalTable", "TimeToLiveSpecification"): _time_to_live,
    ("AWS::Events::Archive", ""): _archive,
    ("AWS::Events::Rule", ""): _rule,
    ("AWS::Events::Rule", "State"): _rule_state,
    ("AWS::Events::Rule", "Targets"): _rule_targets,
    ("AWS::KMS::Key", "EnableKeyRotation"): _rotation,
    ("AWS::Kinesis::Stream", ""): _stream,
    ("AWS::Lambda::Alias", ""): _alias,
    ("AWS::Lambda::EventSourceMapping", ""): _mapping,
    ("AWS::Lambda::Function", ""): _configuration,
    ("AWS::Lambda::Function", "RecursiveLoop"): _recursion,
    ("AWS::Lambda::Function", "ReservedConcurrentExecutions"): _reserved,
    ("AWS::Logs::LogGroup", "RetentionInDays"): _retention,
    ("AWS::S3::Bucket", "NotificationConfiguration"): _notifications,
    ("AWS::S3::Bucket", "PublicAccessBlockConfiguration"): _public_access,
    ("AWS::S3::Bucket", "VersioningConfiguration"): _versioning,
    ("AWS::SQS::Queue", ""): _queue,
    ("AWS::SSM::Parameter", ""): _parameter,
}
"""By type and property; "" is any property that has no line of its own."""

_RECREATED: dict[str, Callable[[Resource], str]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::SSM::Parameter": _parameter,
}
"""What is made anew by one command, under the same name, where it is gone."""


def _part(asked: Mapping[str, Any], at: Differs) -> tuple[str, Any]:
    """The property that differs, and all of it as it was asked for."""
    part = at.path.split(".", 1)[0].split("[", 1)[0]
    return part, asked[part]


def _takes(service: str, operation: str, parameter: str) -> bool:
    """Whether a property is a parameter of an operation, too: else it is set for good, or by another operation."""
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    return shape is not None and parameter in shape.members


def _without_tags(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "Tags"}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
