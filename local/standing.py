"""Compares what stands with what a template asked for, property by property, by asking the services themselves.

    findings = examine(stack, template, client, account=…, region=…)
    findings.differences    # sentences; empty when all of it stands as asked
    findings.unchecked      # "AWS::Type.Property" that is neither compared here nor listed in local.limits

A reader (one for each type of resource, below) gives a resource's properties as its service describes them, in
CloudFormation's words.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local import limits

Client = Callable[[str], Any]
Properties = dict[str, Any]
Reader = Callable[[Client, str, Properties], Properties]
"""(client, physical id, properties asked for with all references resolved) → properties found."""

# Recorded by every service, used by nothing of ours; and what CloudFormation itself is told.
_NEVER_COMPARED = frozenset({"Tags"})
_BOOKKEEPING = frozenset({"AWS::CDK::Metadata"})


@dataclass
class Findings:
    """What an examination found."""

    differences: list[str] = field(default_factory=list)
    unchecked: set[str] = field(default_factory=set)


def examine(stack: str, template: Properties, client: Client, *, account: str, region: str) -> Findings:
    """Compare every resource of the stack with its template."""
    findings = Findings()
    listed = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    standing = {resource["LogicalResourceId"]: resource for resource in listed}
    resolver = _Resolver(template, standing, client, account, region, stack)
    for logical_id, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in _BOOKKEEPING:
            continue
        found = standing.get(logical_id)
        if found is None or not found["ResourceStatus"].endswith("_COMPLETE"):
            findings.differences.append(f"{logical_id} ({kind}) is missing.")
        elif kind not in _READERS:
            if kind not in limits.PROPERTIES:
                findings.unchecked.add(kind)
        else:
            asked = resolver.resolve(resource.get("Properties", {}))
            _compare(kind, found["PhysicalResourceId"], logical_id, asked, client, findings)
    return findings


def _compare(
    kind: str, physical_id: str, logical_id: str, asked: Properties, client: Client, findings: Findings
) -> None:
    try:
        found = _READERS[kind](client, physical_id, asked)
    except ClientError as error:
        findings.differences.append(f"{logical_id} ({kind}) cannot be read: {error.response['Error']['Message']}")
        return
    for name, wanted in asked.items():
        if name in _NEVER_COMPARED or f"{kind}.{name}" in limits.PROPERTIES:
            continue
        if name not in found or _contains_unknown(wanted):
            findings.unchecked.add(f"{kind}.{name}")
        elif difference := _difference(wanted, found[name], name):
            findings.differences.append(f"{logical_id} ({kind}): {difference}")


def _difference(wanted: Any, found: Any, path: str) -> str | None:
    """How `found` falls short of `wanted`; more than was wanted is fine, as services fill in defaults."""
    if isinstance(wanted, dict):
        found = _from_json(found)
        if isinstance(found, dict):
            differences = (_difference(value, found.get(name), f"{path}.{name}") for name, value in wanted.items())
            return next(filter(None, differences), None)
    elif isinstance(wanted, list):
        found = _from_json(found)
        if isinstance(found, list) and len(found) == len(wanted):
            unmatched = [item for item in wanted if all(_difference(item, other, path) for other in found)]
            if not unmatched:
                return None
            if len(wanted) == 1:
                return _difference(wanted[0], found[0], f"{path}[0]")
    elif _plain(wanted) == _plain(found):
        return None
    elif _from_json(wanted) != wanted:
        return _difference(_from_json(wanted), found, path)
    return f"{path} is {_shown(found)} where {_shown(wanted)} was asked."


def _from_json(value: Any) -> Any:
    """Documents travel as JSON in a string or as they are."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _plain(value: Any) -> Any:
    """Templates and services spell scalars differently: 30, 30.0 and "30"; true and "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


# --- references in templates ---------------------------------------------------------------------------------------


class _Unknown:
    """The value of a reference that cannot be worked out here."""


_UNKNOWN = _Unknown()


def _contains_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_contains_unknown, value.values()))
    if isinstance(value, list):
        return any(map(_contains_unknown, value))
    return value is _UNKNOWN


class _Resolver:
    """Replaces Ref, Fn::GetAtt, Fn::Join, Fn::Sub, Fn::Select and Fn::Split by their values."""

    def __init__(
        self, template: Properties, standing: Properties, client: Client, account: str, region: str, stack: str
    ) -> None:
        self._resources = template["Resources"]
        self._parameters = template.get("Parameters", {})
        self._standing = standing
        self._client = client
        self._region = region
        self._account = account
        self._pseudo = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
            "AWS::NoValue": None,
        }

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        return {name: self.resolve(item) for name, item in value.items()}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                return self._attribute(name, attribute)
            case "Fn::Join":
                separator, parts = argument[0], self.resolve(argument[1])
                return _UNKNOWN if _contains_unknown(parts) else separator.join(map(str, parts))
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::Split":
                text = self.resolve(argument[1])
                return _UNKNOWN if text is _UNKNOWN else text.split(argument[0])
            case "Fn::Select":
                parts = self.resolve(argument[1])
                return _UNKNOWN if _contains_unknown(parts) else parts[int(argument[0])]
        return _UNKNOWN

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._standing:
            return self._standing[name]["PhysicalResourceId"]
        parameter = self._parameters.get(name, {})
        if parameter.get("Type") == "String":
            return parameter.get("Default", _UNKNOWN)
        return _UNKNOWN

    def _substitute(self, argument: Any) -> Any:
        text, values = argument if isinstance(argument, list) else (argument, {})
        found = {name: self.resolve(value) for name, value in values.items()}
        for name in re.findall(r"\$\{([^!}]+)\}", text):
            if name not in found:
                found[name] = self._attribute(*name.split(".", 1)) if "." in name else self._ref(name)
        if _contains_unknown(found):
            return _UNKNOWN
        return re.sub(r"\$\{([^!}]+)\}", lambda match: str(found[match[1]]), text)

    def _attribute(self, name: str, attribute: str) -> Any:
        if name not in self._standing:
            return _UNKNOWN
        kind = self._resources[name]["Type"]
        physical_id = self._standing[name]["PhysicalResourceId"]
        if (kind, attribute) == ("AWS::ApiGateway::RestApi", "RootResourceId"):
            return _root_resource(self._client, physical_id)
        place = f"{self._region}:{self._account}"
        if (kind, attribute) == ("AWS::Events::Rule", "Arn"):
            bus = self.resolve(self._resources[name]["Properties"].get("EventBusName"))
            return f"arn:aws:events:{place}:rule/{f'{bus}/' if bus else ''}{physical_id}"
        last = physical_id.rsplit("/", 1)[-1]
        return {
            ("AWS::SQS::Queue", "Arn"): f"arn:aws:sqs:{place}:{last}",
            ("AWS::SQS::Queue", "QueueName"): last,
            ("AWS::DynamoDB::GlobalTable", "Arn"): f"arn:aws:dynamodb:{place}:table/{physical_id}",
            ("AWS::KMS::Key", "Arn"): f"arn:aws:kms:{place}:key/{physical_id}",
            ("AWS::DynamoDB::Table", "Arn"): f"arn:aws:dynamodb:{place}:table/{physical_id}",
            ("AWS::Lambda::Function", "Arn"): f"arn:aws:lambda:{place}:function:{physical_id}",
            ("AWS::S3::Bucket", "Arn"): f"arn:aws:s3:::{physical_id}",
            ("AWS::Events::EventBus", "Arn"): f"arn:aws:events:{place}:event-bus/{physical_id}",
            ("AWS::Events::EventBus", "Name"): physical_id,
            ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{self._account}:role/{physical_id}",
            ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{place}:log-group:{physical_id}:*",
            ("AWS::SNS::Topic", "TopicArn"): physical_id,
            ("AWS::CloudWatch::Alarm", "Arn"): f"arn:aws:cloudwatch:{place}:alarm:{physical_id}",
            ("AWS::CloudWatch::CompositeAlarm", "Arn"): f"arn:aws:cloudwatch:{place}:alarm:{physical_id}",
        }.get((kind, attribute), _UNKNOWN)


def _root_resource(client: Client, api: str) -> str:
    pages = client("apigateway").get_paginator("get_resources").paginate(restApiId=api)
    return next(str(item["id"]) for page in pages for item in page["items"] if item["path"] == "/")


# --- readers: messaging --------------------------------------------------------------------------------------------


def _queue(client: Client, url: str, _asked: Properties) -> Properties:
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {"QueueName": url.rsplit("/", 1)[-1], **attributes}


def _queue_policy(client: Client, _id: str, asked: Properties) -> Properties:
    policies = [
        client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy")
        for url in asked["Queues"]
    ]
    return {"Queues": asked["Queues"], "PolicyDocument": _common(policies, asked["PolicyDocument"])}


def _topic(client: Client, arn: str, _asked: Properties) -> Properties:
    return {"TopicName": arn.rsplit(":", 1)[-1], **client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]}


def _topic_policy(client: Client, _id: str, asked: Properties) -> Properties:
    policies = [client("sns").get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy") for arn in asked["Topics"]]
    return {"Topics": asked["Topics"], "PolicyDocument": _common(policies, asked["PolicyDocument"])}


def _common(documents: list[Any], asked: Any) -> Any:
    """The first document that is not as asked; else any of them."""
    return next((document for document in documents if _difference(asked, document, "")), documents[0])


def _event_bus(client: Client, name: str, _asked: Properties) -> Properties:
    return dict(client("events").describe_event_bus(Name=name))


def _rule(client: Client, physical_id: str, asked: Properties) -> Properties:
    of_rule = {"EventBusName": asked.get("EventBusName", "default")}
    name = physical_id.rsplit("|", 1)[-1]
    rule = client("events").describe_rule(Name=name, **of_rule)
    targets = client("events").list_targets_by_rule(Rule=name, **of_rule)["Targets"]
    return {**rule, **of_rule, "Targets": targets}


def _archive(client: Client, name: str, _asked: Properties) -> Properties:
    archive = client("events").describe_archive(ArchiveName=name)
    return {"KmsKeyIdentifier": "", **archive, "SourceArn": archive["EventSourceArn"]}


# --- readers: functions --------------------------------------------------------------------------------------------


def _function(client: Client, name: str, asked: Properties) -> Properties:
    function = client("lambda").get_function_configuration(FunctionName=name)
    found = {"Description": "", **function, "Layers": [layer["Arn"] for layer in function.get("Layers", [])]}
    if "S3Key" in asked["Code"]:
        found["Code"] = _code_found(client, asked["Code"], function["CodeSha256"])
    return found


def _layer(client: Client, arn: str, asked: Properties) -> Properties:
    layer = client("lambda").get_layer_version_by_arn(Arn=arn)
    content = _code_found(client, asked["Content"], layer["Content"]["CodeSha256"])
    return {**layer, "LayerName": arn.split(":")[-2], "Content": content}


def _code_found(client: Client, asked: Properties, digest: str) -> Properties:
    """What was asked, if the code that stands is the very asset."""
    wanted = _digest(client, asked["S3Bucket"], asked["S3Key"])
    return asked if digest == wanted else {"S3Bucket": asked["S3Bucket"], "S3Key": f"code of SHA-256 {digest}"}


@functools.cache
def _digest(client: Client, bucket: str, key: str) -> str:
    """Lambda's digest of an asset; several stacks ship the same layer."""
    asset = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return base64.b64encode(hashlib.sha256(asset).digest()).decode()


