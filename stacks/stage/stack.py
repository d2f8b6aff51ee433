"""A stage's stack, made from its card: table, feeds, functions, API.

No exports: a stage reaches what it does not own by name (shared/contracts/naming.py), so that each stack deploys,
rolls back and is destroyed by itself.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from shared.contracts import naming
from shared.contracts.api import Api
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream
from stacks.environment import Environment
from stacks.nag import acknowledge
from stacks.stage.api import add_api
from stacks.stage.feeds import QueueFeed, ScheduleFeed, StreamFeed, dead_letter_queue
from stacks.stage.function import Code, add_function


class StageStack(cdk.Stack):
    """The stack of one stage."""

    def __init__(self, scope: Construct, construct_id: str, *, card: Stage, environment: Environment) -> None:
        super().__init__(scope, construct_id, description=f"SnapRace {card.name}: {card.purpose}")
        self._card = card
        self._environment = environment
        self._table = self._kept() if card.keeps else None
        self._code = Code(self, card.name)
        self._rules_dlq = dead_letter_queue(
            self, "RulesDlq", naming.rule_dead_letter_queue(environment.name, card.name)
        )
        # cdk-nag sees the dead-letter queues of queues, but not those of rules.
        acknowledge(self._rules_dlq, {"AwsSolutions-SQS3": "This is the dead-letter queue of the stage's rules."})
        made = {function.name: self._function(function) for function in card.functions}
        if card.serving:
            add_api(self, card, {function.name: made[function.name] for function in card.serving}, environment)
        acknowledge(
            self,
            {"AwsSolutions-L1": "The card's module names one Python, raised when all wheels are built for the next."},
        )

    def _kept(self) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            "Table",
            table_name=naming.table(self._environment.name, self._card.name),
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._environment.retains_data,
            removal_policy=self._environment.removal_policy,
        )

    def _function(self, card: Function) -> lambda_.Function:
        """The function, and what feeds it."""
        feed = self._feed(card)
        queue = feed.queue if isinstance(feed, QueueFeed) else None
        made = add_function(self, self._card, card, self._environment, self._code, table=self._table, queue=queue)
        if feed:
            feed.feeds(made)
        return made

    def _feed(self, card: Function) -> QueueFeed | StreamFeed | ScheduleFeed | None:
        match card.fed_by:
            case Queue():
                return QueueFeed(self, self._card, card, card.fed_by, self._environment, self._rules_dlq)
            case Stream():
                return StreamFeed(self, self._card, card, card.fed_by, self._environment, self._rules_dlq)
            case Schedule():
                return ScheduleFeed(self, self._card, card, card.fed_by, self._environment, self._rules_dlq)
            case Api():
                return None
