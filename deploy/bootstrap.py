"""How `cdk bootstrap` is called for an environment: bounded, and for the pipeline alone where only that deploys.

`make bootstrap` runs it. It takes the CDK's own template, adds to it whom its roles trust, and prints the arguments of
`cdk bootstrap`.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.permission import OPEN
from deploy.place import Client, DeploymentFailed, Place
from shared.contracts import naming

TAKEN_ROLES = ("DeploymentActionRole", "FilePublishingRole", "ImagePublishingRole", "LookupRole")
"""Logical ids in the CDK's template of the roles that its command line takes: for stacks, for assets, and to look up.

The last one may read everything in the account, photos included. We look nothing up.
"""


def for_the_pipeline_alone(template: dict[str, Any], env: str) -> dict[str, Any]:
    """The CDK's template, in which these roles refuse everybody but the role that deploys the environment.

    By a denial, as the CDK trusts the whole account. Raises DeploymentFailed where the template has no such role.
    """
    deploying = {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{naming.deploy_role(env)}"}
    denial = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": deploying}},
    }
    changed: dict[str, Any] = json.loads(json.dumps(template))
    for name in TAKEN_ROLES:
        try:
            trust = changed["Resources"][name]["Properties"]["AssumeRolePolicyDocument"]
        except KeyError:
            raise DeploymentFailed(
                f"The CDK's bootstrap template has no role {name} any more: say in deploy/bootstrap.py which roles "
                "`cdk` takes now."
            ) from None
        trust["Statement"].append(denial)
    return changed


def arguments(env: str, settings: dict[str, Any], client: Client, template: Path) -> list[str]:
    """Those of `cdk bootstrap`. `settings` are those of the environment in cdk.json.

    Raises DeploymentFailed where the credentials lead to another account or region than the environment's.
    """
    place = Place.of(client)
    for what, wanted, found in (
        ("account", settings.get("account"), place.account),
        ("region", settings.get("region"), place.region),
    ):
        if wanted not in (None, found):
            raise DeploymentFailed(f"{env} belongs into the {what} {wanted}, and your credentials lead to {found}.")
    policies = [
        f"arn:{place.partition}:iam::{place.account}:policy/{naming.execution_policy(part)}"
        for part in naming.EXECUTION_PARTS
    ]
    return [
        f"aws://{place.account}/{place.region}",
        *("--template", str(template)),
        *("--cloudformation-execution-policies", ",".join(policies)),
        *(() if env in OPEN else ("--termination-protection",)),
    ]


def main() -> int:
    """Write the template and print the arguments. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bootstrap", description=__doc__)
    parser.add_argument("env", help="the environment")
    parser.add_argument(
        "--template",
        type=Path,
        required=True,
        help="the file with what `cdk bootstrap --show-template --json` printed; it is written anew",
    )
    given = parser.parse_args()
    try:
        every = json.loads((Path(__file__).parents[1] / "cdk.json").read_text())["context"]["environments"]
        if given.env not in every:
            raise DeploymentFailed(f"There is no environment '{given.env}' in cdk.json: {', '.join(sorted(every))}.")
        template = json.loads(given.template.read_text())
        if given.env not in OPEN:
            given.template.write_text(json.dumps(for_the_pipeline_alone(template, given.env), indent=1))
        print(*arguments(given.env, every[given.env], _client, given.template))
    except (DeploymentFailed, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@functools.cache
def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
