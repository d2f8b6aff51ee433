"""What takes a function's new version back while it is being released: the share of its work that fails."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from shared.contracts import naming
from shared.contracts.card import Function, Queue, Stage, Stream
from shared.contracts.metrics import FAILED, HANDLED, NAMESPACE, dimensions

LIMIT_PERCENT = 2
"""A version that fails always is seen as 10% of all messages or answers, as it gets a tenth of them at first."""

PERIODS, OF = 2, 3
"""In two of the last three minutes, so that it rings well within the five minutes of a canary."""

LEAST_FAILURES, LEAST_CRASHES = 3, 2
"""In a minute; fewer are what happens anyway."""


def watched(env: str, stage: Stage, function: Function, version: str) -> dict[str, cloudwatch.MathExpression]:
    """Shares in percent, by what they are of: `crashes` of the new version, `failures` of messages or answers.

    A version that cannot even be imported tells nothing of its messages, so that crashes are watched of every function.
    Lambda knows them by version. Failed messages and answers are those of all versions together.
    """
    name = naming.function(env, stage.name, function.name)
    # An invocation through an alias is measured with all three dimensions. Source: Lambda Developer Guide, "Viewing
    # metrics for Lambda functions"; AWS SAM Developer Guide, "Deploying serverless applications gradually".
    of_version = {"FunctionName": name, "Resource": f"{name}:{naming.LIVE}", "ExecutedVersion": version}
    crashes = _share(
        f"IF(crashes >= {LEAST_CRASHES}, 100 * crashes / invocations, 0)",
        crashes=_sum("AWS/Lambda", "Errors", of_version),
        invocations=_sum("AWS/Lambda", "Invocations", of_version),
    )
    if isinstance(function.fed_by, Queue | Stream):
        of_function = dimensions(env, stage.name, function.name)
        failures = _share(
            f"IF(failed >= {LEAST_FAILURES}, 100 * failed / (failed + handled), 0)",
            failed=_sum(NAMESPACE, FAILED, of_function),
            handled=_sum(NAMESPACE, HANDLED, of_function),
        )
        return {"crashes": crashes, "failures": failures}
    if function.routes:
        of_api = {"ApiName": naming.stack(env, stage.name)}
        # API Gateway says 1 of a request that failed and 0 of another, so that the sum is how many failed.
        failures = _share(
            f"IF(failed >= {LEAST_FAILURES}, 100 * failed / answered, 0)",
            failed=_sum("AWS/ApiGateway", "5XXError", of_api),
            answered=_sum("AWS/ApiGateway", "Count", of_api),
        )
        return {"crashes": crashes, "failures": failures}
    return {"crashes": crashes}


def _share(expression: str, **using: cloudwatch.IMetric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=expression, label="failing, %", using_metrics=using, period=cdk.Duration.minutes(1)
    )


def _sum(namespace: str, name: str, dimensions_map: dict[str, str]) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions_map,
        statistic="Sum",
        period=cdk.Duration.minutes(1),
    )
