"""The assets of a cloud assembly: the files and zipped folders that its stacks refer to, in a bucket."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.place import Client, DeploymentFailed, Place

_VERSION_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_VERSION = "30"
# The time stamp of every file in an asset: the oldest that zip knows.
_EPOCH = (1980, 1, 1, 0, 0, 0)

Asset = dict[str, Any]
"""An entry under `files` of an asset manifest: where the asset comes from and where it goes."""


def publish(assembly: Path, assets: Iterable[Asset], client: Client, place: Place) -> None:
    """Put each asset where it goes, unless it is there: its key is a hash of its content.

    Raises DeploymentFailed where the bucket is missing.
    """
    s3 = client("s3")
    for asset in assets:
        for destination in asset["destinations"].values():
            bucket, key = place.filled_in(destination["bucketName"]), destination["objectKey"]
            if not _is_there(s3, bucket, key):
                _put(s3, bucket, key, _body(assembly, asset["source"]), place)


def bootstrap(assets: Iterable[Asset], client: Client, place: Place) -> None:
    """Make what `cdk bootstrap` makes and a deployment needs: the assets' bucket and the bootstrap's version."""
    s3 = client("s3")
    # S3 takes any region by its name but its first.
    where = {} if place.region == "us-east-1" else {"LocationConstraint": place.region}
    destinations = [destination for asset in assets for destination in asset["destinations"].values()]
    for bucket in {place.filled_in(destination["bucketName"]) for destination in destinations}:
        try:
            s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
        except s3.exceptions.BucketAlreadyOwnedByYou:
            continue
    client("ssm").put_parameter(Name=_VERSION_PARAMETER, Value=_VERSION, Type="String", Overwrite=True)


def zipped(folder: Path) -> bytes:
    """The folder as a zip that depends on nothing but the files' names, contents and executable bits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = (0o100755 if file.stat().st_mode & 0o100 else 0o100644) << 16
            # Stored, not deflated: packing and unpacking take no time, and Lambda limits the size unpacked.
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_STORED)
    return buffer.getvalue()


def _body(assembly: Path, source: dict[str, str]) -> bytes:
    path = assembly / source["path"]
    return zipped(path) if source["packaging"] == "zip" else path.read_bytes()


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket", "NoSuchKey"):
            return False
        raise
    return True


def _put(s3: Any, bucket: str, key: str, body: bytes, place: Place) -> None:
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    except s3.exceptions.NoSuchBucket:
        raise DeploymentFailed(
            f"The bucket {bucket} is missing; make it with: cdk bootstrap aws://{place.account}/{place.region}"
        ) from None
