"""The event catalogue from contracts and cards: `python -m tests.contracts.catalogue > docs/events.md`."""

from __future__ import annotations

import inspect
import json

from shared.contracts.events import EVENTS, DomainEvent
from tests.contracts.cards import all_cards
from tests.contracts.examples import golden_file

HEAD = """# The domain events

Made from `shared/contracts/events.py` and the cards by `python -m tests.contracts.catalogue`; a test keeps it true.

An event is a fact in the past tense. On the bus it is `detail = {meta, data}`, where `meta` says which event this is
(`id`, derived from what it says), of which `version`, which upload or request it all began with (`correlation_id`),
what caused it (`causation_id`) and when that was (`occurred_at`). Readers ignore fields they do not know.

| event | said by | heard by |
|---|---|---|
"""


def catalogue() -> str:
    """The whole page, as Markdown."""
    lines = [HEAD + "\n".join(_row(event) for event in EVENTS), ""]
    for event in EVENTS:
        golden = json.loads(golden_file(event).read_text(encoding="utf-8"))
        example = json.dumps(golden["detail"]["data"], indent=2, ensure_ascii=False)
        lines += [f"## {event.__name__}", "", inspect.getdoc(event) or "", "", "```json", example, "```", ""]
    return "\n".join(lines)


def _row(event: type[DomainEvent]) -> str:
    said = [card.name for card in all_cards() if event in card.says] or ["an operator, for an organizer"]
    heard = [
        f"{card.name}.{function.name}" for card in all_cards() for function in card.functions if event in function.hears
    ]
    return (
        f"| [{event.__name__}](#{event.__name__.lower()}) | {', '.join(said)} | {', '.join(heard) or '(nobody yet)'} |"
    )


if __name__ == "__main__":
    print(catalogue(), end="")  # noqa: T201 - this is the command
