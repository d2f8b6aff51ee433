"""What kind of failure an error is: it decides what becomes of the message (docs/decisions/redelivery.md)."""

from __future__ import annotations

from enum import Enum

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

from shared.contracts.errors import EndlessLoop, TemporaryFailure, Throttled

THROTTLED_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",  # a reason of DynamoDB for a cancelled transaction
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",  # a reason of DynamoDB for a cancelled transaction
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""How services say that there were too many calls.

Source: botocore.retries.standard, ThrottledRetryableChecker; DynamoDB's TransactWriteItems, cancellation reasons.
"""


_NOT_THERE = frozenset({"InvalidS3ObjectException"})
"""Rekognition does not find the picture: its photo is withdrawn, and the message that tells us may be far behind."""


class Kind(Enum):
    """What a failure is."""

    THROTTLED = "throttled"
    """There were too many calls: the message has done nothing wrong."""
    TEMPORARY = "temporary"
    """A service is broken or not reached, or somebody else was first: trying again helps, some time."""
    ANY_OTHER = "any other"
    """A defect, a missing permission, an unreadable message: it is tried again a few times."""
    FINAL = "final"
    """Trying again cannot help."""


def kind_of(error: Exception) -> Kind:
    """What kind of failure this is."""
    match error:
        case EndlessLoop():
            return Kind.FINAL
        case Throttled():
            return Kind.THROTTLED
        case TemporaryFailure() | ConnectionError() | HTTPClientError() | IncompleteReadError():
            return Kind.TEMPORARY
        case ClientError():
            return _kind_of_answer(error)
    return Kind.ANY_OTHER


def _kind_of_answer(error: ClientError) -> Kind:
    code = error.response.get("Error", {}).get("Code")
    if code in THROTTLED_CODES:
        return Kind.THROTTLED
    broken = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
    return Kind.TEMPORARY if broken or code in _NOT_THERE else Kind.ANY_OTHER
