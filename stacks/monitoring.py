"""What the on-call engineer looks at: one dashboard, and alarms that speak through the platform's topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from dashboards import alarms, overview
from shared.contracts import naming
from shared.contracts.card import Stage
from stacks.environment import Environment, EnvironmentStack


class MonitoringStack(EnvironmentStack):
    """Alarms and dashboard of an environment, made of the cards."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, cards: Sequence[Stage]
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            part="monitoring",
            description="SnapRace: dashboard and alarms",
        )
        speak = {severity: self._topic(environment, severity) for severity in get_args(alarms.Severity)}
        made = [
            self._alarm(environment, plan, speak[plan.alarm.severity]) for plan in alarms.plan(environment.name, cards)
        ]
        cloudwatch.Dashboard(
            self,
            "Overview",
            dashboard_name=naming.stack(environment.name, "overview"),
            widgets=overview.rows(environment.name, cards, made),
        )

    def _topic(self, environment: Environment, severity: alarms.Severity) -> actions.SnsAction:
        """The platform's topic for alarms of that severity."""
        arn = self.format_arn(service="sns", resource=naming.alarm_topic(environment.name, severity))
        return actions.SnsAction(sns.Topic.from_topic_arn(self, f"Topic{severity}", arn))

    def _alarm(self, environment: Environment, plan: alarms.AlarmPlan, speak: actions.SnsAction) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            plan.name,
            alarm_name=naming.stack(environment.name, plan.name),
            alarm_description=plan.description,
            metric=plan.metric,
            threshold=plan.threshold,
            comparison_operator=(
                cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
                if plan.alarm.above
                else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            datapoints_to_alarm=plan.alarm.periods,
            evaluation_periods=plan.alarm.of,
            treat_missing_data=(
                cloudwatch.TreatMissingData.IGNORE
                if plan.alarm.stays_without_data
                else cloudwatch.TreatMissingData.NOT_BREACHING
            ),
        )
        alarm.add_alarm_action(speak)
        alarm.add_ok_action(speak)
        return alarm
