"""Resources that do not stand as their templates ask, by subject.

A new stage is among them without a line, and so is a new type of resource.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from deploy.standing.examination import Difference, Resource
from ops.verify.advice import advice
from ops.verify.check import Check
from ops.verify.deployed import Deployed

SERVICES: dict[str, tuple[str, ...]] = {
    "stacks": ("AWS::CloudFormation::",),
    "functions": ("AWS::Lambda::",),
    "releases": ("AWS::CodeDeploy::",),
    "rules": ("AWS::Events::Rule", "AWS::Events::EventBus", "AWS::Scheduler::"),
    "mappings": ("AWS::Lambda::EventSourceMapping",),
    "archives": ("AWS::Events::Archive",),
    "queues": ("AWS::SQS::",),
    "streams": ("AWS::Kinesis::",),
    "tables": ("AWS::DynamoDB::",),
    "buckets": ("AWS::S3::",),
    "backups": ("AWS::Backup::",),
    "alarms": ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"),
    "topics": ("AWS::SNS::",),
    "dashboards": ("AWS::CloudWatch::Dashboard",),
    "apis": ("AWS::ApiGateway::", "AWS::WAFv2::"),
    "certificates": ("AWS::CertificateManager::",),
    "logs": ("AWS::Logs::",),
    "permissions": ("AWS::IAM::",),
}
"""How the types of resources begin that a subject is about; the longest beginning decides."""

OTHERS = "others"
"""The subject of all other types."""

# What a bucket is named, and tables and policies; the services' names are no words.
_PLURAL = {"y": "ies", "s": "ses"}


def subject_of(kind: str) -> str:
    """The subject that a type of resource belongs to."""
    fitting = [
        (len(start), subject) for subject, starts in SERVICES.items() for start in starts if kind.startswith(start)
    ]
    return max(fitting)[1] if fitting else OTHERS


def standing(deployed: Deployed, subject: str) -> Iterator[Check]:
    """A check for each difference in the subject's resources; one that counts them where all stand as asked."""
    found = [
        difference
        for stack in deployed.stacks
        for difference in stack.findings.differences
        if subject_of(difference.resource.kind) == subject
    ]
    yield from (_check(deployed, subject, each) for each in found)
    unchecked = sorted(
        place
        for stack in deployed.stacks
        for place in stack.findings.unchecked
        if subject_of(place.split(".", 1)[0]) == subject
    )
    if unchecked:
        yield Check(
            name=subject,
            ok=True,
            seen=f"not compared: {', '.join(dict.fromkeys(unchecked))}",
            advice="nobody reads these yet: write a reader in deploy/standing/readers.py",
        )
    if not found:
        kinds = Counter(each.kind for stack in deployed.stacks for each in stack.findings.resources)
        counted = {kind: number for kind, number in sorted(kinds.items()) if subject_of(kind) == subject}
        if counted:
            in_words = ", ".join(_in_words(kind, number) for kind, number in counted.items())
            yield Check(name=subject, ok=True, seen=f"{in_words}, as asked")


def _check(deployed: Deployed, subject: str, difference: Difference) -> Check:
    resource = difference.resource
    return Check(
        name=f"{subject}: {called(resource)}",
        ok=False,
        seen=difference.seen,
        expected=difference.expected,
        advice=advice(deployed, difference),
    )


def called(resource: Resource) -> str:
    """What people call it: queues have URLs as ids, and two buses can have rules of the same name."""
    name = re.split(r"[|/]|:function:", resource.name)[-1] or resource.logical_id
    bus = resource.asked.get("EventBusName") if resource.kind == "AWS::Events::Rule" else None
    return f"{name} on {bus}" if bus else name


def _in_words(kind: str, number: int) -> str:
    """Of AWS::Lambda::Function as many functions."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", kind.rsplit("::", 1)[-1])
    words = " ".join(word if word.isupper() else word.lower() for word in words.split())
    if number == 1:
        return f"1 {words}"
    return f"{number:,} {words[:-1]}{_PLURAL.get(words[-1], words[-1] + 's')}"
