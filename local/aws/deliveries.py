"""Changes how ministack's SQS, and the mappings that read from it, treat what was received but not finished.

Most is already there as on AWS: each receive counts and hides the message for the queue's visibility timeout, also when
the function that has it fails or is killed; what was received maxReceiveCount times in vain goes to the dead-letter
queue when it would be received again; a visibility that was changed meanwhile holds. What is added here follows the
Amazon SQS API Reference and the AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", of which each function
below names the place.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

MAX_DELAY_S = 900
"""Source: Amazon SQS API Reference, SendMessage, DelaySeconds."""

MAX_VISIBILITY_S = 43_200
"""Source: Amazon SQS API Reference, ChangeMessageVisibility, VisibilityTimeout."""

_RETRY_S = 0.1

Action = Callable[[dict[str, Any], str], dict[str, Any]]
"""Answers a request (its parameters, and the queue's URL where they lack it)."""

_batch: ContextVar[tuple[dict[str, Any], list[Any]] | None] = ContextVar("batch", default=None)
"""The mapping and the messages that this thread works on."""


def receive_as_aws_does() -> None:
    """Bound delays and visibilities, take old receipts, repeat throttled batches, and believe no unknown failure."""
    _check_requests()
    _run_batches_as_lambda_does()


def _check_requests() -> None:
    from ministack.services import sqs

    handlers = sqs._HANDLERS
    handlers["SendMessage"] = _checked(handlers["SendMessage"], "DelaySeconds", MAX_DELAY_S)
    handlers["ChangeMessageVisibility"] = _of_one_in_flight(
        _checked(handlers["ChangeMessageVisibility"], "VisibilityTimeout", MAX_VISIBILITY_S)
    )
    sqs._act_send_message = _checked(sqs._act_send_message, "DelaySeconds", MAX_DELAY_S)  # SendMessageBatch calls it
    handlers["ChangeMessageVisibilityBatch"] = _one_by_one(
        handlers["ChangeMessageVisibility"], "ChangeMessageVisibilityBatchRequestEntry"
    )
    handlers["DeleteMessage"] = _old_receipts_succeed(handlers["DeleteMessage"])
    handlers["DeleteMessageBatch"] = _one_by_one(handlers["DeleteMessage"], "DeleteMessageBatchRequestEntry")


def _checked(act: Action, parameter: str, most: int) -> Action:
    """Refuse seconds out of bounds."""

    def act_within_bounds(data: dict[str, Any], url: str) -> dict[str, Any]:
        from ministack.services import sqs

        seconds = data.get(parameter)
        if seconds is not None and not 0 <= int(seconds) <= most:
            raise sqs._Err(
                "InvalidParameterValue",
                f"Value {seconds} for parameter {parameter} is invalid. Reason: Must be between 0 and {most}.",
            )
        return act(data, url)

    return act_within_bounds


def _of_one_in_flight(act: Action) -> Action:
    """A message that became visible again cannot be hidden. Source: ChangeMessageVisibility, MessageNotInflight."""

    def act_if_in_flight(data: dict[str, Any], url: str) -> dict[str, Any]:
        from ministack.services import sqs

        receipt, now = data.get("ReceiptHandle"), time.time()
        messages = sqs._get_q(data.get("QueueUrl", url))["messages"]
        if receipt and any(each["receipt_handle"] == receipt and each["visible_at"] <= now for each in messages):
            raise sqs._Err("MessageNotInflight", "The specified message isn't in flight.")
        return act(data, url)

    return act_if_in_flight


def _old_receipts_succeed(act: Action) -> Action:
    """Deleting by a receipt that is not the last one succeeds and deletes nothing. Source: DeleteMessage."""

    def act_or_succeed(data: dict[str, Any], url: str) -> dict[str, Any]:
        from ministack.services import sqs

        try:
            return act(data, url)
        except sqs._Err as error:
            if error.code == "ReceiptHandleIsInvalid" and _is_receipt(data["ReceiptHandle"]):
                return {}
            raise

    return act_or_succeed


def _is_receipt(text: str) -> bool:
    """Whether it has the form of the receipts that ministack gives."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _one_by_one(act: Action, entry_name: str) -> Action:
    """The action on several messages, made of the one on one."""

    def act_on_each(data: dict[str, Any], url: str) -> dict[str, Any]:
        from ministack.services import sqs

        sqs._validate_batch_entries(data.get("Entries", []), entry_name)
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in data["Entries"]:
            try:
                act({**entry, "QueueUrl": data.get("QueueUrl", url)}, url)
                answer["Successful"].append({"Id": entry["Id"]})
            except sqs._Err as error:
                why = {"Code": error.code, "Message": error.message, "SenderFault": True}
                answer["Failed"].append({"Id": entry["Id"], **why})
        return answer

    return act_on_each


def _run_batches_as_lambda_does() -> None:
    from ministack.services import lambda_svc

    run, execute = lambda_svc._run_sqs_batch, lambda_svc._execute_function

    def run_known(mapping: dict[str, Any], function: Any, event: dict[str, Any], batch: list[Any], *queue: Any) -> None:
        _batch.set((mapping, batch))  # of this batch's own thread
        run(mapping, function, event, batch, *queue)

    def execute_again(function: Any, event: Any) -> dict[str, Any]:
        result: dict[str, Any] = execute(function, event)
        if (worked_on := _batch.get()) is None:
            return result
        mapping, batch = worked_on
        hidden_until = min(message["visible_at"] for message in batch)
        # Lambda tries a throttled batch again until its messages' visibility timeout has passed. Source: its Developer
        # Guide, "Handling errors for an SQS event source in Lambda", back-off strategy for failed invocations.
        while result.get("throttle") and time.time() + _RETRY_S < hidden_until:
            time.sleep(_RETRY_S)
            result = execute(function, event)
        if "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []) and not result.get("error"):
            sent = {record["messageId"] for record in event["Records"]}
            if not is_partial_response(result.get("body"), sent):
                return {**result, "error": True, "body": {"errorType": "InvalidBatchResponse", "errorMessage": ""}}
        return result

    lambda_svc._run_sqs_batch, lambda_svc._execute_function = run_known, execute_again


def is_partial_response(body: Any, sent: set[str]) -> bool:
    """Whether a function's answer says which of the messages `sent` (their ids) failed; else all of them did.

    An answer of null, and one without failures, says that none did. Source: "Success and failure conditions" in the
    Lambda Developer Guide's page on errors of SQS event sources.
    """
    if body is None:
        return True
    if not isinstance(body, dict):
        return False
    failures = body.get("batchItemFailures") or []
    return isinstance(failures, list) and all(
        isinstance(failure, dict) and failure.get("itemIdentifier") in sent for failure in failures
    )
