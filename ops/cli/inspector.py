"""The operator's commands that ask whether all is well: after a deployment, and as a routine."""

from __future__ import annotations

import sys
from typing import Literal

import click

from ops.cli import options


@click.command("verify", short_help="Prove that a deployment stands and works.")
@click.option("--only", metavar="NAME", help="One subject, as rules, tables or probe; a wrong name lists them all.")
@click.option("--no-probe", is_flag=True, help="Only look; send no photos through.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    metavar="S",
    help="How long the probe's photos may take, in seconds.",
)
@options.json
def verify(only: str | None, no_probe: bool, timeout: float, as_json: bool) -> None:
    """Compare everything that stands with its templates, the cards and the settings; then send a probe through it.

    The probe is a drawn race of four photos: uploaded, found by bib and by selfie, and erased without a trace, also
    when it fails or is interrupted. It is safe beside a real race. Exit code 1 says that something is not as it should
    be; what, and the command that mends it, is told.

    \b
    snaprace verify
    snaprace --target aws --env prod verify --no-probe --json
    snaprace verify --only probe --timeout 120
    """
    from ops.cli.screen import console
    from ops.cli.show_checks import show_verdict
    from ops.verify.verification import verify as run

    def tell(text: str) -> None:
        console.print(f"{text}…", markup=False)

    target = options.target()
    verdict = run(target, only=only, probe_s=None if no_probe else timeout, tell=tell)
    show_verdict(target, verdict, as_json=as_json)
    sys.exit(0 if verdict.ok else 1)


@click.command("checkup", short_help="Go through the routine of the day, the week or the month.")
@click.argument("period", type=click.Choice(["daily", "weekly", "monthly"]), default="daily")
@options.json
def checkup(period: Literal["daily", "weekly", "monthly"], as_json: bool) -> None:
    """Go through what an operator looks at each day (the default), week or month.

    Says of each thing whether it is well, what was seen, and what to do. Exit code 1 says that something is not well.

    \b
    snaprace checkup
    snaprace --target aws --env prod checkup weekly --json
    """
    from ops.checkup.routine import checkup as run
    from ops.cli.screen import console
    from ops.cli.show_checks import show_verdict

    target = options.target()
    verdict = run(target, period, tell=lambda text: console.print(f"{text}…", markup=False))
    show_verdict(target, verdict, as_json=as_json)
    sys.exit(0 if verdict.ok else 1)


COMMANDS = (verify, checkup)
