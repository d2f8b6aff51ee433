"""docs/events.md: the domain events, who says and who hears them, and an example of each."""

from __future__ import annotations

import inspect

import msgspec

from catalogue.examples import EXAMPLES
from catalogue.markdown import table
from services import cards
from shared.contracts.events import EVENTS, DomainEvent

HEAD = """# The domain events

Made from `shared/contracts/events.py` and the cards by `python -m catalogue`; a test keeps it true.

An event is a fact in the past tense. On the bus it is `detail = {meta, data}`, where `meta` says which event this is
(`id`, derived from what it says), of which `version`, which upload or request it all began with (`correlation_id`),
what caused it (`causation_id`) and when that was (`occurred_at`). Readers ignore fields they do not know.

"""


def pages() -> dict[str, str]:
    """The page."""
    examples = {type(example): example for example in EXAMPLES}
    parts = [HEAD + table(("event", "said by", "heard by"), map(_row, EVENTS))]
    for event in EVENTS:
        example = msgspec.json.format(msgspec.json.encode(examples[event]), indent=2).decode()
        parts.append(f"## {event.__name__}\n\n{inspect.getdoc(event)}\n\n```json\n{example}\n```\n")
    return {"docs/events.md": "\n".join(parts)}


def _row(event: type[DomainEvent]) -> tuple[str, str, str]:
    said = [card.name for card in cards() if event in card.says] or ["an operator, for an organizer"]
    heard = [
        f"{card.name}.{function.name}" for card in cards() for function in card.functions if event in function.hears
    ]
    return f"[{event.__name__}](#{event.__name__.lower()})", ", ".join(said), ", ".join(heard) or "(nobody yet)"
