"""Every resource of a stack, as it stands and as its template asked for it.

findings = examine(stack, template, client, place)
findings.differences    # sentences; empty when all of it stands as asked
findings.unchecked      # "AWS::Type.Property" that no reader gives
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from deploy.place import Client, Place, Properties
from deploy.standing.differences import difference
from deploy.standing.readers import READERS
from deploy.standing.references import Resolver, contains_unknown

# Recorded by every service, used by nothing of ours; and what CloudFormation itself is told.
_NEVER_COMPARED = frozenset({"Tags"})
_BOOKKEEPING = frozenset({"AWS::CDK::Metadata"})


@dataclass
class Findings:
    """What an examination found."""

    differences: list[str] = field(default_factory=list)
    unchecked: set[str] = field(default_factory=set)


def examine(
    stack: str, template: Properties, client: Client, place: Place, not_expected: AbstractSet[str] = frozenset()
) -> Findings:
    """Compare every resource of the stack with its template.

    `not_expected` are the "AWS::Type" and "AWS::Type.Property" that need not stand.
    """
    findings = Findings()
    try:
        standing = _standing(client, stack)
    except ClientError as error:
        findings.differences.append(f"The stack cannot be read: {error.response['Error']['Message']}")
        return findings
    resolver = Resolver(template, standing, client, place, stack)
    for logical_id, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in _BOOKKEEPING or kind in not_expected:
            continue
        name = f"{logical_id} ({kind})"
        found = standing.get(logical_id)
        if found is None or not found["ResourceStatus"].endswith("_COMPLETE"):
            findings.differences.append(f"{name} is missing.")
        elif kind in READERS:
            asked = resolver.resolve(resource.get("Properties", {}))
            own = _compare(name, kind, found["PhysicalResourceId"], asked, client, not_expected)
            findings.differences += own.differences
            findings.unchecked |= own.unchecked
        else:
            findings.unchecked.add(kind)
    return findings


def _compare(
    name: str, kind: str, physical_id: str, asked: Properties, client: Client, not_expected: AbstractSet[str]
) -> Findings:
    """What is found of one resource, of which `asked` are the properties with all references resolved."""
    findings = Findings()
    try:
        found = READERS[kind](client, physical_id, asked)
    except ClientError as error:
        findings.differences.append(f"{name} cannot be read: {error.response['Error']['Message']}")
        return findings
    for property_name, wanted in asked.items():
        if property_name in _NEVER_COMPARED or f"{kind}.{property_name}" in not_expected:
            continue
        if property_name not in found or contains_unknown(wanted):
            findings.unchecked.add(f"{kind}.{property_name}")
        elif differs := difference(wanted, found[property_name], property_name):
            findings.differences.append(f"{name}: {differs}")
    return findings


def _standing(client: Client, stack: str) -> dict[str, Properties]:
    """The stack's resources by logical id."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {each["LogicalResourceId"]: each for page in pages for each in page["StackResourceSummaries"]}
