"""boto3 clients, made in one place: bounded timeouts, retries with jitter, and every call counted."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from threading import Lock
from typing import Any, Literal

import boto3
from botocore.config import Config

from shared.kit.extension import keep_extension

Service = Literal["s3", "dynamodb", "events", "kinesis", "rekognition", "sqs"]

READ_TIMEOUT_S = 35
"""When a service hangs, all attempts end before the 120 s that queue functions have: one that Lambda kills has not told
anybody which service failed.
"""

# "standard" retries back off exponentially with full jitter, on throttling and on server errors: three attempts take
# 3 s of pauses at most. More would not help: a queue function's message comes back by itself, and a process has retries
# for some hundred failed calls (botocore.retries.quota) before it has none until calls succeed again.
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": 3},
    signature_version="v4",
    s3={"addressing_style": "virtual"},
)

calls: Counter[str] = Counter()
"""HTTP requests sent since the counter was last cleared, by "service.Operation"; a retry is a request too."""

failures: Counter[str] = Counter()
"""Those of them, by service, that were not answered, or with status 500 and above."""


def client(service: Service, config: Config | None = None) -> Any:
    """A client of `service`; `config` is merged over ours. Endpoints and credentials come from the environment."""
    made: Any = boto3.client(service, config=_CONFIG.merge(config) if config else _CONFIG)
    made.meta.events.register_first("before-send.*.*", _count)
    made.meta.events.register_first("needs-retry.*.*", _count_failure)
    if service == "rekognition":
        keep_extension(made)
    return made


def clear_counters() -> None:
    """Count anew, for another invocation."""
    calls.clear()
    failures.clear()


_counting = Lock()


def _count(event_name: str, **_: Any) -> None:
    _before_send, service, operation = event_name.split(".")
    with _counting:  # a function may read in several threads
        calls[f"{service}.{operation}"] += 1


def _count_failure(event_name: str, response: tuple[Any, Any] | None, **_: Any) -> None:
    """Is told of each attempt before it is decided whether another follows: no response is a failed connection."""
    if response is None or response[0].status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        with _counting:
            failures[event_name.split(".")[1]] += 1