def _mapping(client: Client, uuid: str, asked: Properties) -> Properties:
    mapping = client("lambda").get_event_source_mapping(UUID=uuid)
    function = mapping["FunctionArn"]
    is_asked = function == asked["FunctionName"] or function.endswith(f":{asked['FunctionName']}")
    return {
        **mapping,
        "FunctionName": asked["FunctionName"] if is_asked else function,
        "Enabled": mapping["State"] in ("Enabled", "Enabling", "Creating", "Updating"),
    }


# --- readers: storage ----------------------------------------------------------------------------------------------


def _table(client: Client, name: str, _asked: Properties) -> Properties:
    dynamodb = client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    time_to_live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    return {
        "GlobalSecondaryIndexes": [],
        "StreamSpecification": None,
        **table,
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "TimeToLiveSpecification": {
            "AttributeName": time_to_live.get("AttributeName"),
            "Enabled": time_to_live["TimeToLiveStatus"] == "ENABLED",
        },
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery == "ENABLED"},
    }


def _global_table(client: Client, name: str, asked: Properties) -> Properties:
    table = _table(client, name, asked)
    replica = {name: table[name] for name in ("PointInTimeRecoverySpecification", "DeletionProtectionEnabled")}
    return {**table, "Replicas": [{"Region": client("dynamodb").meta.region_name, **replica}]}


