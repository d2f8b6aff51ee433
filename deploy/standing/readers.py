"""Reads resources as they stand: what their services say of them, in CloudFormation's words."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from deploy.place import Client, Properties
from deploy.standing.differences import difference, least_alike

Reader = Callable[[Client, str, Properties], Properties]
"""(client, physical id, properties asked for with all references resolved) → properties found."""

ReaderOfMany = Callable[[Client, Sequence[tuple[str, Properties]]], list[Properties | None]]
"""The same for several resources of a kind, in their order; None for those that are not there."""


class NotThere(LookupError):
    """The resource is not there; where services say so by themselves, it is their ClientError."""


# --- REST APIs: API Gateway speaks camelCase, templates PascalCase ------------------------------------------


def _capitalized(description: Properties) -> Properties:
    return {name[0].upper() + name[1:]: value for name, value in description.items()}


def _rest_api(client: Client, api: str, _asked: Properties) -> Properties:
    found = client("apigateway").get_rest_api(restApiId=api)
    endpoint = _capitalized(found.get("endpointConfiguration", {}))
    return {"Description": "", **_capitalized(found), "EndpointConfiguration": endpoint}


def _of_api(operation: str, id_parameter: str | None = None, **from_asked: str) -> Reader:
    """What an operation says of a part of an API; `from_asked` are its parameters by the properties' names."""

    def read(client: Client, physical_id: str, asked: Properties) -> Properties:
        which = {parameter: asked[name] for parameter, name in from_asked.items()}
        which |= {id_parameter: physical_id} if id_parameter else {}
        found = getattr(client("apigateway"), operation)(restApiId=asked["RestApiId"], **which)
        return {**_capitalized(found), "RestApiId": asked["RestApiId"]}

    return read


def _method(client: Client, physical_id: str, asked: Properties) -> Properties:
    return _as_method(
        _of_api("get_method", resourceId="ResourceId", httpMethod="HttpMethod")(client, physical_id, asked), asked
    )


def _as_method(method: Properties, asked: Properties) -> Properties:
    integration = _capitalized(method.get("MethodIntegration", {}))
    return {
        **method,
        "RestApiId": asked["RestApiId"],
        "ResourceId": asked["ResourceId"],
        "MethodResponses": [_capitalized(each) for each in method.get("MethodResponses", {}).values()],
        "Integration": {
            **integration,
            "IntegrationHttpMethod": integration.get("HttpMethod"),
            "IntegrationResponses": [
                _capitalized(each) for each in integration.get("IntegrationResponses", {}).values()
            ],
        },
    }


def _methods(client: Client, asked: Sequence[tuple[str, Properties]]) -> list[Properties | None]:
    found = _resources_of(client, asked)
    return [
        _as_method(_capitalized(method), each) if (method := _method_in(found[each["RestApiId"]], each)) else None
        for _, each in asked
    ]


def _method_in(resources: dict[str, Properties], asked: Properties) -> Properties | None:
    methods: Properties = resources.get(asked["ResourceId"], {}).get("resourceMethods", {})
    return methods.get(asked["HttpMethod"])


def _resources(client: Client, asked: Sequence[tuple[str, Properties]]) -> list[Properties | None]:
    found = _resources_of(client, asked)
    return [
        {**_capitalized(resource), "RestApiId": each["RestApiId"]}
        if (resource := found[each["RestApiId"]].get(resource_id))
        else None
        for resource_id, each in asked
    ]


def _resources_of(client: Client, asked: Sequence[tuple[str, Properties]]) -> dict[str, dict[str, Properties]]:
    """The resources of APIs by API and id, with their methods: in one request, as an account has ten a second.

    Source: Amazon API Gateway Developer Guide, "Quotas for creating, deploying and managing an API".
    """
    pages = client("apigateway").get_paginator("get_resources")
    return {
        api: {
            each["id"]: each
            for page in pages.paginate(restApiId=api, embed=["methods"], PaginationConfig={"PageSize": 500})
            for each in page["items"]
        }
        for api in {each["RestApiId"] for _, each in asked}
    }


def _gateway_responses(client: Client, asked: Sequence[tuple[str, Properties]]) -> list[Properties | None]:
    found = {
        (api, each["responseType"]): {**_capitalized(each), "RestApiId": api}
        for api in {each["RestApiId"] for _, each in asked}
        for each in client("apigateway").get_gateway_responses(restApiId=api, limit=500)["items"]
    }
    return [found.get((each["RestApiId"], each["ResponseType"])) for _, each in asked]


def _account(client: Client, _id: str, _asked: Properties) -> Properties:
    return {"CloudWatchRoleArn": client("apigateway").get_account().get("cloudwatchRoleArn")}


