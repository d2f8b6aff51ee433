"""Commands that run SnapRace on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ops.cli import options

if TYPE_CHECKING:
    from local.runtime import Ports


def _port_options(command: Any) -> Any:
    command = click.option("--vision-port", type=int, default=4567, show_default=True, help="The vision server.")(
        command
    )
    command = click.option("--aws-port", type=int, default=4566, show_default=True, help="The embedded AWS.")(command)
    return click.option("--port", type=int, default=8080, show_default=True, help="The page and the APIs.")(command)


def _ports(port: int, aws_port: int, vision_port: int) -> Ports:
    from local.runtime import Ports

    return Ports(aws=aws_port, vision=vision_port, web=port)


@click.command(short_help="Run a whole race on this machine and serve its page.")
@click.option("--photos", type=click.Path(path_type=Path), metavar="DIR", help="Your own photos, not the drawn race.")
@click.option("--roster", type=click.Path(path_type=Path), metavar="FILE", help="Your roster (CSV with a column bib).")
@click.option("--exit", "leave", is_flag=True, help="End when the report is printed; do not serve the page.")
@options.json
@_port_options
def demo(
    photos: Path | None, roster: Path | None, leave: bool, as_json: bool, port: int, aws_port: int, vision_port: int
) -> None:
    """Run a whole race on this machine: deploy, upload, wait, report, and serve the page until Ctrl-C.

    \b
    snaprace demo                                      a race drawn for you
    snaprace demo --photos ~/race --roster roster.csv  your own
    snaprace demo --exit --json                        for programs
    """
    from ops.cli.show_demo import DemoScreen, show_left_out, show_page, show_report
    from ops.demo.material import own_material
    from ops.demo.run import demo as running_demo
    from ops.reach.target import home
    from ops.reach.words import to_json

    if roster and not photos:
        raise click.UsageError("--roster goes with --photos: the drawn race brings its own roster.")
    own = own_material(photos, roster) if photos else None  # before anything is started: it may not be usable
    if own:
        show_left_out(roster, own)
    ports = _ports(port, aws_port, vision_port)
    with DemoScreen() as screen, running_demo(home(), ports, own, screen) as through:
        screen.stop()
        if as_json:
            print(to_json(through.report), flush=True)
        show_report(through.report, through.material)
        if not leave:
            show_page(through)
            through.runtime.wait()
    sys.exit(0 if through.report.complete else 1)


@click.command(short_help="Start the local runtime.")
@click.option("--detach", is_flag=True, help="Return when it is ready and leave it running; end it with: snaprace down")
@_port_options
def up(detach: bool, port: int, aws_port: int, vision_port: int) -> None:
    """Start the local runtime: the embedded AWS with all stacks, the vision server and the page.

    It keeps its races between runs. Without --detach it runs until Ctrl-C.

    \b
    snaprace up --detach
    snaprace race create --help
    """
    from local import runtime
    from ops.cli.screen import console
    from ops.reach.target import home

    ports, report = _ports(port, aws_port, vision_port), lambda text: console.print(f"{text}…")
    if detach:
        running = runtime.start_detached(home(), ports, report, keep=True)
        console.print(f"Running at [bold]{running.front_door}[/]. End it with: snaprace down")
        return
    with runtime.start(home(), ports, report, keep=True) as started:
        console.print(f"Running at [bold]{started.front_door}[/]. Ctrl-C ends it.")
        started.wait()


@click.command(short_help="Stop the local runtime.")
def down() -> None:
    """Stop the local runtime of this checkout and wait until all of it has ended.

    \b
    snaprace down
    """
    from local import runtime
    from ops.cli.screen import console
    from ops.reach.target import home

    running = runtime.stop(home())
    console.print("Stopped." if running else "No local runtime was running.")


COMMANDS = (demo, up, down)
