"""How new code takes over: a version, the alias `live` to which everything goes, and CodeDeploy between them."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app as product
from services import cards
from shared.contracts import naming
from shared.contracts.card import Function, Queue, Stage
from stacks.environment import Environment
from stacks.stage.stack import StageStack
from tests.kit.synthesis import HEARD
from tests.templates.templates import Template, as_list

each_stage = pytest.mark.parametrize("card", [pytest.param(card, id=card.name) for card in cards()])
EACH = [(card, function) for card in cards() for function in card.functions]
each_function = pytest.mark.parametrize(
    ("card", "function"), [pytest.param(*each, id=f"{each[0].name}-{each[1].name}") for each in EACH]
)

# What names a function itself: what is made of it, and what is set for all that comes to it through the alias.
OF_THE_FUNCTION = {"AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::EventInvokeConfig"}


def _references(value: Any) -> Iterator[str]:
    """The logical ids that a value refers to."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            yield name
        case dict():
            for each in value.values():
                yield from _references(each)
        case list():
            for each in value:
                yield from _references(each)


def _id_of(template: Template, card: Stage, function: Function, env: str) -> str:
    name = naming.function(env, card.name, function.name)
    (found,) = (key for key, each in template.of_type("AWS::Lambda::Function").items() if each["FunctionName"] == name)
    return found


def _alias_of(template: Template, function: str) -> tuple[str, dict[str, Any]]:
    (found,) = (
        (key, template.resources[key])
        for key, each in template.of_type("AWS::Lambda::Alias").items()
        if each["FunctionName"] == {"Ref": function}
    )
    return found


@each_function
def test_everything_that_invokes_a_function_goes_to_its_alias(
    dev: dict[str, Template], card: Stage, function: Function
) -> None:
    template = dev[card.name]
    function_id = _id_of(template, card, function, "dev")
    alias_id, alias = _alias_of(template, function_id)
    assert alias["Properties"]["Name"] == naming.LIVE
    (version,) = _references(alias["Properties"]["FunctionVersion"])
    assert template.resources[version]["Properties"]["FunctionName"] == {"Ref": function_id}
    refers = {
        key: set(_references(each["Properties"])) for key, each in template.resources.items() if "Properties" in each
    }
    assert {template.resources[key]["Type"] for key, names in refers.items() if function_id in names} <= OF_THE_FUNCTION
    invoking = {template.resources[key]["Type"] for key, names in refers.items() if alias_id in names}
    if function.routes:
        assert invoking == {"AWS::ApiGateway::Method", "AWS::Lambda::Permission"}
    elif function.hears or function.uploads:
        assert invoking == {"AWS::Lambda::EventSourceMapping"}
    else:
        expected = {"AWS::Events::Rule", "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"}
        assert invoking == expected


@each_stage
def test_no_name_of_a_function_is_written_out_where_it_would_pass_by_the_alias(
    dev: dict[str, Template], card: Stage
) -> None:
    """As a target or an integration by a name that is put together, which is no reference."""
    for kind in ("AWS::ApiGateway::Method", "AWS::Events::Rule", "AWS::Lambda::Permission"):
        for each in dev[card.name].of_type(kind).values():
            for function in card.functions:
                assert f"function:{naming.function('dev', card.name, function.name)}" not in json.dumps(each)


@each_stage
def test_a_mapping_is_the_resource_that_it_was_before_there_was_an_alias(dev: dict[str, Template], card: Stage) -> None:
    """Another one would read its stream from the beginning. CDK names it by the function it is made for."""
    template = dev[card.name]
    for key, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items():
        (alias,) = _references(mapping["FunctionName"])
        (function,) = _references(template.resources[alias]["Properties"]["FunctionName"])
        assert key.startswith(function[:-8]), "a construct's id ends with eight digits of its path"


@each_function
@pytest.mark.parametrize(
    ("env", "how"),
    [("dev", "CodeDeployDefault.LambdaAllAtOnce"), ("prod", "CodeDeployDefault.LambdaCanary10Percent5Minutes")],
)
def test_codedeploy_moves_the_alias_and_takes_it_back_on_alarms_of_the_same_stack(
    request: pytest.FixtureRequest, card: Stage, function: Function, env: str, how: str
) -> None:
    template: Template = request.getfixturevalue(env)[card.name]
    _, alias = _alias_of(template, _id_of(template, card, function, env))
    policy = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    group = template.resources[policy["DeploymentGroupName"]["Ref"]]["Properties"]
    assert group["ApplicationName"] == policy["ApplicationName"]
    assert group["DeploymentConfigName"] == how
    assert group["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"],
    }
    assert group["AlarmConfiguration"]["Enabled"] is True
    alarms = [template.resources[each["Name"]["Ref"]]["Properties"] for each in group["AlarmConfiguration"]["Alarms"]]
    what = (
        ["crashes"]
        if not function.routes and not function.hears and not function.uploads
        else [
            "crashes",
            "failures",
        ]
    )
    names = [naming.release_alarm(env, card.name, function.name, each) for each in what]
    assert [alarm["AlarmName"] for alarm in alarms] == names
    for alarm in alarms:
        assert "AlarmActions" not in alarm
        assert alarm["AlarmDescription"].endswith("Runbook: docs/runbooks/rollback.md")


