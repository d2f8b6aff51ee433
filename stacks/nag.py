"""cdk-nag's findings that we live with, each with its reason, beside the resource that it is about.

cdk-nag itself is a development tool; acknowledgements are plain metadata, so stacks need only this.
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings (rule id → reason) on a construct and everything in it."""
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )
