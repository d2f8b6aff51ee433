"""What `snaprace rollback` asks and shows. The work is in ops/mend/rollback.py."""

from __future__ import annotations

from typing import Literal

from rich.table import Table

from ops.cli import options
from ops.cli.screen import answers, console
from ops.mend.rollback import Versions, move, stop_release, versions_of
from ops.reach.errors import Failed
from ops.reach.target import Target
from ops.reach.words import to_json

Way = Literal["back", "forward"] | int | None


def show_rollback(target: Target, stage: str, function: str | None, way: Way, *, yes: bool, as_json: bool) -> int:
    """Show the versions, or ask and make others live; the exit code. Raises UsageError where nobody can be asked."""
    found = versions_of(target, stage, function)
    if way is None:
        _show(found, as_json=as_json)
        return 0
    options.must_be_able_to_ask(yes=yes)
    if arriving := [each for each in found if each.arriving]:
        if way == "back":
            return _stop(target, stage, arriving, yes=yes)
        raise Failed(f"{arriving[0].function} is just being released. Wait for its end, or stop it with --back.")
    moves = [(each, _goal(each, way)) for each in found]
    moves = [(each, to) for each, to in moves if to != each.live]
    for each, to in moves:
        console.print(f"{each.function}: version {each.live} → {to}", markup=False)
    if not moves:
        console.print("Nothing to do: that is live.")
    elif not options.agreed("Make them live?" if len(moves) > 1 else "Make it live?", yes=yes):
        return 1
    for each, to in moves:
        move(target, each, to)
    if as_json:
        print(to_json({each.function: {"before": each.live, "live": to} for each, to in moves}))
    elif moves and way != "forward":
        console.print(
            "That is live now. Before the stage is deployed again: "
            f"snaprace rollback --stage {stage} --forward (docs/runbooks/rollback.md)."
        )
    return 0


def _goal(found: Versions, way: Way) -> int:
    match way:
        case "back":
            return found.before
        case "forward":
            return found.deployed
        case int():
            return way
    raise AssertionError(way)


def _stop(target: Target, stage: str, arriving: list[Versions], *, yes: bool) -> int:
    for each in arriving:
        console.print(
            f"{each.function}: version {each.arriving} is just being released beside {each.live}.", markup=False
        )
    if not options.agreed("Stop the release and go back?", yes=yes):
        return 1
    stopped = sum(stop_release(target, stage, each) for each in arriving)
    if not stopped:
        console.print("CodeDeploy is doing nothing any more: see what is live with the same command without --back.")
        return 1
    console.print("Stopped. CodeDeploy moves back what it moved, and CloudFormation then takes the stack back.")
    return 0


def _show(found: list[Versions], *, as_json: bool) -> None:
    if as_json:
        print(to_json(found))
        return
    for each in found:
        table = Table(title=each.function, title_justify="left", show_edge=False, box=None, pad_edge=False)
        for name in ("version", "published", ""):
            table.add_column(name, justify="right" if name == "version" else "left")
        for version in each.versions:
            says = [
                *(["live"] if version.number == each.live else []),
                *(["being released"] if version.number == each.arriving else []),
                *(["last deployed"] if version.deployed else []),
            ]
            table.add_row(str(version.number), f"{version.published.astimezone():%Y-%m-%d %H:%M %Z}", ", ".join(says))
        answers.print(table)
