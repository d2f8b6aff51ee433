"""What a stage runs: its functions, each with its code, layers, log, role and surroundings, as the card says."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from deploy.bytecode import PythonMissing, lambdas_python
from deploy.packages import packaged
from shared.contracts import environment as surroundings
from shared.contracts import naming
from shared.contracts.card import PYTHON, Call, Layer, Resource
from shared.contracts.events import SOURCE_PREFIX
from shared.contracts.keys import ORIGINAL, PREVIEW, PROCESSED, ROSTERS, THUMBNAIL
from shared.contracts.records import ShortLived
from stacks.nag import acknowledge, wildcard
from stacks.stage.release import KEPT_VERSIONS
from stacks.stage.setting import Setting, title

ROOT = Path(__file__).parents[2]

# The layers that `make setup` builds are for this machine's Python; those for Lambda are built before a deployment.
LAYERS = {
    "local": (ROOT / "build" / "layers", "make setup"),
    "aws": (ROOT / "build" / "layers-aws", ".venv/bin/python -m deploy.layers --for-aws"),
}

# Why a role names some things with a wildcard.
_NAMED_BY_RACE: dict[Resource | ShortLived, str] = {
    "photos": "Photographers and organizers name the uploads, so the role can only name the bucket.",
    "processed": "Copies are named by race and photo, so the role can only name their folder.",
    "previews": "Previews are named by race and photo, so the role can only name their folders.",
    "originals": "Full-size pictures are named by race and photo, so the role can only name their folder.",
    "rosters": "Rosters are named by race and content, so the role can only name their folder.",
    "collections": "A race's collection is made when its first photo comes, so the role can only name the prefix.",
}


# Of what a version is made Lambda's loop detection is no part, whatever CDK takes it for: it is set of the function, as
# is reserved concurrency. A version that differs from the one before in nothing else is refused ("A version for this
# Lambda function exists"). Source: Lambda API Reference, PutFunctionRecursionConfig and PublishVersion.
lambda_.Function.classify_version_property("RecursiveLoop", False)


def add_function(at: Setting, queue: sqs.Queue | None) -> lambda_.Function:
    """The function that a card describes; `queue` is the one that feeds it. Raises SystemExit for a missing layer."""
    name = at.named(naming.function)
    log_group = logs.LogGroup(
        at.stack,
        at.id("Logs"),
        log_group_name=f"/aws/lambda/{name}",
        retention=at.environment.log_retention,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return lambda_.Function(
        at.stack,
        at.id("Function"),
        function_name=name,
        description=at.card.purpose,
        runtime=lambda_.Runtime(f"python{PYTHON}"),
        architecture=_architecture(at.stack),
        handler=f"services.{at.stage.name}.functions.{at.card.name}.handler",
        code=_code(at),
        layers=[_layer(at.stack, layer) for layer in at.card.layers],
        memory_size=at.card.memory_mb,
        timeout=cdk.Duration.seconds(at.card.timeout_s),
        # A new account has 10 in all, of which none can be reserved: dev must not ask for more.
        reserved_concurrent_executions=at.card.reserved_concurrency if at.environment.retains_data else None,
        environment=_variables(at, queue),
        role=_role(at, log_group, queue),
        log_group=log_group,
        tracing=lambda_.Tracing.ACTIVE,
        recursive_loop=lambda_.RecursiveLoop.ALLOW if at.card.writes_to_itself else lambda_.RecursiveLoop.TERMINATE,
        current_version_options=lambda_.VersionOptions(removal_policy=KEPT_VERSIONS),
    )


def _variables(at: Setting, queue: sqs.Queue | None) -> dict[str, str]:
    env = at.environment.name
    told = surroundings.Environment(
        snaprace_env=env,
        bus_name=naming.bus(env),
        photo_bucket=naming.photo_bucket(env, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION),
        derived_bucket=naming.derived_bucket(env, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION),
        table_name=at.table.table_name if at.table else "",
        queue_url=queue.queue_url if queue else "",
        stream_name=stream_name(at),
        dead_letter_queue_url=queue.dead_letter_queue.queue.queue_url if queue and queue.dead_letter_queue else "",
    )
    return {
        **told.variables(),
        "POWERTOOLS_SERVICE_NAME": f"{at.stage.name}.{at.card.name}",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "AWS_EMF_ENVIRONMENT": "Lambda",
    }


def stream_name(at: Setting) -> str:
    """The stream of the stage, if it has one. It is named, not referred to: another function may be made later."""
    return next((naming.stream(at.environment.name, at.stage.name, each.name) for each in at.stage.streamed), "")


# --- what it may do -----------------------------------------------------------------------------------------


def _role(at: Setting, log_group: logs.LogGroup, queue: sqs.Queue | None) -> iam.Role:
    """What the card says, to write its own log and traces, and to give messages up. Nothing else.

    The mapping lets it receive from its queue, which includes to say when a message is seen again.
    """
    role = iam.Role(at.stack, at.id("Role"), assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    if queue and queue.dead_letter_queue:
        dead_letters = queue.dead_letter_queue.queue.queue_arn
        role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters]))
    known = _resources(at, queue)
    for call in at.card.calls:
        if call.on not in known:
            raise ValueError(f"{at.card.name} calls {', '.join(call.actions)} on what it does not have: {call.on}.")
        role.add_to_policy(
            iam.PolicyStatement(actions=list(call.actions), resources=known[call.on], conditions=_conditions(at, call))
        )
        if why := _NAMED_BY_RACE.get(call.on):
            acknowledge(role, {wildcard(at.stack, each): why for each in known[call.on]})
    acknowledge(role, {wildcard(at.stack, "*"): "X-Ray, DetectText and DetectFaces know no resources."})
    return role


def _conditions(at: Setting, call: Call) -> dict[str, Any] | None:
    """Of the bus: only what the card says. Source: EventBridge User Guide, "Using IAM policy conditions"."""
    if call.on != "bus":
        return None
    sources = sorted({SOURCE_PREFIX + event.STAGE for event in at.card.says})
    kinds = sorted(event.__name__ for event in at.card.says)
    return {"StringEquals": {"events:source": sources, "events:detail-type": kinds}}


def _resources(at: Setting, queue: sqs.Queue | None) -> dict[Resource | ShortLived, list[str]]:
    """The ARNs of what a function may be allowed to use."""
    env = at.environment.name
    s3 = f"arn:{cdk.Aws.PARTITION}:s3:::"
    here = cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION
    photos, derived = naming.photo_bucket(env, *here), naming.derived_bucket(env, *here)
    collections = naming.stack(env, "*")

    def made(folder: str) -> str:
        """A folder of the derived bucket: {organizer_id}/{event_id}/ comes first in every key."""
        return f"{s3}{derived}/*/*/{folder}/*"

    known: dict[Resource | ShortLived, list[str]] = {
        "bus": [at.stack.format_arn(service="events", resource="event-bus", resource_name=naming.bus(env))],
        "photos": [f"{s3}{photos}/*"],
        "photo-bucket": [f"{s3}{photos}"],
        "derived-bucket": [f"{s3}{derived}"],
        "processed": [made(PROCESSED)],
        "previews": [made(PREVIEW), made(THUMBNAIL)],
        "originals": [made(ORIGINAL)],
        "rosters": [made(ROSTERS)],
        "collections": [at.stack.format_arn(service="rekognition", resource="collection", resource_name=collections)],
        "any": ["*"],
    }
    if at.table:
        known["table"] = [at.table.table_arn]
    for table, stands in zip(at.stage.short_lived, at.short_lived, strict=True):
        known[table] = [stands.table_arn]
    if stream := stream_name(at):
        known["stream"] = [at.stack.format_arn(service="kinesis", resource="stream", resource_name=stream)]
    if queue:
        known["queue"] = [queue.queue_arn]
    return known


# --- what it ships ------------------------------------------------------------------------------------------


def _code(at: Setting) -> lambda_.Code:
    """The stage's package. Raises SystemExit where it cannot be made."""
    try:
        python = lambdas_python() if _for_aws(at.stack) else sys.executable
    except PythonMissing as missing:
        raise SystemExit(str(missing)) from None
    return lambda_.Code.from_asset(str(packaged(ROOT, at.stage, python)))


def _layer(stack: cdk.Stack, name: Layer) -> lambda_.ILayerVersion:
    """A layer, made once for the stack. Raises SystemExit with the command to run when it is not built."""
    construct_id = f"{title(name)}Layer"
    if known := stack.node.try_find_child(construct_id):
        return known  # type: ignore[return-value]
    built, command = LAYERS["aws" if _for_aws(stack) else "local"]
    folder = built / name
    if not folder.is_dir():
        raise SystemExit(f"The layer '{name}' is not built. Run: {command}")
    code = lambda_.Code.from_asset(str(folder))
    return lambda_.LayerVersion(stack, construct_id, code=code, description=f"SnapRace {name}")


def _architecture(stack: cdk.Stack) -> lambda_.Architecture:
    """On AWS always the same, whoever deploys; on one machine its own, for which the layers are built."""
    if _for_aws(stack) or platform.machine() in ("arm64", "aarch64"):
        return lambda_.Architecture.ARM_64
    return lambda_.Architecture.X86_64


def _for_aws(stack: cdk.Stack) -> bool:
    return bool(stack.node.try_get_context("layers") == "aws")
