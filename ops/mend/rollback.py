"""Going back to earlier code: which versions of a function there are, and which of them is live.

A version is live when the alias `live` points to it; everything that invokes a function goes to the alias. Moved by
hand, it points elsewhere than CloudFormation believes: so the next deployment through CodeDeploy would be refused ("The
Lambda function alias version does not match the current version in AppSpec file"), and `forward` has to come first.
Source: github.com/aws/serverless-application-model, issue 291.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ops.reach.cards import card_of
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.card import Function

_LATEST = "$LATEST"  # what the next version will be made of; nothing invokes it


class Version(msgspec.Struct, frozen=True):
    """A published version. `deployed` is the one that the last deployment of the stack made or left."""

    number: int
    published: datetime
    deployed: bool


class Versions(msgspec.Struct, frozen=True):
    """The versions of a function, the newest first, and the number of the live one.

    `arriving` is the version that CodeDeploy is just moving the alias to, step by step.
    """

    function: str
    live: int
    arriving: int | None
    versions: tuple[Version, ...]
    revision: str

    @property
    def before(self) -> int:
        """The version before the live one. Raises Failed where there is none."""
        earlier = [each.number for each in self.versions if each.number < self.live]
        if not earlier:
            raise Failed(
                f"There is no earlier version of {self.function} than {self.live}, which is live. Deploy the commit "
                "before: docs/runbooks/rollback.md."
            )
        return max(earlier)

    @property
    def deployed(self) -> int:
        """The version that the stack was last deployed with. Raises Failed where it is not known."""
        for each in self.versions:
            if each.deployed:
                return each.number
        raise Failed(f"The stack of {self.function} names no version of it. Deploy the stack again.")


def versions_of(target: Target, stage: str, function: str | None = None) -> list[Versions]:
    """The versions of each of the stage's functions, or of the one that is named. Raises Failed."""
    deployed = set(_deployed(target, naming.stack(target.env, stage)))
    return [_versions(target, stage, each.name, deployed) for each in _functions(stage, function)]


def move(target: Target, found: Versions, to: int) -> None:
    """Make that version live, at once and for all invocations. Raises Failed for a version that there is not."""
    if to not in [each.number for each in found.versions]:
        known = ", ".join(str(each.number) for each in found.versions)
        raise Failed(f"{found.function} has no version {to}. It has: {known}.")
    target.client("lambda").update_alias(
        FunctionName=found.function,
        Name=naming.LIVE,
        FunctionVersion=str(to),
        RevisionId=found.revision,  # refused if somebody else moved it meanwhile
    )


def stop_release(target: Target, stage: str, found: Versions) -> int:
    """Stop what CodeDeploy is doing to the function's alias, which it then moves back; how many deployments that is."""
    client = target.client("codedeploy")
    under_way = client.list_deployments(
        applicationName=naming.stack(target.env, stage),
        deploymentGroupName=found.function,
        includeOnlyStatuses=["Created", "Queued", "InProgress", "Baking", "Ready"],
    )["deployments"]
    for deployment in under_way:
        client.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
    return len(under_way)


def _functions(stage: str, only: str | None) -> Sequence[Function]:
    functions = card_of(stage).functions
    chosen = [each for each in functions if only in (None, each.name)]
    if not chosen:
        names = ", ".join(each.name for each in functions)
        raise Failed(f"The stage '{stage}' has no function '{only}'. It has: {names}.")
    return chosen


def _versions(target: Target, stage: str, function: str, deployed: set[str]) -> Versions:
    client = target.client("lambda")
    name = naming.function(target.env, stage, function)
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    published = [each for page in pages for each in page["Versions"] if each["Version"] != _LATEST]
    alias: dict[str, Any] = client.get_alias(FunctionName=name, Name=naming.LIVE)
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    versions = (
        Version(int(each["Version"]), _time(each["LastModified"]), each["FunctionArn"] in deployed)
        for each in published
    )
    return Versions(
        function=name,
        live=int(alias["FunctionVersion"]),
        arriving=max(map(int, weights), default=None),
        versions=tuple(sorted(versions, key=lambda version: version.number, reverse=True)),
        revision=alias["RevisionId"],
    )


def _time(text: str) -> datetime:
    """Lambda writes 2026-10-25T09:00:00.000+0000."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _deployed(target: Target, stack: str) -> Iterator[str]:
    """The versions' ARNs that a stack has."""
    pages = target.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    for page in pages:
        for each in page["StackResourceSummaries"]:
            if each["ResourceType"] == "AWS::Lambda::Version" and each["ResourceStatus"] != "DELETE_COMPLETE":
                yield each["PhysicalResourceId"]