def _api_stage(client: Client, name: str, asked: Properties) -> Properties:
    stage = _of_api("get_stage", "stageName")(client, name, asked)
    settings = []
    for path, setting in stage.get("MethodSettings", {}).items():
        resource, method = path.rsplit("/", 1)
        settings.append({**_capitalized(setting), "ResourcePath": _as_in_a_template(resource), "HttpMethod": method})
    log = _capitalized(stage.get("AccessLogSettings", {}))
    wanted = asked.get("AccessLogSetting", {}).get("DestinationArn")
    # API Gateway tells the log group without the :* that its ARN ends with in a template.
    if isinstance(wanted, str) and wanted.removesuffix(":*") == log.get("DestinationArn"):
        log["DestinationArn"] = wanted
    return {**stage, "MethodSettings": settings, "AccessLogSetting": log}


def _as_in_a_template(resource: str) -> str:
    """The path of a resource as MethodSettings have it; * is all of them.

    Source: CloudFormation's AWS::ApiGateway::Stage MethodSetting, ResourcePath.
    """
    plain = resource.replace("~1", "/").lstrip("/")
    return "/*" if plain == "*" else "/~1" + plain.replace("/", "~1")


def _firewall(client: Client, physical_id: str, _asked: Properties) -> Properties:
    name, uid, scope = physical_id.split("|")
    firewall = client("wafv2").get_web_acl(Name=name, Id=uid, Scope=scope)["WebACL"]
    return {"Description": "", "CustomResponseBodies": {}, **firewall, "Scope": scope}


def _firewall_before(client: Client, physical_id: str, _asked: Properties) -> Properties:
    resource, _firewall_arn = physical_id.split("|")
    found = client("wafv2").get_web_acl_for_resource(ResourceArn=resource).get("WebACL", {})
    return {"ResourceArn": resource, "WebACLArn": found.get("ARN")}


# --- functions ----------------------------------------------------------------------------------------------


def _function(client: Client, name: str, asked: Properties) -> Properties:
    function = client("lambda").get_function_configuration(FunctionName=name)
    found = {"Description": "", **function, "Layers": [layer["Arn"] for layer in function.get("Layers", [])]}
    if "S3Key" in asked["Code"]:
        found["Code"] = _code_found(client, asked["Code"], function["CodeSha256"])
    found |= client("lambda").get_function_recursion_config(FunctionName=name)
    reserved = client("lambda").get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    return {**found, "ReservedConcurrentExecutions": reserved}


def _permission(client: Client, _id: str, asked: Properties) -> Properties:
    """What a function's policy lets a service do. Its statements are found by what they say: not all have our ids."""
    document = json.loads(client("lambda").get_policy(FunctionName=asked["FunctionName"])["Policy"])
    said = [_as_permission(each, asked["FunctionName"]) for each in document["Statement"]]
    for each in said:
        if difference(asked, each, "") is None:
            return each
    raise NotThere


def _as_permission(statement: Properties, function: str) -> Properties:
    principal = statement.get("Principal")
    said = {key.lower(): value for each in statement.get("Condition", {}).values() for key, value in each.items()}
    return {
        "FunctionName": function,
        "Action": statement.get("Action"),
        "Principal": next(iter(principal.values())) if isinstance(principal, dict) else principal,
        "SourceArn": said.get("aws:sourcearn"),
        "SourceAccount": said.get("aws:sourceaccount"),
    }


def _version(client: Client, arn: str, _asked: Properties) -> Properties:
    """A published version, whose physical id is its ARN."""
    return dict(client("lambda").get_function_configuration(FunctionName=arn))


def _alias(client: Client, arn: str, _asked: Properties) -> Properties:
    """Where an alias points."""
    function, name = arn.split(":")[-2:]
    found = client("lambda").get_alias(FunctionName=function, Name=name)
    return {"Description": "", **found, "FunctionName": function}


def _application(client: Client, name: str, _asked: Properties) -> Properties:
    found = client("codedeploy").get_application(applicationName=name)["application"]
    return _capitalized(found)


def _deployment_group(client: Client, name: str, asked: Properties) -> Properties:
    """CodeDeploy speaks camelCase, templates PascalCase."""
    which = {"applicationName": asked["ApplicationName"], "deploymentGroupName": name}
    found = _capitalized(client("codedeploy").get_deployment_group(**which)["deploymentGroupInfo"])
    alarms = found.get("AlarmConfiguration", {})
    return {
        **found,
        "AlarmConfiguration": {**_capitalized(alarms), "Alarms": list(map(_capitalized, alarms.get("alarms", [])))},
        "AutoRollbackConfiguration": _capitalized(found.get("AutoRollbackConfiguration", {})),
        "DeploymentStyle": _capitalized(found.get("DeploymentStyle", {})),
    }


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


