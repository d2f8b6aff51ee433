"""What of a stage has metrics: its resources by kind, each with the subject by which alarms call it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from dashboards.metrics import Resource
from shared.contracts import naming
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream
from shared.contracts.metrics import DEPENDENCY_CALLS, Dependency, dimensions

Kind = Literal[
    "rules' dead-letter queue",
    "dead-letter queue",
    "queue",
    "messages",
    "function",
    "stream's reader",
    "clock",
    "stream",
    "rule",
    "table",
    "api",
    "bucket",
    "pipeline",
    "dependency",
]
"""A kind of resource that alarms watch.

"messages" are those that a queue or stream brings a function; a "clock" is a function that a schedule invokes; the
"pipeline" is all stages together; a "dependency" is a service that we may run ourselves.
"""

PLATFORM = "platform"
PIPELINE = "pipeline"


class Watched(NamedTuple):
    """A resource; `service` is the stage, API, dependency or whole that is not well when it is not."""

    kind: Kind
    service: str
    subject: str
    resource: Resource
    function: Function | None = None


def of_stage(env: str, card: Stage) -> Iterator[Watched]:
    """All of a stage."""
    yield Watched("rules' dead-letter queue", card.name, card.name, naming.rule_dead_letter_queue(env, card.name))
    for function in card.functions:
        yield from _of_function(env, card, function)
    if card.serving:
        yield Watched("api", api_of(card.name), card.name, naming.stack(env, card.name))
    if card.has_table:
        yield Watched("table", card.name, card.name, naming.table(env, card.name, card.generation))
    for table in card.short_lived:
        name = naming.short_lived_table(env, card.name, table.name)
        yield Watched("table", card.name, f"{card.name}-{table.name}", name)
        for index in table.indexes:
            dimensions_of_index = {"TableName": name, "GlobalSecondaryIndexName": index.name}
            yield Watched("table", card.name, f"{card.name}-{table.name}-{index.name}", dimensions_of_index)


def _of_function(env: str, card: Stage, function: Function) -> Iterator[Watched]:
    name = naming.function(env, card.name, function.name)

    service = api_of(card.name) if function.routes else card.name

    def watched(kind: Kind, resource: Resource, subject: str = "") -> Watched:
        return Watched(kind, service, subject or f"{card.name}-{function.name}", resource, function)

    yield watched("function", name)
    if function.has_rules:
        yield watched("dead-letter queue", naming.dead_letter_queue(env, card.name, function.name))
    for rule in function.fed_by.rules if isinstance(function.fed_by, Queue | Stream) else ():
        rule_name = naming.rule(env, card.name, function.name, rule.kind)
        on_bus = {"EventBusName": naming.bus(env)} if rule.kind == "Events" else {}
        # A rule of the default bus is named alone. Source: EventBridge User Guide, "Monitoring", metrics.
        yield watched("rule", {**on_bus, "RuleName": rule_name}, f"{card.name}-{function.name}-{rule.kind.lower()}")
    match function.fed_by:
        case Queue():
            yield watched("queue", naming.queue(env, card.name, function.name))
        case Stream():
            yield watched("stream", naming.stream(env, card.name, function.name))
            yield watched("stream's reader", name)  # Lambda measures how far a function is behind, not Kinesis
        case Schedule():
            yield watched("clock", name)
            yield watched("rule", {"RuleName": naming.rule(env, card.name, function.name, "Schedule")})
    if isinstance(function.fed_by, Queue | Stream):
        yield watched("messages", dimensions(env, card.name, function.name))


def of_environment(env: str, account: str, region: str) -> Iterator[Watched]:
    """What belongs to no stage: buckets, dependencies, and the pipeline as a whole."""
    for what, bucket in (
        (naming.PHOTOS, naming.photo_bucket(env, account, region)),
        (naming.DERIVED, naming.derived_bucket(env, account, region)),
    ):
        yield Watched("bucket", PLATFORM, what, {"BucketName": bucket, "FilterId": naming.ALL_REQUESTS})
    for service in get_args(Dependency):
        yield Watched("dependency", service, service, DEPENDENCY_CALLS.dimensions(env, service))
    yield Watched("pipeline", PIPELINE, PIPELINE, {"Environment": env})


def api_of(stage: str) -> str:
    """The service of a stage's API: it may be well while the stage has trouble with what it hears, and the reverse."""
    return f"{stage}-api"


def depends_on(service: str, cards: Sequence[Stage]) -> tuple[str, ...]:
    """The services left of a service: when one of them is not well, this one cannot be.

    The stages whose events a stage hears, those whose events these hear, and so on; the platform; the dependencies that
    their functions call. The pipeline as a whole depends on all of them, an API on the last two alone.
    """
    by_name = {card.name: card for card in cards}
    for card in cards:
        if service == api_of(card.name):
            return (PLATFORM, *_dependencies(card.serving))
    if service == PIPELINE:
        return (PLATFORM, *get_args(Dependency), *by_name)
    if service not in by_name:
        return ()
    found: dict[str, None] = {}
    waiting = [service]
    while waiting:
        card = by_name[waiting.pop()]
        left = [event.STAGE for event in card.hears if event.STAGE in by_name]
        waiting += [each for each in left if each not in found and each != service]
        found |= dict.fromkeys([PLATFORM, *_dependencies(card.fed), *left])
    found.pop(service, None)
    return tuple(found)


def _dependencies(functions: Sequence[Function]) -> list[str]:
    called = {action.partition(":")[0] for each in functions for call in each.calls for action in call.actions}
    return [service for service in get_args(Dependency) if service in called]
