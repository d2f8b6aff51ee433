"""What the resources of one function are made of: its card, and the stack, stage and environment around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs

from shared.contracts.card import Function, Stage
from stacks.environment import Environment


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`table` is the stage's own, beside which it may have `short_lived` ones.

    `rules_dlq` takes the events that no rule of the stage could deliver.
    """

    stack: cdk.Stack
    environment: Environment
    stage: Stage
    card: Function
    rules_dlq: sqs.Queue
    table: dynamodb.TableV2 | None
    short_lived: tuple[dynamodb.TableV2, ...]

    def id(self, what: str) -> str:
        """The construct id of something of the function."""
        return title(self.card.name) + what

    def named(self, name: Callable[[str, str, str], str]) -> str:
        """The physical name that a function of `naming` gives something of the function, e.g. `naming.queue`."""
        return name(self.environment.name, self.stage.name, self.card.name)


def title(name: str) -> str:
    """The name in the style of construct ids, and so of logical ids: "read-again" → "ReadAgain"."""
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))
