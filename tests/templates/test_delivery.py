"""Who may deploy, and what that may make: compared with what the templates ask for, both ways."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

import app as product
from deploy import permission
from shared.contracts import naming
from stacks import bounds, delivery
from tests.kit.synthesis import DELIVERED
from tests.templates.templates import Properties, Template, as_list

LONGEST_POLICY = 6_144
"""Characters but for white space. Source: IAM User Guide, IAM and AWS STS quotas."""

# The account and region that stand for any.
PLACE = {"AWS::Partition": "aws", "AWS::AccountId": "111122223333", "AWS::Region": "eu-west-1", "AWS::URLSuffix": ""}
ACCOUNT = PLACE["AWS::AccountId"]
HERE = f"{PLACE['AWS::Region']}:{ACCOUNT}"

# How the ARN of a resource ends that has a name of its own: what follows arn:aws:, and the property with the name.
NAMED = {
    "AWS::Backup::BackupPlan": ("backup:{here}:backup-plan:{name}", "BackupPlanName"),
    "AWS::Backup::BackupVault": ("backup:{here}:backup-vault:{name}", "BackupVaultName"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:{here}:alarm:{name}", "AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": ("cloudwatch:{here}:alarm:{name}", "AlarmName"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch::{account}:dashboard/{name}", "DashboardName"),
    "AWS::CodeDeploy::Application": ("codedeploy:{here}:application:{name}", "ApplicationName"),
    "AWS::CodeDeploy::DeploymentGroup": ("codedeploy:{here}:deploymentgroup:{name}", "DeploymentGroupName"),
    "AWS::DynamoDB::GlobalTable": ("dynamodb:{here}:table/{name}", "TableName"),
    "AWS::Events::Archive": ("events:{here}:archive/{name}", "ArchiveName"),
    "AWS::Events::EventBus": ("events:{here}:event-bus/{name}", "Name"),
    "AWS::Events::Rule": ("events:{here}:rule/{name}", "Name"),
    "AWS::IAM::ManagedPolicy": ("iam::{account}:policy/{name}", "ManagedPolicyName"),
    "AWS::IAM::Role": ("iam::{account}:role/{name}", "RoleName"),
    "AWS::Kinesis::Stream": ("kinesis:{here}:stream/{name}", "Name"),
    "AWS::Lambda::Function": ("lambda:{here}:function:{name}", "FunctionName"),
    "AWS::Logs::LogGroup": ("logs:{here}:log-group:{name}", "LogGroupName"),
    "AWS::S3::Bucket": ("s3:::{name}", "BucketNamePrefix"),
    "AWS::SNS::Topic": ("sns:{here}:{name}", "TopicName"),
    "AWS::SQS::Queue": ("sqs:{here}:{name}", "QueueName"),
    "AWS::SSM::Parameter": ("ssm:{here}:parameter{name}", "Name"),
    "AWS::WAFv2::WebACL": ("wafv2:{here}:regional/webacl/{name}/a-id", "Name"),
}

# The action that makes a thing, where the service's policy does not allow all of its actions.
MADE_BY = {
    "AWS::Backup::BackupPlan": "backup:CreateBackupPlan",
    "AWS::Backup::BackupVault": "backup:CreateBackupVault",
    "AWS::DynamoDB::GlobalTable": "dynamodb:CreateTable",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Kinesis::Stream": "kinesis:CreateStream",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::SQS::Queue": "sqs:CreateQueue",
}

# Names that CloudFormation makes begin with the stack's, but these are no resource's of their own or have none.
UNNAMED = re.compile(
    r"AWS::(ApiGateway|KMS)::|AWS::Backup::BackupSelection|AWS::Lambda::(Alias|EventInvokeConfig|EventSourceMapping|LayerVersion|Permission|Version)|.*Policy$|.*Association$|AWS::SNS::Subscription"
)


@pytest.fixture(scope="module")
def deployed(dev: dict[str, Template], prod: dict[str, Template]) -> dict[str, Template]:
    """All that the pipeline deploys."""
    return {
        f"{env}-{name}": each
        for env, all_ in (("dev", dev), ("prod", prod))
        for name, each in all_.items()
        if name != "delivery"
    }


@pytest.fixture(scope="module")
def stack(prod: dict[str, Template]) -> Template:
    return prod["delivery"]


def text(value: Any) -> str:
    """A name or ARN in the account and region that stand for any."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return PLACE[name]
        case {"Fn::Join": [str(between), [*parts]]}:
            return between.join(map(text, parts))
    raise AssertionError(f"no text for {value}")


