"""The environment (dev, prod) that stacks are made for, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct


@dataclass(frozen=True, kw_only=True)
class Environment:
    """`name` comes from the CDK context `env`. prod retains its data when a stack is destroyed."""

    name: str
    retains_data: bool
    log_retention: logs.RetentionDays
    archive_days: int

    @classmethod
    def of(cls, scope: Construct) -> Environment:
        """Read the context. Raises ValueError for an environment there is not."""
        name = scope.node.try_get_context("env") or "dev"
        if name not in _ENVIRONMENTS:
            raise ValueError(f"There is no environment '{name}'. Use -c env={' or -c env='.join(_ENVIRONMENTS)}.")
        return _ENVIRONMENTS[name]

    @property
    def removal_policy(self) -> cdk.RemovalPolicy:
        """What becomes of data when its stack is destroyed."""
        return cdk.RemovalPolicy.RETAIN if self.retains_data else cdk.RemovalPolicy.DESTROY


_ENVIRONMENTS = {
    # The archives hold keys and bibs, no pictures and no faces; they go well before a race's own data does.
    "dev": Environment(name="dev", retains_data=False, log_retention=logs.RetentionDays.ONE_WEEK, archive_days=7),
    "prod": Environment(name="prod", retains_data=True, log_retention=logs.RetentionDays.THREE_MONTHS, archive_days=30),
}
