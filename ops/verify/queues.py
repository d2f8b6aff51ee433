"""Dead-letter queues are empty: what lies there is a photo that somebody misses."""

from __future__ import annotations

from collections.abc import Iterator

from ops.look.backlog import dead_letters
from ops.reach.cards import in_order
from ops.reach.target import Target
from ops.reach.words import counted
from ops.verify.check import Check
from shared.contracts import naming


def letters(target: Target) -> Iterator[Check]:
    """A check for each dead-letter queue with something in it."""
    found = dead_letters(target)
    stages = stages_of_letters(target.env)
    for queue, number in found.items():
        stage = f" --stage {stages[queue]}" if queue in stages else ""
        yield Check(
            name=f"dead letters: {queue}",
            ok=False,
            seen=counted(number, "letter"),
            expected="none",
            advice=f"snaprace dlq{stage}",
        )
    if not found:
        yield Check(name="dead letters", ok=True, seen="none in any queue")


def stages_of_letters(env: str) -> dict[str, str]:
    """Whose each dead-letter queue is, by its name."""
    return {
        queue: card.name
        for card in in_order()
        for queue in (
            naming.rule_dead_letter_queue(env, card.name),
            *(naming.dead_letter_queue(env, card.name, function.name) for function in card.functions),
        )
    }
