"""Backups of the stages' tables: AWS Backup takes one of each every night, and copies it to a second region.

What is chosen is every table with the tag BACKED_UP, so that a new stage's table is backed up without a line here.
Short-lived tables have no such tag, and pictures can be uploaded again (docs/decisions/backups.md).
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from shared.contracts import naming
from stacks.environment import Environment, EnvironmentStack
from stacks.nag import acknowledge, wildcard

BACKED_UP = "snaprace:backup"
"""The tag of what is backed up; its value is the environment."""

KEPT_AT_LEAST = cdk.Duration.days(7)
"""In an environment that keeps data no backup can be deleted before, neither by mistake nor by who has broken in."""

# Of backups with AWS Backup's own features. Source: DynamoDB Developer Guide, "Using IAM with DynamoDB backup and
# restore", example 8, and the statements for DynamoDB and vaults of AWSBackupServiceRolePolicyForBackup and
# …ForRestores. A restore writes into the new table in the role's name. Neither the tables' key (DynamoDB's own) nor the
# vault's (aws/backup) asks for rights of the role.
_OF_TABLES = ("dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:StartAwsBackupJob")
_OF_RESTORED_TABLES = (
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:RestoreTableFromAwsBackup",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
)


class BackupStack(EnvironmentStack):
    """The vault, the plan by which it is filled, and as whom AWS Backup works."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(
            scope, construct_id, environment=environment, part="backup", description="SnapRace: backups of all tables"
        )
        self._environment = environment
        vault = _vault(self, environment, naming.backup_vault(environment.name))
        vaults = [vault.backup_vault_arn]
        kept = cdk.Duration.days(environment.past_days)
        copies = []
        if environment.backup_region:
            vaults.append(self._vault_arn(environment.backup_region))
            copy = backup.BackupVault.from_backup_vault_arn(self, "CopyVault", vaults[-1])
            copies = [backup.BackupPlanCopyActionProps(destination_backup_vault=copy, delete_after=kept)]
        every_night = backup.BackupPlanRule(
            rule_name="every-night",
            backup_vault=vault,
            # A backup takes none of a table's capacity, so any hour does.
            schedule_expression=events.Schedule.cron(hour="17", minute="0"),
            start_window=cdk.Duration.hours(1),
            completion_window=cdk.Duration.hours(8),
            delete_after=kept,
            copy_actions=copies,
        )
        plan = backup.BackupPlan(
            self,
            "Plan",
            backup_plan_name=naming.backup_vault(environment.name),
            backup_plan_rules=[every_night],
        )
        plan.add_selection(
            "Tables",
            backup_selection_name="tables",
            resources=[backup.BackupResource.from_tag(BACKED_UP, environment.name)],
            role=self._role(vaults),
            disable_default_backup_policy=True,
        )

    def _vault_arn(self, region: str) -> str:
        """The vault in another region, where a stack of its own makes it."""
        return self.format_arn(
            service="backup",
            region=region,
            resource="backup-vault",
            resource_name=naming.backup_copies_vault(self._environment.name),
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )

    def _role(self, vaults: list[str]) -> iam.Role:
        """It may read the environment's tables, fill those that are restored beside them, and put into the vaults."""
        name = self._environment.name
        ours = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
        role = iam.Role(
            self,
            "Role",
            role_name=naming.backup_role(name, cdk.Aws.REGION),
            assumed_by=iam.ServicePrincipal("backup.amazonaws.com", conditions=ours),
        )
        tables, restored = (
            self.format_arn(service="dynamodb", resource="table", resource_name=naming.stack(name, each))
            for each in ("*", "*-*")
        )
        points = self.format_arn(
            service="backup", resource="recovery-point", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        for actions, resources in (
            (_OF_TABLES, [tables]),
            (_OF_RESTORED_TABLES, [restored]),
            (("backup:DescribeBackupVault", "backup:CopyIntoBackupVault"), vaults),
            (("backup:CopyFromBackupVault", "backup:TagResource"), [points]),
            (("tag:GetResources",), ["*"]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=resources))
        named = "Tables are named by stages and generations, so the role names how they begin."
        acknowledge(role, {wildcard(self, each): named for each in (tables, restored)})
        acknowledge(role, {wildcard(self, points): "AWS Backup numbers recovery points, whose names tell no vault."})
        acknowledge(role, {wildcard(self, "*"): "What has a tag is looked for in the whole account."})
        return role


class BackupCopiesStack(EnvironmentStack):
    """The vault in the second region."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, region: str) -> None:
        account = environment.place.account if environment.place else None
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            part="backup",
            description="SnapRace: copies of the backups of all tables",
            place=cdk.Environment(account=account, region=region),
        )
        _vault(self, environment, naming.backup_copies_vault(environment.name))


def _vault(stack: EnvironmentStack, environment: Environment, name: str) -> backup.BackupVault:
    """A vault that keeps backups no longer than there may be any.

    The lock is in governance mode: who may remove it from the vault can still do so. In compliance mode nobody could,
    also where the law asks for it.
    """
    lock = backup.LockConfiguration(min_retention=KEPT_AT_LEAST, max_retention=cdk.Duration.days(environment.past_days))
    return backup.BackupVault(
        stack,
        "Vault",
        backup_vault_name=name,
        lock_configuration=lock if environment.retains_data else None,
        removal_policy=environment.removal_policy,
    )
