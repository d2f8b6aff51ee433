"""Publishing: the one way onto the bus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.contracts.events import Envelope
from shared.contracts.parts import one_each, parts
from shared.kit.failures import refusal

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

# EventBridge's limits: 10 entries a call; since 2025 a call may carry 1 MB, we stay under the older 256 KB.
MAX_ENTRIES = 10
MAX_BYTES = 256_000


class EventBus:
    """Says events on the bus `name`, and fails loudly when any was not taken."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def publish(self, envelopes: Iterable[Envelope]) -> None:
        """Say all of them, in order. Raises PublishFailed, Throttled; a redelivered input then says all again.

        Raises ServiceRefused for what EventBridge does not take at all.
        """
        entries = [self._entry(envelope) for envelope in envelopes]
        for chunk in parts(entries, (one_each, MAX_ENTRIES), (_bytes, MAX_BYTES)):
            response = self._client.put_events(Entries=chunk)
            if response["FailedEntryCount"]:
                failed = [entry["ErrorCode"] for entry in response["Entries"] if "ErrorCode" in entry]
                raise refusal(failed, f"EventBridge refused {len(failed)} of {len(chunk)} events: {', '.join(failed)}.")

    def _entry(self, envelope: Envelope) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._name,
            "Source": envelope.source,
            "DetailType": envelope.detail_type,
            "Detail": envelope.detail(),
        }


def _bytes(entry: PutEventsRequestEntryTypeDef) -> int:
    return sum(len(str(value).encode()) for value in entry.values())
