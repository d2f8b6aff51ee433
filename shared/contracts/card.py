"""The card's types: what a stage hears, says, keeps, serves and may call.

Stacks, dashboards, alarms, the event catalogue, the API's description, contract tests, the permission check and the
operator's commands all read the cards in `services/<stage>/stage.py`. A card states facts and computes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.api import Api, Route
from shared.contracts.events import DomainEvent
from shared.contracts.metrics import Measure
from shared.contracts.notes import Note
from shared.contracts.records import Progress, Record, ShortLived
from shared.contracts.rules import Rule, domain_rule, upload_rule

Layer = Literal["base", "pictures"]
Resource = Literal[
    "table",
    "stream",
    "bus",
    "queue",
    "photos",
    "photo-bucket",
    "derived-bucket",
    "processed",
    "previews",
    "originals",
    "rosters",
    "collections",
    "any",
]

PYTHON = "3.13"
"""The Python version of the functions on AWS: its runtime has Amazon Linux 2023, whose glibc today's wheels need."""

MAX_BATCH = 10_000
"""Messages or records of one invocation. Source: Lambda's CreateEventSourceMapping, BatchSize."""

MAX_WINDOW_S = 300
"""Source: Lambda's CreateEventSourceMapping, MaximumBatchingWindowInSeconds."""

MIN_CONCURRENCY = 2
"""Batches of a queue that are worked on at once. Source: Lambda's CreateEventSourceMapping, ScalingConfig."""

GATEWAY_TIMEOUT_S = 29
"""So long API Gateway waits for an answer. Source: its quotas, integration timeout of a regional REST API."""

COLD_START_S = 4
"""What of that a new process of a function may take before its own timeout begins; ours take one to two."""


