"""What the on-call engineer hears and looks at: alarms, the pages made of them, and dashboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from dashboards import alarms, boards, pages, slos
from dashboards.alarms import AlarmPlan, Comparison, Severity, WithoutData
from shared.contracts import naming
from shared.contracts.card import Stage
from stacks.environment import Environment, EnvironmentStack

_COMPARED: dict[Comparison, cloudwatch.ComparisonOperator] = {
    ">": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    ">=": cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    "<": cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
}
_WITHOUT_DATA: dict[WithoutData, cloudwatch.TreatMissingData] = {
    "quiet": cloudwatch.TreatMissingData.NOT_BREACHING,
    "stays": cloudwatch.TreatMissingData.IGNORE,
    "rings": cloudwatch.TreatMissingData.BREACHING,
}


class MonitoringStack(EnvironmentStack):
    """Alarms and dashboards of an environment, made of the cards."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: Environment, cards: Sequence[Stage]
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            part="monitoring",
            description="SnapRace: dashboards and alarms",
        )
        self._env = environment.name
        self._speak = {severity: self._topic(severity) for severity in get_args(Severity)}
        self._made: dict[str, cloudwatch.IAlarm] = {}
        planned = list(alarms.plan(self._env, cards, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION))
        burning = list(slos.plan(self._env, cards))
        for each in (pages.deploying(self._env), *planned, *(alarm for burn in burning for alarm in burn.alarms)):
            self._alarm(each)
        paging = pages.plan(planned, burning, cards)
        for page in paging:
            self._page(page)
        for board in boards.all_of(self._env, cards, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION, self._shown(paging)):
            cloudwatch.Dashboard(
                self,
                f"Dashboard-{board.name}",
                dashboard_name=naming.dashboard(self._env, board.name),
                widgets=board.rows,
            )

    def _topic(self, severity: Severity) -> actions.SnsAction:
        """The platform's topic for alarms of that severity."""
        arn = self.format_arn(service="sns", resource=naming.alarm_topic(self._env, severity))
        return actions.SnsAction(sns.Topic.from_topic_arn(self, f"Topic{severity}", arn))

    def _alarm(self, plan: AlarmPlan) -> None:
        """An alarm; by itself it speaks only if it is a ticket."""
        alarm = cloudwatch.Alarm(
            self,
            plan.name,
            alarm_name=naming.stack(self._env, plan.name),
            alarm_description=plan.description,
            metric=plan.metric,
            threshold=plan.threshold,
            comparison_operator=_COMPARED[plan.compares],
            datapoints_to_alarm=plan.periods,
            evaluation_periods=plan.of,
            treat_missing_data=_WITHOUT_DATA[plan.without_data],
        )
        if plan.severity not in alarms.PAGES and plan.service:
            alarm.add_alarm_action(self._speak[plan.severity])
            alarm.add_ok_action(self._speak[plan.severity])
        self._made[plan.name] = alarm

    def _page(self, page: pages.Page) -> None:
        quiet = None
        if page.quiet_when:
            quiet = cloudwatch.CompositeAlarm(
                self,
                page.quiet_name,
                composite_alarm_name=naming.stack(self._env, page.quiet_name),
                alarm_description=f"Silences {page.name}. Runbook: {alarms.RUNBOOKS}/{pages.RUNBOOK}.md",
                alarm_rule=cloudwatch.AlarmRule.any_of(*map(self._is_red, page.quiet_when)),
            )
        made = cloudwatch.CompositeAlarm(
            self,
            page.name,
            composite_alarm_name=naming.stack(self._env, page.name),
            alarm_description=page.description,
            alarm_rule=cloudwatch.AlarmRule.any_of(*map(self._are_red, page.any_of)),
            actions_suppressor=quiet,
            actions_suppressor_wait_period=cdk.Duration.seconds(pages.WAIT_S[page.severity]) if quiet else None,
            actions_suppressor_extension_period=cdk.Duration.seconds(pages.EXTENSION_S) if quiet else None,
        )
        made.add_alarm_action(self._speak[page.severity])
        made.add_ok_action(self._speak[page.severity])
        self._made[page.name] = made

    def _are_red(self, names: pages.AllOf) -> cloudwatch.IAlarmRule:
        first, *others = map(self._is_red, names)
        return cloudwatch.AlarmRule.all_of(first, *others) if others else first

    def _is_red(self, name: str) -> cloudwatch.IAlarmRule:
        return cloudwatch.AlarmRule.from_alarm(self._made[name], cloudwatch.AlarmState.ALARM)

    def _shown(self, paging: Sequence[pages.Page]) -> boards.Alarms:
        """The alarms as dashboards show them: pages first, then what stands alone."""
        return boards.Alarms(
            pages=tuple(self._made[page.name] for page in paging),
            others=tuple(alarm for name, alarm in self._made.items() if name not in {page.name for page in paging}),
        )
