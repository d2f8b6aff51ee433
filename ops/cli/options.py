"""Options that several commands have, and what they mean."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ops.reach.target import Target
    from shared.contracts.keys import RaceRef


def target() -> Target:
    """The SnapRace that --target and --env name. Raises Failed."""
    from ops.reach.target import choose

    choice, environment = click.get_current_context().find_root().obj
    return choose(choice, environment)


def race(required: bool = False) -> Callable[[Any], Any]:
    """--organizer and --event; left out, they mean the only race there is."""

    def add(command: Any) -> Any:
        hint = "" if required else " (default: the only race there is)"
        event = click.option("--event", metavar="E", required=required, help=f"The race's event_id{hint}.")
        organizer = click.option("--organizer", metavar="O", required=required, help=f"Whose race it is{hint}.")
        return organizer(event(command))

    return add


def the_race(target: Target, organizer: str | None, event: str | None, *, also_uncreated: bool = False) -> RaceRef:
    """The race that --organizer and --event mean. Raises Failed.

    `also_uncreated` takes a race, too, that is not configured, and of which something was uploaded.
    """
    from ops.race.races import the_race

    return the_race(target, organizer, event, also_uncreated=also_uncreated)


one_race = click.option("--race", metavar="O/E", help="The race, as hanriver/seoul-2026 (default: the only one).")


def the_race_named(target: Target, named: str | None) -> RaceRef:
    """The race that --race O/E means. Raises Failed, or UsageError for what names none."""
    organizer, slash, event = (named or "").partition("/")
    if named and (not slash or "/" in event):
        raise click.UsageError("--race takes the organizer's and the event's id, as hanriver/seoul-2026.")
    return the_race(target, organizer or None, event or None)


def race_of(target: Target, photo: str, organizer: str | None, event: str | None) -> RaceRef:
    """Where a photo is: the race that its key names, or the one the options name. Raises Failed."""
    from shared.contracts.keys import near_race

    return the_race(target, *(near_race(photo) or (organizer, event)), also_uncreated=True)


class _Stage(click.Option):
    """--stage, whose help lists the stages that there are: looked up when it is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from ops.reach.cards import in_order

        self.help = ", ".join(card.name for card in in_order()) + ", …"
        return super().get_help_record(ctx)


stage = click.option("--stage", cls=_Stage, metavar="STAGE", required=True)
function = click.option("--function", metavar="F", help="Only one function of the stage, as index of faces.")

yes = click.option("--yes", is_flag=True, help="Do not ask.")


def must_be_able_to_ask(*, yes: bool, instead: str = "--yes") -> None:
    """Raise UsageError where the user has not said yes before, and there is nobody to ask; what to say `instead`."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(f"There is nobody here to ask: say {instead}.")


def agreed(question: str, *, yes: bool) -> bool:
    """Whether the user says yes, or has said so before. Raises UsageError where there is nobody to ask."""
    must_be_able_to_ask(yes=yes)
    return yes or click.confirm(question, err=True)


def agreed_if_asked(question: str) -> bool:
    """Whether the user says yes; where there is nobody to ask, what is likely stands."""
    return not sys.stdin.isatty() or click.confirm(question, default=True, err=True)


json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, for programs.")


def given_besides(expected: set[str]) -> list[str]:
    """The options of this command that were given on the command line, other than the expected ones."""
    ctx = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    return [
        option.opts[0]
        for option in ctx.command.params
        if option.name and option.name not in expected and ctx.get_parameter_source(option.name) is given
    ]