def _invocations(client: Client, _id: str, asked: Properties) -> Properties:
    """What becomes of events that a function is given without anybody waiting for it."""
    which = {name: asked[name] for name in ("FunctionName", "Qualifier")}
    return {**client("lambda").get_function_event_invoke_config(**which), **which}


# --- messaging ----------------------------------------------------------------------------------------------


def _queue(client: Client, url: str, _asked: Properties) -> Properties:
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"]).get("Attributes", {})
    return {"QueueName": url.rsplit("/", 1)[-1], **attributes}


def _stream(client: Client, name: str, asked: Properties) -> Properties:
    found = client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    encryption = {"EncryptionType": found.get("EncryptionType"), "KeyId": found.get("KeyId")}
    return {
        **found,
        "Name": found["StreamName"],
        "ShardCount": found["OpenShardCount"],
        "StreamEncryption": {name: encryption.get(name) for name in asked.get("StreamEncryption", {})},
    }


def _topic(client: Client, arn: str, _asked: Properties) -> Properties:
    return {"TopicName": arn.rsplit(":", 1)[-1], **client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]}


def _subscription(client: Client, arn: str, _asked: Properties) -> Properties:
    """A subscription that waits for its confirmation hears nothing: it stands as another than was asked for."""
    found = client("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    waits = found.get("PendingConfirmation") == "true"
    return {**found, "Endpoint": f"{found['Endpoint']}, which has not confirmed it," if waits else found["Endpoint"]}


def _policy_of(owners: str, read: Reader) -> Reader:
    """The policy of several queues or topics, which are asked for as the property `owners`."""

    def policy(client: Client, _id: str, asked: Properties) -> Properties:
        policies = [read(client, owner, {}).get("Policy") for owner in asked[owners]]
        return {owners: asked[owners], "PolicyDocument": least_alike(policies, asked["PolicyDocument"])}

    return policy


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


# --- monitoring ---------------------------------------------------------------------------------------------


MOST_ALARMS = 100
"""Of one request. Source: Amazon CloudWatch API Reference, DescribeAlarms, AlarmNames and MaxRecords."""


def described_alarms(client: Client, names: Sequence[str]) -> dict[str, Properties]:
    """Alarms by name, as CloudWatch describes them; without those that are not there."""
    found: list[Properties] = []
    for first in range(0, len(names), MOST_ALARMS):
        answer = client("cloudwatch").describe_alarms(
            AlarmNames=list(names[first : first + MOST_ALARMS]),
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=MOST_ALARMS,
        )
        found += [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return {alarm["AlarmName"]: alarm for alarm in found}


def _alarms(client: Client, asked: Sequence[tuple[str, Properties]]) -> list[Properties | None]:
    """An account has nine requests a second for its alarms, of which there are hundreds.

    Source: Amazon CloudWatch User Guide, "CloudWatch service quotas".
    """
    found = described_alarms(client, [name for name, _ in asked])
    return [found.get(name) for name, _ in asked]


def _alarm(client: Client, name: str, asked: Properties) -> Properties:
    (alarm,) = _alarms(client, [(name, asked)])
    if alarm is None:
        raise NotThere
    return alarm


def _dashboard(client: Client, name: str, _asked: Properties) -> Properties:
    return dict(client("cloudwatch").get_dashboard(DashboardName=name))


def _log_group(client: Client, name: str, _asked: Properties) -> Properties:
    groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    for group in groups:
        if group["logGroupName"] == name:
            return {"LogGroupName": name, "RetentionInDays": group.get("retentionInDays")}
    raise NotThere


# --- permissions --------------------------------------------------------------------------------------------


def _role(client: Client, name: str, _asked: Properties) -> Properties:
    iam = client("iam")
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = [
        {"PolicyName": policy, "PolicyDocument": _inline_policy(client, name, policy)}
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    role = iam.get_role(RoleName=name)["Role"]
    return {
        "Description": "",
        **role,
        "PermissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "Policies": inline,
    }


def _policy(client: Client, _id: str, asked: Properties) -> Properties:
    documents = [_inline_policy(client, role, asked["PolicyName"]) for role in asked["Roles"]]
    return {**asked, "PolicyDocument": least_alike(documents, asked["PolicyDocument"])}


def _managed_policy(client: Client, arn: str, _asked: Properties) -> Properties:
    iam = client("iam")
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    return {
        "Description": "",
        **policy,
        "ManagedPolicyName": policy["PolicyName"],
        "PolicyDocument": version["Document"],
    }


def _inline_policy(client: Client, role: str, policy: str) -> Any:
    return client("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def _key(client: Client, key: str, _asked: Properties) -> Properties:
    kms = client("kms")
    return {
        **kms.describe_key(KeyId=key)["KeyMetadata"],
        "EnableKeyRotation": kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
        "KeyPolicy": kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
    }


# --- storage ------------------------------------------------------------------------------------------------


def _table(client: Client, name: str, _asked: Properties) -> Properties:
    dynamodb = client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    time_to_live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    return {
        "GlobalSecondaryIndexes": [],
        "StreamSpecification": None,
        **table,
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "TimeToLiveSpecification": {
            "AttributeName": time_to_live.get("AttributeName"),
            "Enabled": time_to_live["TimeToLiveStatus"] == "ENABLED",
        },
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            "RecoveryPeriodInDays": recovery.get("RecoveryPeriodInDays"),
        },
    }


def _global_table(client: Client, name: str, asked: Properties) -> Properties:
    table = _table(client, name, asked)
    replica = {name: table[name] for name in ("PointInTimeRecoverySpecification", "DeletionProtectionEnabled")}
    replica["Tags"] = _tags_of_table(client, table["TableArn"], asked["Replicas"][0].get("Tags", []))
    replica["GlobalSecondaryIndexes"] = [{"IndexName": each["IndexName"]} for each in table["GlobalSecondaryIndexes"]]
    return {**table, "Replicas": [{"Region": client("dynamodb").meta.region_name, **replica}]}


def _tags_of_table(client: Client, arn: str, asked: list[Properties]) -> list[Properties]:
    """Those of the tags that were asked for: CloudFormation passes a stack's own on as well."""
    keys = {tag["Key"] for tag in asked}
    if not keys:
        return []
    pages = client("dynamodb").get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return [tag for page in pages for tag in page["Tags"] if tag["Key"] in keys]


def _bucket(client: Client, name: str, asked: Properties) -> Properties:
    s3 = client("s3")
    notifications = s3.get_bucket_notification_configuration(Bucket=name)
    prefix = name.removesuffix(f"-{_account_id(client)}-{s3.meta.region_name}-an")
    found: Properties = {
        "BucketName": name,
        "BucketNamePrefix": prefix,
        "BucketNamespace": "global" if prefix == name else "account-regional",
        "VersioningConfiguration": s3.get_bucket_versioning(Bucket=name),
        "NotificationConfiguration": {
            "EventBridgeConfiguration": {"EventBridgeEnabled": "EventBridgeConfiguration" in notifications}
        },
    }
    return {**found, **{part: _part_of_bucket(s3, name, part) for part in _PARTS_OF_BUCKET if part in asked}}


def _part_of_bucket(s3: Any, name: str, part: str) -> Any:
    """A setting that is read by a request of its own; None where the bucket has none."""
    operation, found = _PARTS_OF_BUCKET[part]
    try:
        return found(getattr(s3, operation)(Bucket=name))
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code == "NoSuchBucket" or not (code.startswith("NoSuch") or code.endswith("NotFoundError")):
            raise
        return None


def _cors(answer: Properties) -> Properties:
    renamed = {"ExposeHeaders": "ExposedHeaders", "MaxAgeSeconds": "MaxAge", "ID": "Id"}
    rules = [{renamed.get(key, key): value for key, value in rule.items()} for rule in answer["CORSRules"]]
    return {"CorsRules": rules}


def _encryption(answer: Properties) -> Properties:
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    settings = [
        {**rule, "ServerSideEncryptionByDefault": rule.get("ApplyServerSideEncryptionByDefault")} for rule in rules
    ]
    return {"ServerSideEncryptionConfiguration": settings}


def _lifecycle(answer: Properties) -> Properties:
    return {"Rules": [_lifecycle_rule(rule) for rule in answer["Rules"]]}


def _lifecycle_rule(rule: Properties) -> Properties:
    of_filter = rule.get("Filter", {})
    tags = of_filter.get("And", {}).get("Tags", [of_filter["Tag"]] if "Tag" in of_filter else [])
    moves = [{**each, "TransitionInDays": each.get("Days")} for each in rule.get("Transitions", ())]
    expires = rule.get("Expiration", {}).get("Days")
    return {**rule, "Id": rule.get("ID"), "Transitions": moves, "TagFilters": tags, "ExpirationInDays": expires}


def _access_log(answer: Properties) -> Properties:
    logged = answer.get("LoggingEnabled", {})
    return {"DestinationBucketName": logged.get("TargetBucket"), "LogFilePrefix": logged.get("TargetPrefix")}


_PARTS_OF_BUCKET: dict[str, tuple[str, Callable[[Properties], Any]]] = {
    "PublicAccessBlockConfiguration": (
        "get_public_access_block",
        lambda answer: answer["PublicAccessBlockConfiguration"],
    ),
    "CorsConfiguration": ("get_bucket_cors", _cors),
    "BucketEncryption": ("get_bucket_encryption", _encryption),
    "LifecycleConfiguration": ("get_bucket_lifecycle_configuration", _lifecycle),
    "IntelligentTieringConfigurations": (
        "list_bucket_intelligent_tiering_configurations",
        lambda answer: answer.get("IntelligentTieringConfigurationList", []),
    ),
    "LoggingConfiguration": ("get_bucket_logging", _access_log),
    "MetricsConfigurations": (
        "list_bucket_metrics_configurations",
        lambda answer: answer.get("MetricsConfigurationList", []),
    ),
    "OwnershipControls": ("get_bucket_ownership_controls", lambda answer: answer["OwnershipControls"]),
}


def _account_id(client: Client) -> str:
    return str(client("sts").get_caller_identity()["Account"])


def _bucket_policy(client: Client, _id: str, asked: Properties) -> Properties:
    return {**asked, "PolicyDocument": client("s3").get_bucket_policy(Bucket=asked["Bucket"])["Policy"]}


def _vault(client: Client, name: str, asked: Properties) -> Properties:
    found = client("backup").describe_backup_vault(BackupVaultName=name)
    lock = {"MinRetentionDays": found.get("MinRetentionDays"), "MaxRetentionDays": found.get("MaxRetentionDays")}
    return {**found, **({"LockConfiguration": lock} if "LockConfiguration" in asked else {})}


def _plan(client: Client, plan: str, _asked: Properties) -> Properties:
    """The plan; the rules and their vaults are called otherwise in templates."""
    found = client("backup").get_backup_plan(BackupPlanId=plan)["BackupPlan"]
    rules = [{"CopyActions": [], **rule, "TargetBackupVault": rule["TargetBackupVaultName"]} for rule in found["Rules"]]
    return {"BackupPlan": {**found, "BackupPlanRule": rules}}


def _selection(client: Client, physical_id: str, asked: Properties) -> Properties:
    """A selection, whose physical id is its own id and its plan's."""
    plan = asked["BackupPlanId"]
    selection = next(part for part in physical_id.split("_") if part != plan)
    found = client("backup").get_backup_selection(BackupPlanId=plan, SelectionId=selection)
    return dict(found)


def _parameter(client: Client, name: str, _asked: Properties) -> Properties:
    parameter = client("ssm").get_parameter(Name=name)["Parameter"]
    described = client("ssm").describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    return {"Description": "", **described[0], **parameter}


READERS: dict[str, Reader] = {
    "AWS::ApiGateway::Account": _account,
    "AWS::ApiGateway::Deployment": _of_api("get_deployment", "deploymentId"),
    "AWS::ApiGateway::GatewayResponse": _of_api("get_gateway_response", responseType="ResponseType"),
    "AWS::ApiGateway::Method": _method,
    "AWS::ApiGateway::Resource": _of_api("get_resource", "resourceId"),
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _api_stage,
    "AWS::Backup::BackupPlan": _plan,
    "AWS::Backup::BackupSelection": _selection,
    "AWS::Backup::BackupVault": _vault,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::CodeDeploy::Application": _application,
    "AWS::CodeDeploy::DeploymentGroup": _deployment_group,
    "AWS::DynamoDB::GlobalTable": _global_table,
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::Archive": _archive,
    "AWS::Events::EventBus": _event_bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Key": _key,
    "AWS::Kinesis::Stream": _stream,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventInvokeConfig": _invocations,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _policy_of("Topics", _topic),
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _policy_of("Queues", _queue),
    "AWS::SSM::Parameter": _parameter,
    "AWS::WAFv2::WebACL": _firewall,
    "AWS::WAFv2::WebACLAssociation": _firewall_before,
}

TOGETHER: dict[str, ReaderOfMany] = {
    "AWS::ApiGateway::GatewayResponse": _gateway_responses,
    "AWS::ApiGateway::Method": _methods,
    "AWS::ApiGateway::Resource": _resources,
    "AWS::CloudWatch::Alarm": _alarms,
    "AWS::CloudWatch::CompositeAlarm": _alarms,
}
"""What is better read at once than one by one: the services allow few requests for these."""
