"""`make bootstrap`: CloudFormation's execution role is bounded, and prod's deploying roles trust the pipeline alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy import bootstrap
from deploy.place import DeploymentFailed
from shared.contracts import naming

TRUST = {
    "Statement": [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}},
        {"Fn::If": ["HasTrustedAccounts", {"Effect": "Allow"}, {"Ref": "AWS::NoValue"}]},
    ]
}
# As `cdk bootstrap --show-template --json` of version 2.1148 has its roles.
TEMPLATE: dict[str, Any] = {
    "Resources": {
        name: {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
        for name in (*bootstrap.TAKEN_ROLES, "CloudFormationExecutionRole")
    }
}


def test_the_roles_of_the_command_line_refuse_everybody_but_the_pipeline() -> None:
    before = copy.deepcopy(TEMPLATE)
    narrowed = bootstrap.for_the_pipeline_alone(TEMPLATE, "prod")
    assert before == TEMPLATE
    denial = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "ArnNotEquals": {
                "aws:PrincipalArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/snaprace-delivery-prod"
                }
            }
        },
    }
    for name, role in narrowed["Resources"].items():
        added = [denial] if name in bootstrap.TAKEN_ROLES else []
        assert role["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [*TRUST["Statement"], *added], name


def test_another_template_of_the_cdk_is_not_taken_for_safe() -> None:
    other = copy.deepcopy(TEMPLATE)
    del other["Resources"]["FilePublishingRole"]
    with pytest.raises(DeploymentFailed, match=r"has no role FilePublishingRole any more"):
        bootstrap.for_the_pipeline_alone(other, "prod")


def client_in(account: str, region: str) -> Any:
    sts = boto3.client("sts", region_name=region)
    stubber = Stubber(sts)
    who = {"Arn": f"arn:aws:iam::{account}:user/admin", "Account": account, "UserId": "AIDA"}
    stubber.add_response("get_caller_identity", who, {})
    stubber.activate()
    clients = {"sts": sts, "cloudformation": boto3.client("cloudformation", region_name=region)}
    return lambda service: clients[service]


@pytest.mark.parametrize(("env", "last"), [("dev", []), ("prod", ["--termination-protection"])])
def test_the_execution_role_has_our_policies_and_no_others(env: str, last: list[str]) -> None:
    told = {"account": "444455556666", "region": "eu-west-1"}
    given = bootstrap.arguments(env, told, client_in("444455556666", "eu-west-1"), Path("bootstrap.json"))
    policies = ",".join(
        f"arn:aws:iam::444455556666:policy/{naming.execution_policy(part)}" for part in naming.EXECUTION_PARTS
    )
    assert given == [
        "aws://444455556666/eu-west-1",
        *("--template", "bootstrap.json"),
        *("--cloudformation-execution-policies", policies),
        *last,
    ]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"account": "111122223333", "region": "eu-west-1"}, "account 111122223333, and your credentials lead to 4444"),
        ({"account": "444455556666", "region": "us-east-1"}, "region us-east-1, and your credentials lead to eu-west"),
    ],
)
def test_another_account_or_region_is_refused(told: dict[str, str], what: str) -> None:
    with pytest.raises(DeploymentFailed, match=f"prod belongs into the {what}"):
        bootstrap.arguments("prod", told, client_in("444455556666", "eu-west-1"), Path("bootstrap.json"))
