"""Puts Lambda's recursive loop detection into ministack, for loops through SQS.

Every request that a function's SDK sends carries the header X-Amzn-Trace-Id, which botocore takes from the
invocation's variable _X_AMZN_TRACE_ID (`add_recursion_detection_header`). Its field Lineage says how often each
function was invoked in this chain of requests. SQS keeps the header with the message, and the mapping reads it there.
An invocation after the sixteenth of the same function in one chain is refused with RecursiveInvocationException, which
raises the messages' receive counts until they go to the queue's dead-letter queue, and is counted in the metric
RecursiveInvocationsDropped; a function with RecursiveLoop=Allow is invoked. Source: AWS Lambda Developer Guide, "Use
Lambda recursive loop detection to prevent infinite loops".

What that guide names besides SQS is not here: S3 and SNS invoke none of our functions directly, and of functions that
invoke each other ministack keeps a count of its own. EventBridge breaks a chain, as it does there: it is not among the
services whose loops Lambda detects.

AWS does not document how Lineage is written, nor which chain a batch of several messages belongs to. Here it is
written as OpenTelemetry's and LocalStack's tests of that header have it, `Lineage=a87bd80c:1|68fd508a:5`, with a hash
of each function's ARN; and a batch belongs to the chains of all its messages.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

Lineage = dict[str, int]
"""How often a function, by the hash of its ARN, was invoked in a chain of requests."""

TRACE_HEADER = "AWSTraceHeader"
"""The system attribute of an SQS message that has the header X-Amzn-Trace-Id of the request that sent it."""

_ATTRIBUTE = "Lineage="

_sent_with: ContextVar[str] = ContextVar("sent_with", default="")
"""The header of the request to SQS that is being answered."""

_came_by: ContextVar[Lineage | None] = ContextVar("came_by", default=None)
"""The chain that the invocation of this thread belongs to, without this invocation."""


def detect_loops() -> None:
    """Pass the lineage on from function to message to function, and refuse an invocation that makes a loop."""
    _keep_header_with_messages()
    _give_header_to_functions()
    _refuse_loops()


def lineage_of(trace_header: str) -> Lineage:
    """The chain that a header tells of; none of it where it has no Lineage, or one that cannot be read."""
    field = next((part for part in trace_header.split(";") if part.startswith(_ATTRIBUTE)), _ATTRIBUTE)
    counts = (entry.rpartition(":") for entry in field.removeprefix(_ATTRIBUTE).split("|"))
    return {function: int(count) for function, _, count in counts if function and count.isdecimal()}


def lineage_field(lineage: Lineage) -> str:
    """The chain as a field of the header."""
    return _ATTRIBUTE + "|".join(f"{function}:{count}" for function, count in lineage.items())


def joined(lineages: Iterable[Lineage]) -> Lineage:
    """The chain of a batch: of each function the highest count."""
    together: Lineage = {}
    for lineage in lineages:
        for function, count in lineage.items():
            together[function] = max(count, together.get(function, 0))
    return together


def invoked_once_more(lineage: Lineage, function_arn: str) -> tuple[Lineage, int]:
    """The chain with an invocation of this function added, and how many of it that makes."""
    function = f"{zlib.crc32(function_arn.encode()):08x}"
    count = lineage.get(function, 0) + 1
    return {**lineage, function: count}, count


def _keep_header_with_messages() -> None:
    """Let SQS keep the header of a request with its messages, unless they have one of their own."""
    from ministack.services import sqs

    handle, attributes_of = sqs.handle_request, sqs._build_send_sys_attrs

    async def handle_with_header(method: str, path: str, headers: dict[str, str], *request: Any) -> Any:
        token = _sent_with.set(headers.get("x-amzn-trace-id", ""))
        try:
            return await handle(method, path, headers, *request)
        finally:
            _sent_with.reset(token)

    def with_header(now: float, given: dict[str, Any]) -> dict[str, Any]:
        header = _sent_with.get()
        kept = {TRACE_HEADER: header} if header else {}
        return {**kept, **attributes_of(now, given)}

    sqs.handle_request = handle_with_header
    sqs._build_send_sys_attrs = with_header


def _give_header_to_functions() -> None:
    """Give every invocation a header, as Lambda does also without active tracing."""
    from ministack.services import lambda_svc

    header_of = lambda_svc._xray_trace_id_for_invocation
    traced = {"TracingConfig": {"Mode": "Active"}}

    def with_lineage(config: dict[str, Any], inbound: str | None = None) -> str:
        lineage, _count = invoked_once_more(_came_by.get() or {}, _unqualified(config["FunctionArn"]))
        return f"{header_of(traced, inbound)};{lineage_field(lineage)}"

    lambda_svc._xray_trace_id_for_invocation = with_lineage


def _refuse_loops() -> None:
    """Let a mapping that is refused an invocation leave its messages in the queue, as after a function's error."""
    from ministack.services import lambda_svc

    run = lambda_svc._run_sqs_batch

    def run_unless_looping(mapping: dict[str, Any], function: Any, event: dict[str, Any], *batch: Any) -> None:
        headers = (record["attributes"].get(TRACE_HEADER, "") for record in event["Records"])
        lineage = joined(map(lineage_of, headers))
        name = mapping["FunctionName"]
        _, count = invoked_once_more(lineage, lambda_svc._func_arn(name))
        if lambda_svc._recursive_loop_drop(name, lambda_svc._functions[name], count):
            mapping["LastProcessingResult"] = "PROBLEM: RecursiveInvocationException"
            return
        _came_by.set(lineage)  # of this batch's own thread
        run(mapping, function, event, *batch)

    lambda_svc._run_sqs_batch = run_unless_looping


def _unqualified(function_arn: str) -> str:
    """The ARN without a version or an alias: arn:aws:lambda:region:account:function:name."""
    return ":".join(function_arn.split(":")[:7])
