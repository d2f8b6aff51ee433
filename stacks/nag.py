"""cdk-nag's findings that we live with, each with its reason, beside the resource that it is about.

cdk-nag itself is a development tool; acknowledgements are plain metadata, so stacks need only this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings (rule id → reason) on a construct and everything in it."""
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )


def wildcard(construct: IConstruct, resource: str) -> str:
    """The id of the finding that a role may do something on `resource`, whose name has a wildcard.

    cdk-nag acknowledges such findings one by one, and writes references as <AWS::AccountId>.
    """
    return f"AwsSolutions-IAM5[Resource::{_written(cdk.Stack.of(construct).resolve(resource))}]"


def action(name: str) -> str:
    """The id of the finding that a role may do all actions whose name begins like this one, e.g. "sqs:*"."""
    return f"AwsSolutions-IAM5[Action::{name}]"


def _written(value: Any) -> str:
    """A resolved string; raises ValueError for intrinsics that names here do not have."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::Join": [str(between), [*parts]]}:
            return between.join(map(_written, parts))
        case _:
            raise ValueError(f"{value} is no name that cdk-nag would write like this.")
