"""boto3 clients for the embedded AWS, whatever AWS settings this process was started with."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"

DEPLOYING = "X-SnapRace-Deploying"
"""The header of requests that deploy; until all stacks stand, the embedded AWS serves no others."""

# A part that ended is started again within seconds, so a command that runs meanwhile goes on after a few attempts.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8}, s3={"addressing_style": "path"}, proxies={})


def client(aws_url: str, service: str, *, patient: bool = True) -> Any:
    """The client of a service of the embedded AWS at `aws_url`; one that is not `patient` tries once."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=aws_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator takes any
        config=_CONFIG if patient else _CONFIG.merge(Config(retries={"total_max_attempts": 1})),
    )


def deploying_client(aws_url: str, service: str) -> Any:
    """The client with which the stacks are deployed."""
    made = client(aws_url, service)
    made.meta.events.register("before-send", _mark)
    return made


def _mark(request: Any, **_: Any) -> None:
    request.headers[DEPLOYING] = "1"
