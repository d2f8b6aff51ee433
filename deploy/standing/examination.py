"""Every resource of a stack, as it stands and as its template asked for it.

findings = examine(stack, template, client, place)
findings.differences    # where something does not stand as asked; each is a sentence as text
findings.unchecked      # "AWS::Type.Property" that no reader gives

This asks of more than CloudFormation's DetectStackDrift, and does not keep one waiting. That looks at the properties
that a template names, of the kinds of resources that support it (source: CloudFormation API Reference,
DetectStackDrift), which rules' targets, permissions and settings at their defaults are not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from deploy.place import Client, Place, Properties
from deploy.standing.differences import Differs, difference, shown
from deploy.standing.readers import READERS, TOGETHER, NotThere
from deploy.standing.references import Resolver, contains_unknown
from deploy.standing.silence import EXACT, SILENT

# Recorded by every service, used by nothing of ours; and what CloudFormation itself is told.
_NEVER_COMPARED = frozenset({"Tags"})
_BOOKKEEPING = frozenset({"AWS::CDK::Metadata"})
_MISSING = "is missing"
_STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource of a stack's template: its physical id as `name`, "" where it has none.

    `asked` are its properties with all references resolved, and the defaults of which the template is silent.
    """

    stack: str
    logical_id: str
    kind: str
    name: str = ""
    asked: Properties = field(default_factory=dict)

    def __str__(self) -> str:
        return "The stack" if self.kind == _STACK else f"{self.logical_id} ({self.kind})"


@dataclass(frozen=True)
class Difference:
    """A resource that does not stand as asked: `at` says where.

    That is None where it is missing, or cannot be read; then `problem` tells.
    """

    resource: Resource
    at: Differs | None = None
    problem: str = ""

    @property
    def seen(self) -> str:
        """What is there."""
        return f"{self.at.path} is {shown(self.at.found)}" if self.at else f"it {self.problem}"

    @property
    def expected(self) -> str:
        """What was asked for."""
        return shown(self.at.wanted) if self.at else "it stands as its template asks"

    def __str__(self) -> str:
        return f"{self.resource}: {self.at}" if self.at else f"{self.resource} {self.problem}."


@dataclass
class Findings:
    """What an examination found; `resources` are those that were read, or ought to be there."""

    differences: list[Difference] = field(default_factory=list)
    unchecked: set[str] = field(default_factory=set)
    resources: list[Resource] = field(default_factory=list)


def examine(
    stack: str,
    template: Properties,
    client: Client,
    place: Place,
    not_expected: AbstractSet[str] = frozenset(),
    pool: Executor | None = None,
) -> Findings:
    """Compare every resource of the stack with its template.

    `not_expected` are the "AWS::Type" and "AWS::Type.Property" that need not stand. Resources are read by `pool`, or
    one after the other; then `client` must give clients to threads, too.
    """
    findings = Findings()
    try:
        standing = _standing(client, stack)
    except ClientError as error:
        itself = Resource(stack=stack, logical_id=stack, kind=_STACK, name=stack)
        findings.differences.append(Difference(itself, problem=_unreadable(error)))
        return findings
    resolver = Resolver(template, standing, client, place, stack)
    for logical_id, resource in template["Resources"].items():
        _look_for(stack, logical_id, resource, standing, resolver, findings, not_expected)
    to_read = [each for each in findings.resources if each.name]
    known = _read_together(to_read, client)

    def compare(resource: Resource) -> Findings:
        return _compare(resource, client, known.get(resource.logical_id), not_expected)

    for own in (pool.map if pool else map)(compare, to_read):
        findings.differences += own.differences
        findings.unchecked |= own.unchecked
    return findings


def _look_for(
    stack: str,
    logical_id: str,
    resource: Properties,
    standing: Mapping[str, Properties],
    resolver: Resolver,
    findings: Findings,
    not_expected: AbstractSet[str],
) -> None:
    """Note in `findings` a resource that is there to be compared, is missing, or has no reader."""
    kind = resource["Type"]
    if kind in _BOOKKEEPING or kind in not_expected:
        return
    found = standing.get(logical_id)
    asked = {**SILENT.get(kind, {}), **resolver.resolve(resource.get("Properties", {}))}
    if found is None or not found["ResourceStatus"].endswith("_COMPLETE"):
        missing = Resource(stack=stack, logical_id=logical_id, kind=kind, asked=asked)
        findings.resources.append(missing)
        findings.differences.append(Difference(missing, problem=_MISSING))
    elif kind in READERS:
        name = found["PhysicalResourceId"]
        findings.resources.append(Resource(stack=stack, logical_id=logical_id, kind=kind, name=name, asked=asked))
    else:
        findings.unchecked.add(kind)


def _read_together(resources: Sequence[Resource], client: Client) -> dict[str, Properties]:
    """What is found of resources whose kinds are read many at a time, by logical id; the others are read one by one."""
    found: dict[str, Properties] = {}
    for kind, read in TOGETHER.items():
        of_kind = [each for each in resources if each.kind == kind]
        if not of_kind:
            continue
        with contextlib.suppress(ClientError):  # which then tells of each of them
            answers = read(client, [(each.name, each.asked) for each in of_kind])
            found |= {each.logical_id: answer for each, answer in zip(of_kind, answers, strict=True) if answer}
    return found


def _compare(resource: Resource, client: Client, known: Properties | None, not_expected: AbstractSet[str]) -> Findings:
    """What is found of one resource, of which perhaps something is `known`."""
    findings = Findings()
    kind, asked = resource.kind, resource.asked
    try:
        found = READERS[kind](client, resource.name, asked) if known is None else known
    except NotThere:
        findings.differences.append(Difference(resource, problem=_MISSING))
        return findings
    except ClientError as error:
        findings.differences.append(Difference(resource, problem=_unreadable(error)))
        return findings
    for property_name, wanted in asked.items():
        place = f"{kind}.{property_name}"
        if property_name in _NEVER_COMPARED or place in not_expected:
            continue
        if property_name not in found or contains_unknown(wanted):
            findings.unchecked.add(place)
        elif differs := difference(wanted, found[property_name], property_name, exact=place in EXACT):
            findings.differences.append(Difference(resource, at=differs))
    return findings


def _unreadable(error: ClientError) -> str:
    return f"cannot be read: {error.response['Error'].get('Message', '').rstrip('.') or error}"


def _standing(client: Client, stack: str) -> dict[str, Properties]:
    """The stack's resources by logical id."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {each["LogicalResourceId"]: each for page in pages for each in page["StackResourceSummaries"]}
