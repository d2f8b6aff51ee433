"""The commands that go back: to earlier code, and to what tables held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.cli import options

if TYPE_CHECKING:
    from ops.cli.show_versions import Way


@click.command(short_help="Show a stage's versions; go back to earlier code.")
@options.stage
@options.function
@click.option("--back", is_flag=True, help="Make the version before the live one live, of each function.")
@click.option("--to", "number", type=click.IntRange(min=1), metavar="VERSION", help="Make this version live.")
@click.option("--forward", is_flag=True, help="Make live what was last deployed: before the next deployment.")
@options.yes
@options.json
def rollback(
    stage: str, function: str | None, back: bool, number: int | None, forward: bool, yes: bool, as_json: bool
) -> None:
    """Show which versions of a stage's functions there are and which is live, or make another one live.

    It takes effect at once, for the code and what is set with it (memory, variables, layers), not for queues, tables
    and roles. While CodeDeploy is still releasing a version, --back stops that, and CloudFormation takes the stack
    back. Otherwise go --forward before you deploy the stage again, or CodeDeploy refuses to.

    \b
    snaprace rollback --stage ocr
    snaprace rollback --stage ocr --back
    snaprace rollback --stage faces --function index --to 12
    snaprace rollback --stage ocr --forward
    """
    from ops.cli.show_versions import show_rollback

    if [back, number is not None, forward].count(True) > 1:
        raise click.UsageError("Say one of --back, --to and --forward.")
    if number is not None and function is None:
        raise click.UsageError("--to needs --function: each function numbers its own versions.")
    way: Way = "back" if back else "forward" if forward else number
    code = show_rollback(options.target(), stage, function, way, yes=yes, as_json=as_json)
    if code:
        raise click.exceptions.Exit(code)


@click.command(short_help="Back up the tables of all stages now, or list the backups.")
@click.option("--list", "only_list", is_flag=True, help="Take none; show those that there are.")
@options.json
def backup(only_list: bool, as_json: bool) -> None:
    """Back up the tables of all stages with AWS Backup, as is done every night, and print the backups' ids.

    A backup is kept as long as those of every night (7 days in dev, 30 in prod), and then deleted by AWS Backup.

    \b
    snaprace backup
    snaprace backup --list --json
    """
    from ops.cli.show_restores import show_backup

    show_backup(options.target(), only_list=only_list, as_json=as_json)


@click.command(short_help="Restore a stage's table, as a new one beside it.")
@options.stage
@click.option(
    "--at", metavar="TIME", help="As it was then, in the last 30 days (dev 7): ISO 8601; without a zone, local time."
)
@click.option("--backup", "identity", metavar="ID", help="From a backup: its id, or how that ends.")
@options.yes
@options.json
def restore(stage: str, at: str | None, identity: str | None, yes: bool, as_json: bool) -> None:
    """Restore a stage's table into a new one, its next generation, and say what is left to do.

    The table that stands is not touched, and the stage works with it until it is deployed with the new generation.

    \b
    snaprace restore --stage ocr --at 2026-10-25T09:00
    snaprace restore --stage ocr --backup 8f81a4f2
    """
    from ops.cli.show_restores import show_restore

    if (at is None) == (identity is None):
        raise click.UsageError("Say one of --at and --backup.")
    code = show_restore(options.target(), stage, at, identity, yes=yes, as_json=as_json)
    if code:
        raise click.exceptions.Exit(code)


@click.command(short_help="Rehearse the loss of all tables, beside them.")
@click.option("--from-backups", is_flag=True, help="From the newest backups, not from DynamoDB's own past.")
@options.json
def drill(from_backups: bool, as_json: bool) -> None:
    """Restore all tables beside the live ones, replay into the gallery's what it misses, and compare the races' state.

    Tells how much was lost before the replay (RPO) and how long it took until all was equal (RTO), in seconds. What it
    made is deleted again; what is live is only read. Run it while no photos come: else the live state moves on.

    \b
    snaprace drill
    snaprace drill --from-backups --json
    """
    from ops.cli.show_restores import show_drill

    code = show_drill(options.target(), from_backups=from_backups, as_json=as_json)
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = (rollback, backup, restore, drill)
