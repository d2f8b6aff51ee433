"""AWS/SQS: what each queue holds at the end of a minute, and what was sent, received and deleted in it.

Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS". A queue is active while it has
messages, and for six hours after an action; one that feeds a function is polled all the time. Not told are
NumberOfEmptyReceives and what there is of FIFO queues alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from local.aws.cloudwatch.alarms import Place, Publish
from local.aws.cloudwatch.clock import MINUTE, minute_of
from local.aws.cloudwatch.installed import CloudWatch
from local.aws.cloudwatch.store import Metric, Store
from local.aws.kept.queues import Messages

NAMESPACE, DIMENSION = "AWS/SQS", "QueueName"
ACTIVE_S = 6 * 60 * MINUTE

_RECEIVED_TOO_OFTEN = 3
"""A message that came so often in vain is no longer the oldest one. Source: as above, ApproximateAgeOfOldestMessage."""

_SENT, _RECEIVED, _DELETED = "NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"
_MOVED = "DeadLetterQueueSourceArn"
"""Of a message that SQS moved to a dead-letter queue: that it is there counts as no message sent."""


class Queues:
    """Counts what happens to messages, and tells by the minute what each queue holds."""

    def __init__(self, cloudwatch: CloudWatch) -> None:
        self._cloudwatch = cloudwatch
        self._active: dict[str, float] = {}
        """When something last happened, by the queue's ARN, in seconds of CloudWatch's clock."""
        self._moved: dict[tuple[str, str], float] = {}
        """When a message came to a dead-letter queue, by the queue's ARN and the message's id: its age there."""

    def measure(self) -> Publish:
        """Count from now on; what is returned tells the rest at the end of a minute."""
        self._count_sent()
        self._count_received()
        self._count_deleted()
        self._note_actions()
        return self.publish

    def _happened(self, arn: str, name: str = "", value: float = 1.0, unit: str = "Count") -> None:
        self._active[arn] = self._cloudwatch.clock.now()
        if name and value:
            self._cloudwatch.count(NAMESPACE, name, {DIMENSION: arn.rpartition(":")[2]}, value, unit=unit)

    def _note_actions(self) -> None:
        """Every action asks for its queue."""
        from ministack.services import sqs

        find = sqs._get_q

        def find_and_note(url: str, *action: Any) -> Any:
            queue = find(url, *action)
            self._happened(queue["attributes"]["QueueArn"])
            return queue

        sqs._get_q = find_and_note

    def _count_sent(self) -> None:
        append = Messages.append

        def append_and_count(messages: Messages, message: dict[str, Any]) -> None:
            append(messages, message)
            arn = messages.queue
            if _MOVED in (message.get("sys") or {}):
                self._moved[arn, message["id"]] = time.time()
                self._happened(arn)
            else:
                self._happened(arn, _SENT)
                self._happened(arn, "SentMessageSize", len(message["body"]), "Bytes")

        Messages.append = append_and_count  # type: ignore[method-assign,assignment]

    def _count_received(self) -> None:
        from ministack.services import sqs

        collect = sqs._collect_msgs

        def collect_and_count(queue: Any, most: int, hidden_s: int) -> list[Any]:
            found: list[Any] = collect(queue, most, hidden_s)
            if found:
                self._happened(queue["attributes"]["QueueArn"], _RECEIVED, len(found))
            return found

        sqs._collect_msgs = collect_and_count

    def _count_deleted(self) -> None:
        from ministack.services import sqs

        def counted(act: Callable[..., Any], many: Callable[[Any], int]) -> Callable[..., Any]:
            def act_and_count(data: dict[str, Any], url: str) -> Any:
                answer = act(data, url)
                self._happened(_arn(data.get("QueueUrl", url)), _DELETED, many(answer))
                return answer

            return act_and_count

        handlers, delete = sqs._HANDLERS, sqs._delete_messages_for_esm
        handlers["DeleteMessage"] = counted(handlers["DeleteMessage"], lambda _: 1)
        handlers["DeleteMessageBatch"] = counted(
            handlers["DeleteMessageBatch"], lambda answer: len(answer["Successful"])
        )

        def delete_and_count(url: str, receipts: set[str]) -> None:
            delete(url, receipts)
            self._happened(_arn(url), _DELETED, len(receipts))

        sqs._delete_messages_for_esm = delete_and_count

    def publish(self, place: Place, at: float) -> None:
        """What the active queues of a place hold."""
        from ministack.services import lambda_svc, sqs

        mappings = [mapping for *_, mapping in lambda_svc._iter_all_esms() if mapping.get("Enabled", True)]
        feeding = {mapping.get("EventSourceArn") for mapping in mappings}
        store = self._cloudwatch.store(place)
        for queue in sqs._queues.values():
            arn = queue["attributes"]["QueueArn"]
            with sqs._queues_lock:
                sqs._expire_retained(queue)
                messages = list(queue["messages"])
            since = self._active.setdefault(arn, at)  # a queue that is seen for the first time has just been made
            if messages or arn in feeding or at - since < ACTIVE_S:
                self._tell(store, arn, messages, at)

    def _tell(self, store: Store, arn: str, messages: list[dict[str, Any]], at: float) -> None:
        now = time.time()
        delayed = [each for each in messages if each["visible_at"] > now and not each["receive_count"]]
        hidden = [each for each in messages if each["visible_at"] > now and each["receive_count"]]
        held = {
            "ApproximateNumberOfMessagesVisible": len(messages) - len(delayed) - len(hidden),
            "ApproximateNumberOfMessagesNotVisible": len(hidden),
            "ApproximateNumberOfMessagesDelayed": len(delayed),
        }
        dimensions = {DIMENSION: arn.rpartition(":")[2]}
        for name, count in held.items():
            store.add(Metric.of(NAMESPACE, name, dimensions), float(count), at, unit="Count")
        age = Metric.of(NAMESPACE, "ApproximateAgeOfOldestMessage", dimensions)
        store.add(age, self._oldest(arn, messages, now), at, unit="Seconds")
        for name in (_SENT, _RECEIVED, _DELETED):
            metric = Metric.of(NAMESPACE, name, dimensions)
            if not store.has(metric, minute_of(at)):
                store.add(metric, 0.0, at, unit="Count")

    def _oldest(self, arn: str, messages: Iterable[dict[str, Any]], now: float) -> float:
        """How old the oldest message is that did not come too often in vain, in seconds; 0 where there is none."""
        times = {each["id"]: self._moved.get((arn, each["id"]), each["sent_at"]) for each in messages}
        for gone in [key for key in self._moved if key[0] == arn and key[1] not in times]:
            del self._moved[gone]
        tried = {each["id"] for each in messages if each["receive_count"] > _RECEIVED_TOO_OFTEN}
        counted = [at for name, at in times.items() if name not in tried or (arn, name) in self._moved]
        return max(0.0, now - min(counted, default=now))


def _arn(url: str) -> str:
    from ministack.services import sqs

    return str(sqs._get_q(url)["attributes"]["QueueArn"])
