"""Stacks: all there, in a final state, and in prod protected from being deleted."""

from __future__ import annotations

from collections.abc import Iterator

from ops.verify.advice import aws
from ops.verify.check import Check
from ops.verify.deployed import Deployed, Stack, expected_stacks

# Of a stack whose last operation went through. Source: CloudFormation's guide, "Stack status codes".
_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def stacks(deployed: Deployed) -> Iterator[Check]:
    """A check for each stack that is missing or not as it should be."""
    there = {stack.name for stack in deployed.stacks}
    found = [
        *(_missing(deployed, name) for name in expected_stacks(deployed.target.env) if name not in there),
        *(check for stack in deployed.stacks for check in _of(deployed, stack)),
    ]
    yield from found
    if all(check.ok for check in found):
        yield Check(name="stacks", ok=True, seen=f"{len(there)} stacks stand, each after its last deployment")


def _missing(deployed: Deployed, name: str) -> Check:
    env = deployed.target.env
    deploying = f'make cdk ARGS="deploy --exclusively {name} -c env={env}"'
    return Check(
        name=f"stacks: {name}",
        ok=False,
        seen=f"there is no such stack in {deployed.target.where}",
        expected="it is deployed",
        advice="snaprace down && snaprace up --detach" if deployed.target.local else deploying,
    )


def _of(deployed: Deployed, stack: Stack) -> Iterator[Check]:
    if stack.status not in _WELL:
        under_way = stack.status.endswith("_IN_PROGRESS")
        yield Check(
            name=f"stacks: {stack.name}",
            ok=False,
            seen=stack.status + (", a deployment is under way" if under_way else ""),
            expected=" or ".join(_WELL),
            advice=aws("cloudformation describe-stack-events", stack_name=stack.name, max_items="20"),
        )
    if deployed.is_kept and not stack.protected:
        yield Check(
            name=f"stacks: {stack.name}",
            ok=False,
            seen="anybody who may can delete it",
            expected="termination protection; `protected` in cdk.json keeps it so",
            advice=aws(
                "cloudformation update-termination-protection",
                stack_name=stack.name,
                enable_termination_protection=True,
            ),
        )
