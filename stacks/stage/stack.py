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
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream
from shared.contracts.records import EXPIRES_AT, ShortLived
from stacks.backup import BACKED_UP
from stacks.environment import Environment, EnvironmentStack
from stacks.nag import acknowledge
from stacks.stage.api import add_api
from stacks.stage.feeds import add_queue, dead_letter_queue, feed_by_queue, feed_by_schedule, feed_by_stream
from stacks.stage.function import add_function
from stacks.stage.release import Releases
from stacks.stage.setting import Setting, title


class StageStack(EnvironmentStack):
    """The stack of one stage."""

    def __init__(self, scope: Construct, construct_id: str, *, card: Stage, environment: Environment) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            part=card.name,
            description=f"SnapRace {card.name}: {card.purpose}",
        )
        self._card = card
        self._environment = environment
        self._table = self._kept() if card.has_table else None
        self._short_lived = tuple(self._kept_a_while(table) for table in card.short_lived)
        dlq = naming.rule_dead_letter_queue(environment.name, card.name)
        self._rules_dlq = dead_letter_queue(self, "RulesDlq", dlq, of="the stage's rules")
        self._releases = Releases(self, card, environment)
        live = {function.name: self._function(function) for function in card.functions}
        if card.serving:
            add_api(self, card, {function.name: live[function.name] for function in card.serving}, environment)
        raised_together = "The card's module names one Python, raised when all wheels are built for the next."
        acknowledge(
            self,
            {
                "AwsSolutions-L1": raised_together,
                "Serverless-LambdaLatestVersion": raised_together,
                "Serverless-LambdaDLQ": "Queues, streams and APIs call functions, and dead letters are theirs to keep.",
            },
        )

    def _kept(self) -> dynamodb.TableV2:
        """The table of the card's generation.

        Another generation is another resource: it is imported into the stack while the table before it still stands.
        """
        generation = self._card.generation
        table = dynamodb.TableV2(
            self,
            "Table" if generation == 1 else f"Table{generation}",
            table_name=naming.table(self._environment.name, self._card.name, generation),
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=self._environment.past_days
            ),
            deletion_protection=self._environment.protected,
            removal_policy=self._environment.removal_policy,
        )
        cdk.Tags.of(table).add(BACKED_UP, self._environment.name)
        return table

    def _kept_a_while(self, table: ShortLived) -> dynamodb.TableV2:
        """A table whose items expire. Its past is not kept, so that what is gone is gone, and neither is it in prod."""
        return dynamodb.TableV2(
            self,
            f"{title(table.name)}Table",
            table_name=naming.short_lived_table(self._environment.name, self._card.name, table.name),
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute=EXPIRES_AT,
            billing=dynamodb.Billing.on_demand(),
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=index.name,
                    partition_key=dynamodb.Attribute(name=index.partition, type=dynamodb.AttributeType.STRING),
                    sort_key=dynamodb.Attribute(name=index.sort, type=dynamodb.AttributeType.STRING),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                )
                for index in table.indexes
            ],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _function(self, card: Function) -> lambda_.Alias:
        """What is live of the function, and what feeds it."""
        at = Setting(
            stack=self,
            environment=self._environment,
            stage=self._card,
            card=card,
            rules_dlq=self._rules_dlq,
            table=self._table,
            short_lived=self._short_lived,
        )
        queue = add_queue(at, card.fed_by) if isinstance(card.fed_by, Queue) else None
        function = add_function(at, queue)
        live = self._releases.add(at, function)
        match card.fed_by:
            case Queue() as feed if queue:
                feed_by_queue(at, function, live, feed, queue)
            case Stream() as feed:
                feed_by_stream(at, function, live, feed)
            case Schedule() as feed:
                feed_by_schedule(at, live, feed)
        return live