def policies(stack: Template) -> dict[str, list[dict[str, Any]]]:
    """The statements of the stack's managed policies by name."""
    return {
        each["ManagedPolicyName"]: each["PolicyDocument"]["Statement"]
        for each in stack.of_type("AWS::IAM::ManagedPolicy").values()
    }


def execution(stack: Template) -> list[dict[str, Any]]:
    """What CloudFormation may do."""
    parts = [naming.execution_policy(part) for part in naming.EXECUTION_PARTS]
    return [statement for part in parts for statement in policies(stack)[part]]


def allows(statements: list[dict[str, Any]], action: str, arn: str) -> bool:
    return any(
        any(fnmatch.fnmatchcase(action, each) for each in as_list(statement["Action"]))
        and any(fnmatch.fnmatchcase(arn, text(each)) for each in as_list(statement["Resource"]))
        for statement in statements
    )


# --- what a deployment may make ---------------------------------------------------------------------------------


def test_what_may_be_made_is_what_the_templates_make(deployed: dict[str, Template]) -> None:
    asked = {each["Type"].rpartition("::")[0] for template in deployed.values() for each in template.resources.values()}
    assert {*bounds.MAKING, "AWS::IAM"} == asked
    assert bounds.UNNAMED.keys() <= bounds.MAKING.keys()


def test_no_service_is_allowed_that_no_type_needs(stack: Template) -> None:
    allowed = {each.partition(":")[0] for statement in execution(stack) for each in as_list(statement["Action"])}
    services = {name.rpartition("::")[2].lower() for name in (*bounds.MAKING, "AWS::IAM")}
    assert allowed == {*services, "backup-storage"}, "the last is of vaults, too"


def test_each_thing_is_named_so_that_it_may_be_made(deployed: dict[str, Template], stack: Template) -> None:
    may = execution(stack)
    seen: set[str] = set()
    for part, template in deployed.items():
        for logical_id, each in template.resources.items():
            kind, properties = each["Type"], each.get("Properties", {})
            if UNNAMED.match(kind) and kind not in NAMED:
                continue
            ending, name = NAMED[kind]
            # CloudFormation begins the name of what has none with the stack's.
            called = text(properties.get(name, f"{naming.PREFIX}-{part}-{logical_id}-1X2Y"))
            arn = f"arn:aws:{ending.format(here=HERE, account=ACCOUNT, name=called)}"
            service = arn.split(":")[2]
            assert allows(may, MADE_BY.get(kind, f"{service}:Create"), arn), arn
            seen.add(kind)
    assert len(seen) > 12


@pytest.mark.parametrize("kind", ["role", "policy"])
def test_a_deployment_cannot_change_who_deploys_and_what_that_may(stack: Template, kind: str) -> None:
    may = execution(stack)
    names = {
        "role": [each["RoleName"] for each in stack.of_type("AWS::IAM::Role").values()],
        "policy": list(policies(stack)),
    }[kind]
    assert len(names) >= 3
    for name in names:
        arn = f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"
        assert not any(
            fnmatch.fnmatchcase(arn, text(each))
            for statement in may
            for each in as_list(statement["Resource"])
            if each != "*"
        ), name
    everywhere = {each for statement in may if statement["Resource"] == "*" for each in as_list(statement["Action"])}
    assert not any(each.startswith(("iam:", "sts:")) for each in everywhere)


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("s3:GetObject", f"s3:::{naming.photo_bucket('prod', ACCOUNT, PLACE['AWS::Region'])}/o/e/raw_photos/1.jpg"),
        ("s3:PutObject", f"s3:::{naming.photo_bucket('prod', ACCOUNT, PLACE['AWS::Region'])}/o/e/raw_photos/1.jpg"),
        ("dynamodb:Query", f"dynamodb:{HERE}:table/{naming.table('prod', 'faces')}"),
        ("dynamodb:UpdateItem", f"dynamodb:{HERE}:table/{naming.table('prod', 'faces')}"),
        ("kinesis:GetRecords", f"kinesis:{HERE}:stream/{naming.stream('prod', 'insight', 'aggregate')}"),
        ("logs:FilterLogEvents", f"logs:{HERE}:log-group:/aws/lambda/snaprace-prod-ocr-read:*"),
        ("rekognition:SearchFacesByImage", f"rekognition:{HERE}:collection/snaprace-prod-o-e"),
        ("sqs:ReceiveMessage", f"sqs:{HERE}:{naming.queue('prod', 'ocr', 'read')}"),
    ],
)
def test_a_deployment_looks_into_nothing_that_it_makes(stack: Template, action: str, arn: str) -> None:
    assert not allows(execution(stack), action, f"arn:aws:{arn}")


