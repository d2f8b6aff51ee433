"""The command: `python -m deploy --assembly cdk.out` with what is to be done with it; `--announce ENV`."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy import assembly, permission
from deploy.announcement import LONGEST_MINUTES, announce
from deploy.changed import changed
from deploy.place import DeploymentFailed


def main() -> int:
    """Do what is asked. Returns the exit code: 1 where a stack failed or does not stand as asked."""
    parser = _parser()
    given = parser.parse_args()
    if (given.assembly is None) == (given.announce is None):
        parser.error("give either --assembly or --announce")
    if given.forget_versions is not None and given.forget_versions < 2:
        parser.error("--forget-versions takes 2 or more: one to run, and one to go back to.")
    not_expected = frozenset(given.not_expected)
    try:
        if given.announce:
            announce(given.announce, given.minutes, _client("cloudwatch"), datetime.datetime.now(datetime.UTC))
            print(f"{given.announce} is said to be deployed for {given.minutes} minutes.")
            return 0
        if given.verify_only:
            return _verify(given.assembly, not_expected)
        if given.changed:
            return _tell_changed(given.assembly)
        _require_permission(given.assembly)
        if given.empty:
            print(*assembly.empty(given.assembly, _client), sep="\n")
            return 0
        if given.forget_versions is not None:
            print(*assembly.forget_versions(given.assembly, given.forget_versions, _client), sep="\n")
            return 0
        for name in assembly.deploy(given.assembly, _client, bootstraps=given.bootstrap, not_expected=not_expected):
            print(f"{name} is deployed and stands as asked.")
    except (DeploymentFailed, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy",
        description="Deploys a synthesized cloud assembly and compares what stands with what its templates ask for. "
        "Account, region and endpoint are those of the AWS CLI's variables (AWS_PROFILE, AWS_ENDPOINT_URL, …).",
    )
    parser.add_argument("--assembly", type=Path, metavar="DIR", help="a synthesized cdk.out")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--verify-only", action="store_true", help="deploy nothing, only compare")
    instead.add_argument(
        "--changed",
        action="store_true",
        help="deploy nothing, but print the stacks whose templates, tags or protection differ from what stands, each "
        "on a line, in order",
    )
    instead.add_argument(
        "--empty",
        action="store_true",
        help="deploy nothing, but delete all objects, backups and face collections of an environment that keeps no "
        "data, so that its stacks can be destroyed",
    )
    instead.add_argument(
        "--forget-versions",
        type=int,
        metavar="N",
        help="deploy nothing, but delete all versions of its functions but the N newest, at least 2, and the live ones",
    )
    parser.add_argument(
        "--announce", metavar="ENV", help="tell the alarms that the environment is being deployed, so that none pages"
    )
    parser.add_argument(
        "--minutes",
        type=int,
        choices=range(1, LONGEST_MINUTES + 1),
        default=15,
        metavar="N",
        help=f"for how long that is announced, 1 to {LONGEST_MINUTES} (default: %(default)s)",
    )
    parser.add_argument(
        "--bootstrap", action="store_true", help="make the assets' bucket first, where `cdk bootstrap` never ran"
    )
    parser.add_argument(
        "--not-expected",
        nargs="*",
        default=[],
        metavar="AWS::TYPE[.PROPERTY]",
        help="what need not stand (for an emulator)",
    )
    return parser


def _verify(folder: Path, not_expected: frozenset[str]) -> int:
    all_stand = True
    for name, findings in assembly.examine(folder, _client, not_expected):
        verdict = "does not stand as asked:" if findings.differences else "stands as asked."
        print(f"{name} {verdict}", *findings.differences, sep="\n  ")
        if findings.unchecked:
            print(f"  Not compared: {', '.join(sorted(findings.unchecked))}")
        all_stand = all_stand and not findings.differences
    return 0 if all_stand else 1


def _tell_changed(folder: Path) -> int:
    """Names go to stdout, for whoever deploys them; why goes to stderr, for whoever reads."""
    for name, why in changed(assembly.stacks_of(folder), _client("cloudformation")):
        print(name)
        print(f"{name} {why}.", file=sys.stderr)
    return 0


def _require_permission(folder: Path) -> None:
    for env in sorted(permission.of_assembly(folder)):
        if told := permission.require(env, lambda: _client("sts"), os.environ):
            print(told, file=sys.stderr)


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
