"""What takes a function's new version back while it is being released: the share of its work that fails."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.metrics import FAILED_MESSAGES, SERVER_ERRORS, Metric, share_of_failures
from shared.contracts import naming
from shared.contracts.card import Function, Queue, Stage, Stream
from shared.contracts.metrics import dimensions

LIMIT_PERCENT = 2
"""A version that fails always is seen as 10% of all messages or answers, as it gets a tenth of them at first."""

PERIODS, OF = 2, 3
"""In two of the last three minutes, so that it rings well within the five minutes of a canary."""

LEAST_CRASHES = 2
"""In a minute; one is what happens anyway."""

_CRASHES = share_of_failures(
    "crashes, %", Metric("function", "Errors", "Sum"), Metric("function", "Invocations", "Sum"), LEAST_CRASHES
)


def watched(env: str, stage: Stage, function: Function, version: str) -> dict[str, cloudwatch.MathExpression]:
    """Shares in percent, by what they are of: `crashes` of the new version, `failures` of messages or answers.

    A version that cannot even be imported tells nothing of its messages, so that crashes are watched of every function.
    Lambda knows them by version. Failed messages and answers are those of all versions together.
    """
    name = naming.function(env, stage.name, function.name)
    # An invocation through an alias is measured with all three dimensions. Source: Lambda Developer Guide, "Viewing
    # metrics for Lambda functions"; AWS SAM Developer Guide, "Deploying serverless applications gradually".
    of_version = {"FunctionName": name, "Resource": f"{name}:{naming.LIVE}", "ExecutedVersion": version}
    found = {"crashes": _CRASHES.metric(of_version)}
    if isinstance(function.fed_by, Queue | Stream):
        found["failures"] = FAILED_MESSAGES.metric(dimensions(env, stage.name, function.name))
    elif function.routes:
        found["failures"] = SERVER_ERRORS.metric(naming.stack(env, stage.name))
    return found
