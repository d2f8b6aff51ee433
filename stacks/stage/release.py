"""How a function's new code takes over: as a version, which the alias `live` comes to point to, step by step.

CloudFormation publishes a version whenever the function changes, and leaves it to CodeDeploy to move the alias: in prod
a tenth of the invocations go to the new version for five minutes, then all. CodeDeploy moves the alias back when one of
the function's release alarms rings or the deployment fails; then CloudFormation takes the whole stack back. The first
deployment makes the alias and needs no CodeDeploy. What an operator does by hand is in docs/runbooks/rollback.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from dashboards import releases
from shared.contracts import naming
from shared.contracts.card import Stage
from stacks.environment import Environment
from stacks.nag import acknowledge, wildcard
from stacks.stage.setting import Setting

# Earlier versions stay to be gone back to, until `snaprace rollback --keep` deletes them. One that a failed deployment
# made goes again: Lambda publishes no version that is the same as the last, so its repetition would be refused.
KEPT_VERSIONS = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

# What CodeDeploy does to aliases. Source: its managed policy AWSCodeDeployRoleForLambdaLimited, which also reads
# revisions from S3 and invokes hooks; CloudFormation passes the revision along, and there are no hooks.
_MOVES_ALIASES = ("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias")


class Releases:
    """The releases of a stage's functions: one application of CodeDeploy, with a deployment group for each function."""

    def __init__(self, stack: cdk.Stack, card: Stage, environment: Environment) -> None:
        self._stack = stack
        self._environment = environment
        self._application = codedeploy.LambdaApplication(
            stack, "Releases", application_name=naming.stack(environment.name, card.name)
        )
        names = [naming.function(environment.name, card.name, function.name) for function in card.functions]
        self._role = self._role_of_codedeploy(names)

    def add(self, at: Setting, function: lambda_.Function) -> lambda_.Alias:
        """The function's alias, and how it moves."""
        alias = lambda_.Alias(
            at.stack,
            at.id("Live"),
            alias_name=naming.LIVE,
            version=function.current_version,
            description="What is live; every invocation goes here",
        )
        codedeploy.LambdaDeploymentGroup(
            at.stack,
            at.id("Release"),
            application=self._application,
            deployment_group_name=at.named(naming.function),
            alias=alias,
            deployment_config=(
                codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES
                if self._environment.retains_data
                else codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE
            ),
            alarms=_alarms(at, function),
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
            role=self._role.without_policy_updates(),  # or CDK would add the managed policy, which may move all aliases
        )
        return alias

    def _role_of_codedeploy(self, names: Sequence[str]) -> iam.Role:
        """May look at alarms and move the aliases of these functions."""
        ours = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
        role = iam.Role(
            self._stack,
            "ReleasesRole",
            assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com", conditions=ours),
        )
        functions = [self._function_arn(name) for name in names]
        qualified = [f"{arn}:*" for arn in functions]
        role.add_to_policy(iam.PolicyStatement(actions=list(_MOVES_ALIASES), resources=[*functions, *qualified]))
        role.add_to_policy(iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=["*"]))
        numbered = "Versions are numbered by Lambda, so the role can only name the function."
        acknowledge(role, {wildcard(self._stack, each): numbered for each in qualified})
        acknowledge(role, {wildcard(self._stack, "*"): "CodeDeploy looks its alarms up in all there are."})
        return role

    def _function_arn(self, name: str) -> str:
        arn_format = cdk.ArnFormat.COLON_RESOURCE_NAME
        return self._stack.format_arn(service="lambda", resource="function", resource_name=name, arn_format=arn_format)


def move_mappings(function: lambda_.Function, alias: lambda_.Alias) -> None:
    """Let what reads the function's queue or stream invoke the alias.

    The mapping stays the same resource (its FunctionName is updated without interruption): another one would begin to
    read a stream from its beginning. Source: CloudFormation's AWS::Lambda::EventSourceMapping.
    """
    for child in function.node.children:
        if isinstance(child, lambda_.EventSourceMapping):
            mapping = child.node.default_child
            assert isinstance(mapping, lambda_.CfnEventSourceMapping)  # noqa: S101 - what CDK makes of it
            mapping.function_name = alias.function_arn


def _alarms(at: Setting, function: lambda_.Function) -> list[cloudwatch.Alarm]:
    """These have no actions: whoever deploys is told by CloudFormation, and monitoring's own alarms page."""
    watched = releases.watched(at.environment.name, at.stage, at.card, function.current_version.version)
    return [_alarm(at, what, share) for what, share in watched.items()]


def _alarm(at: Setting, what: str, share: cloudwatch.MathExpression) -> cloudwatch.Alarm:
    env, stage, function = at.environment.name, at.stage.name, at.card.name
    return cloudwatch.Alarm(
        at.stack,
        at.id(f"Release{what.capitalize()}"),
        alarm_name=naming.release_alarm(env, stage, function, what),
        alarm_description=(
            f"The new version of {stage}.{function} fails ({what}): CodeDeploy goes back to the one before. "
            "Runbook: docs/runbooks/rollback.md"
        ),
        metric=share,
        threshold=releases.LIMIT_PERCENT,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        datapoints_to_alarm=releases.PERIODS,
        evaluation_periods=releases.OF,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