# --- feeds: what invokes a function -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """S3 notifications a function hears: objects of the photo bucket whose key ends so (any key, if empty)."""

    created: bool = True
    deleted: bool = False
    suffixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(self.created or self.deleted, "uploads are made or deleted")

    def rule(self, *, news_only: bool = False) -> Rule:
        """What brings them."""
        return upload_rule(created=self.created, deleted=self.deleted, suffixes=self.suffixes, news_only=news_only)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue of the function's own, with a dead-letter queue: domain events, uploads, and the function's own notes.

    `concurrency` bounds how many batches of `batch` messages are worked on at once. A batch that is not full waits
    for `window_s` seconds, where working on many messages together saves requests.
    """

    hears: tuple[type[DomainEvent], ...] = ()
    uploads: Uploads | None = None
    notes: tuple[type[Note], ...] = ()
    batch: int = 10
    window_s: int = 0
    concurrency: int = 10

    def __post_init__(self) -> None:
        _require(bool(self.hears or self.uploads), "a queue brings domain events or uploads")
        _require(1 <= self.batch <= MAX_BATCH and 0 <= self.window_s <= MAX_WINDOW_S, "batch or window out of bounds")
        # Source: SQS sends at most ten messages without a window; ScalingConfig.MaximumConcurrency is 2 to 1,000.
        _require(self.batch <= 10 or self.window_s > 0, "a batch of more than ten needs a window")
        _require(MIN_CONCURRENCY <= self.concurrency <= 1000, "concurrency is 2 to 1,000")

    @property
    def rules(self) -> Iterator[Rule]:
        """What brings messages into the queue: one rule for domain events, one for uploads."""
        if self.hears:
            yield domain_rule(self.hears)
        if self.uploads:
            yield self.uploads.rule()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A Kinesis stream of the function's own, which rules fill with domain events and uploads; not with replays.

    Other functions of the stage may put records into it as well (`Call` on "stream").

    A record that fails is retried `retries` times for at most `max_age_s` seconds, and its batch halved meanwhile; then
    its place in the stream goes to a dead-letter queue. `parallelization` batches of a shard are worked on at once.
    """

    hears: tuple[type[DomainEvent], ...]
    uploads: Uploads | None = None
    batch: int = 100
    window_s: int = 1
    retries: int = 5
    max_age_s: int = 3600
    parallelization: int = 1

    def __post_init__(self) -> None:
        _require(bool(self.hears), "a stream brings domain events")
        _require(1 <= self.batch <= MAX_BATCH and 0 <= self.window_s <= MAX_WINDOW_S, "batch or window out of bounds")
        # Source: Lambda's CreateEventSourceMapping. -1, its default for both, would retry for ever and block the shard.
        _require(0 <= self.retries <= 10_000 and 60 <= self.max_age_s <= 604_800, "retries and age must be bounded")
        _require(1 <= self.parallelization <= 10, "parallelization is 1 to 10")

    @property
    def rules(self) -> Iterator[Rule]:
        """What brings records into the stream."""
        yield domain_rule(self.hears, news_only=True)
        if self.uploads:
            yield self.uploads.rule(news_only=True)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A clock: the function is invoked every so many minutes, with nothing but the time."""

    minutes: int

    def __post_init__(self) -> None:
        _require(self.minutes >= 1, "a schedule counts whole minutes")

    @property
    def rules(self) -> Iterator[Rule]:
        """None: no event is waited for."""
        yield from ()


Feed = Queue | Stream | Schedule | Api


# --- functions and stages ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """Actions of one AWS service on one kind of resource; a role allows exactly these.

    `on` is a resource the stacks know: "table", a short-lived table of the stage, "stream" (that of another function of
    the stage), "bus" (there just what the function says), "queue" (the function's own), "photos" (objects in that
    bucket), "processed", "previews", "originals" and "rosters" (those objects of the derived bucket), "photo-bucket"
    and "derived-bucket" (the buckets themselves), "collections" (the races' face collections), or "any" for actions
    that have no resource.
    """

    actions: tuple[str, ...]
    on: Resource | ShortLived


@dataclass(frozen=True, kw_only=True)
class Metered:
    """The operation of Rekognition whose quota a function uses up first, as "DetectText" (shared/contracts/quotas.py).

    A message takes `message_s` seconds in all, and `a_message` calls. Both are typical of the busiest time; from
    them and the quota follows how many batches are worked on at once, at most the queue's `concurrency`.
    """

    operation: str
    a_message: float
    message_s: float

    def __post_init__(self) -> None:
        _require(self.a_message > 0 and self.message_s > 0, "a message takes some calls and some time")


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a function does with every upload or photo on its way to the gallery.

    `progress` is the record that tells whether it is done with one; while it is not, operators read what the upload
    `waits` for, in a few words. `name` is for programs.
    """

    name: str
    waits: str
    progress: type[Progress]


@dataclass(frozen=True, kw_only=True)
class Function:
    """One Lambda function of a stage: `services/<stage>/functions/<name>.py` has its `handler`.

    `reserved_concurrency` is how many requests at once it has for itself in prod, and cannot go beyond: what a crowd
    can cost is bounded, and neither does the pipeline starve runners nor they the pipeline.
    `measures` are metrics of its own, beside those of its messages that every function has.
    """

    name: str
    purpose: str
    fed_by: Feed
    says: tuple[type[DomainEvent], ...] = ()
    keeps: tuple[type[Record], ...] = ()
    step: Step | None = None
    calls: tuple[Call, ...] = ()
    measures: tuple[Measure, ...] = ()
    metered: Metered | None = None
    layers: tuple[Layer, ...] = ("base",)
    memory_mb: int = 512
    timeout_s: int = 60
    reserved_concurrency: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.fed_by, Api):
            in_time = self.timeout_s + COLD_START_S <= GATEWAY_TIMEOUT_S
            _require(in_time, f"a function behind an API has at most {GATEWAY_TIMEOUT_S - COLD_START_S} s")

    @property
    def hears(self) -> tuple[type[DomainEvent], ...]:
        """The domain events that its rules bring."""
        return self.fed_by.hears if isinstance(self.fed_by, Queue | Stream) else ()

    def brought(self, event: Mapping[str, Any]) -> bool:
        """Whether one of its rules brings it `event`, as EventBridge has it."""
        return any(rule.brings(event) for rule in self.fed_by.rules)

    @property
    def uploads(self) -> Uploads | None:
        """The S3 notifications that its rules bring."""
        return self.fed_by.uploads if isinstance(self.fed_by, Queue | Stream) else None

    @property
    def visibility_timeout_s(self) -> int:
        """How long a message that it received is not seen again, unless its worker says otherwise; 0 without a queue.

        AWS asks for six times the timeout, and the batching window besides. Source: Lambda's guide,
        services-sqs-configure.
        """
        return 6 * self.timeout_s + self.fed_by.window_s if isinstance(self.fed_by, Queue) else 0

    @property
    def writes_to_itself(self) -> bool:
        """Whether it leaves notes in the queue that feeds it.

        Lambda takes that for a loop and stops it after some 16 invocations, unless it is told that the loop is meant.
        Notes have an end of their own (`hops`). EventBridge is not part of what Lambda looks at, and no function hears
        what follows from what it says. Source: Lambda's guide, invocation-recursion.
        """
        return isinstance(self.fed_by, Queue) and bool(self.fed_by.notes)

    @property
    def has_rules(self) -> bool:
        """Whether rules bring it its work; then what it cannot handle goes to a dead-letter queue."""
        return not isinstance(self.fed_by, Api)

    @property
    def routes(self) -> tuple[Route, ...]:
        """What it answers through the stage's REST API."""
        return self.fed_by.routes if isinstance(self.fed_by, Api) else ()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the pipeline: one folder in services/, one stack, and one table where a function keeps something.

    Records may name further tables for what is kept a while only.

    DynamoDB restores a table's past into a new table: `generation` counts these. It is no stage's own to say but the
    environment's, in which a table was restored: stacks are given cards with it (stacks/environment.py).
    """

    name: str
    purpose: str
    functions: tuple[Function, ...]
    generation: int = 1

    def __post_init__(self) -> None:
        _require(self.generation >= 1, "the first generation of a table is 1")
        _require(len(self.streamed) <= 1, "a stage has one stream")

    def function(self, name: str) -> Function:
        """The function of that name. Raises KeyError."""
        return {function.name: function for function in self.functions}[name]

    @property
    def hears(self) -> tuple[type[DomainEvent], ...]:
        """All domain events the stage listens to, each once."""
        return tuple(dict.fromkeys(event for function in self.functions for event in function.hears))

    @property
    def says(self) -> tuple[type[DomainEvent], ...]:
        """All domain events the stage publishes, each once."""
        return tuple(dict.fromkeys(event for function in self.functions for event in function.says))

    @property
    def keeps(self) -> tuple[type[Record], ...]:
        """All kinds of records in the stage's table."""
        return tuple(dict.fromkeys(record for function in self.functions for record in function.keeps))

    @property
    def short_lived(self) -> tuple[ShortLived, ...]:
        """The tables beside its own."""
        return tuple(dict.fromkeys(record.TABLE for record in self.keeps if record.TABLE))

    @property
    def has_table(self) -> bool:
        """Whether it keeps anything in a table of its own."""
        return any(record.TABLE is None for record in self.keeps)

    @property
    def streamed(self) -> tuple[Function, ...]:
        """The functions that a stream feeds, of which there is one at the most."""
        return tuple(function for function in self.functions if isinstance(function.fed_by, Stream))

    @property
    def queued(self) -> tuple[Function, ...]:
        """The functions that a queue feeds."""
        return tuple(function for function in self.functions if isinstance(function.fed_by, Queue))

    @property
    def fed(self) -> tuple[Function, ...]:
        """The functions to which rules bring their work."""
        return tuple(function for function in self.functions if function.has_rules)

    @property
    def serving(self) -> tuple[Function, ...]:
        """The functions behind the stage's REST API."""
        return tuple(function for function in self.functions if isinstance(function.fed_by, Api))


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"A card cannot say this: {what}.")
