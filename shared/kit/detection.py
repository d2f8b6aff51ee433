"""Asking Rekognition about a photo's picture: what it says, or that it will never say anything.

What becomes of such a picture, and why, is in docs/decisions/pictures.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.contracts.errors import PictureGone, PictureRefused, TemporaryFailure
from shared.contracts.events import ImageRef
from shared.kit.failures import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REFUSED = frozenset({"ImageTooLargeException", "InvalidImageFormatException", "InvalidParameterException"})
"""How Rekognition says that a picture is none it looks at. The last is what it says of one that is too small: see
https://github.com/boto/botocore/issues/1366.
"""

_NOT_GOT = "InvalidS3ObjectException"
_NOT_THERE = frozenset({"404", "NoSuchKey"})


class Pictures:
    """Has photos' pictures looked at."""

    def __init__(self, s3: S3Client) -> None:
        self._s3 = s3

    def asked(self, operation: Callable[..., Any], image: ImageRef, **request: Any) -> Any:
        """Rekognition's answer about a picture in S3.

        Raises PictureRefused for one that it cannot use, PictureGone for one that is not there, TemporaryFailure for
        one that it does not get although it is there, and what S3 says of one that we may not read.
        """
        where = {"S3Object": {"Bucket": image.bucket, "Name": image.key}}
        try:
            return operation(Image=where, **request)
        except ClientError as error:
            code = code_of(error)
            if code in REFUSED:
                raise PictureRefused(f"Rekognition cannot use the picture {image.key}: {code}.") from error
            if code == _NOT_GOT:
                raise self._why_not_got(image) from error
            raise

    def _why_not_got(self, image: ImageRef) -> Exception:
        """Rekognition has one error for a picture that is gone, may not be read, or is not reached; S3 tells which."""
        try:
            self._s3.head_object(Bucket=image.bucket, Key=image.key)
        except ClientError as error:
            if code_of(error) in _NOT_THERE:
                return PictureGone(f"{image.key} is not there any more.")
            return error
        return TemporaryFailure(f"Rekognition does not get {image.key}, which is there.")
