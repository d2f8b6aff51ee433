"""Uploads as S3 holds them: the very version that a notification tells of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from shared.contracts.errors import Archived, Encrypted
from shared.contracts.messages import ObjectCreated
from shared.kit.failures import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = {"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"}  # the last of a version that is a delete marker
# Source: Amazon S3 API Reference, GetObject: 403 for an object in an archive tier that is not restored.
_ARCHIVED = "InvalidObjectState"


# Sources: Amazon S3 User Guide, "Using server-side encryption with customer-provided keys", whose objects S3 gives
# nobody without the key; Amazon S3 API Reference, error responses, of KMS keys that are gone or disabled. Of a key that
# the role may not use S3 says AccessDenied, and names the action of KMS.
_CUSTOMER_KEY = "InvalidRequest"
_KMS_CODES, _KMS_ACTION = "KMS.", "kms:"


class Upload(NamedTuple):
    """An upload's bytes, and the metadata sent with them."""

    body: bytes
    metadata: Mapping[str, str]


def fetch(client: S3Client, upload: ObjectCreated, check_size: Callable[[int], None]) -> Upload | None:
    """Get what the upload made; None when it was deleted or overwritten meanwhile, of which S3 tells by itself.

    `check_size` is given the size in bytes before anything is read; what it raises is raised. Raises Archived, and
    Encrypted.
    """
    version: Any = {"VersionId": upload.version_id} if upload.version_id else {}
    try:
        response: Any = client.get_object(Bucket=upload.bucket, Key=upload.key, **version)
    except ClientError as error:
        code = code_of(error)
        if code in _GONE:
            return None
        if code == _ARCHIVED:
            raise Archived(f"{upload.key} lies in an archive tier.") from None
        if code == _CUSTOMER_KEY or code.startswith(_KMS_CODES) or _KMS_ACTION in str(error):
            raise Encrypted(f"{upload.key} is encrypted with a key that is not ours.") from None
        raise
    with response["Body"] as body:
        if upload.etag and response["ETag"].strip('"') != upload.etag:
            return None
        check_size(response["ContentLength"])
        content: bytes = body.read()
    return Upload(content, response.get("Metadata", {}))