# --- what the roles that it makes may do at most ----------------------------------------------------------------


def test_a_role_can_only_be_made_with_the_boundary(stack: Template) -> None:
    widening = {"iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/{naming.BOUNDARY}"
    found = set()
    for statement in execution(stack):
        given = widening.intersection(as_list(statement["Action"]))
        if given:
            found |= given
            assert text(statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"]) == boundary
    assert found == widening
    everything = {each for statement in execution(stack) for each in as_list(statement["Action"])}
    assert "iam:DeleteRolePermissionsBoundary" not in everything and not any(
        each.startswith("iam:*") for each in everything
    )


def roles(deployed: dict[str, Template]) -> Iterator[tuple[str, Template, str, Properties]]:
    for part, template in deployed.items():
        for logical_id, role in template.of_type("AWS::IAM::Role").items():
            yield part, template, logical_id, role


def test_every_role_has_the_boundary_and_does_nothing_beyond_it(deployed: dict[str, Template], stack: Template) -> None:
    managed = json.loads(aws_managed_policies_data)
    (bounding,) = policies(stack)[naming.BOUNDARY]
    assert bounding["Resource"] == "*"
    used: set[str] = set()
    for part, template, logical_id, role in roles(deployed):
        assert text(role["PermissionsBoundary"]) == f"arn:aws:iam::{ACCOUNT}:policy/{naming.BOUNDARY}", logical_id
        statements = list(template.statements("AWS::IAM::Policy", logical_id, "Roles"))
        for arn in role.get("ManagedPolicyArns", ()):
            if isinstance(arn, dict) and "Ref" in arn:
                statements += template.of_type("AWS::IAM::ManagedPolicy")[arn["Ref"]]["PolicyDocument"]["Statement"]
            else:
                statements += managed[text(arn).rpartition("/")[2]]["Document"]["Statement"]
        actions = {each for statement in statements for each in as_list(statement["Action"])}
        beyond = {each for each in actions if not _matches(each, bounding["Action"])}
        assert not beyond, (part, logical_id)
        used |= actions
    needless = {pattern for pattern in bounding["Action"] if not any(_matches(each, [pattern]) for each in used)}
    assert not needless, "the boundary is wider than it must be"
    changing = {"iam:CreateRole", "iam:PassRole", "iam:PutRolePolicy", "sts:AssumeRole", "lambda:*", "s3:*"}
    assert {each for each in changing if _matches(each, bounding["Action"])} == {"lambda:*", "s3:*"}


def _matches(action: str, patterns: list[str]) -> bool:
    """IAM tells no capital letters of an action apart."""
    return any(fnmatch.fnmatchcase(action.lower(), each.lower()) for each in patterns)


def test_roles_are_passed_to_the_services_that_have_one(deployed: dict[str, Template]) -> None:
    trusted = {
        principal
        for _, _, _, role in roles(deployed)
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        for principal in as_list(statement["Principal"].get("Service", []))
    }
    assert trusted == bounds.MADE_BY_SERVICES


# --- who deploys ------------------------------------------------------------------------------------------------


def trust(stack: Template, name: str) -> dict[str, Any]:
    (role,) = (each for each in stack.of_type("AWS::IAM::Role").values() if each["RoleName"] == name)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    return statement


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (naming.DIFF_ROLE, "pull_request"),
        (naming.deploy_role("dev"), "environment:dev"),
        (naming.deploy_role("prod"), "environment:prod"),
    ],
)
def test_a_role_is_for_the_jobs_of_one_repository_and_one_purpose(stack: Template, name: str, subject: str) -> None:
    statement = trust(stack, name)
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    (provider,) = stack.of_type("AWS::IAM::OIDCProvider")
    assert statement["Principal"] == {"Federated": {"Fn::GetAtt": [provider, "Arn"]}}
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:octo@123456/snaprace@456789:{subject}",
        }
    }


def granted(stack: Template, name: str) -> dict[str, set[str]]:
    """Action → resources of a role."""
    (logical_id,) = (key for key, each in stack.of_type("AWS::IAM::Role").items() if each["RoleName"] == name)
    found: dict[str, set[str]] = {}
    for statement in stack.statements("AWS::IAM::Policy", logical_id, "Roles"):
        for action in as_list(statement["Action"]):
            found.setdefault(action, set()).update(map(text, as_list(statement["Resource"])))
    return found


