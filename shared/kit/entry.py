"""The entry of a function: what Lambda calls, made from the card.

    handler = worker.each(STAGE, "read", lambda here: Reader(here.records, here.bus).handle)

The parts are made with the first invocation of a process, never at import, and kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from shared.contracts import naming
from shared.contracts.api import Api
from shared.contracts.card import Function, Stage
from shared.contracts.environment import Environment
from shared.contracts.records import ShortLived
from shared.kit import aws
from shared.kit.bus import EventBus
from shared.kit.deadline import IMPATIENT, Deadline
from shared.kit.pacing import Paces
from shared.kit.queue import OwnQueue
from shared.kit.records import Records
from shared.kit.redelivery import Redelivery
from shared.kit.table import Table
from shared.kit.telemetry import Telemetry

H = TypeVar("H")

_WITH_QUOTAS: frozenset[aws.Service] = frozenset({"rekognition"})
"""Services with quotas so small that we meet them: whoever a queue feeds calls them by a pace."""


class Here:
    """What a function works with: its surroundings, and clients of the services that its card lets it call."""

    def __init__(
        self,
        stage: Stage,
        card: Function,
        environment: Environment,
        telemetry: Telemetry,
        paces: Paces,
        deadline: Deadline,
    ) -> None:
        self._stage = stage
        self.environment = environment
        self.telemetry = telemetry
        self._paces = paces
        self._services = {action.partition(":")[0] for call in card.calls for action in call.actions}
        self._deadline = deadline if isinstance(card.fed_by, Api) else None

    def client(self, service: aws.Service) -> Any:
        """The boto3 client of a service. Raises ValueError for one that the card does not name."""
        if service not in self._services:
            raise ValueError(f"The card names no action of {service}.")
        if self._deadline:
            return self._deadline.watch(aws.client(service, IMPATIENT))
        client = aws.client(service)
        if service in _WITH_QUOTAS:
            self._paces.keep(client)
        return client

    @cached_property
    def records(self) -> Records:
        """The stage's table, by its records."""
        return Records(Table(self.client("dynamodb"), self.environment.table_name))

    def records_in(self, table: ShortLived) -> Records:
        """One of the stage's short-lived tables, by its records."""
        name = naming.short_lived_table(self.environment.snaprace_env, self._stage.name, table.name)
        return Records(Table(self.client("dynamodb"), name))

    @cached_property
    def bus(self) -> EventBus:
        """The bus of the domain events."""
        return EventBus(self.client("events"), self.environment.bus_name)

    @cached_property
    def queue(self) -> OwnQueue:
        """The function's own queue."""
        return OwnQueue(self.client("sqs"), self.environment.queue_url)


Build = Callable[[Here], H]
"""Makes what a function does with its messages or requests."""


class Entry(Generic[H]):
    """A Lambda handler. `invoke` has an event handled by what `build` makes."""

    def __init__(
        self,
        stage: Stage,
        function: str,
        build: Build[H],
        invoke: Callable[[H, dict[str, Any], Any, Entry[H]], dict[str, Any] | None],
    ) -> None:
        self._stage = stage
        self.card = stage.function(function)
        self.name = f"{stage.name}.{function}"
        self.deadline = Deadline()
        self._build = build
        self._invoke = invoke
        self.paces = Paces()
        self._telemetry: Telemetry | None = None
        self._redelivery: Redelivery | None = None
        self._handle: H | None = None

    @property
    def telemetry(self) -> Telemetry:
        """The function's logs and metrics."""
        if self._telemetry is None:
            env = Environment.of(os.environ).snaprace_env
            self._telemetry = Telemetry(env, self._stage.name, self.card.name, self.card.measures)
        return self._telemetry

    @property
    def redelivery(self) -> Redelivery:
        """What becomes of messages that failed, where a queue feeds the function."""
        if self._redelivery is None:
            here = Environment.of(os.environ)
            self._redelivery = Redelivery(
                aws.client("sqs"), here.queue_url, here.dead_letter_queue_url, self.card.visibility_timeout_s
            )
        return self._redelivery

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any] | None:
        """Handle an invocation."""
        if self._handle is None:
            environment = Environment.of(os.environ)
            here = Here(self._stage, self.card, environment, self.telemetry, self.paces, self.deadline)
            self._handle = self._build(here)
        return self._invoke(self._handle, event, context, self)

    def restart(self) -> None:
        """Forget what was made, as a new process begins."""
        self._handle = self._telemetry = self._redelivery = None
        self.paces = Paces()
