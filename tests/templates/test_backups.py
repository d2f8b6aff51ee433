"""Every table is backed up by its tag, no backup outlives what may be restored, and a second region has copies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import app as product
from services import cards
from shared.contracts import naming
from stacks.environment import Environment
from tests.kit.synthesis import HEARD
from tests.templates import templates
from tests.templates.templates import Template, as_list


def _rule(template: Template) -> dict[str, Any]:
    (plan,) = template.of_type("AWS::Backup::BackupPlan").values()
    (rule,) = plan["BackupPlan"]["BackupPlanRule"]
    return dict(rule)


@pytest.mark.parametrize("env", ["dev", "prod"])
@pytest.mark.parametrize("card", [pytest.param(card, id=card.name) for card in cards()])
def test_a_stages_own_table_is_chosen_by_its_tag_and_short_lived_ones_are_not(
    request: pytest.FixtureRequest, env: str, card: Any
) -> None:
    made: dict[str, Template] = request.getfixturevalue(env)
    (selection,) = made["backup"].of_type("AWS::Backup::BackupSelection").values()
    (chosen,) = selection["BackupSelection"]["ListOfTags"]
    tag = {"Key": chosen["ConditionKey"], "Value": chosen["ConditionValue"]}
    assert tag["Value"] == env, "or one environment would back up another's tables"
    tagged = {
        table["TableName"]
        for table in made[card.name].of_type("AWS::DynamoDB::GlobalTable").values()
        if all(tag in replica.get("Tags", []) for replica in table["Replicas"])
    }
    assert tagged == ({naming.table(env, card.name)} if card.has_table else set())


@pytest.mark.parametrize(("env", "days"), [("dev", 7), ("prod", 30)])
def test_nothing_can_be_restored_that_is_older_than_what_was_decided_since(
    request: pytest.FixtureRequest, env: str, days: int
) -> None:
    """The archives tell a restored table whom it has to forget: deletions are replayed into it."""
    made: dict[str, Template] = request.getfixturevalue(env)
    archives = {each["RetentionDays"] for each in made["platform"].of_type("AWS::Events::Archive").values()}
    assert archives == {days}
    template = made["backup"]
    assert _rule(template)["Lifecycle"] == {"DeleteAfterDays": days}
    (vault,) = template.of_type("AWS::Backup::BackupVault").values()
    lock = vault.get("LockConfiguration")
    assert lock == (None if env == "dev" else {"MinRetentionDays": 7, "MaxRetentionDays": days})
    recoveries = [
        replica["PointInTimeRecoverySpecification"]
        for card in cards()
        for table in made[card.name].of_type("AWS::DynamoDB::GlobalTable").values()
        for replica in table["Replicas"]
        if "PointInTimeRecoverySpecification" in replica
    ]
    assert len(recoveries) == sum(card.has_table for card in cards())
    assert all(each == {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days} for each in recoveries)


def test_backups_on_demand_are_kept_as_long_as_those_of_every_night() -> None:
    from ops.mend.backups import KEPT_DAYS

    made = {env: product.make("unused", env=env, environments={env: {"alarms": HEARD}}) for env in ("dev", "prod")}
    assert {env: Environment.of(app).past_days for env, app in made.items()} == KEPT_DAYS


def _role(template: Template) -> set[tuple[str, str]]:
    (role,) = template.of_type("AWS::IAM::Role")
    return {
        (action, template.text(resource))
        for statement in template.statements("AWS::IAM::Policy", role, "Roles")
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def test_aws_backup_writes_into_no_table_that_a_stage_began_with(prod: dict[str, Template]) -> None:
    table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/snaprace-prod-*"
    reading = {"dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:StartAwsBackupJob"}
    of_tables = {(action, on) for action, on in _role(prod["backup"]) if action.startswith("dynamodb:")}
    assert {action for action, on in of_tables if on == table} == reading
    assert {on for action, on in of_tables if action not in reading} == {f"{table}-*"}


# --- a second region ----------------------------------------------------------------------------------------


@pytest.fixture
def made_for_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[dict[str, Template], str]]:
    """Gives prod's templates as they are made for AWS, without stages, and what the synthesis warns of."""
    monkeypatch.setattr(product, "cards", lambda: ())
    for made_of_cards in ("PeopleStack", "MonitoringStack"):
        monkeypatch.setattr(product, made_of_cards, mock.Mock())

    def made(**told: Any) -> tuple[dict[str, Template], str]:
        app = product.make(str(tmp_path), env="prod", layers="aws", environments={"prod": {"alarms": HEARD, **told}})
        product.build(app)
        app.synth()
        warnings = "".join(file.read_text() for file in tmp_path.glob("*.metadata.json"))
        return templates.read(tmp_path, "prod"), warnings

    return made


def test_copies_go_to_a_vault_of_their_own_in_the_second_region(made_for_aws: Any, tmp_path: Path) -> None:
    place = {"account": "111122223333", "region": "eu-west-1"}
    made, warned = made_for_aws(**place, backup_region="eu-central-1")
    (copy,) = _rule(made["backup"])["CopyActions"]
    vault = made["backup"].text(copy["DestinationBackupVaultArn"])
    assert vault == "arn:aws:backup:eu-central-1:111122223333:backup-vault:snaprace-prod-copies"
    assert copy["Lifecycle"] == {"DeleteAfterDays": 30}
    assert ("backup:CopyIntoBackupVault", vault) in _role(made["backup"])
    (copies,) = made["backup-copies"].of_type("AWS::Backup::BackupVault").values()
    assert copies["BackupVaultName"] == "snaprace-prod-copies", "the environment's own vault may have to be made there"
    assert copies["LockConfiguration"] == {"MinRetentionDays": 7, "MaxRetentionDays": 30}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    environment = manifest["artifacts"]["snaprace-prod-backup-copies"]["environment"]
    assert environment == "aws://111122223333/eu-central-1"
    assert "in the region of its tables alone" not in warned


def test_prod_without_a_second_region_is_told_what_that_means(made_for_aws: Any) -> None:
    made, warned = made_for_aws()
    assert _rule(made["backup"])["CopyActions"] == []
    assert "backup-copies" not in made
    assert "prod's backups are in the region of its tables alone" in warned


def test_the_second_region_is_another_one(tmp_path: Path) -> None:
    told = {"alarms": HEARD, "account": "111122223333", "region": "eu-west-1", "backup_region": "eu-west-1"}
    with pytest.raises(ValueError, match=r"environments\.prod\.backup_region is the region itself"):
        Environment.of(product.make(str(tmp_path), env="prod", environments={"prod": told}))
