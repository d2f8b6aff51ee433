"""What a stage runs: its functions, each with its code, layers, log, role and surroundings, as the card says."""

from __future__ import annotations

import platform
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from shared.contracts import environment as surroundings
from shared.contracts import naming
from shared.contracts.card import PYTHON, Function, Layer, Resource, Stage
from stacks.environment import Environment
from stacks.nag import acknowledge, wildcard
from stacks.stage.titles import title

ROOT = Path(__file__).parents[2]

# The layers that `make setup` builds are for this machine's Python; those for Lambda are built before a deployment.
LAYERS = {
    "local": (ROOT / "build" / "layers", "make setup"),
    "aws": (ROOT / "build" / "layers-aws", ".venv/bin/python -m deploy.layers --for-aws"),
}

# Why a role names some things with a wildcard.
_NAMED_BY_RACE: dict[Resource, str] = {
    "photos": "Photographers and organizers name the uploads, so the role can only name the bucket.",
    "derived": "Derived pictures and rosters are named by race and photo, so the role can only name the bucket.",
    "collections": "A race's collection is made when its first photo comes, so the role can only name the prefix.",
}


class Code:
    """What the functions of a stage ship: the stage's folder and `shared`, and the layers, each made once."""

    def __init__(self, stack: cdk.Stack, stage: str) -> None:
        self._stack = stack
        self._stage = stage
        self._layers: dict[Layer, lambda_.LayerVersion] = {}

    def package(self) -> lambda_.Code:
        """The code."""
        exclude = _all_but(f"services/{self._stage}", "shared")
        return lambda_.Code.from_asset(str(ROOT), exclude=exclude, ignore_mode=cdk.IgnoreMode.GIT)

    def layer(self, name: Layer) -> lambda_.LayerVersion:
        """A layer. Raises SystemExit with the command to run when it is not built."""
        if name not in self._layers:
            built, command = LAYERS[self._stack.node.try_get_context("layers") or "local"]
            folder = built / name
            if not folder.is_dir():
                raise SystemExit(f"The layer '{name}' is not built. Run: {command}")
            self._layers[name] = lambda_.LayerVersion(
                self._stack,
                f"{title(name)}Layer",
                code=lambda_.Code.from_asset(str(folder)),
                description=f"SnapRace {name}",
            )
        return self._layers[name]


def add_function(
    stack: cdk.Stack,
    stage: Stage,
    card: Function,
    environment: Environment,
    code: Code,
    *,
    table: dynamodb.TableV2 | None,
    queue: sqs.Queue | None,
) -> lambda_.Function:
    """The function that a card describes."""
    name = naming.function(environment.name, stage.name, card.name)
    log_group = logs.LogGroup(
        stack,
        f"{title(card.name)}Logs",
        log_group_name=f"/aws/lambda/{name}",
        retention=environment.log_retention,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return lambda_.Function(
        stack,
        f"{title(card.name)}Function",
        function_name=name,
        description=card.purpose,
        runtime=lambda_.Runtime(f"python{PYTHON}"),
        architecture=_architecture(),
        handler=f"services.{stage.name}.functions.{card.name}.handler",
        code=code.package(),
        layers=[code.layer(layer) for layer in card.layers],
        memory_size=card.memory_mb,
        timeout=cdk.Duration.seconds(card.timeout_s),
        environment=_variables(stage, card, environment, table, queue),
        role=_role(stack, card, environment, log_group, table, queue),
        log_group=log_group,
        tracing=lambda_.Tracing.ACTIVE,
    )


def _variables(
    stage: Stage,
    card: Function,
    environment: Environment,
    table: dynamodb.TableV2 | None,
    queue: sqs.Queue | None,
) -> dict[str, str]:
    told = surroundings.Environment(
        snaprace_env=environment.name,
        bus_name=naming.bus(environment.name),
        photo_bucket=naming.photo_bucket(environment.name, cdk.Aws.ACCOUNT_ID),
        derived_bucket=naming.derived_bucket(environment.name, cdk.Aws.ACCOUNT_ID),
        table_name=table.table_name if table else "",
        queue_url=queue.queue_url if queue else "",
    )
    return {
        **told.variables(),
        "POWERTOOLS_SERVICE_NAME": f"{stage.name}.{card.name}",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "AWS_EMF_ENVIRONMENT": "Lambda",
    }


# --- what it may do -----------------------------------------------------------------------------------------


def _role(
    stack: cdk.Stack,
    card: Function,
    environment: Environment,
    log_group: logs.LogGroup,
    table: dynamodb.TableV2 | None,
    queue: sqs.Queue | None,
) -> iam.Role:
    """What the card says, and to write its own log and traces. Nothing else."""
    role = iam.Role(stack, f"{title(card.name)}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    known = _resources(stack, environment, table, queue)
    for call in card.calls:
        if call.on not in known:
            raise ValueError(f"{card.name} calls {', '.join(call.actions)} on a {call.on} that it does not have.")
        role.add_to_policy(iam.PolicyStatement(actions=list(call.actions), resources=[known[call.on]]))
        if call.on in _NAMED_BY_RACE:
            acknowledge(role, {wildcard(stack, known[call.on]): _NAMED_BY_RACE[call.on]})
    acknowledge(role, {wildcard(stack, "*"): "X-Ray, DetectText and DetectFaces know no resources."})
    return role


def _resources(
    stack: cdk.Stack, environment: Environment, table: dynamodb.TableV2 | None, queue: sqs.Queue | None
) -> dict[Resource, str]:
    """The ARNs of what a function may be allowed to use."""
    env = environment.name
    s3 = f"arn:{cdk.Aws.PARTITION}:s3:::"
    photos, derived = naming.photo_bucket(env, cdk.Aws.ACCOUNT_ID), naming.derived_bucket(env, cdk.Aws.ACCOUNT_ID)
    bus = stack.format_arn(service="events", resource="event-bus", resource_name=naming.bus(env))
    every_collection = stack.format_arn(
        service="rekognition", resource="collection", resource_name=naming.stack(env, "*")
    )
    known: dict[Resource, str] = {
        "bus": bus,
        "photos": f"{s3}{photos}/*",
        "photo-bucket": f"{s3}{photos}",
        "derived": f"{s3}{derived}/*",
        "collections": every_collection,
        "any": "*",
    }
    if table:
        known["table"] = table.table_arn
    if queue:
        known["queue"] = queue.queue_arn
    return known


# --- what it ships ------------------------------------------------------------------------------------------


def _architecture() -> lambda_.Architecture:
    """The machine's own: the layers are built for it, and Lambda has both."""
    return lambda_.Architecture.ARM_64 if platform.machine() in ("arm64", "aarch64") else lambda_.Architecture.X86_64


def _all_but(*folders: str) -> list[str]:
    """Git-style excludes that leave just these folders (with the packages above them) in an asset."""
    patterns = ["*"]
    for folder in folders:
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            parent = "/".join(parts[:depth])
            patterns.append(f"!/{parent}")
            if depth < len(parts):
                patterns += [f"/{parent}/*", f"!/{parent}/__init__.py"]
        patterns.append(f"!/{folder}/**")
    return [*patterns, "__pycache__", "*.pyc"]