def _bucket(client: Client, name: str, asked: Properties) -> Properties:
    s3 = client("s3")
    notifications = s3.get_bucket_notification_configuration(Bucket=name)
    found = {
        "BucketName": name,
        "VersioningConfiguration": s3.get_bucket_versioning(Bucket=name),
        "NotificationConfiguration": {
            "EventBridgeConfiguration": {"EventBridgeEnabled": "EventBridgeConfiguration" in notifications}
        },
    }
    if "PublicAccessBlockConfiguration" in asked:
        block = s3.get_public_access_block(Bucket=name)
        found["PublicAccessBlockConfiguration"] = block["PublicAccessBlockConfiguration"]
    if "CorsConfiguration" in asked:
        renamed = {"ExposeHeaders": "ExposedHeaders", "MaxAgeSeconds": "MaxAge", "ID": "Id"}
        rules = s3.get_bucket_cors(Bucket=name)["CORSRules"]
        found["CorsConfiguration"] = {
            "CorsRules": [{renamed.get(key, key): value for key, value in rule.items()} for rule in rules]
        }
    return found


def _bucket_policy(client: Client, _id: str, asked: Properties) -> Properties:
    return {**asked, "PolicyDocument": client("s3").get_bucket_policy(Bucket=asked["Bucket"])["Policy"]}


