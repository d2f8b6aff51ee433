"""When a message that failed is seen again, and when it is given up: the numbers that worker and queue agree on.

Why there are two limits: docs/decisions/redelivery.md.
"""

from __future__ import annotations

import hashlib

MAX_RECEIVES = 64
"""The queue's limit (maxReceiveCount): after so many receives SQS itself moves a message to the dead letters.

A message that is throttled each time waits 12 hours until then, even if every jitter is the shortest: longer than
200,000 photos take at 5 calls a second. SQS takes 1 to 1,000.
"""

MAX_FAILURES = 5
"""The worker's limit: a message that fails, not throttled, at this receive or a later one is given up."""

REASON, ERROR, MESSAGE_ID, SENT_AT, RECEIVES = "Reason", "Error", "MessageId", "SentTimestamp", "ReceiveCount"
"""Attributes of a message that a worker gave up: the error's type and sentence; then the id, when it was first sent
(ms) and how often it was received, all as SQS had them in the function's queue.
"""

ENCODING, BASE64, NOTHING = "Encoding", "base64", "===="
"""The attribute of a stream's record that was set aside, of which the body is not the record itself, but encoded: as
base64, which has this form for no bytes at all, since SQS takes no empty body.
"""

_THROTTLED_S, _THROTTLED_AT_MOST_S = 60, 1800
_RECEIVES_A_STEP = 4  # as often a throttled message waits equally long, before it waits twice as long
_FAILED_S = 4


def after_throttling_s(message_id: str, receives: int) -> int:
    """Seconds until a message is seen again that was throttled at its `receives`-th receive (from 1).

    30 to 60 s at first, twice as much after every four receives, at most half an hour.
    """
    longest = _THROTTLED_S * 2 ** ((receives - 1) // _RECEIVES_A_STEP)
    return _jittered(min(longest, _THROTTLED_AT_MOST_S), message_id, receives)


def after_failure_s(message_id: str, receives: int, at_most_s: int) -> int:
    """Seconds until a message is seen again that failed at its `receives`-th receive (from 1).

    2 to 4 s at first, twice as much each time, at most `at_most_s`, which is the queue's own visibility timeout.
    """
    return _jittered(min(_FAILED_S * 2 ** (receives - 1), at_most_s), message_id, receives)


def _jittered(longest_s: int, message_id: str, receives: int) -> int:
    """Between half of `longest_s` and all of it. The same message at the same receive always gets the same."""
    drawn = hashlib.sha256(f"{message_id}/{receives}".encode()).digest()
    share = 0.5 + int.from_bytes(drawn[:4]) / 2**33
    return round(longest_s * share)
