"""Puts into ministack the CloudFormation types and properties that it lacks and our templates use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local.aws import packages
from local.aws.metrics import buckets

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]
"""A resource's physical id and its attributes for Fn::GetAtt."""


def register_missing_types() -> None:
    """Archives, alarms of all kinds, all settings of tables, functions and mappings, firewalls of APIs, releases."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::Events::Archive"] = {
        "create": _create_archive,
        "update": _update_archive,
        "delete": _delete_archive,
    }
    # Putting is also updating.
    handlers["AWS::CloudWatch::CompositeAlarm"] = {"create": _put_composite_alarm, "delete": _delete_composite_alarm}
    handlers["AWS::WAFv2::WebACLAssociation"] = {"create": _put_firewall, "delete": _remove_firewall}
    for kind in ("AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"):
        handlers[kind] = {"create": _note_alone, "delete": lambda _name, _properties: None}
    handlers["AWS::Backup::BackupSelection"] = {"create": _select_for_backup, "delete": _deselect_for_backup}
    mapping = handlers["AWS::Lambda::EventSourceMapping"]
    handlers["AWS::Lambda::EventSourceMapping"] = {**mapping, "update": _with_qualifier(mapping["update"])}
    for kind, understood in (("AWS::S3::Bucket", _named_bucket), ("AWS::ApiGateway::Stage", _with_plain_paths)):
        own = handlers[kind]
        changed = {operation: _given(understood, own[operation]) for operation in ("create", "update")}
        handlers[kind] = {**own, **changed}
    for kind, added in (
        ("AWS::CloudWatch::Alarm", _with_metric_math),
        ("AWS::DynamoDB::Table", _with_table_settings),
        ("AWS::DynamoDB::GlobalTable", _with_table_settings),
        ("AWS::Lambda::Function", _with_function_settings),
    ):
        own = handlers[kind]
        create, update = added(own["create"], properties_at=1), added(own["update"], properties_at=2)
        handlers[kind] = {**own, "create": create, "update": update}


def _create_archive(logical_id: str, properties: Properties, stack: str) -> Created:
    from ministack.services import eventbridge

    name = properties.get("ArchiveName") or f"{stack}-{logical_id}"[:48]
    request = {"ArchiveName": name, "EventSourceArn": properties["SourceArn"], **_archive_settings(properties)}
    _require_success(eventbridge._create_archive(request))
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
        settings["ActionsEnabled"] = _is_true(settings["ActionsEnabled"])
    _require_success(cloudwatch._put_composite_alarm({}, settings, False, is_json=True))
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def _delete_composite_alarm(name: str, _properties: Properties) -> None:
    from ministack.services import cloudwatch

    cloudwatch._delete_alarms({}, {"AlarmNames": [name]}, False, is_json=True)


def _put_firewall(_logical_id: str, properties: Properties, _stack: str) -> Created:
    """Both properties say which association it is, so that another is a new one."""
    from ministack.services import waf

    _require_success(waf._associate_web_acl(properties))
    return f"{properties['ResourceArn']}|{properties['WebACLArn']}", {}


def _remove_firewall(_id: str, properties: Properties) -> None:
    from ministack.services import waf

    waf._disassociate_web_acl(properties)


def _note_alone(logical_id: str, properties: Properties, stack: str) -> Created:
    """What is not emulated (local/aws/limits.py) is noted in the stack, by its name, and stands nowhere else."""
    return properties.get("DeploymentGroupName") or properties.get("ApplicationName") or f"{stack}-{logical_id}", {}


def _select_for_backup(_logical_id: str, properties: Properties, _stack: str) -> Created:
    """Its physical id has both ids. Source: CloudFormation's AWS::Backup::BackupSelection, return values."""
    from ministack.services import backup

    plan = properties["BackupPlanId"]
    response = backup._create_selection(plan, {"BackupSelection": properties["BackupSelection"]})
    _require_success(response)
    selection = json.loads(response[2])["SelectionId"]
    return f"{selection}_{plan}", {"SelectionId": selection, "BackupPlanId": plan}


def _deselect_for_backup(physical_id: str, properties: Properties) -> None:
    from ministack.services import backup

    plan = properties["BackupPlanId"]
    backup._delete_selection(plan, physical_id.removesuffix(f"_{plan}"))


def _with_qualifier(update: Callable[..., Created]) -> Callable[..., Created]:
    """Let a mapping that is moved to an alias invoke it: the provisioner changes only the ARN that it tells."""

    def update_and_set(*arguments: Any) -> Created:
        from ministack.services import lambda_svc

        updated = update(*arguments)
        mapping = lambda_svc._esms[updated[0]]
        _, mapping["Qualifier"] = lambda_svc._resolve_name_and_qualifier(mapping["FunctionArn"])
        return updated

    return update_and_set


def _with_metric_math(provision: Callable[..., Created], *, properties_at: int) -> Callable[..., Created]:
    """Let an alarm on an expression stand; its provisioner refuses those."""

    def provision_and_set(*arguments: Any) -> Created:
        from ministack.services import cloudwatch

        from local.aws.cloudwatch.installed import of_expressions

        properties = arguments[properties_at]
        if "Metrics" not in properties:
            return provision(*arguments)
        plain = {name: value for name, value in properties.items() if name != "Metrics"}
        plain |= {"Namespace": "SnapRace/MetricMath", "MetricName": "Expression"}
        created = provision(*arguments[:properties_at], plain, *arguments[properties_at + 1 :])
        of_expressions(cloudwatch._alarms[created[0]], properties["Metrics"])
        return created

    return provision_and_set


def _given(understood: Callable[[Properties], Properties], provision: Callable[..., Created]) -> Callable[..., Created]:
    """Give a provisioner a resource's properties in the words that it understands."""

    def provision_understood(*arguments: Any) -> Created:
        return provision(*(understood(each) if isinstance(each, dict) else each for each in arguments))

    return provision_understood


def _named_bucket(properties: Properties) -> Properties:
    """The whole name of a bucket that has a prefix in the namespace of its account and region."""
    from ministack.core.responses import get_account_id, get_region

    if prefix := properties.get("BucketNamePrefix"):
        properties = {**properties, "BucketName": f"{prefix}-{get_account_id()}-{get_region()}-an"}
    if name := properties.get("BucketName"):
        buckets.ask_for(name, properties)  # its provisioner leaves them out
    return properties


def _with_plain_paths(properties: Properties) -> Properties:
    """A stage's settings of methods by the paths of their resources, whose slashes a template writes as ~1.

    Source: CloudFormation's AWS::ApiGateway::Stage MethodSetting, ResourcePath. Without this no route's own throttle
    holds.
    """
    settings = [
        {**each, "ResourcePath": path if (path := each.get("ResourcePath", "/*")) == "/*" else _plain(path)}
        for each in properties.get("MethodSettings", [])
    ]
    return {**properties, "MethodSettings": settings}


def _plain(path: str) -> str:
    return "/" + path.replace("~1", "/").lstrip("/")


def _with_table_settings(provision: Callable[..., Created], *, properties_at: int) -> Callable[..., Created]:
    """Let a table's provisioner also set time to live and point-in-time recovery, which it leaves out."""

    def provision_and_set(*arguments: Any) -> Created:
        from ministack.services import dynamodb

        created = provision(*arguments)
        table, properties = created[0], arguments[properties_at]
        if "Replicas" in properties:  # a global table: some settings are of the replica, and there is one
            properties = properties["Replicas"][0] | properties
            protected = _is_true(properties.get("DeletionProtectionEnabled"))
            dynamodb._tables[table]["DeletionProtectionEnabled"] = protected
            if tags := properties.get("Tags"):
                arn = dynamodb._tables[table]["TableArn"]
                _require_success(dynamodb._tag_resource({"ResourceArn": arn, "Tags": tags}))
        if ttl := properties.get("TimeToLiveSpecification"):
            ttl = {**ttl, "Enabled": _is_true(ttl.get("Enabled"))}
            _require_success(dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": ttl}))
        if recovery := properties.get("PointInTimeRecoverySpecification"):
            recovery = {**recovery, "PointInTimeRecoveryEnabled": _is_true(recovery.get("PointInTimeRecoveryEnabled"))}
            request = {"TableName": table, "PointInTimeRecoverySpecification": recovery}
            _require_success(dynamodb._update_continuous_backups(request))
        return created

    return provision_and_set


def _with_function_settings(provision: Callable[..., Created], *, properties_at: int) -> Callable[..., Created]:
    """Let a function's provisioner also set RecursiveLoop and reserved concurrency, which it leaves out."""

    def provision_and_set(*arguments: Any, **named: Any) -> Created:
        from ministack.services import lambda_svc

        created = provision(*arguments, **named)
        function, properties = created[0], arguments[properties_at]
        packages.note(function, properties["Code"])
        loop = {"RecursiveLoop": properties.get("RecursiveLoop", "Terminate")}
        _require_success(lambda_svc._put_function_recursion_config(function, loop))
        if "ReservedConcurrentExecutions" in properties:
            reserved = {"ReservedConcurrentExecutions": int(properties["ReservedConcurrentExecutions"])}
            _require_success(lambda_svc._put_function_concurrency(function, reserved))
        else:
            _require_success(lambda_svc._delete_function_concurrency(function))
        return created

    return provision_and_set


def _is_true(value: Any) -> bool:
    """Templates have true as a boolean or as a string."""
    return str(value).lower() == "true"


def _require_success(response: tuple[int, Any, Any]) -> None:
    status, _headers, body = response
    if status >= 300:
        raise ValueError(body.decode() if isinstance(body, bytes) else str(body))
