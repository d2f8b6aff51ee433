"""Certificates that a stack names anywhere are issued, and do not expire soon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.verify.advice import aws
from ops.verify.check import Check
from ops.verify.deployed import Deployed

SOON = timedelta(days=30)
"""AWS renews its own certificates 60 days before they expire: one that is left with 30 was not renewed.

Source: AWS Certificate Manager User Guide, "Managed certificate renewal".
"""

_ARN = re.compile(r"arn:[\w-]+:acm:([\w-]+):\d{12}:certificate/[\w-]+")


def certificates(deployed: Deployed) -> Iterator[Check]:
    """A check for each certificate."""
    named = {
        each[0] for stack in deployed.stacks for resource in stack.findings.resources for each in _arns(resource.asked)
    }
    made = {each.name for each in deployed.resources("AWS::CertificateManager::Certificate") if each.name}
    for arn in sorted(named | made):
        described = deployed.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        yield _check(described, datetime.now(UTC))


def _check(certificate: dict[str, Any], now: datetime) -> Check:
    expires: datetime | None = certificate.get("NotAfter")
    name = certificate["DomainName"]
    seen = f"{certificate['Status']}{f', expires on {expires:%Y-%m-%d}' if expires else ''}"
    arn = certificate["CertificateArn"]
    if certificate["Status"] == "ISSUED" and expires and expires - now > SOON:
        return Check(name=f"certificates: {name}", ok=True, seen=seen)
    return Check(
        name=f"certificates: {name}",
        ok=False,
        seen=seen,
        expected=f"ISSUED, for {SOON.days} days or more",
        advice=aws("acm describe-certificate", certificate_arn=arn)
        + "  (its DomainValidationOptions say what is missing)",
    )


def _arns(value: Any) -> Iterator[re.Match[str]]:
    """The ARNs of certificates anywhere in a resource's properties."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _arns(each)
    elif isinstance(value, list):
        for each in value:
            yield from _arns(each)
    elif isinstance(value, str):
        yield from _ARN.finditer(value)
