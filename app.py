#!/usr/bin/env python3
"""The CDK app: an environment, and a stack for each card found under services/. No AWS call is made here."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import jsii_node

jsii_node.choose()  # before aws_cdk is imported, which starts Node.js

import aws_cdk as cdk  # noqa: E402

from services import cards  # noqa: E402
from shared.contracts import naming  # noqa: E402
from shared.contracts.card import Stage  # noqa: E402
from stacks.account import AccountStack  # noqa: E402
from stacks.backup import BackupCopiesStack, BackupStack  # noqa: E402
from stacks.delivery import DeliveryStack  # noqa: E402
from stacks.environment import Environment  # noqa: E402
from stacks.monitoring import MonitoringStack  # noqa: E402
from stacks.people import PeopleStack  # noqa: E402
from stacks.platform import PlatformStack  # noqa: E402
from stacks.stage.stack import StageStack  # noqa: E402

ROOT = Path(__file__).parent

_UNPROTECTED = (
    "{name} can be deleted. Once its first deployment has succeeded, set `protected` to true in cdk.json "
    "(context.environments.{name}) and deploy again."
)

_ONE_REGION = (
    "{name}'s backups are in the region of its tables alone: lost with it. Name another region as `backup_region` in "
    "cdk.json (context.environments.{name}); docs/runbooks/region-loss.md says what else would be lost."
)


def build(app: cdk.App) -> None:
    """Add all stacks of the environment that the context `env` names."""
    environment = Environment.of(app)
    account = AccountStack(app, environment=environment)
    platform = PlatformStack(app, naming.stack(environment.name, "platform"), environment=environment)
    stages = environment.of_its_generation(cards())
    for card in stages:
        stack = add_stage(app, card, environment)
        stack.add_stack_dependency(platform, "names are shared, but the bus and the buckets must exist")
        if card.serving:
            stack.add_stack_dependency(account, "API Gateway takes no access log without the account's role")
    PeopleStack(app, naming.stack(environment.name, "people"), environment=environment, cards=stages)
    monitoring = MonitoringStack(
        app,
        naming.stack(environment.name, "monitoring"),
        environment=environment,
        cards=stages,
    )
    monitoring.add_stack_dependency(platform, "alarms speak through the platform's topics")
    BackupStack(app, naming.stack(environment.name, "backup"), environment=environment)
    if environment.backup_region:
        copies = naming.stack(environment.name, "backup-copies")
        BackupCopiesStack(app, copies, environment=environment, region=environment.backup_region)
    elif environment.retains_data:
        cdk.Annotations.of(platform).add_warning_v2("snaprace:one-region", _ONE_REGION.format(name=environment.name))
    if environment.retains_data and not environment.protected:
        cdk.Annotations.of(platform).add_warning_v2("snaprace:unprotected", _UNPROTECTED.format(name=environment.name))


def build_service(app: cdk.App, name: str) -> None:
    """Add the stack of one stage alone, as `build` makes it. Raises ValueError where there is no such stage."""
    environment = Environment.of(app)
    known = {card.name: card for card in environment.of_its_generation(cards())}
    if name not in known:
        raise ValueError(f"There is no service '{name}'. There are {', '.join(sorted(known))}.")
    add_stage(app, known[name], environment)


def build_delivery(app: cdk.App) -> None:
    """Add the stack that an account has once for its deployments, which only an administrator deploys."""
    DeliveryStack(app, environment=Environment.of(app))


def add_stage(app: cdk.App, card: Stage, environment: Environment) -> StageStack:
    """Add the stack that a card describes."""
    return StageStack(app, naming.stack(environment.name, card.name), card=card, environment=environment)


def make(outdir: str, **context: Any) -> cdk.App:
    """An app with the context of cdk.json, so that templates are the same with and without the CDK's command line.

    What the command line passes (`-c env=prod`) is stronger than that, and than `context`.
    """
    settings = json.loads((ROOT / "cdk.json").read_text())
    return cdk.App(outdir=outdir, context={**settings["context"], **context})


def main() -> None:
    """Synthesize what is asked for. Raises SystemExit with what to do where the context or a name does not do."""
    parser = argparse.ArgumentParser(description="Synthesizes the product's stacks into a cloud assembly.")
    parser.add_argument(
        "--for-aws", action="store_true", help="ship what is built for Lambda, not what is built for this machine"
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--service", metavar="NAME", help="the stack of one stage alone")
    one.add_argument("--delivery", action="store_true", help="the stack that an account has once for its deployments")
    given = parser.parse_args()
    app = make(os.environ.get("CDK_OUTDIR", str(ROOT / "cdk.out")), layers="aws" if given.for_aws else "local")
    try:
        if given.delivery:
            build_delivery(app)
        elif given.service:
            build_service(app, given.service)
        else:
            build(app)
    except ValueError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
