"""Where pictures come from when a request names an S3 object."""

from __future__ import annotations

import os
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from vision.errors import ImageTooLargeException, InvalidS3ObjectException

MAX_OBJECT_BYTES = 15 * 1024 * 1024
"""Rekognition's limit for a picture in S3."""


class S3:
    """Amazon S3, or what stands at AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL."""

    def __init__(self) -> None:
        self._client: Any = None

    def get(self, bucket: str, key: str, version: str | None) -> bytes:
        """The object's content, at most 15 MB of it. Blocks for the network.

        Raises InvalidS3ObjectException, ImageTooLargeException.
        """
        where = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
        try:
            response = self._connected().get_object(**where)
            with response["Body"] as body:
                if response["ContentLength"] > MAX_OBJECT_BYTES:
                    raise ImageTooLargeException(
                        f"s3://{bucket}/{key} has {response['ContentLength']:,} bytes; at most {MAX_OBJECT_BYTES:,} "
                        "are allowed."
                    )
                content: bytes = body.read()
                return content
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            hint = "Check object key, region and/or access permissions."
            raise InvalidS3ObjectException(f"Unable to get s3://{bucket}/{key} ({code}). {hint}") from error
        except (BotoCoreError, ValueError) as error:
            raise InvalidS3ObjectException(f"Unable to get s3://{bucket}/{key}: {error}") from error

    def _connected(self) -> Any:
        if self._client is None:  # made on first use: a server that is only sent bytes needs no credentials
            elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
            self._client = botocore.session.get_session().create_client(
                "s3",
                region_name=os.environ.get("AWS_REGION"),  # botocore itself only knows AWS_DEFAULT_REGION
                config=Config(
                    connect_timeout=3,
                    read_timeout=15,
                    retries={"mode": "standard", "total_max_attempts": 3},
                    max_pool_connections=32,
                    # What stands at another endpoint seldom has a host name for each bucket.
                    s3={"addressing_style": "path"} if elsewhere else None,
                ),
            )
        return self._client
