"""Reads synthesized templates as plain JSON, so that a test sees what CloudFormation will see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Properties = dict[str, Any]

# What names a resource of a type; a reference to it reads "<type> <name>".
_NAME = {
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}


@dataclass(frozen=True)
class Template:
    """The template of a stack; `path` is its file."""

    path: Path
    body: dict[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """All resources by logical id."""
        return self.body["Resources"]

    def of_type(self, kind: str) -> dict[str, Properties]:
        """Logical id → properties of the resources of a type."""
        return {key: each.get("Properties", {}) for key, each in self.resources.items() if each["Type"] == kind}

    def named(self, kind: str, name: str) -> Properties:
        """The one resource of a type that is called so."""
        (found,) = (each for each in self.of_type(kind).values() if self.text(each.get(_NAME[kind])) == name)
        return found

    def text(self, value: Any) -> str:
        """A value as one line: references to resources as "<type> <name>", AWS's own as "${AWS::Region}"."""
        match value:
            case str():
                return value
            case {"Ref": str(name)} if name.startswith("AWS::"):
                return f"${{{name}}}"
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
                kind = self.resources[name]["Type"]
                called = self.resources[name].get("Properties", {}).get(_NAME.get(kind, ""), name)
                return f"{kind} {self.text(called)}"
            case {"Fn::Join": [str(between), [*parts]]}:
                return between.join(map(self.text, parts))
        raise AssertionError(f"no text for {value}")

    def statements(self, kind: str, logical_id: str, attaches: str) -> Iterator[dict[str, Any]]:
        """The statements of all policies of a type that `attaches` (Roles, Queues, Bucket, Topics) to a resource."""
        for policy in self.of_type(kind).values():
            if {"Ref": logical_id} in as_list(policy[attaches]):
                yield from policy["PolicyDocument"]["Statement"]


def read(assembly: Path, env: str) -> dict[str, Template]:
    """The templates of an assembly by the stack's name without its prefix ("platform", "ocr", "account")."""
    return {
        _short(path, env): Template(path, json.loads(path.read_text())) for path in assembly.glob("*.template.json")
    }


def _short(path: Path, env: str) -> str:
    name = path.name.removesuffix(".template.json")
    return name.removeprefix(f"snaprace-{env}-").removeprefix("snaprace-")


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one without the brackets."""
    return value if isinstance(value, list) else [value]


def tls_only(statements: Iterator[Mapping[str, Any]]) -> bool:
    """Whether everything is denied to everybody who comes without TLS."""
    return any(
        each["Effect"] == "Deny"
        and each["Principal"] in ("*", {"AWS": "*"})
        and each.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        and as_list(each["Action"])[0] in ("s3:*", "sqs:*", "sns:Publish")
        for each in statements
    )
