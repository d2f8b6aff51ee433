"""Which stacks of a cloud assembly differ from what stands: the ones that a deployment has to touch.

Code counts, too: a template names each asset by the hash of its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from deploy.assembly import Stack

# A first deployment that failed or was never carried out leaves one of these, and nothing of the template.
_NOTHING_STANDS = frozenset({"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_COMPLETE"})


class Change(NamedTuple):
    """A stack by its name, and why it has to be deployed, as half a sentence."""

    stack: str
    why: str


def changed(stacks: Iterable[Stack], cloudformation: Any) -> Iterator[Change]:
    """The stacks that have to be deployed, in the order given, which is that of their dependencies."""
    for stack in stacks:
        if why := _difference(stack, cloudformation):
            yield Change(stack.name, why)


def _difference(stack: Stack, cloudformation: Any) -> str | None:
    standing = _described(stack.name, cloudformation)
    if standing is None or standing["StackStatus"] in _NOTHING_STANDS:
        return "does not stand"
    if standing["StackStatus"].endswith("_FAILED"):
        return f"stands as {standing['StackStatus']}"
    if {tag["Key"]: tag["Value"] for tag in standing.get("Tags", ())} != stack.tags:
        return "has other tags"
    if standing.get("EnableTerminationProtection", False) != stack.protected:
        return "has another protection against its termination"
    template = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    return None if _as_kept(template) == _as_kept(stack.template) else "has another template"


def _described(name: str, cloudformation: Any) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return described


def _as_kept(template: Any) -> Any:
    """The template as CloudFormation gives it back, which has a question mark for what is not ASCII.

    Source: `cdk diff --help`, which does the same unless it is asked to be strict. boto3 parses JSON; an emulator may
    give it as text.
    """
    parsed = json.loads(template) if isinstance(template, str) else template
    return json.loads(re.sub(r"[^\x00-\x7f]", "?", json.dumps(parsed, ensure_ascii=False, sort_keys=True)))
