"""One stack, created or updated."""

from __future__ import annotations

import time
import uuid
from typing import Any

from botocore.exceptions import ClientError

from deploy.place import DeploymentFailed

_CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# Each wait for a stack is longer than the one before, so that a small stack is not waited for and a large one does
# not use up the account's calls.
_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 5.0
_LONGER = 1.1


def deploy_stack(cloudformation: Any, name: str, template_url: str, tags: dict[str, str], seconds: float) -> None:
    """Create or update the stack and wait for it, at most so many seconds. Raises DeploymentFailed."""
    token = str(uuid.uuid4())
    request = {
        "StackName": name,
        "TemplateURL": template_url,
        "Capabilities": _CAPABILITIES,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "ClientRequestToken": token,
    }
    try:
        if _status(cloudformation, name) in (None, "DELETE_COMPLETE"):
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise DeploymentFailed(f"Stack {name} was refused: {error.response['Error']['Message']}") from error
    status = _final_status(cloudformation, name, seconds)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeploymentFailed(f"Stack {name} ended as {status}: {_first_failure(cloudformation, name, token)}")


def _final_status(cloudformation: Any, name: str, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    wait = _FIRST_WAIT_SECONDS
    while (status := _status(cloudformation, name)) is None or status.endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise DeploymentFailed(f"Stack {name} was still {status} after {seconds:.0f} seconds.")
        time.sleep(wait)
        wait = min(_LONGER * wait, _LONGEST_WAIT_SECONDS)
    return status


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _first_failure(cloudformation: Any, name: str, token: str) -> str:
    """Why the operation with that token failed; later failures follow from the first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    newest_first = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(newest_first):
        if event.get("ClientRequestToken") == token and event["ResourceStatus"].endswith("_FAILED"):
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
    return "no reason given"
