"""Puts into ministack how long an event source mapping waits for a batch of a queue."""

from __future__ import annotations

import time
from typing import Any

_WINDOW = "MaximumBatchingWindowInSeconds"


def honour_batching_windows() -> None:
    """Give out a batch only when it is full or its mapping's window has passed, and of more than ten if asked for."""
    from ministack.services import lambda_svc, sqs

    receive = sqs._receive_messages_for_esm

    def receive_when_due(queue_url: str, most: int) -> list[Any]:
        queue = sqs._queues[queue_url]
        arn = queue["attributes"]["QueueArn"]
        mappings = [mapping for _account, _region, mapping in lambda_svc._iter_all_esms()]
        window = max(mapping.get(_WINDOW, 0) for mapping in mappings if mapping.get("EventSourceArn") == arn)
        now = time.time()
        visible_since = [since for message in list(queue["messages"]) if (since := message.get("visible_at", 0)) <= now]
        if len(visible_since) < most and min(visible_since, default=now) + window > now:
            return []
        batch: list[Any] = []
        while len(batch) < most and (more := receive(queue_url, most - len(batch))):
            batch += more
        return batch

    sqs._receive_messages_for_esm = receive_when_due