def _parameter(client: Client, name: str, _asked: Properties) -> Properties:
    parameter = client("ssm").get_parameter(Name=name)["Parameter"]
    described = client("ssm").describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    return {"Description": "", **described[0], **parameter}


def _log_group(client: Client, name: str, _asked: Properties) -> Properties:
    groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group: Properties = next((group for group in groups if group["logGroupName"] == name), {})
    return {"LogGroupName": group.get("logGroupName"), "RetentionInDays": group.get("retentionInDays")}


# --- readers: permissions, which are recorded here, not enforced -----------------------------------------------------


def _role(client: Client, name: str, _asked: Properties) -> Properties:
    iam = client("iam")
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    role = iam.get_role(RoleName=name)["Role"]
    inline = [
        {
            "PolicyName": policy,
            "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"],
        }
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return {
        "Description": "",
        **role,
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "Policies": inline,
    }


def _policy(client: Client, _id: str, asked: Properties) -> Properties:
    documents = [
        client("iam").get_role_policy(RoleName=role, PolicyName=asked["PolicyName"])["PolicyDocument"]
        for role in asked["Roles"]
    ]
    return {**asked, "PolicyDocument": _common(documents, asked["PolicyDocument"])}


def _key(client: Client, key: str, _asked: Properties) -> Properties:
    kms = client("kms")
    return {
        **kms.describe_key(KeyId=key)["KeyMetadata"],
        "EnableKeyRotation": kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
        "KeyPolicy": kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
    }


