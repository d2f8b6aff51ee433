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


@click.command(short_help="Serve the dashboards as live charts, to a browser here.")
@click.option("--port", type=int, default=8090, show_default=True, help="Where to listen, on 127.0.0.1.")
def dashboards(port: int) -> None:
    """Serve the environment's dashboards as live charts in the browser, with alarms and their runbooks, until Ctrl-C.

    They are the very dashboards that are deployed, of the local runtime or, by your own rights, of AWS, where each
    metric that is asked for costs (a dollar for 100,000). Other machines and other pages are refused.

    \b
    snaprace dashboards
    snaprace --target aws --env prod dashboards --port 9000
    """
    from local.runtime import require_port
    from ops.board.server import HOST, serve
    from ops.cli.screen import console

    target = options.target()
    require_port("the dashboards", "--port", port)
    console.print(f"Dashboards of {target.where}: [bold]http://{HOST}:{port}[/]. Ctrl-C ends it.")
    serve(target, port)


COMMANDS = (alarms, dashboards)
