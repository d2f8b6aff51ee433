"""Commands for who is on call: which alarms ring, and the dashboards."""

from __future__ import annotations

import sys
import time

import click

from ops.cli import options

_EVERY_S = 5.0


@click.command(short_help="Show which alarms ring, since when and why, and what to do.")
@click.option("--all", "every", is_flag=True, help="List alarms that are OK, too.")
@click.option("--watch", is_flag=True, help="Show it again every few seconds, until Ctrl-C.")
@options.json
def alarms(every: bool, watch: bool, as_json: bool) -> None:
    """Show which alarms of the environment ring: since when, why, who is woken, what keeps one quiet, and the runbook.

    The exit code is 1 while one rings that wakes somebody (P0 and P1) and is not kept quiet.

    \b
    snaprace alarms
    snaprace --target aws --env prod alarms --json
    """
    from ops.cli.screen import answers
    from ops.cli.show_alarms import show_alarms
    from ops.look.alarms import alarms as ask

    if watch and as_json:
        raise click.UsageError("--watch is for people; leave out --json.")
    target = options.target()
    while True:
        seen = ask(target)
        if watch:
            answers.clear()
        show_alarms(seen, every=every, as_json=as_json)
        if not watch:
            sys.exit(int(any(alarm.calls for alarm in seen)))
        time.sleep(_EVERY_S)


COMMANDS = (alarms,)
