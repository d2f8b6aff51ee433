"""What every stage has, made from its card: table, queues, functions, rules, API. A stage's own file adds the rest.

No exports: a stage reaches what it does not own by name (shared/contracts/naming.py), so that each stack
deploys, rolls back and is destroyed by itself.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, ClassVar

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from shared.contracts import naming
from shared.contracts.card import PYTHON, Call, Function, Layer, Stage, Uploads
from shared.contracts.events import SOURCE_PREFIX
from stacks.environment import Environment
from stacks.nag import acknowledge, wildcard

ROOT = Path(__file__).parents[1]

# The layers that `make setup` builds are for this machine's Python; those for Lambda are built before a deployment.
LAYERS = {
    "local": (ROOT / "build" / "layers", "make setup"),
    "aws": (ROOT / "build" / "layers-aws", ".venv/bin/python -m ops.layers --for-aws"),
}

# Five deliveries ride out a throttled minute; a sixth would only delay the alarm.
MAX_RECEIVES = 5
KEPT_IN_DLQ = cdk.Duration.days(14)
RULE_RETRIES, RULE_PATIENCE = 185, cdk.Duration.hours(24)  # EventBridge's own maxima, said so that they stand

# Why a role names some things with a wildcard.
_NAMED_BY_RACE = {
    "photos": "Photographers and organizers name the uploads, so the role can only name the bucket.",
    "derived": "Derived pictures and rosters are named by race and photo, so the role can only name the bucket.",
    "collections": "A race's collection is made when its first photo comes, so the role can only name the prefix.",
}


class StageStack(cdk.Stack):
    """A stage's stack. Subclasses name the card and add what is special."""

    STAGE: ClassVar[Stage]

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id, description=f"SnapRace {self.STAGE.name}: {self.STAGE.purpose}")
        self._environment = environment
        self._bus = events.EventBus.from_event_bus_name(self, "Bus", naming.bus(environment.name))
        self.table = self._table() if self.STAGE.has_table else None
        self._layers: dict[Layer, lambda_.LayerVersion] = {}
        self.queues: dict[str, sqs.Queue] = {}
        self.functions: dict[str, lambda_.Function] = {}
        rule_dlq = self._dead_letter_queue("RulesDlq", naming.rule_dead_letter_queue(environment.name, self.STAGE.name))
        # cdk-nag sees the dead-letter queues of queues, but not those of rules.
        acknowledge(rule_dlq, {"AwsSolutions-SQS3": "This is the dead-letter queue of the stage's rules."})
        for function in self.STAGE.functions:
            if function.has_queue:
                self.queues[function.name] = self._queue(function)
                self._rules(function, rule_dlq)
            self.functions[function.name] = self._function(function)
        if self.STAGE.serving:
            self._api()
        acknowledge(
            self,
            {
                "AwsSolutions-L1": "The card module names one Python, raised when all wheels are built for the next.",
            },
        )

    # --- what it keeps ----------------------------------------------------------------------------------

    def _table(self) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            "Table",
            table_name=naming.table(self._environment.name, self.STAGE.name),
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._environment.retains_data,
            removal_policy=self._environment.removal_policy,
        )

    # --- what it hears ----------------------------------------------------------------------------------

    def _queue(self, function: Function) -> sqs.Queue:
        """The function's queue. AWS asks for a visibility of six times the timeout, and the window besides."""
        env, stage, name = self._environment.name, self.STAGE.name, function.name
        dlq = self._dead_letter_queue(f"{_title(name)}Dlq", naming.dead_letter_queue(env, stage, name))
        return sqs.Queue(
            self,
            f"{_title(name)}Queue",
            queue_name=naming.queue(env, stage, name),
            visibility_timeout=cdk.Duration.seconds(6 * function.timeout_s + function.window_s),
            retention_period=KEPT_IN_DLQ,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dlq, max_receive_count=MAX_RECEIVES),
        )

    def _dead_letter_queue(self, construct_id: str, name: str) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            queue_name=name,
            retention_period=KEPT_IN_DLQ,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )

    def _rules(self, function: Function, rule_dlq: sqs.Queue) -> None:
        """One rule for the domain events it hears, one for the uploads."""
        target = targets.SqsQueue(
            self.queues[function.name],
            dead_letter_queue=rule_dlq,
            retry_attempts=RULE_RETRIES,
            max_event_age=RULE_PATIENCE,
        )
        if function.hears:
            events.Rule(
                self,
                f"{_title(function.name)}Events",
                description=f"Domain events that {self.STAGE.name}.{function.name} hears",
                event_bus=self._bus,
                event_pattern=events.EventPattern(
                    source=sorted({SOURCE_PREFIX + event.STAGE for event in function.hears}),
                    detail_type=sorted(event.__name__ for event in function.hears),
                ),
                targets=[target],
            )
        if function.uploads:
            events.Rule(
                self,
                f"{_title(function.name)}Uploads",
                description=f"Uploads that {self.STAGE.name}.{function.name} hears",
                event_pattern=self._upload_pattern(function.uploads),
                targets=[target],
            )

    def _upload_pattern(self, uploads: Uploads) -> events.EventPattern:
        key: list[Any] = [{"suffix": suffix} for suffix in uploads.suffixes]
        if uploads.except_suffixes:
            key.append({"anything-but": {"suffix": list(uploads.except_suffixes)}})
        kinds = [kind for kind, heard in (("Created", uploads.created), ("Deleted", uploads.deleted)) if heard]
        return events.EventPattern(
            source=["aws.s3"],
            detail_type=[f"Object {kind}" for kind in kinds],
            detail={
                "bucket": {"name": [naming.photo_bucket(self._environment.name, cdk.Aws.ACCOUNT_ID)]},
                **({"object": {"key": key}} if key else {}),
            },
        )

    # --- what it runs -----------------------------------------------------------------------------------

    def _function(self, card: Function) -> lambda_.Function:
        env, stage = self._environment.name, self.STAGE.name
        name = naming.function(env, stage, card.name)
        log_group = logs.LogGroup(
            self,
            f"{_title(card.name)}Logs",
            log_group_name=f"/aws/lambda/{name}",
            retention=self._environment.log_retention,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        function = lambda_.Function(
            self,
            f"{_title(card.name)}Function",
            function_name=name,
            description=card.purpose,
            runtime=lambda_.Runtime(f"python{PYTHON}"),
            architecture=_architecture(),
            handler=f"services.{stage}.{card.name}.handler",
            code=lambda_.Code.from_asset(
                str(ROOT), exclude=_all_but(f"services/{stage}", "shared"), ignore_mode=cdk.IgnoreMode.GIT
            ),
            layers=[self._layer(layer) for layer in card.layers],
            memory_size=card.memory_mb,
            timeout=cdk.Duration.seconds(card.timeout_s),
            environment=self._function_environment(card),
            role=self._role(card, log_group),
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
        )
        if card.has_queue:
            function.add_event_source(
                sources.SqsEventSource(
                    self.queues[card.name],
                    batch_size=card.batch,
                    max_batching_window=cdk.Duration.seconds(card.window_s) if card.window_s else None,
                    max_concurrency=card.concurrency,
                    report_batch_item_failures=True,
                )
            )
        return function

    def _function_environment(self, card: Function) -> dict[str, str]:
        env = self._environment.name
        return {
            "SNAPRACE_ENV": env,
            "BUS_NAME": naming.bus(env),
            "PHOTO_BUCKET": naming.photo_bucket(env, cdk.Aws.ACCOUNT_ID),
            "DERIVED_BUCKET": naming.derived_bucket(env, cdk.Aws.ACCOUNT_ID),
            "POWERTOOLS_SERVICE_NAME": f"{self.STAGE.name}.{card.name}",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "AWS_EMF_ENVIRONMENT": "Lambda",
            **({"TABLE_NAME": self.table.table_name} if self.table else {}),
            **({"QUEUE_URL": self.queues[card.name].queue_url} if card.has_queue else {}),
        }

    def _layer(self, name: Layer) -> lambda_.LayerVersion:
        if name not in self._layers:
            built, command = LAYERS[self.node.try_get_context("layers") or "local"]
            folder = built / name
            if not folder.is_dir():
                raise SystemExit(f"The layer '{name}' is not built. Run: {command}")
            self._layers[name] = lambda_.LayerVersion(
                self, f"{_title(name)}Layer", code=lambda_.Code.from_asset(str(folder)), description=f"SnapRace {name}"
            )
        return self._layers[name]

    def _role(self, card: Function, log_group: logs.LogGroup) -> iam.Role:
        """What the card says, and to write its own log and traces. Nothing else."""
        role = iam.Role(self, f"{_title(card.name)}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for call in card.calls:
            resource = self._resource(call, card)
            role.add_to_policy(iam.PolicyStatement(actions=list(call.actions), resources=[resource]))
            if call.on in _NAMED_BY_RACE:
                acknowledge(role, {wildcard(self, resource): _NAMED_BY_RACE[call.on]})
        acknowledge(role, {wildcard(self, "*"): "X-Ray, DetectText and DetectFaces know no resources."})
        return role

    def _resource(self, call: Call, card: Function) -> str:
        env = self._environment.name
        match call.on:
            case "table":
                assert self.table is not None  # noqa: S101 - a card that calls its table has one
                return self.table.table_arn
            case "bus":
                return self._bus.event_bus_arn
            case "queue":
                return self.queues[card.name].queue_arn
            case "photos":
                return f"arn:{cdk.Aws.PARTITION}:s3:::{naming.photo_bucket(env, cdk.Aws.ACCOUNT_ID)}/*"
            case "photo-bucket":
                return f"arn:{cdk.Aws.PARTITION}:s3:::{naming.photo_bucket(env, cdk.Aws.ACCOUNT_ID)}"
            case "derived":
                return f"arn:{cdk.Aws.PARTITION}:s3:::{naming.derived_bucket(env, cdk.Aws.ACCOUNT_ID)}/*"
            case "collections":
                return self.format_arn(
                    service="rekognition", resource="collection", resource_name=naming.stack(env, "*")
                )
            case "any":
                return "*"

    # --- what it serves ---------------------------------------------------------------------------------

    def _api(self) -> None:
        """The stage's REST API, by the routes of its card, and the parameter that says where it is."""
        env, stage = self._environment.name, self.STAGE.name
        access_log = logs.LogGroup(
            self,
            "ApiAccessLogs",
            retention=self._environment.log_retention,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=naming.stack(env, stage),
            description=f"SnapRace {stage} API",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name="live",
                tracing_enabled=True,
                metrics_enabled=True,
                throttling_rate_limit=1000,
                throttling_burst_limit=2000,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=False,
                    http_method=True,
                    ip=False,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=False,
                ),
            ),
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=apigateway.Cors.ALL_ORIGINS,
                allow_methods=sorted({route.method for function in self.STAGE.serving for route in function.serves}),
                allow_headers=["Content-Type"],
                max_age=cdk.Duration.hours(1),
            ),
        )
        for kind in (apigateway.ResponseType.DEFAULT_4_XX, apigateway.ResponseType.DEFAULT_5_XX):
            # Gateway's own refusals (throttled, too large) must reach the page as well.
            api.add_gateway_response(
                f"Cors{kind.response_type}", type=kind, response_headers={"Access-Control-Allow-Origin": "'*'"}
            )
        for card in self.STAGE.serving:
            integration = apigateway.LambdaIntegration(self.functions[card.name], allow_test_invoke=False)
            for route in card.serves:
                api.root.resource_for_path(route.path).add_method(route.method, integration)
        ssm.StringParameter(self, "ApiUrl", parameter_name=naming.api_url_parameter(env, stage), string_value=api.url)
        acknowledge(
            api,
            {
                "AwsSolutions-APIG2": "Requests are checked by the function, which answers in the caller's words.",
                "AwsSolutions-APIG3": "There is no firewall yet; throttling bounds what callers can ask for.",
                "AwsSolutions-APIG4": "Runners search without an account; organizers' routes are not served here.",
                "AwsSolutions-COG4": "Runners search without an account; organizers' routes are not served here.",
                "AwsSolutions-APIG6": "Access logs and metrics tell what execution logs would, without the bodies.",
            },
        )


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))


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
