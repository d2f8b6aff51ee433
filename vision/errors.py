"""Every error this server answers, under the name an AWS SDK knows it by.

A class carries the HTTP status, which is Rekognition's, or that of AWS's common errors.
"""

from __future__ import annotations


class ServiceError(Exception):
    """An error that the client is told, by its class's name and its message."""

    status = 400

    @property
    def code(self) -> str:
        """The error code that SDKs match on."""
        return type(self).__name__


class ValidationException(ServiceError):
    """A field breaks a constraint that the service model states."""


class SerializationException(ServiceError):
    """The body is not JSON, or not of the operation's input."""


class UnknownOperationException(ServiceError):
    """The target names no operation of this server."""


class InvalidParameterException(ServiceError):
    """Allowed by the model, but contradicting itself or the picture, such as a search by one without a face."""


class InvalidPaginationTokenException(ServiceError):
    """A NextToken that no answer of ours held."""


class InvalidImageFormatException(ServiceError):
    """Not a JPEG or PNG, or not a whole one."""


class ImageTooLargeException(ServiceError):
    """More bytes or pixels than a picture may have."""


class InvalidS3ObjectException(ServiceError):
    """The object is not there or may not be read."""


class ResourceNotFoundException(ServiceError):
    """No such collection, or no such user in it."""


class ResourceAlreadyExistsException(ServiceError):
    """There is a collection of this name."""


class ConflictException(ServiceError):
    """There is a user of this id in the collection."""


class IdempotentParameterMismatchException(ServiceError):
    """The ClientRequestToken was given before, with other parameters."""


class ServiceQuotaExceededException(ServiceError):
    """The user has as many faces as one may have, or the collection as many tags."""


class ProvisionedThroughputExceededException(ServiceError):
    """More calls than the operation's rate allows. SDKs try again by themselves."""


class ThrottlingException(ServiceError):
    """Too much work is waiting. SDKs try again by themselves."""

    status = 500


class RequestTimeoutException(ServiceError):
    """The request's body took too long to come. SDKs try again by themselves."""

    status = 408


class InternalServerError(ServiceError):
    """We failed; the same request may well succeed."""

    status = 500


class AccessDeniedException(ServiceError):
    """Sent by a web page, or to a name that is not the server's."""

    status = 403


class MissingAuthenticationTokenException(ServiceError):
    """The request is not signed, and this server asks for signatures."""


class IncompleteSignatureException(ServiceError):
    """The request's signature cannot be read."""


class UnrecognizedClientException(ServiceError):
    """Signed with an access key that this server does not know."""


class InvalidSignatureException(ServiceError):
    """The signature is not of this request and its access key's secret, or not of these 15 minutes."""


_BY_CODE: dict[str, type[ServiceError]] = {kind.__name__: kind for kind in ServiceError.__subclasses__()}


def of_code(code: str, message: str) -> ServiceError:
    """The error that a worker process named by its code."""
    return _BY_CODE.get(code, InternalServerError)(message)
