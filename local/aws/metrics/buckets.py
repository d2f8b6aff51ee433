"""AWS/S3: requests of buckets whose template asks for request metrics, by BucketName and FilterId.

Source: Amazon S3 User Guide, "Metrics and dimensions", request metrics: each request is told as 0 or 1 in 4xxErrors and
5xxErrors. A filter by prefix or tags is not told, nor is what a bucket stores.
"""

from __future__ import annotations

import time
from typing import Any

from local.aws.cloudwatch.installed import CloudWatch

NAMESPACE = "AWS/S3"

_KINDS = {
    "DELETE": "DeleteRequests",
    "GET": "GetRequests",
    "HEAD": "HeadRequests",
    "POST": "PostRequests",
    "PUT": "PutRequests",
}

_filters: dict[str, list[str]] = {}
"""The ids of filters of all requests, by bucket."""


def ask_for(bucket: str, properties: dict[str, Any]) -> None:
    """Tell of this bucket what its template's MetricsConfigurations ask for."""
    asked = properties.get("MetricsConfigurations") or []
    _filters[bucket] = [each["Id"] for each in asked if set(each) == {"Id"}]


def measure(cloudwatch: CloudWatch) -> None:
    """Tell of each request from now on."""
    from ministack.services import s3

    handle = s3.handle_request

    async def handle_and_tell(
        method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any, **more: Any
    ) -> Any:
        bucket, key = s3._parse_bucket_key(path, headers)
        begun = time.monotonic()
        answer = await handle(method, path, headers, body, *rest, **more)
        if filters := _filters.get(bucket):
            took_ms = (time.monotonic() - begun) * 1000
            for each in filters:
                _tell(cloudwatch, {"BucketName": bucket, "FilterId": each}, method, key, body, answer, took_ms)
        return answer

    s3.handle_request = handle_and_tell


def _tell(
    cloudwatch: CloudWatch, of: dict[str, str], method: str, key: str, body: bytes, answer: Any, took_ms: float
) -> None:
    status, sent = int(answer[0]), answer[2]
    kind = "ListRequests" if method == "GET" and not key else _KINDS.get(method)
    for name in ("AllRequests", *([kind] if kind else [])):
        cloudwatch.count(NAMESPACE, name, of)
    cloudwatch.count(NAMESPACE, "4xxErrors", of, float(400 <= status < 500))
    cloudwatch.count(NAMESPACE, "5xxErrors", of, float(status >= 500))
    cloudwatch.count(NAMESPACE, "TotalRequestLatency", of, took_ms, unit="Milliseconds")
    if method == "PUT":
        cloudwatch.count(NAMESPACE, "BytesUploaded", of, float(len(body or b"")), unit="Bytes")
    if method == "GET" and isinstance(sent, bytes):
        cloudwatch.count(NAMESPACE, "BytesDownloaded", of, float(len(sent)), unit="Bytes")
