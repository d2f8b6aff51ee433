"""Reads resources as they stand: what their services say of them, in CloudFormation's words."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable
from typing import Any

from deploy.place import Client, Properties
from deploy.standing.differences import least_alike

Reader = Callable[[Client, str, Properties], Properties]
"""(client, physical id, properties asked for with all references resolved) → properties found."""


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
    method = _of_api("get_method", resourceId="ResourceId", httpMethod="HttpMethod")(client, physical_id, asked)
    integration = _capitalized(method.get("MethodIntegration", {}))
    return {
        **method,
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


def _api_stage(client: Client, name: str, asked: Properties) -> Properties:
    stage = _of_api("get_stage", "stageName")(client, name, asked)
    settings = []
    for path, setting in stage.get("MethodSettings", {}).items():
        resource, method = path.rsplit("/", 1)
        settings.append({**_capitalized(setting), "ResourcePath": _as_in_a_template(resource), "HttpMethod": method})
    return {**stage, "MethodSettings": settings}


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
    if "RecursiveLoop" in asked:
        found |= client("lambda").get_function_recursion_config(FunctionName=name)
    if "ReservedConcurrentExecutions" in asked:
        found |= client("lambda").get_function_concurrency(FunctionName=name)
    return found


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


def _alarm(client: Client, name: str, _asked: Properties) -> Properties:
    types = ["MetricAlarm", "CompositeAlarm"]
    found = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=types)
    alarms: list[Properties] = found["MetricAlarms"] + found["CompositeAlarms"]
    return alarms[0] if alarms else {"AlarmName": None}


def _dashboard(client: Client, name: str, _asked: Properties) -> Properties:
    return dict(client("cloudwatch").get_dashboard(DashboardName=name))


def _log_group(client: Client, name: str, _asked: Properties) -> Properties:
    groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group: Properties = next((group for group in groups if group["logGroupName"] == name), {})
    return {"LogGroupName": group.get("logGroupName"), "RetentionInDays": group.get("retentionInDays")}


# --- permissions --------------------------------------------------------------------------------------------


def _role(client: Client, name: str, _asked: Properties) -> Properties:
    iam = client("iam")
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = [
        {"PolicyName": policy, "PolicyDocument": _inline_policy(client, name, policy)}
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return {
        "Description": "",
        **iam.get_role(RoleName=name)["Role"],
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
    replica["GlobalSecondaryIndexes"] = [{"IndexName": each["IndexName"]} for each in table["GlobalSecondaryIndexes"]]
    return {**table, "Replicas": [{"Region": client("dynamodb").meta.region_name, **replica}]}


def _bucket(client: Client, name: str, asked: Properties) -> Properties:
    s3 = client("s3")
    notifications = s3.get_bucket_notification_configuration(Bucket=name)
    prefix = name.removesuffix(f"-{_account(client)}-{s3.meta.region_name}-an")
    found = {
        "BucketName": name,
        "BucketNamePrefix": prefix,
        "BucketNamespace": "global" if prefix == name else "account-regional",
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


def _account(client: Client) -> str:
    return str(client("sts").get_caller_identity()["Account"])


def _bucket_policy(client: Client, _id: str, asked: Properties) -> Properties:
    return {**asked, "PolicyDocument": client("s3").get_bucket_policy(Bucket=asked["Bucket"])["Policy"]}


def _parameter(client: Client, name: str, _asked: Properties) -> Properties:
    parameter = client("ssm").get_parameter(Name=name)["Parameter"]
    described = client("ssm").describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    return {"Description": "", **described[0], **parameter}


READERS: dict[str, Reader] = {
    "AWS::ApiGateway::Deployment": _of_api("get_deployment", "deploymentId"),
    "AWS::ApiGateway::GatewayResponse": _of_api("get_gateway_response", responseType="ResponseType"),
    "AWS::ApiGateway::Method": _method,
    "AWS::ApiGateway::Resource": _of_api("get_resource", "resourceId"),
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _api_stage,
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
