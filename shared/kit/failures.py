"""What kind of failure an error is: it decides what becomes of the message (docs/decisions/redelivery.md)."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

from shared.contracts.errors import (
    EndlessLoop,
    PublishFailed,
    RefusedForGood,
    ServiceRefused,
    SnapRaceError,
    TemporaryFailure,
    Throttled,
)

THROTTLED_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMSThrottlingException",
        "KmsThrottled",
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

Source: botocore.retries.standard, ThrottledRetryableChecker; DynamoDB's TransactWriteItems, cancellation reasons; the
service models of SQS and Kinesis.
"""

TEMPORARY_CODES = frozenset(
    {
        "ConditionalRequestConflict",  # S3, of conditional writes
        "InternalError",  # SQS, of an entry
        "InternalException",
        "InternalFailure",
        "InternalFailureException",  # Kinesis
        "InternalServerError",
        "ReplicatedWriteConflictException",
        "RequestTimeout",  # S3 answers 400 with it: the body came too slowly
        "RequestTimeoutException",
        "ServiceUnavailable",
        "TransactionConflict",  # a reason of DynamoDB for a cancelled transaction
        "TransactionConflictException",
    }
)
"""How services say, below status 500 or of one entry, that they are broken or that somebody else was first.

Source: the service models in botocore (their documentation of each error); EventBridge's PutEventsResultEntry.
"""

FINAL_CODES = frozenset(
    {
        # Any service: the request itself is wrong. Source: AWS General Reference, common errors.
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "MissingParameter",
        "SerializationException",
        "UnknownOperationException",
        "ValidationError",  # also a reason of DynamoDB for a cancelled transaction, as of an item above 400 KB
        "ValidationException",
        # Rekognition. Source: its developer guide, "Error handling", where OK to retry is No.
        "ImageTooLargeException",
        "InvalidImageFormatException",
        "InvalidPaginationTokenException",
        "InvalidParameterException",
        "ServiceQuotaExceededException",  # of what is kept, such as faces; there is another for calls
        # S3. Source: Amazon S3 API Reference, error responses.
        "EncryptionTypeMismatch",
        "EntityTooLarge",
        "InvalidArgument",  # EventBridge says it of an entry, too
        "InvalidObjectState",
        "InvalidRequest",
        "InvalidWriteOffset",
        "KeyTooLongError",
        "MetadataTooLarge",
        "MethodNotAllowed",
        "TooManyParts",
        # DynamoDB. Source: its service model, and TransactWriteItems, cancellation reasons.
        "DuplicateItem",
        "IdempotentParameterMismatchException",
        "ItemCollectionSizeLimitExceeded",
        "ItemCollectionSizeLimitExceededException",
        # EventBridge, of an entry. Source: PutEventsResultEntry, non-retryable errors, but for missing permissions.
        "InvalidAccountIdException",
        "MalformedDetail",
        "RedactionFailure",
        # Kinesis. Source: its service model.
        "InvalidArgumentException",
        # SQS. Source: its service model.
        "BatchEntryIdsNotDistinct",
        "BatchRequestTooLong",
        "EmptyBatchRequest",
        "InvalidAddress",
        "InvalidBatchEntryId",
        "InvalidMessageContents",
        "InvalidSecurity",
        "TooManyEntriesInBatchRequest",
        "UnsupportedOperation",
    }
)
"""How services say that they will not do what they are asked, however often: it is too large, or makes no sense.

Callers take some of them for an answer (shared/kit/detection.py, shared/kit/objects.py); others end the message at
once. What is not here, as a missing permission, queue or table, a deployment may be putting right just now; and of an
object of ours that is gone (NoSuchKey) the message that says why may be on its way.
"""


class Kind(Enum):
    """What a failure is."""

    THROTTLED = "throttled"
    """There were too many calls: the message has done nothing wrong."""
    TEMPORARY = "temporary"
    """A service is broken or not reached, or somebody else was first: trying again helps, some time."""
    ANY_OTHER = "any other"
    """A defect, a missing permission, an unreadable message: it is tried again a few times."""
    FINAL = "final"
    """Trying again cannot help: the message is given up at once."""


def kind_of(error: Exception) -> Kind:
    """What kind of failure this is."""
    match error:
        case EndlessLoop() | RefusedForGood():
            return Kind.FINAL
        case Throttled():
            return Kind.THROTTLED
        case TemporaryFailure() | ConnectionError() | HTTPClientError() | IncompleteReadError():
            return Kind.TEMPORARY
        case ClientError():
            return _kind_of_answer(error)
    return Kind.ANY_OTHER


def code_of(error: ClientError) -> str:
    """The code by which the service names the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def kind_of_code(code: str) -> Kind:
    """What kind of failure it is that a service calls by this code."""
    if code in THROTTLED_CODES:
        return Kind.THROTTLED
    if code in TEMPORARY_CODES:
        return Kind.TEMPORARY
    return Kind.FINAL if code in FINAL_CODES else Kind.ANY_OTHER


def refusal(codes: Collection[str], sentence: str) -> SnapRaceError:
    """The error for a request of which a service refused entries by these codes.

    It is as bad as the worst of them: what was throttled beside an entry that is refused for good would be sent
    together with that again.
    """
    kinds = {kind_of_code(code) for code in codes}
    if Kind.FINAL in kinds:
        return RefusedForGood(sentence)
    if Kind.ANY_OTHER in kinds:
        return ServiceRefused(sentence)
    return Throttled(sentence) if kinds == {Kind.THROTTLED} else PublishFailed(sentence)


def _kind_of_answer(error: ClientError) -> Kind:
    kind = kind_of_code(code_of(error))
    broken = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
    return Kind.TEMPORARY if broken and kind is not Kind.THROTTLED else kind
