"""What an account has once in a region, for all environments there: the role by which API Gateway writes logs."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from shared.contracts import naming
from stacks.environment import Environment, bound
from stacks.nag import acknowledge


class AccountStack(cdk.Stack):
    """Without that role no stage of an API may have an access log.

    It is no environment's: two environments that each set it would undo each other's setting when one is destroyed. It
    stands in the account of the environment that is deployed, and stays when its stack goes.
    """

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(
            scope,
            naming.ACCOUNT_STACK,
            description="SnapRace: what an account has once in a region",
            env=environment.place,
            tags={"project": naming.PREFIX},
        )
        bound(self)
        policy = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        role = iam.Role(
            self,
            "ApiGatewayLogs",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(policy)],
        )
        account = apigateway.CfnAccount(self, "ApiGatewayAccount", cloud_watch_role_arn=role.role_arn)
        for shared_by_the_account in (role, account):
            shared_by_the_account.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        managed = f"Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}"
        all_of_it = "API Gateway takes only a role that has all of this policy's rights."
        acknowledge(role, {f"AwsSolutions-IAM4[{managed}]": all_of_it})
