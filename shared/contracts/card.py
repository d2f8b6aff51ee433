"""The card's type: what a stage hears, says, keeps and may call.

Stacks, dashboards, alarms, the event catalogue, contract tests and the permission check all read the cards
in `services/<stage>/stage.py`; a card states facts and computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.contracts.events import DomainEvent

Method = Literal["GET", "POST", "PUT", "DELETE"]
Layer = Literal["base", "pictures"]

PYTHON = "3.13"
"""The Python version of the functions on AWS: its runtime has Amazon Linux 2023, whose glibc today's wheels need."""


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """S3 notifications a function hears: objects of the photo bucket whose key ends (or does not end) so."""

    created: bool = True
    deleted: bool = False
    suffixes: tuple[str, ...] = ()
    except_suffixes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Route:
    """A method and path of the stage's own REST API, e.g. GET /races/{organizer_id}/{event_id}/photos."""

    method: Method
    path: str


@dataclass(frozen=True, kw_only=True)
class Call:
    """Actions of one AWS service on one kind of resource; a role allows exactly these.

    `on` is a resource the stacks know: "table", "bus", "queue" (the function's own), "photos" / "derived" (objects in
    that bucket), "photo-bucket" (the bucket itself), "collections" (the races' face collections), or "any" for actions
    that have no resource.
    """

    actions: tuple[str, ...]
    on: Literal["table", "bus", "queue", "photos", "photo-bucket", "derived", "collections", "any"]


@dataclass(frozen=True, kw_only=True)
class Function:
    """One Lambda function of a stage: `services/<stage>/<name>.py` has its `handler`.

    It is fed by a queue (`hears` and/or `uploads`) or by the stage's REST API (`serves`), never by both.
    `concurrency` bounds how many batches of `batch` messages are worked on at once; a batch that is not full is waited
    for `window_s` seconds (0 to 300), where working on many messages together saves requests.
    """

    name: str
    purpose: str
    hears: tuple[type[DomainEvent], ...] = ()
    uploads: Uploads | None = None
    serves: tuple[Route, ...] = ()
    calls: tuple[Call, ...] = ()
    layers: tuple[Layer, ...] = ("base",)
    memory_mb: int = 512
    timeout_s: int = 60
    batch: int = 10
    window_s: int = 0
    concurrency: int = 10

    @property
    def has_queue(self) -> bool:
        """Whether events reach it (through its queue) rather than requests."""
        return bool(self.hears) or self.uploads is not None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the pipeline: one folder in services/, one stack, one table."""

    name: str
    purpose: str
    functions: tuple[Function, ...]
    says: tuple[type[DomainEvent], ...] = ()
    has_table: bool = True

    @property
    def hears(self) -> tuple[type[DomainEvent], ...]:
        """All domain events the stage listens to, each once."""
        return tuple(dict.fromkeys(event for function in self.functions for event in function.hears))

    @property
    def queued(self) -> tuple[Function, ...]:
        """The functions that a queue feeds."""
        return tuple(function for function in self.functions if function.has_queue)

    @property
    def serving(self) -> tuple[Function, ...]:
        """The functions behind the stage's REST API."""
        return tuple(function for function in self.functions if function.serves)
