"""What deletes for good, or moves: a race with everything of it, and uploads of no race."""

from __future__ import annotations

import click

from ops.cli import options

_PATIENCE_SECONDS = 900  # longer than what a function had that died comes back


@click.command("delete", short_help="Delete a race: everything of it, for good.")
@options.race(required=True)
@options.yes
@click.option("--confirm", metavar="E", help="The event_id once more; goes with --yes.")
@options.json
def race_delete(organizer: str, event: str, yes: bool, confirm: str | None, as_json: bool) -> None:
    """Delete everything of a race: uploads and pictures in all their versions, faces, what every stage keeps of it.

    Says first how much there is, and asks for the event_id. Counts again at the end. The same command goes on after it
    was cut off.

    \b
    snaprace race delete --organizer hanriver --event seoul-2026
    snaprace race delete --organizer hanriver --event seoul-2026 --yes --confirm seoul-2026
    """
    from ops.cli.screen import console
    from ops.look.quiet import until_quiet
    from ops.race.erase import erase_race, left_of
    from ops.race.races import race_ref
    from ops.reach.words import to_json

    if yes != (confirm is not None) or confirm not in (None, event):
        raise click.UsageError("To delete without being asked: --yes, and --confirm with the event_id.")
    race, target = race_ref(organizer, event), options.target()
    found = left_of(target, race)
    if found:
        console.print(f"Of the race [bold]{race}[/] in {target.where} there is:")
        for words, number in found.items():
            console.print(f"  {number:,} {words}")
        _must_be_meant(event, yes=yes)
        erase_race(
            target,
            race,
            rest=lambda: until_quiet(target, {race}, patience_s=_PATIENCE_SECONDS),
            tell=lambda text: console.print(f"{text}…"),
        )
        console.print(f"The race [bold]{race}[/] is deleted: counted again, there is nothing left of it.")
    else:
        console.print(f"There is nothing of the race {race} in {target.where}.")
    if as_json:
        print(to_json({**race._asdict(), "deleted": found, "left": {}}))


def _must_be_meant(event: str, *, yes: bool) -> None:
    """Let the user type the event's id. Raises Abort where it is another."""
    if yes:
        return
    options.must_be_able_to_ask(yes=yes, instead="--yes --confirm EVENT")
    if click.prompt("Type the event_id to delete all of this for good", err=True) != event:
        raise click.ClickException("That is another id; nothing was deleted.")


@click.command("strays", short_help="Show uploads of no race; move or delete them.")
@click.option("--from", "beginning", metavar="BEGINNING", help="Only uploads whose keys begin so, as they are listed.")
@click.option("--move-to", "goal", metavar="O/E", help="Move these into a race, as hanriver/seoul-2026.")
@click.option("--delete", is_flag=True, help="Delete these, with all their versions.")
@options.yes
@options.json
def strays(beginning: str | None, goal: str | None, delete: bool, yes: bool, as_json: bool) -> None:
    """Show uploads that belong to no race: their key names none, or a race that is not created.

    Says how many there are, and asks, before any are moved or deleted. What lies too deep in a race's folder, and is
    rejected, can be moved in the same way.

    \b
    snaprace strays
    snaprace strays --from hanriver/seuol-2026/ --move-to hanriver/seoul-2026
    snaprace strays --from hanriver/seuol-2026/ --delete
    """
    from ops.cli.show_races import show_strays
    from ops.look import strays as look
    from ops.reach.words import to_json

    if bool(goal) + delete != bool(beginning):
        raise click.UsageError("--from goes with either --move-to or --delete.")
    if beginning and as_json:
        raise click.UsageError("--json lists, and goes alone.")
    if beginning:
        _move_or_delete(beginning, goal, yes=yes)
        return
    found = look.strays(options.target())
    if as_json:
        print(to_json({"strays": found}))
    elif found:
        show_strays(found)
    else:
        click.echo("Every upload belongs to a race.", err=True)


def _move_or_delete(beginning: str, goal: str | None, *, yes: bool) -> None:
    from ops.cli.screen import console
    from ops.race.races import race_ref, require
    from ops.race.strays import erase, move, strays_below
    from ops.reach.words import counted

    if goal is not None and goal.count("/") != 1:
        raise click.UsageError("--move-to takes the organizer's and the event's id, as hanriver/seoul-2026.")
    target = options.target()
    race = race_ref(*goal.split("/")) if goal else None
    if race:
        require(target, race)
    keys = strays_below(target, beginning)
    number = counted(len(keys), "upload")
    console.print(f"{number} of no race below {beginning}, such as {keys[0]}", markup=False)
    if not options.agreed(f"Move {number} to {race}?" if race else f"Delete {number} for good?", yes=yes):
        console.print("Nothing was done.")
    elif race:
        moved = move(target, keys, beginning, race)
        console.print(f"{counted(len(moved), 'upload')} moved to {race}. See how they get on: snaprace status")
    else:
        erase(target, keys, beginning)
        console.print(f"{number} deleted, in all versions.")


COMMANDS = (strays,)
