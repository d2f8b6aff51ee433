"""What `snaprace backup`, `restore` and `drill` ask and show. The work is in ops/mend."""

from __future__ import annotations

from rich.table import Table

from ops.cli import options
from ops.cli.screen import Bar, answers, console, facts
from ops.mend import backups
from ops.mend.backups import Backup
from ops.mend.drill import Drill, drill
from ops.mend.replay import moment
from ops.reach.cards import card_of
from ops.reach.errors import Failed
from ops.reach.target import Target
from ops.reach.words import counted, to_json

RUNBOOK = "docs/runbooks/restore.md"


def show_backup(target: Target, *, only_list: bool, as_json: bool) -> None:
    """Take backups of all tables, or list those that there are."""
    if only_list:
        _show_backups(backups.listed(target), as_json=as_json)
        return
    stages = backups.with_tables()
    with Bar("Backing up", len(stages)) as bar:
        taken = backups.take(target, stages, bar.leave)
    _show_backups(taken, as_json=as_json)


def _show_backups(found: list[Backup], *, as_json: bool) -> None:
    if as_json:
        print(to_json(found))
        return
    if not found:
        console.print("There are no backups. Take some with: snaprace backup")
        return
    table = Table(show_edge=False, box=None, pad_edge=False)
    for name in ("at", "table", "id"):
        table.add_column(name, overflow="fold")
    for each in found:
        table.add_row(f"{each.at.astimezone():%Y-%m-%d %H:%M:%S %Z}", each.table, each.id)
    answers.print(table)


def show_restore(target: Target, stage: str, at: str | None, identity: str | None, *, yes: bool, as_json: bool) -> int:
    """Ask, restore, and say what is left to do; the exit code. Raises UsageError where nobody can be asked."""
    options.must_be_able_to_ask(yes=yes)
    if not card_of(stage).has_table:
        raise Failed(f"The stage '{stage}' has no table of its own. There are: {', '.join(backups.with_tables())}.")
    source = backups.named(target, stage, identity) if identity else None
    when = moment(at) if at else source.at.astimezone() if source else None
    generation, table = backups.next_table(target, stage)
    console.print(
        f"{target.table_name(stage)} as it was at {when:%Y-%m-%d %H:%M:%S %Z} becomes the new table {table}, "
        "and stays as it is.",
        markup=False,
    )
    if not options.agreed("Restore?", yes=yes):
        return 1
    with Bar("Restoring (minutes to hours on AWS)", 1) as bar:
        begun = (
            backups.from_backup(target, source, table) if source else backups.to_a_moment(target, stage, table, when)
        )
        backups.stands(target, [table], bar.leave)
    done = backups.settle(target, begun)
    if as_json:
        print(to_json({"stage": stage, "table": table, "generation": generation, "at": begun.at, "done": done}))
    console.print(f"{table} stands, with {', '.join(done)}.", markup=False)
    _say_what_is_left(target, stage, generation)
    return 0


def _say_what_is_left(target: Target, stage: str, generation: int) -> None:
    env, option = target.env, "" if target.local else f" --target aws --env {target.env}"
    if target.local:
        console.print("The local runtime works with the table it has; there the new one is to look at alone.")
        return
    for step in (
        f'Left to do ({RUNBOOK}). In cdk.json, context.environments.{env}: "generations": {{"{stage}": {generation}}}',
        f'  make cdk ARGS="import snaprace-{env}-{stage} -c env={env}"',
        f'  make cdk ARGS="deploy --exclusively snaprace-{env}-{stage} snaprace-{env}-people -c env={env}"',
        f"  snaprace{option} replay --stage {stage} --only missing",
    ):
        console.print(step, markup=False, soft_wrap=True)


def show_drill(target: Target, *, from_backups: bool, as_json: bool) -> int:
    """Rehearse, and tell what it came to; the exit code, 1 where the states differ."""
    outcome = drill(target, from_backups=from_backups, report=lambda what: console.print(f"{what}…", markup=False))
    if as_json:
        print(to_json(outcome))
    else:
        _show_drill(outcome)
    return 0 if outcome.ok else 1


def _show_drill(outcome: Drill) -> None:
    table = Table(show_edge=False, box=None, pad_edge=False)
    for name in ("stage", "restored to", "items", "live items"):
        table.add_column(name, justify="right" if "items" in name else "left")
    for each in outcome.tables:
        at = f"{each.at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
        table.add_row(each.stage, at, f"{each.items:,}", f"{each.items_live:,}")
    answers.print(table)
    differ = [each.race for each in outcome.races if each.live != each.restored]
    answers.print(
        facts(
            "Drill",
            [
                (f"{outcome.rpo_s:,.0f} s", "before the loss the oldest table ends (RPO, before the replay)"),
                (f"{outcome.rto_s:,.0f} s", "until everything was restored, replayed and compared (RTO)"),
                (f"{outcome.replayed:,}", "messages replayed into the gallery's table"),
                (f"{len(outcome.races) - len(differ):,} of {len(outcome.races):,}", "races are as they are live"),
            ],
        )
    )
    if differ:
        console.print(
            f"[bold red]{counted(len(differ), 'race')} differ[/]: {', '.join(differ)}. Did photos come meanwhile? "
            f'Then repeat it. Else see {RUNBOOK}, "When a drill finds a difference".'
        )
