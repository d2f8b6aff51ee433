"""Reads storage as it stands: tables, buckets, parameters, log groups."""

from __future__ import annotations

from deploy.place import Client
from deploy.standing.reader import Properties, Reader


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


READERS: dict[str, Reader] = {
    "AWS::DynamoDB::GlobalTable": _global_table,
    "AWS::DynamoDB::Table": _table,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SSM::Parameter": _parameter,
}
