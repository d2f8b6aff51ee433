"""Commands that run SnapRace on this machine."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ops.cli import options

if TYPE_CHECKING:
    from local.runtime import Ports


def _ports(command: Callable[..., None]) -> Callable[..., None]:
    """--port, --aws-port and --vision-port, which the command gets as its `ports`."""

    @click.option("--port", type=int, default=8080, show_default=True, help="The page and the APIs.")
    @click.option("--aws-port", type=int, default=4566, show_default=True, help="The embedded AWS.")
    @click.option("--vision-port", type=int, default=4567, show_default=True, help="The vision server.")
    @functools.wraps(command)
    def with_ports(port: int, aws_port: int, vision_port: int, **given: Any) -> None:
        from local.runtime import Ports

        command(ports=Ports(aws=aws_port, vision=vision_port, web=port), **given)

    return with_ports


@click.command(short_help="Run a whole race on this machine and serve its page.")
@click.option("--photos", type=click.Path(path_type=Path), metavar="DIR", help="Your own photos, not the drawn race.")
@click.option("--roster", type=click.Path(path_type=Path), metavar="FILE", help="Your roster (CSV with a column bib).")
@click.option("--small", is_flag=True, help="A fifth of the drawn race, in about a third of the time.")
@click.option("--exit", "leave", is_flag=True, help="End when the report is printed; do not serve the page.")
@options.json
@_ports
def demo(photos: Path | None, roster: Path | None, small: bool, leave: bool, as_json: bool, ports: Ports) -> None:
    """Run a whole race on this machine: deploy, upload, wait, report, and serve the page until Ctrl-C.

    \b
    snaprace demo                                      a race drawn for you
    snaprace demo --photos ~/race --roster roster.csv  your own
    snaprace demo --exit --json                        for programs
    """
    from ops.cli.show_demo import DemoScreen, say, show_left_out, show_page, show_report
    from ops.demo.material import own_material
    from ops.demo.run import RACE
    from ops.demo.run import demo as running_demo
    from ops.demo.visitors import visitors
    from ops.reach.target import home, of_runtime
    from ops.reach.words import to_json

    if roster and not photos:
        raise click.UsageError("--roster goes with --photos: the drawn race brings its own roster.")
    if small and photos:
        raise click.UsageError("--small goes without --photos: it takes a fifth of the drawn race.")
    own = own_material(photos, roster) if photos else None  # before anything is started: it may not be usable
    if own:
        show_left_out(roster, own)
    with DemoScreen() as screen, running_demo(home(), ports, own, screen, small=small) as through:
        screen.stop()
        if as_json:
            print(to_json(through.report), flush=True)
        show_report(through.report, through.material)
        if not leave:
            show_page(through)
            with visitors(of_runtime(through.runtime.running), RACE, say):
                through.runtime.wait()
    sys.exit(0 if through.report.complete else 1)


@click.command(short_help="Start the local runtime.")
@click.option("--detach", is_flag=True, help="Return when it is ready and leave it running; end it with: snaprace down")
@click.option(
    "--like-aws",
    default="",
    is_flag=False,
    flag_value="us-east-1",
    metavar="[REGION]",
    help="Work on as many batches at once as on AWS, with the quotas that Rekognition has by default in a region "
    "(us-east-1 if none is named; ap-northeast-2 has a tenth of them).",
)
@_ports
def up(detach: bool, like_aws: str, ports: Ports) -> None:
    """Start the local runtime: the embedded AWS with all stacks, the vision server and the page.

    It keeps its races between runs, however one ends. Without --detach it runs until Ctrl-C.

    \b
    snaprace up --detach
    snaprace up --like-aws ap-northeast-2
    snaprace race create --help
    """
    from local import runtime
    from ops.cli.screen import console
    from ops.reach.target import home

    def report(text: str) -> None:
        console.print(f"{text}…")

    if detach:
        running = runtime.start_detached(home(), ports, report, keep=True, like_aws=like_aws)
        console.print(f"Running at [bold]{running.front_door}[/]. End it with: snaprace down")
        return
    with runtime.start(home(), ports, report, keep=True, like_aws=like_aws) as started:
        console.print(f"Running at [bold]{started.running.front_door}[/]. Ctrl-C ends it.")
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

    running = runtime.stop(home(), lambda text: console.print(f"{text}…"))
    console.print("Stopped." if running else "No local runtime was running.")


@click.command(short_help="Start a part of the local runtime anew, also one that hangs.")
@click.argument("part", type=click.Choice(["vision", "door"]))
def restart(part: str) -> None:
    """Start a part of the local runtime anew: the vision server, or the front door with the page.

    A part that ends is started again by itself; this is for one that hangs. Nothing that is kept is lost, and what
    waits for the vision server goes on by itself.

    \b
    snaprace restart vision
    """
    from local import runtime
    from ops.cli.screen import console
    from ops.reach.target import home

    runtime.restart(part, home())
    console.print(f"{runtime.RESTARTABLE[part]} serves again.")


COMMANDS = (demo, up, down, restart)
