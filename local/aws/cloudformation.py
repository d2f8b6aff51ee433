"""Puts into ministack the CloudFormation types and properties that it lacks and our templates use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]
"""A resource's physical id and its attributes for Fn::GetAtt."""


def register_missing_types() -> None:
    """Archives, composite alarms, alarms on expressions, and all settings of tables."""
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
