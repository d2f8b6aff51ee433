"""`python -m deploy --changed`: the stacks that a deployment has to touch, and no others."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.assembly import Stack, stacks_of
from deploy.changed import Change, changed
from services import cards
from shared.contracts import naming

TEMPLATE = {
    "Description": "SnapRace: reads bibs – of all photos",
    "Resources": {
        "Read": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Bucket": "assets", "S3Key": "1f.zip"}}}
    },
}
STACK = Stack("snaprace-dev-ocr", TEMPLATE, "s3://assets/2e.json", {"project": "snaprace", "stage": "ocr"}, False)


class CloudFormation:
    """Has the stacks it is given, as DescribeStacks and GetTemplate of the API tell them."""

    def __init__(self, *stacks: Stack, status: str = "UPDATE_COMPLETE") -> None:
        self._stacks = {stack.name: stack for stack in stacks}
        self._status = status

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        if StackName not in self._stacks:
            said = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": said}, "DescribeStacks")
        stack = self._stacks[StackName]
        tags = [{"Key": key, "Value": value} for key, value in reversed(stack.tags.items())]
        described = {"StackStatus": self._status, "Tags": tags, "EnableTerminationProtection": stack.protected}
        return {"Stacks": [described]}

    def get_template(self, *, StackName: str, TemplateStage: str) -> dict[str, Any]:
        assert TemplateStage == "Original"
        template = copy.deepcopy(self._stacks[StackName].template)
        template["Description"] = template["Description"].encode("ascii", "replace").decode()
        return {"TemplateBody": template}


def test_what_stands_as_it_is_asked_for_is_left_alone() -> None:
    assert list(changed([STACK], CloudFormation(STACK))) == []


def _with_other_code() -> dict[str, Any]:
    template: dict[str, Any] = copy.deepcopy(TEMPLATE)
    template["Resources"]["Read"]["Properties"]["Code"]["S3Key"] = "30.zip"
    return template


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (STACK._replace(template=_with_other_code()), "has another template"),
        (STACK._replace(template=TEMPLATE | {"Description": "SnapRace: reads bibs"}), "has another template"),
        (STACK._replace(tags={**STACK.tags, "owner": "race-tech"}), "has other tags"),
        (STACK._replace(protected=True), "has another protection against its termination"),
    ],
)
def test_what_differs_is_told_with_why(wanted: Stack, why: str) -> None:
    assert list(changed([wanted], CloudFormation(STACK))) == [Change("snaprace-dev-ocr", why)]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("ROLLBACK_COMPLETE", "does not stand"),
        ("REVIEW_IN_PROGRESS", "does not stand"),
        ("UPDATE_ROLLBACK_FAILED", "stands as UPDATE_ROLLBACK_FAILED"),
    ],
)
def test_a_stack_that_failed_is_deployed_again_whatever_its_template(status: str, why: str) -> None:
    assert list(changed([STACK], CloudFormation(STACK, status=status))) == [Change(STACK.name, why)]


def test_the_order_is_that_of_the_dependencies(assembly: Path) -> None:
    names = [change.stack for change in changed(stacks_of(assembly), CloudFormation())]
    stages = [naming.stack("dev", card.name) for card in cards()]
    assert set(stages) < set(names)
    assert max(map(names.index, (naming.ACCOUNT_STACK, naming.stack("dev", "platform")))) < min(
        map(names.index, stages)
    )