def test_who_compares_only_reads_templates(stack: Template) -> None:
    of_ours = {f"arn:aws:cloudformation:*:{ACCOUNT}:stack/snaprace-*/*"}
    assert granted(stack, naming.DIFF_ROLE) == dict.fromkeys(
        ["cloudformation:DescribeStacks", "cloudformation:GetTemplate"], of_ours
    )


def test_who_deploys_takes_the_roles_of_the_bootstrap_and_of_its_environment_alone(stack: Template) -> None:
    may = granted(stack, naming.deploy_role("prod"))
    assert may.keys() == {
        *("sts:AssumeRole", "cloudwatch:PutMetricData"),
        *("cloudformation:DescribeStacks", "cloudformation:GetTemplate"),
    }
    ending = f"role-{ACCOUNT}-*"
    assert may["sts:AssumeRole"] == {
        f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-deploy-{ending}",
        f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-file-publishing-{ending}",
        f"arn:aws:iam::{ACCOUNT}:role/{naming.verify_role('prod', '*')}",
    }
    assert not any("-dev-" in each for resources in may.values() for each in resources)


def test_no_environment_but_dev_is_open(stack: Template) -> None:
    environments = {name.removeprefix(f"{naming.DELIVERY_STACK}-") for name in map(text, _role_names(stack))} - {"diff"}
    assert environments - permission.OPEN == {"prod"}


def _role_names(stack: Template) -> list[str]:
    return [each["RoleName"] for each in stack.of_type("AWS::IAM::Role").values()]


# --- limits and settings ----------------------------------------------------------------------------------------


def test_it_is_small_enough_to_be_deployed_before_the_bootstrap(stack: Template) -> None:
    assert stack.path.stat().st_size < delivery.TEMPLATE_BYTES
    for name, statements in policies(stack).items():
        filled_in = re.sub(
            r'\{"Fn::Join": \["", (\[.*?\])\]\}',
            lambda found: json.dumps(text({"Fn::Join": ["", json.loads(found[1])]})),
            json.dumps(statements),
        )
        assert "Fn::" not in filled_in
        assert len(re.sub(r"\s", "", filled_in)) + 50 < LONGEST_POLICY, name


def synthesized(out: Path, env: str, environments: dict[str, Any], **told: Any) -> Template:
    app = product.make(str(out), env=env, environments=environments, delivery=told)
    product.build_delivery(app)
    app.synth()
    (file,) = out.glob("*.template.json")
    return Template(file, json.loads(file.read_text()))


HEARD = {severity: ["team@example.org"] for severity in ("P0", "P1", "P2", "P3")}


def test_an_account_has_the_roles_of_its_own_environments(tmp_path: Path) -> None:
    apart = {
        "dev": {"account": "111122223333", "region": "eu-west-1"},
        "prod": {"account": "444455556666", "region": "eu-west-1"},
    }
    stack = synthesized(tmp_path, "dev", apart, repository="octo/snaprace")
    assert sorted(_role_names(stack)) == [naming.deploy_role("dev"), naming.DIFF_ROLE]
    assert (
        trust(stack, naming.DIFF_ROLE)["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
        == "repo:octo/snaprace:pull_request"
    )


def test_where_the_provider_is_there_it_is_used_and_not_made(tmp_path: Path) -> None:
    stack = synthesized(tmp_path, "dev", {}, **DELIVERED, provider_exists=True)
    assert not stack.of_type("AWS::IAM::OIDCProvider")
    provider = trust(stack, naming.DIFF_ROLE)["Principal"]["Federated"]
    assert text(provider) == f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


def test_without_a_repository_nobody_may_deploy_but_what_people_deploy_is_bounded(tmp_path: Path) -> None:
    stack = synthesized(tmp_path, "dev", {})
    assert not stack.of_type("AWS::IAM::Role") and not stack.of_type("AWS::IAM::OIDCProvider")
    assert policies(stack).keys() == {naming.BOUNDARY, *map(naming.execution_policy, naming.EXECUTION_PARTS)}


@pytest.mark.parametrize(
    "told",
    [
        {"repository": "snaprace"},
        {"repository": "octo/*"},
        {"repository": "octo/a:b"},
        {"repository": "a/b", "branch": "main"},
    ],
)
def test_settings_that_do_not_do_are_refused(tmp_path: Path, told: dict[str, Any]) -> None:
    app = product.make(str(tmp_path), env="dev", delivery=told)
    with pytest.raises(ValueError, match=r'^cdk\.json, context\.delivery cannot be used: .*"owner/name"\}\.$'):
        product.build_delivery(app)
