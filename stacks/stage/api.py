"""The stage's REST API, by the routes of its card, and the parameter that says where it is."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm

from shared.contracts import naming
from shared.contracts.api import Busy, NotLetThrough, Refusal, Refused, Route, TooLarge, TooManyRequests, as_error
from shared.contracts.card import Stage
from stacks.environment import Environment, EnvironmentStack
from stacks.nag import acknowledge
from stacks.stage.firewall import add_firewall

# What API Gateway lets through to a stage, whatever the route.
RATE, BURST = 1000, 2000

_AUTHORIZATION = {"anybody": apigateway.AuthorizationType.NONE, "operator": apigateway.AuthorizationType.IAM}


def add_api(stack: EnvironmentStack, card: Stage, live: Mapping[str, lambda_.Alias], environment: Environment) -> None:
    """The API; `live`, by the name of its function, is what serves it."""
    env = environment.name
    routes = [route for function in card.serving for route in function.routes]
    no_accounts = "Runners search without an account; organizers' routes are not served here."
    api = apigateway.RestApi(
        stack,
        "Api",
        rest_api_name=naming.stack(env, card.name),
        description=f"SnapRace {card.name} API",
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        cloud_watch_role=False,
        # Below a kilobyte gzip makes answers larger. Who sends no Accept-Encoding is answered as before.
        min_compression_size=cdk.Size.kibibytes(1),
        deploy_options=_deployment(stack, routes, environment),
        default_cors_preflight_options=apigateway.CorsOptions(
            allow_origins=apigateway.Cors.ALL_ORIGINS,
            allow_methods=sorted({method for route in routes for method in route.methods}),
            allow_headers=["Content-Type"],
            max_age=cdk.Duration.hours(1),
        ),
    )
    _refuse_in_our_words(api)
    for function in card.serving:
        integration = apigateway.LambdaIntegration(live[function.name], allow_test_invoke=False)
        for route in function.routes:
            resource = api.root.resource_for_path(route.path)
            for method in route.methods:
                resource.add_method(method, integration, authorization_type=_AUTHORIZATION[route.who])
    add_firewall(stack, card, api, env)
    ssm.StringParameter(stack, "ApiUrl", parameter_name=naming.api_url_parameter(env, card.name), string_value=api.url)
    acknowledge(
        api,
        {
            "AwsSolutions-APIG2": "Requests are checked by the function, which answers in the caller's words.",
            "AwsSolutions-APIG4": no_accounts,
            "AwsSolutions-COG4": no_accounts,
            "AwsSolutions-APIG6": "Access logs and metrics tell what execution logs would, without the bodies.",
        },
    )


# What API Gateway refuses by itself: its response type, and our refusal. Source: API Gateway, Gateway response types.
_REFUSALS: dict[apigateway.ResponseType, Refusal] = {
    apigateway.ResponseType.DEFAULT_4_XX: Refused(),
    apigateway.ResponseType.DEFAULT_5_XX: Busy(),
    apigateway.ResponseType.REQUEST_TOO_LARGE: TooLarge(),  # above 10 MB; the firewall refuses from MAX_BODY on
    apigateway.ResponseType.THROTTLED: TooManyRequests(),
    apigateway.ResponseType.WAF_FILTERED: NotLetThrough(),
}


def _refuse_in_our_words(api: apigateway.RestApi) -> None:
    """Refusals of API Gateway's own have the shape of all others, and reach pages of other origins as well.

    The default responses keep the status of whatever is refused.
    """
    for kind, refusal in _REFUSALS.items():
        headers = {"Access-Control-Allow-Origin": "*", **refusal.HEADERS}
        api.add_gateway_response(
            f"Refuses{kind.response_type}",
            type=kind,
            status_code=None if kind.response_type.startswith("DEFAULT_") else str(refusal.STATUS),
            response_headers={name: f"'{value}'" for name, value in headers.items()},
            templates={"application/json": as_error(refusal).decode()},
        )


def _deployment(stack: cdk.Stack, routes: list[Route], environment: Environment) -> apigateway.StageOptions:
    """What is logged, measured and let through."""
    access_log = logs.LogGroup(
        stack, "ApiAccessLogs", retention=environment.log_retention, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    return apigateway.StageOptions(
        stage_name="live",
        tracing_enabled=True,
        metrics_enabled=True,
        throttling_rate_limit=RATE,
        throttling_burst_limit=BURST,
        method_options={
            f"{route.path}/{method}": apigateway.MethodDeploymentOptions(
                throttling_rate_limit=route.throttle.rate, throttling_burst_limit=route.throttle.burst
            )
            for route in routes
            if route.throttle
            for method in route.methods
        },
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
    )
