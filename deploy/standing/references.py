"""References in a template, replaced by the values that they have where the stack stands."""

from __future__ import annotations

import re
from typing import Any

from deploy.place import Client, Place, Properties

_UNKNOWN = object()  # the value of a reference that cannot be worked out here

# ARNs after the partition. {id} is the physical id; that of a queue is its URL, which ends with {name}.
_ARNS = {
    "AWS::Backup::BackupVault": "backup:{region}:{account}:backup-vault:{id}",
    "AWS::CloudWatch::Alarm": "cloudwatch:{region}:{account}:alarm:{id}",
    "AWS::CloudWatch::CompositeAlarm": "cloudwatch:{region}:{account}:alarm:{id}",
    "AWS::DynamoDB::GlobalTable": "dynamodb:{region}:{account}:table/{id}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{id}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{id}",
    "AWS::IAM::Role": "iam::{account}:role/{id}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{id}",
    "AWS::Kinesis::Stream": "kinesis:{region}:{account}:stream/{id}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{id}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{id}:*",
    "AWS::S3::Bucket": "s3:::{id}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
}


def contains_unknown(value: Any) -> bool:
    """Whether a reference in the value could not be worked out."""
    if isinstance(value, dict):
        return any(map(contains_unknown, value.values()))
    if isinstance(value, list):
        return any(map(contains_unknown, value))
    return value is _UNKNOWN


class Resolver:
    """Replaces Ref, Fn::GetAtt, Fn::Join, Fn::Sub, Fn::Select and Fn::Split by their values."""

    def __init__(self, template: Properties, standing: Properties, client: Client, place: Place, stack: str) -> None:
        self._resources = template["Resources"]
        self._parameters = template.get("Parameters", {})
        self._standing = standing
        self._client = client
        self._place = place
        self._roots: dict[str, str] = {}
        self._pseudo = {
            "AWS::AccountId": place.account,
            "AWS::Region": place.region,
            "AWS::Partition": place.partition,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
            "AWS::NoValue": None,
        }

    def resolve(self, value: Any) -> Any:
        """The value with its references replaced, at any depth."""
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
                return _UNKNOWN if contains_unknown(parts) else separator.join(map(str, parts))
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::Split":
                text = self.resolve(argument[1])
                return _UNKNOWN if text is _UNKNOWN else text.split(argument[0])
            case "Fn::Select":
                parts = self.resolve(argument[1])
                return _UNKNOWN if contains_unknown(parts) else parts[int(argument[0])]
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
        if contains_unknown(found):
            return _UNKNOWN
        return re.sub(r"\$\{([^!}]+)\}", lambda match: str(found[match[1]]), text)

    def _attribute(self, name: str, attribute: str) -> Any:
        if name not in self._standing:
            return _UNKNOWN
        kind = self._resources[name]["Type"]
        physical_id = self._standing[name]["PhysicalResourceId"]
        match kind, attribute:
            case "AWS::ApiGateway::RestApi", "RootResourceId":
                return self._root_resource(physical_id)
            case "AWS::SQS::Queue", "QueueName":
                return physical_id.rsplit("/", 1)[-1]
            case "AWS::Lambda::Version", "Version":
                return physical_id.rsplit(":", 1)[-1]
            case (
                ("AWS::Events::EventBus", "Name")
                | ("AWS::SNS::Topic", "TopicArn")
                | ("AWS::Backup::BackupVault", "BackupVaultName")
                | ("AWS::Backup::BackupPlan", "BackupPlanId")
            ):
                return physical_id
            case "AWS::Events::Rule", "Arn":
                bus = self.resolve(self._resources[name]["Properties"].get("EventBusName"))
                rule = f"{f'{bus}/' if bus else ''}{physical_id.rsplit('|', 1)[-1]}"
                return self._arn("events:{region}:{account}:rule/{id}", rule)
            case "AWS::WAFv2::WebACL", "Arn":
                firewall, uid, scope = physical_id.split("|")
                return self._arn(f"wafv2:{{region}}:{{account}}:{scope.lower()}/webacl/{firewall}/{{id}}", uid)
            case ("AWS::Backup::BackupVault", "BackupVaultArn") | (_, "Arn") if kind in _ARNS:
                return self._arn(_ARNS[kind], physical_id)
        return _UNKNOWN

    def _arn(self, form: str, physical_id: str) -> str:
        filled = form.format(**self._place._asdict(), id=physical_id, name=physical_id.rsplit("/", 1)[-1])
        return f"arn:{self._place.partition}:{filled}"

    def _root_resource(self, api: str) -> str:
        """The id of an API's root, which many of its resources ask for."""
        if api not in self._roots:
            pages = self._client("apigateway").get_paginator("get_resources").paginate(restApiId=api)
            self._roots[api] = next(str(item["id"]) for page in pages for item in page["items"] if item["path"] == "/")
        return self._roots[api]
