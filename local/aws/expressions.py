"""Reads each of DynamoDB's expressions once: ministack reads a query's condition anew for every item it looks at.

It looks at all items of a partition, so a query of a race of 8,000 photos took 1.2 seconds, in which nobody else is
served. The conditions on keys that our tables are asked with are not even read, but known: of a partition of 7,000
items, ministack's own evaluation of one took 130 ms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

_REMEMBERED = 1000  # expressions; ours are few, since values are not part of them


def read_each_once() -> None:
    """Remember what an expression's tokens are, and whether its syntax is right."""
    from ministack.services import dynamodb

    tokens = functools.lru_cache(_REMEMBERED)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: list(tokens(expression))
    dynamodb._condition_syntax_error = functools.lru_cache(_REMEMBERED)(dynamodb._condition_syntax_error)
    dynamodb._evaluate_condition = _knowing_ours(dynamodb._evaluate_condition)


_Values = Mapping[str, Any]
Holds = Callable[[str], bool]
"""Whether a condition holds of a sort key."""


def _begins(prefix: str) -> Holds:
    return lambda sort: sort.startswith(prefix)


def _between(low: str, high: str) -> Holds:
    return lambda sort: low <= sort <= high


KNOWN: Mapping[str, Callable[[_Values], Holds]] = {
    "PK = :pk": lambda _values: lambda _sort: True,
    "PK = :pk AND begins_with(SK, :prefix)": lambda values: _begins(values[":prefix"]["S"]),
    "PK = :pk AND SK BETWEEN :low AND :high": lambda values: _between(values[":low"]["S"], values[":high"]["S"]),
}
"""Of the conditions that shared/kit/table.py asks with, what they say of a sort key, which is a text.

Texts are compared by code point here, and by their bytes in UTF-8 on AWS, which comes to the same.
"""


def _knowing_ours(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """Ministack's evaluation of a condition on an item, which is left to it where the condition is not known."""

    def evaluated(condition: str, item: _Values, values: _Values, *others: Any, **named: Any) -> Any:
        known = KNOWN.get(condition) if named.get("slot") == "KeyConditionExpression" else None
        if known is None:
            return evaluate(condition, item, values, *others, **named)
        return item["PK"] == values[":pk"] and known(values)(item["SK"]["S"])

    return evaluated
