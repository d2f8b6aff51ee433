"""By when a request must be answered: no call to AWS begins that may not end before that.

Each call may take its timeouts, and a route makes several, each with a retry: together more than API Gateway waits. So
the time that is left decides, and the answer says in time that we are busy.
"""

from __future__ import annotations

import time
from typing import Any

from botocore.config import Config

from shared.contracts.errors import TemporaryFailure

_CONNECT_S, _READ_S = 2, 12
ATTEMPT_S = _CONNECT_S + _READ_S
"""One attempt at a call may take so long."""

# A person waits for the answer: what is not answered is asked once more at most.
IMPATIENT = Config(
    connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"mode": "standard", "total_max_attempts": 2}
)

ANSWER_S = 1
"""To make an answer of what was found, or of what was not."""


class OutOfTime(TemporaryFailure):
    """What is left of the request's time is not enough for another call."""


class Deadline:
    """When the invocation that is under way ends. Before the first there is none."""

    def __init__(self) -> None:
        self._at = float("inf")

    def begin(self, context: Any) -> None:
        """Begin an invocation; Lambda's `context` says how long its function's timeout still leaves."""
        self._at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - ANSWER_S

    def watch(self, client: Any) -> Any:
        """Let each attempt of a boto3 client, which has IMPATIENT's timeouts, begin only in time; the client."""
        client.meta.events.register_first("before-send.*.*", self._check)
        return client

    def _check(self, **_: Any) -> None:
        if time.monotonic() + ATTEMPT_S > self._at:
            raise OutOfTime("There is not enough time left to ask AWS. Try again in a few seconds.")
