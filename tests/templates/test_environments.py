"""What cdk.json says of an environment: where it may be deployed, who hears its alarms, how it is protected."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

import app as product
from services import cards
from shared.contracts import naming
from stacks.environment import Environment
from stacks.platform import PlatformStack
from stacks.stage.stack import StageStack
from tests.kit.synthesis import HEARD

PROD = {"alarms": HEARD}


def environment(out: Path, name: str, told: dict[str, Any], **context: Any) -> Environment:
    return Environment.of(product.make(str(out), env=name, environments={name: told}, **context))


@pytest.mark.parametrize("told", [{}, {"alarms": {}}, {"alarms": {**HEARD, "P2": []}}])
def test_prod_is_not_made_while_nobody_hears_its_alarms(tmp_path: Path, told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^Nobody hears prod's alarms of severity .*P2.* cdk\.json, context\."):
        environment(tmp_path, "prod", told)


def test_the_cdk_json_of_the_product_names_nobody_for_prod_and_so_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"severity P0, P1, P2, P3\. Name an e-mail or https:// address"):
        Environment.of(product.make(str(tmp_path), env="prod"))


def test_dev_needs_nobody(tmp_path: Path) -> None:
    assert environment(tmp_path, "dev", {}).alarms == {}


@pytest.mark.parametrize(
    "told",
    [
        {"alarms": {**HEARD, "P1": ["http://events.example.org"]}},
        {"alarms": {**HEARD, "P1": ["oncall"]}},
        {"alarms": {**HEARD, "P4": ["team@example.org"]}},
        {**PROD, "account": "123", "region": "eu-west-1"},
        {**PROD, "account": "123456789012"},
        {**PROD, "region": "eu-west-1"},
        {**PROD, "protect": True},
    ],
)
def test_settings_that_do_not_do_are_refused_by_their_place(tmp_path: Path, told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^cdk\.json, context\.environments\.prod "):
        environment(tmp_path, "prod", told)


def test_an_environment_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no environment 'test'\. Use -c env=dev or -c env=prod"):
        environment(tmp_path, "test", {})


def synthesized(out: Path, told: dict[str, Any], **context: Any) -> dict[str, Any]:
    """The artifact of prod's platform in the manifest."""
    app = product.make(str(out), env="prod", environments={"prod": told}, **context)
    PlatformStack(app, "platform", environment=Environment.of(app))
    app.synth()
    artifact: dict[str, Any] = json.loads((out / "manifest.json").read_text())["artifacts"]["platform"]
    return artifact


def test_a_pinned_environment_goes_nowhere_else_but_to_this_machine(tmp_path: Path) -> None:
    told = {**PROD, "account": "123456789012", "region": "ap-northeast-2"}
    assert synthesized(tmp_path / "aws", told, layers="aws")["environment"] == "aws://123456789012/ap-northeast-2"
    assert synthesized(tmp_path / "local", told)["environment"] == "aws://unknown-account/unknown-region"


def test_every_stack_is_tagged_with_what_it_is_part_of(assembly: Path) -> None:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    tags = {
        name: artifact["properties"]["tags"]
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    parts = {*(card.name for card in cards()), "platform", "people", "monitoring", "backup"}
    assert tags == {
        "snaprace-account": {"project": "snaprace"},
        **{f"snaprace-dev-{part}": {"project": "snaprace", "environment": "dev", "stage": part} for part in parts},
    }


def test_the_owner_is_a_tag_where_one_is_named(tmp_path: Path) -> None:
    assert synthesized(tmp_path, {**PROD, "owner": "race-tech"})["properties"]["tags"]["owner"] == "race-tech"


@pytest.mark.parametrize("protected", [False, True])
def test_prod_is_protected_in_a_second_step(tmp_path: Path, protected: bool) -> None:
    """A protected table or stack would refuse to go when its first deployment fails, and with it the next attempt."""
    app = product.make(str(tmp_path), env="prod", environments={"prod": {**PROD, "protected": protected}})
    keeping = next(card for card in cards() if card.keeps)
    StageStack(app, "stage", card=keeping, environment=Environment.of(app))
    app.synth()
    properties = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]["stage"]["properties"]
    assert properties["terminationProtection"] is protected
    template = json.loads((tmp_path / "stage.template.json").read_text())
    (table,) = (each for each in template["Resources"].values() if each["Type"] == "AWS::DynamoDB::GlobalTable")
    (replica,) = table["Properties"]["Replicas"]
    assert replica["DeletionProtectionEnabled"] is protected


def test_whoever_deploys_an_unprotected_prod_is_reminded(reviewed: Path) -> None:
    """In the metadata that the CDK's command line reads warnings from."""
    (file,) = reviewed.glob("snaprace-prod-platform.metadata.json")
    warnings = [
        entry["data"]
        for entries in json.loads(file.read_text()).values()
        for entry in entries
        if entry["type"] == "aws:cdk:warning"
    ]
    assert any("set `protected` to true in cdk.json" in warning for warning in warnings)


def test_a_restored_table_is_another_resource_beside_the_old_one_and_all_of_the_stage_uses_it(tmp_path: Path) -> None:
    """As docs/runbooks/restore.md has it: imported, so its logical id must be new; then everything moves to it."""
    keeping = next(card for card in cards() if card.keeps)
    resources = {}
    for generation in (1, 2):
        app = product.make(str(tmp_path / str(generation)))
        card = dataclasses.replace(keeping, generation=generation)
        StageStack(app, "stage", card=card, environment=Environment.of(app))
        app.synth()
        template = json.loads((tmp_path / str(generation) / "stage.template.json").read_text())
        resources[generation] = template["Resources"]
    ((first, old),), ((second, new),) = (
        [(key, each) for key, each in made.items() if each["Type"] == "AWS::DynamoDB::GlobalTable"]
        for made in resources.values()
    )
    assert first != second
    assert old["Properties"]["TableName"] == naming.table("dev", keeping.name)
    assert new["Properties"]["TableName"] == naming.table("dev", keeping.name, 2) == f"snaprace-dev-{keeping.name}-2"
    moved = {**resources[2], second: {**new, "Properties": old["Properties"]}}
    assert _unversioned(resources[1]).replace(first, second) == _unversioned(moved), "nothing else differs"


def test_generations_are_of_one_environment_and_of_stages_that_there_are(tmp_path: Path) -> None:
    told = {"dev": {"generations": {"ocr": 3}}, "prod": PROD}
    on_aws = {"environments": told, "layers": "aws"}

    def generations(env: str, **context: Any) -> dict[str, int]:
        made = Environment.of(product.make(str(tmp_path), env=env, **context))
        return {card.name: card.generation for card in made.of_its_generation(cards())}

    first = {card.name: 1 for card in cards()}
    assert generations("dev", **on_aws) == {**first, "ocr": 3}
    assert generations("prod", **on_aws) == first
    assert generations("dev", environments=told) == first, "the embedded AWS keeps its own"
    told["dev"] = {"generations": {"ocrr": 3}}
    with pytest.raises(ValueError, match=r"generations names 'ocrr', which is no stage\. There are: faces, "):
        generations("dev", **on_aws)
    with pytest.raises(ValueError, match=r"^cdk\.json, context\.environments\.dev cannot be used: "):
        environment(tmp_path, "dev", {"generations": {"ocr": 0}})


def _unversioned(resources: dict[str, Any]) -> str:
    """Resources without the digests in the names of versions: another table makes another version of each function."""
    return re.sub(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}", r"\1", json.dumps(resources))
