"""AWS/Lambda: what each invocation of a function tells, under the function's name and under its alias or version.

Source: AWS Lambda Developer Guide, "Types of metrics for Lambda functions" and "View metrics for Lambda functions":
throttled requests count neither as invocations nor as errors; a metric is there once for all functions, by
FunctionName, by FunctionName and Resource (`name:alias`, or the name where none is named), and by these and
ExecutedVersion. Duration is here the time that an invocation takes, the start of its process included. Of asynchronous
invocations their number alone is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from local.aws.cloudwatch.installed import CloudWatch

NAMESPACE = "AWS/Lambda"


def measure(cloudwatch: CloudWatch) -> None:
    """Tell of each invocation from now on, in place of ministack, which tells of those alone that are asked for."""
    from ministack.services import lambda_svc

    dispatch, acquire = lambda_svc._execute_function_dispatch, lambda_svc._acquire_execution_slot

    def tell(config: Any, name: str, value: float, unit: str = "Count") -> None:
        for dimensions in _dimensions(config):
            cloudwatch.count(NAMESPACE, name, dimensions, value, unit=unit)

    def dispatch_and_tell(function: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        begun = time.monotonic()
        result = dispatch(function, config, event, request_id, started)
        tell(config, "Invocations", 1.0)
        tell(config, "Errors", float(bool(result.get("error"))))
        tell(config, "Throttles", 0.0)
        tell(config, "Duration", (time.monotonic() - begun) * 1000, "Milliseconds")
        if (age_ms := _iterator_age_ms(event, started)) is not None:
            tell(config, "IteratorAge", age_ms, "Milliseconds")
        return result

    def acquire_and_tell(function: Any, config: Any) -> Any:
        slot, limit = acquire(function, config)
        if slot is None:
            tell(config, "Throttles", 1.0)
        else:
            tell(config, "ConcurrentExecutions", float(lambda_svc._inflight.get(slot, 1)))
        return slot, limit

    lambda_svc._execute_function_dispatch = dispatch_and_tell
    lambda_svc._acquire_execution_slot = acquire_and_tell
    lambda_svc._emit_lambda_metrics = _nothing
    _count_asynchronous(cloudwatch)


def _nothing(*_: Any, **__: Any) -> None:
    """In place of what is told here."""


def _count_asynchronous(cloudwatch: CloudWatch) -> None:
    """What EventBridge invokes, it invokes asynchronously."""
    from ministack.services import eventbridge, lambda_svc

    dispatch = eventbridge._dispatch_to_lambda

    def dispatch_and_count(arn: str, payload: str) -> None:
        _function, config, _name = lambda_svc._get_func_record_for_ref(arn)
        if config:
            for dimensions in _dimensions(config):
                cloudwatch.count(NAMESPACE, "AsyncEventsReceived", dimensions)
        dispatch(arn, payload)

    eventbridge._dispatch_to_lambda = dispatch_and_count


def _dimensions(config: Any) -> Iterator[dict[str, str]]:
    """Those of all that an invocation of this version is told under.

    An invocation of a version that an alias points to counts as one of the alias: nothing invokes versions themselves.
    """
    from ministack.services import lambda_svc

    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    yield {}
    yield {"FunctionName": name}
    if version == "$LATEST":
        yield {"FunctionName": name, "Resource": name}
        return
    aliases = (lambda_svc._functions.get(name) or {}).get("aliases", {})
    pointing = [alias for alias, settings in aliases.items() if settings.get("FunctionVersion") == version]
    for alias in pointing:
        of_alias = {"FunctionName": name, "Resource": f"{name}:{alias}"}
        yield of_alias
        yield {**of_alias, "ExecutedVersion": version}
    if not pointing:
        yield {"FunctionName": name, "Resource": f"{name}:{version}"}


def _iterator_age_ms(event: Any, started: float) -> float | None:
    """How old the last record of a batch from a stream is when it is worked on."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not records or "kinesis" not in records[-1]:
        return None
    return max(0.0, (started - float(records[-1]["kinesis"]["approximateArrivalTimestamp"])) * 1000)
