"""Checks on the screen: what is well in a line each, what is not with what was seen and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ops.cli.screen import answers
from ops.reach.target import Target
from ops.reach.words import counted, to_json
from ops.verify.check import Check, Verdict


def show_verdict(target: Target, verdict: Verdict, *, as_json: bool) -> None:
    """The checks of a deployment."""
    if as_json:
        print(to_json(verdict))
        return
    _show(verdict.checks)
    wrong = [check for check in verdict.checks if not check.ok]
    if not wrong:
        answers.print(Text(f"All is well in {target.where}, environment {target.env}.", style="bold green"))
        return
    answers.print(Text(f"{counted(len(wrong), 'thing')} not as it should be.", style="bold red"))
    if target.local and any("aws " in check.advice for check in wrong):
        answers.print("The AWS CLI reaches this runtime with:")
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            answers.print(f"  export {name}={target.local.environment()[name]}", markup=False)


def _show(checks: Sequence[Check]) -> None:
    """What is well, by subject; then notices; then what is wrong."""
    for check in checks:
        if check.ok and not check.advice:
            answers.print(Text("ok    ", style="green"), Text(f"{check.name}: {check.seen}"), sep="")
    for check in checks:
        if check.ok and check.advice:
            answers.print(Text("note  ", style="yellow"), Text(f"{check.name}: {check.seen}"), sep="")
            answers.print(f"      {check.advice}", markup=False, style="dim")
    for check in checks:
        if not check.ok:
            answers.print(Text("wrong ", style="bold red"), Text(check.name, style="bold"), sep="")
            answers.print(f"      seen:     {check.seen}", markup=False)
            answers.print(f"      expected: {check.expected}", markup=False)
            answers.print(f"      to do:    {check.advice}", markup=False)
