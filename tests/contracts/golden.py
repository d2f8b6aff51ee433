"""What holds events to what was once said of them: golden JSON of each, and locked JSON schemas.

`python -m tests.contracts.golden` writes what is missing. A golden file is never rewritten, and a locked field never
changed: what makes old events unreadable, or gives them another id, is a new VERSION of the event. A field that was
added as the contracts allow it is locked by the same command, from when it is said on.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from catalogue.examples import CAUSE, EXAMPLES
from shared.contracts.events import EVENTS, DomainEvent, Envelope, caused

GOLDEN = Path(__file__).parent / "golden"
Json = dict[str, Any]


def on_the_bus(event: DomainEvent) -> dict[str, object]:
    """The event as EventBridge carries it."""
    envelope: Envelope = caused(event, CAUSE)
    return {
        "source": envelope.source,
        "detail-type": envelope.detail_type,
        "detail": json.loads(envelope.detail()),
    }


def golden_file(event: type[DomainEvent]) -> Path:
    """Where an event's golden JSON lies, by name and version."""
    return GOLDEN / f"{event.__name__}.v{event.VERSION}.json"


def schema_file(event: type[DomainEvent]) -> Path:
    """Where an event's locked schema lies, by name and version."""
    return GOLDEN / f"{event.__name__}.v{event.VERSION}.schema.json"


# --- schemas ----------------------------------------------------------------------------------------------


def shape(event: type[DomainEvent]) -> Json:
    """By the name of the event and of each struct in it, its fields: JSON schemas, and whether they are required."""
    definitions: Json = json.loads(msgspec.json.encode(msgspec.json.schema(event)))["$defs"]
    return {
        name: {
            field: {"schema": schema, "required": field in definition["required"]}
            for field, schema in definition["properties"].items()
        }
        for name, definition in definitions.items()
    }


def complaints(locked: Json, event: type[DomainEvent]) -> Iterator[str]:
    """What is not compatible with the locked shape, in words."""
    now = shape(event)
    optional = {(kind.__name__, name) for kind in structs(event) for name in _unset_by_default(kind)}
    for name, fields in locked.items():
        for field, was in fields.items():
            if field not in now.get(name, {}):
                yield f"{name}.{field} is gone."
            elif now[name][field] != was:
                yield f"{name}.{field} was {was}, now it is {now[name][field]}."
        for field in now.get(name, {}).keys() - fields.keys():
            if (name, field) not in optional:
                yield f"{name}.{field} is new, and not msgspec.UNSET by default."


def structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The struct types in a type, itself included."""
    if hasattr(kind, "__struct_fields__"):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs(field.type)
    for argument in typing.get_args(kind):
        yield from structs(argument)


def _unset_by_default(kind: type[msgspec.Struct]) -> Iterator[str]:
    return (field.encode_name for field in msgspec.structs.fields(kind) if field.default is msgspec.UNSET)


# --- writing what is missing ------------------------------------------------------------------------------


def main() -> None:
    for example in EXAMPLES:
        path = golden_file(type(example))
        if not path.exists():
            path.write_text(json.dumps(on_the_bus(example), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for event in EVENTS:
        lock(event, schema_file(event))


def lock(event: type[DomainEvent], path: Path) -> None:
    """Lock the fields that are not yet; what is locked stays as it is. Raises SystemExit where that cannot be."""
    locked = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if found := list(complaints(locked, event)):
        raise SystemExit(f"{event.__name__} must become a new version: {' '.join(found)}")
    path.write_text(json.dumps(shape(event), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
