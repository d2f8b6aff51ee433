"""AWS/ApiGateway: what requests to REST APIs came to and how long they took.

Source: Amazon API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics": each request is told as 0 or 1
in 4XXError and 5XXError, whose average is the error rate; by ApiName, by ApiName and Stage, and by Method and Resource
where the stage's settings enable detailed metrics.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from local.aws.cloudwatch.installed import CloudWatch

NAMESPACE = "AWS/ApiGateway"

_asked: ContextVar[dict[str, Any] | None] = ContextVar("asked", default=None)
"""The request that is being answered as ministack routes it, and how long its integration took (ms)."""


def measure(cloudwatch: CloudWatch) -> None:
    """Tell of each request from now on."""
    from ministack.services import apigateway_v1

    handle, execute, call = (
        apigateway_v1._handle_execute_in_scope,
        apigateway_v1._execute_in_scope,
        apigateway_v1._call_lambda_raw,
    )

    async def handle_and_tell(api_id: str, stage: str, method: str, *rest: Any) -> Any:
        asked: dict[str, Any] = {}
        token, begun = _asked.set(asked), time.monotonic()
        try:
            answer = await handle(api_id, stage, method, *rest)
        finally:
            _asked.reset(token)
        latency_ms = (time.monotonic() - begun) * 1000
        if (api := apigateway_v1._rest_apis.get(api_id)) is not None:
            for dimensions in _dimensions(api["name"], stage, method, asked.get("request")):
                _tell(cloudwatch, dimensions, int(answer[0]), latency_ms, asked.get("integration_ms"))
        return answer

    async def execute_and_note(request: dict[str, Any], *rest: Any) -> Any:
        if (asked := _asked.get()) is not None:
            asked["request"] = request
        return await execute(request, *rest)

    async def call_and_time(*given: Any, **named: Any) -> Any:
        begun = time.monotonic()
        try:
            return await call(*given, **named)
        finally:
            if (asked := _asked.get()) is not None:
                asked["integration_ms"] = (time.monotonic() - begun) * 1000

    apigateway_v1._handle_execute_in_scope = handle_and_tell
    apigateway_v1._execute_in_scope = execute_and_note
    apigateway_v1._call_lambda_raw = call_and_time


def _tell(
    cloudwatch: CloudWatch, dimensions: dict[str, str], status: int, latency_ms: float, integration_ms: float | None
) -> None:
    cloudwatch.count(NAMESPACE, "Count", dimensions)
    cloudwatch.count(NAMESPACE, "4XXError", dimensions, float(400 <= status < 500))
    cloudwatch.count(NAMESPACE, "5XXError", dimensions, float(status >= 500))
    cloudwatch.count(NAMESPACE, "Latency", dimensions, latency_ms, unit="Milliseconds")
    if integration_ms is not None:
        cloudwatch.count(NAMESPACE, "IntegrationLatency", dimensions, integration_ms, unit="Milliseconds")


def _dimensions(api: str, stage: str, method: str, request: dict[str, Any] | None) -> Iterator[dict[str, str]]:
    yield {"ApiName": api}
    yield {"ApiName": api, "Stage": stage}
    path = (request or {}).get("resource_path")
    if path and _is_detailed(request, path, method):
        yield {"ApiName": api, "Stage": stage, "Method": method, "Resource": path}


def _is_detailed(request: Any, path: str, method: str) -> bool:
    """Whether the stage's settings enable it for the method (by path/method) or for all of them."""
    settings = (request["stage"] or {}).get("methodSettings") or {}
    keys = (f"{path.lstrip('/')}/{method}", f"{path}/{method}", "*/*")
    return any(settings.get(key, {}).get("metricsEnabled") for key in keys)
