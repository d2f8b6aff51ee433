"""Which quotas hold where a stack is deployed."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk

from shared.contracts import quotas
from shared.contracts.card import Function

CONTEXT = "quotas"
"""The CDK context with quotas that AWS has raised, as {"prod": {"DetectText": 25}}, in calls a second."""


def concurrency(stack: cdk.Stack, env: str, function: Function) -> int:
    """How many batches a function works on at once, by the stack's region and the context.

    Raises ValueError for a quota there is not.
    """
    region = None if cdk.Token.is_unresolved(stack.region) else stack.region
    return quotas.concurrency(function, region, _raised(stack, env))


def _raised(stack: cdk.Stack, env: str) -> Mapping[str, float]:
    raised: Mapping[str, float] = (stack.node.try_get_context(CONTEXT) or {}).get(env, {})
    for operation, quota in raised.items():
        if operation not in quotas.OPERATIONS or not quota > 0:
            known = ", ".join(sorted(quotas.OPERATIONS))
            raise ValueError(f"The context {CONTEXT} says {operation}: {quota}. It takes calls a second of {known}.")
    return raised