@each_function
def test_the_release_alarms_look_at_the_new_version_and_at_the_functions_own_messages(
    dev: dict[str, Template], card: Stage, function: Function
) -> None:
    template = dev[card.name]
    _, alias = _alias_of(template, _id_of(template, card, function, "dev"))
    name = naming.function("dev", card.name, function.name)
    seen = {
        metric["MetricStat"]["Metric"]["MetricName"]: _dimensions(metric["MetricStat"]["Metric"])
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["AlarmName"].startswith(f"snaprace-dev-release-{card.name}-{function.name}-")
        for metric in alarm["Metrics"]
        if "MetricStat" in metric
    }
    version = alias["Properties"]["FunctionVersion"]
    of_version = {"FunctionName": name, "Resource": f"{name}:live", "ExecutedVersion": version}
    assert seen.pop("Errors") == seen.pop("Invocations") == of_version
    match function:
        case Function(fed_by=Queue()):
            of_function = {"Environment": "dev", "Stage": card.name, "Function": function.name}
            assert seen == {"MessagesFailed": of_function, "MessagesHandled": of_function}
        case Function() if function.routes:
            of_api = {"ApiName": naming.stack("dev", card.name)}
            assert seen == {"5XXError": of_api, "Count": of_api}


def _dimensions(metric: dict[str, Any]) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in metric["Dimensions"]}


@each_stage
def test_codedeploys_role_may_move_the_aliases_of_its_stage_and_look_at_alarms(
    dev: dict[str, Template], card: Stage
) -> None:
    template = dev[card.name]
    (role,) = (
        key
        for key, each in template.of_type("AWS::IAM::Role").items()
        if "codedeploy" in json.dumps(each["AssumeRolePolicyDocument"])
    )
    assert "ManagedPolicyArns" not in template.resources[role]["Properties"]
    allowed = {
        (action, template.text(resource))
        for statement in template.statements("AWS::IAM::Policy", role, "Roles")
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    account = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
    functions = {account + naming.function("dev", card.name, function.name) for function in card.functions}
    actions = ("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias")
    assert allowed == {("cloudwatch:DescribeAlarms", "*")} | {
        (action, resource) for name in functions for resource in (name, f"{name}:*") for action in actions
    }


@each_stage
def test_earlier_versions_stay_and_what_a_failed_deployment_published_goes(
    prod: dict[str, Template], card: Stage
) -> None:
    for each in prod[card.name].resources.values():
        if each["Type"] == "AWS::Lambda::Version":
            assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


# --- when there is a new version ----------------------------------------------------------------------------


def _versions(out: Path, card: Stage) -> set[str]:
    """The logical ids of the stage's versions in prod."""
    app = product.make(str(out), env="prod", environments={"prod": {"alarms": HEARD}})
    StageStack(app, "stage", card=card, environment=Environment.of(app))
    app.synth()
    template = Template(out, json.loads((out / "stage.template.json").read_text()))
    return set(template.of_type("AWS::Lambda::Version"))


def test_a_version_is_published_for_what_is_part_of_it_and_for_nothing_else(tmp_path: Path) -> None:
    """Lambda refuses a version that is the same as the last, and with it the deployment.

    Reserved concurrency and the answer to loops are the function's own, of which a version has no part.
    """
    (card,) = (card for card in cards() if card.name == "ocr")
    (function,) = card.functions

    def changed(**settings: Any) -> Stage:
        return dataclasses.replace(card, functions=(dataclasses.replace(function, **settings),))

    before = _versions(tmp_path / "before", card)
    assert _versions(tmp_path / "reserved", changed(reserved_concurrency=7)) == before
    assert isinstance(function.fed_by, Queue)
    alone = dataclasses.replace(function.fed_by, notes=())
    assert function.writes_to_itself and not changed(fed_by=alone).functions[0].writes_to_itself
    assert _versions(tmp_path / "looping", changed(fed_by=alone, calls=())) == _versions(
        tmp_path / "not", changed(calls=())
    )
    assert _versions(tmp_path / "memory", changed(memory_mb=1024)).isdisjoint(before)