# --- readers: APIs -------------------------------------------------------------------------------------------------


def _rest_api(client: Client, api: str, _asked: Properties) -> Properties:
    found = client("apigateway").get_rest_api(restApiId=api)
    endpoint = _capitalized(found.get("endpointConfiguration", {}))
    return {"Description": "", **_capitalized(found), "EndpointConfiguration": endpoint}


def _resource(client: Client, resource: str, asked: Properties) -> Properties:
    found = client("apigateway").get_resource(restApiId=asked["RestApiId"], resourceId=resource)
    return {**_capitalized(found), "RestApiId": asked["RestApiId"]}


def _method(client: Client, _id: str, asked: Properties) -> Properties:
    where = {"RestApiId": asked["RestApiId"], "ResourceId": asked["ResourceId"]}
    found = client("apigateway").get_method(
        restApiId=asked["RestApiId"], resourceId=asked["ResourceId"], httpMethod=asked["HttpMethod"]
    )
    method = _capitalized(found)
    integration = found.get("methodIntegration", {})
    method["Integration"] = {**_capitalized(integration), "IntegrationHttpMethod": integration.get("httpMethod")}
    method["Integration"]["IntegrationResponses"] = _responses(integration.get("integrationResponses", {}))
    method["MethodResponses"] = _responses(found.get("methodResponses", {}))
    return {**method, **where}


def _responses(by_status: Properties) -> list[Properties]:
    return [_capitalized(response) for response in by_status.values()]


def _gateway_response(client: Client, _id: str, asked: Properties) -> Properties:
    found = client("apigateway").get_gateway_response(restApiId=asked["RestApiId"], responseType=asked["ResponseType"])
    return {**_capitalized(found), "RestApiId": asked["RestApiId"]}


def _api_deployment(client: Client, deployment: str, asked: Properties) -> Properties:
    found = client("apigateway").get_deployment(restApiId=asked["RestApiId"], deploymentId=deployment)
    return {**_capitalized(found), "RestApiId": asked["RestApiId"]}


def _api_stage(client: Client, name: str, asked: Properties) -> Properties:
    found = client("apigateway").get_stage(restApiId=asked["RestApiId"], stageName=name)
    settings = []
    for path, setting in found.get("methodSettings", {}).items():
        resource, method = path.rsplit("/", 1)
        settings.append({**_capitalized(setting), "ResourcePath": f"/{resource.lstrip('/')}", "HttpMethod": method})
    return {**_capitalized(found), "RestApiId": asked["RestApiId"], "MethodSettings": settings}


def _capitalized(description: Properties) -> Properties:
    """API Gateway speaks camelCase, templates PascalCase."""
    return {name[0].upper() + name[1:]: value for name, value in description.items()}


# --- readers: monitoring -------------------------------------------------------------------------------------------


def _alarm(client: Client, name: str, _asked: Properties) -> Properties:
    alarms = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return alarms[0] if alarms else {"AlarmName": None}


def _composite_alarm(client: Client, name: str, _asked: Properties) -> Properties:
    response = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    alarms = response["CompositeAlarms"]
    return alarms[0] if alarms else {"AlarmName": None}


def _dashboard(client: Client, name: str, _asked: Properties) -> Properties:
    return dict(client("cloudwatch").get_dashboard(DashboardName=name))


_READERS: dict[str, Reader] = {
    "AWS::ApiGateway::Deployment": _api_deployment,
    "AWS::ApiGateway::GatewayResponse": _gateway_response,
    "AWS::ApiGateway::Method": _method,
    "AWS::ApiGateway::Resource": _resource,
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _api_stage,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _composite_alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::DynamoDB::GlobalTable": _global_table,
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::Archive": _archive,
    "AWS::Events::EventBus": _event_bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SSM::Parameter": _parameter,
}
