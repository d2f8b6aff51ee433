"""What can go wrong for somebody at the command line, as one sentence that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.contracts.errors import SnapRaceError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError


class Failed(SnapRaceError):
    """The command could not do what was asked. `str(error)` is shown, the exit code is 1."""


def read_file(path: Path) -> bytes:
    """The bytes of a file that a command names. Raises Failed with a sentence."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Failed(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise Failed(f"{path} is a folder, not a file.") from None
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}.") from None


_SIGN_IN = "Sign in again (aws sso login, or set AWS_PROFILE), or start the local runtime with: snaprace up"

_REFUSED_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "AuthFailure",
}
_NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_NOT_THERE = {
    "ResourceNotFoundException",
    "NoSuchBucket",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
}


def explain(error: BotoCoreError | ClientError) -> str:
    """What boto3 complains about, in one sentence."""
    from botocore import exceptions as boto

    match error:
        case boto.ClientError():
            return _explain_answer(error.response.get("Error", {}), error.operation_name)
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return f"No AWS credentials were found. {_SIGN_IN}"
        case boto.TokenRetrievalError() | boto.SSOError():
            return f"Your AWS sign-in has expired. {_SIGN_IN}"
        case boto.ProfileNotFound():
            return f"{error}. Look at AWS_PROFILE; `aws configure list-profiles` shows the ones there are."
        case boto.NoRegionError():
            return "No AWS region is set. Set AWS_REGION (for example us-east-1)."
        case boto.EndpointConnectionError() | boto.ConnectionError() | boto.HTTPClientError():
            return f"AWS cannot be reached: {_without_stop(error)}. Is the network up, and the region right?"
        case _:
            return f"AWS cannot be used: {_without_stop(error)}."


def _explain_answer(answer: object, operation: str) -> str:
    details = answer if isinstance(answer, dict) else {}
    code, message = str(details.get("Code", "unknown")), str(details.get("Message", ""))
    if code in _REFUSED_CREDENTIALS:
        return f"AWS does not accept your credentials ({code}). {_SIGN_IN}"
    if code in _NOT_ALLOWED:
        return f"Your AWS credentials do not allow {operation}. Ask whoever runs SnapRace for you to allow it."
    if code in _NOT_THERE:
        return (
            f"SnapRace does not seem to be deployed there ({operation}: {code}). "
            "Check --env and AWS_REGION, or deploy it first (see README.md)."
        )
    return f"AWS refused {operation}: {message.rstrip('.') or code} ({code})."


def _without_stop(error: Exception) -> str:
    return str(error).rstrip(". ")
