"""docs/openapi-<stage>.yaml: the API of each stage that has one, for programs that read OpenAPI."""

from __future__ import annotations

import yaml

from services import cards
from shared.contracts.card import Stage
from shared.kit.api.openapi import document

HEAD = "# The API of the %s stage. Made from services/%s/questions.py by `python -m catalogue`; a test keeps it true.\n"


def path(card: Stage) -> str:
    """Where a stage's document is."""
    return f"docs/openapi-{card.name}.yaml"


def pages() -> dict[str, str]:
    """The documents."""
    return {path(card): _page(card) for card in cards() if card.serving}


def _page(card: Stage) -> str:
    text: str = yaml.safe_dump(document(card), sort_keys=False, width=118, allow_unicode=True)
    return HEAD % (card.name, card.name) + text
