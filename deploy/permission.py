"""Asks for the pipeline before anything is deployed to an environment that only the pipeline deploys.

`python -m deploy.permission ARGUMENT…` lets arguments of the CDK's command line through, or says why not; `make cdk`
asks it first. It reminds and does not protect, since nothing keeps anybody from calling AWS without it. What protects
is IAM: whom the roles of `cdk bootstrap` trust (deploy/bootstrap.py), and that people have no other rights there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.place import DeploymentFailed
from shared.contracts import naming

OPEN = frozenset({"dev"})
"""The environments that a person may deploy to."""

CHANGING = frozenset({"deploy", "destroy", "import", "orphan", "refactor", "rollback", "watch"})
"""The CDK's commands that change stacks. Source: `cdk --help` of version 2.1148."""

BREAK_GLASS = "BREAK_GLASS"
"""Environment variable with the reason why a person does what only the pipeline does."""

_REFUSED = (
    "{env} is deployed by the pipeline alone: merge into main and approve the deployment. You are {who}. What to do "
    "when the pipeline itself is broken: docs/deployment.md, 'When the pipeline is broken'."
)


def require(env: str, sts: Callable[[], Any], variables: Mapping[str, str]) -> str | None:
    """Refuse whoever may not deploy to the environment; returns what to tell where it is done nevertheless.

    The pipeline is known by its role, which only GitHub's token for that environment gives (stacks/delivery.py).
    `variables` are those of the process. Raises DeploymentFailed with what to do instead.
    """
    if env in OPEN:
        return None
    if reason := variables.get(BREAK_GLASS, "").strip():
        return f"Past the pipeline, to {env}: {reason}"
    try:
        who = str(sts().get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError):
        who = "nobody whom AWS knows"
    # Source: IAM User Guide, "IAM identifiers": arn:aws:sts::account:assumed-role/role-name/role-session-name.
    if who.partition(":assumed-role/")[2].partition("/")[0] == naming.deploy_role(env):
        return None
    raise DeploymentFailed(_REFUSED.format(env=env, who=who))


def environments(arguments: Sequence[str], default: str) -> set[str]:
    """The environments that arguments of the CDK's command line change; none where its command changes nothing.

    `default` is the environment that is meant where none is named, that of cdk.json.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--context", action="append", default=[])
    parser.add_argument("-a", "--app", type=Path, default=Path())
    given, words = parser.parse_known_args(arguments)
    if not CHANGING.intersection(words):
        return set()
    settings = dict(setting.partition("=")[::2] for setting in given.context)
    of_stacks = {parts[1] for word in words if (parts := word.split("-"))[0] == naming.PREFIX and len(parts) > 2}
    named = of_stacks | of_assembly(given.app) | ({settings["env"]} if "env" in settings else set())
    return named or {default}


def of_assembly(folder: Path) -> set[str]:
    """The environments whose stacks are in a cloud assembly; none for a folder that is none."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return set()
    artifacts = json.loads(manifest.read_bytes())["artifacts"].values()
    tags = [artifact.get("properties", {}).get("tags", {}) for artifact in artifacts]
    return {each["environment"] for each in tags if "environment" in each}


def main(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Let the arguments through, or say why not. Returns the exit code."""
    settings = json.loads((Path(__file__).parents[1] / "cdk.json").read_text())
    try:
        for env in sorted(environments(arguments, settings["context"]["env"])):
            if told := require(env, lambda: boto3.client("sts"), variables):
                print(told, file=sys.stderr)
    except DeploymentFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
