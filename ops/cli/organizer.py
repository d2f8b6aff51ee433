"""The organizer's commands: a race, its runners, and her word about who is in a photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ops.cli import options

if TYPE_CHECKING:
    from ops.reach.target import Target
    from shared.contracts.events import BibCorrected, MatchCut
    from shared.contracts.keys import RaceRef
    from shared.contracts.race import RaceSettings


class _Bound(click.ParamType[int | None]):
    """A whole number, or none for no bound."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The number; None for none."""
        if value is None or value == "none":
            return None
        return int(click.INT.convert(value, param, ctx))


def _words(_ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without the empty one, which says that there are none."""
    return tuple(filter(None, words))


def settings(command: Any) -> Any:
    """The options that are settings: by their names the fields of RaceSettings and of its BibRules.

    None has a default here. What is not named is the race's, or where it is new, RaceSettings' own default.
    """
    for option in reversed(
        (
            click.option("--name", help="What runners see."),
            click.option("--date", metavar="YYYY-MM-DD", help="The day of the race."),
            click.option("--timezone", metavar="ZONE", help="For example Asia/Seoul (a new race: UTC)."),
            click.option("--faces/--no-faces", help="Recognise faces; runners search by selfie (a new race: no)."),
            click.option("--originals/--no-originals", help="Runners download full-size pictures (a new race: no)."),
            click.option(
                "--prefix", "prefixes", multiple=True, metavar="LETTERS", help='Letters before the number; "" for none.'
            ),
            click.option("--min-digits", type=int, help="Fewest digits of a bib (a new race: 1)."),
            click.option("--max-digits", type=int, help="Most digits of a bib (a new race: 5)."),
            click.option(
                "--format",
                "formats",
                multiple=True,
                type=click.Choice(["number", "number-leg", "number-letter"]),
                help="How bibs are formed: 1042 (number), 727-2 (number-leg), 1042F (number-letter).",
            ),
            click.option("--lowest", type=_Bound(), metavar="N", help="The lowest number of a bib, or none."),
            click.option("--highest", type=_Bound(), metavar="N", help="The highest number of a bib, or none."),
            click.option(
                "--exclude",
                "excluded",
                multiple=True,
                callback=_words,
                metavar="WORD",
                help='A word that is never a bib here, such as the year; "" for none.',
            ),
            click.option(
                "--min-confidence", type=float, metavar="P", help="Percent a reading needs to count (a new race: 80)."
            ),
            click.option(
                "--file", type=click.Path(path_type=Path), metavar="FILE", help="A race.json, instead of options."
            ),
        )
    ):
        command = option(command)
    return command


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that the command line names."""
    ctx = click.get_current_context()
    return {
        name: value
        for name, value in given.items()
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }


@click.group(short_help="Create races, and change, show and list them.")
def race() -> None:
    """Races and their settings."""


@race.command("create", short_help="Create a race.")
@options.race(required=True)
@settings
def race_create(organizer: str, event: str, file: Path | None, **given: Any) -> None:
    """Create a race. One that exists is refused: race set changes its settings.

    \b
    snaprace race create --organizer hanriver --event seoul-2026 --name "Seoul Marathon" \\
        --date 2026-10-25 --timezone Asia/Seoul --faces
    """
    from ops.cli.screen import console
    from ops.race.races import race_ref
    from ops.race.settings import create_race
    from ops.reach.errors import read_file

    ref = race_ref(organizer, event)
    named = _named(given)
    if file is None and not (named.get("name") and named.get("date")):
        raise click.UsageError("Give --name and --date, or --file with a race.json.")
    if file is not None and (extra := options.given_besides({"organizer", "event", "file"})):
        raise click.UsageError(f"--file brings all settings; leave out {', '.join(extra)}.")
    body = read_file(file) if file else _race_json(named)
    target = options.target()
    created = create_race(target, ref, body)
    faces = "on" if created.faces else "off"
    console.print(f"Race [bold]{ref}[/] ({created.name}, {created.date}) is set up, faces are {faces}.")
    _tell_refused(target, ref)


def _tell_refused(target: Target, race: RaceRef) -> None:
    """Name the bibs of the roster that the settings refuse, if there are any."""
    from ops.cli.screen import console
    from ops.cli.show_races import show_problems
    from ops.race.rosters import refused_now
    from ops.reach.words import counted

    if refused := refused_now(target, race):
        console.print(f"These rules refuse {counted(len(refused), 'bib')} of its roster:")
        show_problems(refused)


def _race_json(named: dict[str, Any]) -> bytes:
    import msgspec

    from ops.race.settings import changed
    from shared.contracts.race import RaceSettings

    return msgspec.json.encode(changed(RaceSettings(name=named["name"], date=named["date"]), named))


@race.command("set", short_help="Change settings of a race.")
@options.race()
@settings
@options.yes
def race_set(organizer: str | None, event: str | None, file: Path | None, yes: bool, **given: Any) -> None:
    """Change the settings that are named, and no others; --file changes them all. Photos are then looked at again.

    Says what changes, and asks where something is erased.

    \b
    snaprace race set --originals
    snaprace race set --organizer hanriver --event seoul-2026 --max-digits 6 --highest none
    """
    from ops.cli.screen import console
    from ops.cli.show_races import setting
    from ops.race.settings import change_race, changed, changes, checked, what_is_erased
    from ops.reach.errors import read_file

    named = _named(given)
    if file is None and not named:
        raise click.UsageError("Name what is to change, as --originals, or give --file with a race.json.")
    if file is not None and named:
        extra = options.given_besides({"organizer", "event", "file", "yes"})
        raise click.UsageError(f"--file brings all settings; leave out {', '.join(extra)}.")
    body = read_file(file) if file else None

    def make(before: RaceSettings) -> RaceSettings:
        return checked(body) if body is not None else changed(before, named)

    def agree(before: RaceSettings, after: RaceSettings) -> bool:
        for change in changes(before, after):
            console.print(f"{change.name}: {setting(change.before)} → {setting(change.after)}", markup=False)
        erased = what_is_erased(before, after)
        return erased is None or options.agreed(f"This erases {erased}. Go on?", yes=yes)

    target = options.target()
    ref = options.the_race(target, organizer, event)
    if change_race(target, ref, make, agree):
        console.print(f"Race [bold]{ref}[/] is changed; its photos are looked at again where that matters.")
        _tell_refused(target, ref)
    else:
        console.print(f"Nothing has changed in the race [bold]{ref}[/].")


@race.command("show", short_help="Show a race: settings, roster, counts, problems.")
@options.race()
@options.json
def race_show(organizer: str | None, event: str | None, as_json: bool) -> None:
    """Show a race: its settings, how many runners its roster has, where its photos stand, and what was refused and why.

    Numbers that are read in many photos and seem to be on banners are named, with the command that excludes them.

    \b
    snaprace race show
    snaprace race show --organizer hanriver --event seoul-2026 --json
    """
    from ops.cli.show_races import show_race
    from ops.look.races import look_at

    target = options.target()
    ref = options.the_race(target, organizer, event, also_uncreated=True)
    show_race(look_at(target, ref), as_json=as_json)


@race.command("list", short_help="List the races, and uploads of no race.")
@options.json
def race_list(as_json: bool) -> None:
    """List the races there are, and how many uploads belong to none of them.

    \b
    snaprace race list
    snaprace race list --json
    """
    from ops.cli.show_races import show_races
    from ops.look.races import listed
    from ops.look.strays import strays

    target = options.target()
    show_races(listed(target), strays(target), as_json=as_json)


@click.group(short_help="Import a race's runners.")
def roster() -> None:
    """A race's runners."""


@roster.command("import", short_help="Import a race's runners from a CSV or a spreadsheet.")
@click.argument("file", type=click.Path(path_type=Path))
@options.race()
@click.option("--bib-column", metavar="NAME", help="The bib's column, by name or number (1 = the first).")
@click.option("--sheet", metavar="NAME", help="The sheet of a spreadsheet (default: the first with bibs).")
@click.option("--encoding", metavar="NAME", help="The encoding of a text that is not UTF-8, such as cp1252 or cp949.")
@click.option("--skip-bad-rows", is_flag=True, help="Import the good rows although some are bad.")
@options.json
def roster_import(
    file: Path, organizer: str | None, event: str | None, skip_bad_rows: bool, as_json: bool, **how: str | None
) -> None:
    """Import a race's runners from a CSV, or from a spreadsheet's own file (.xlsx, .xls, .ods).

    The columns are known by their names, in many languages. Bad rows, and bibs that the race's rules refuse, are shown
    with their line, and nothing is imported, unless --skip-bad-rows says so. At a terminal you are asked whether the
    names of a text that is not UTF-8 are right.

    \b
    snaprace roster import roster.csv --organizer hanriver --event seoul-2026
    """
    from ops.cli.screen import console
    from ops.cli.show_races import show_problems
    from ops.race.races import import_roster
    from ops.race.rosters import read_roster
    from ops.reach.errors import Failed
    from ops.reach.words import counted, to_json

    read = read_roster(file, **how)
    target = options.target()
    race = options.the_race(target, organizer, event)
    read = read.for_race(target, race)
    problems = read.roster.problems
    console.print(read.found(), markup=False)
    show_problems(problems)
    if read.roster.guessed and not options.agreed_if_asked("Are these names right?"):
        raise Failed("Nothing was imported. Say what the encoding is with --encoding NAME.")
    wanted = not problems or skip_bad_rows
    if wanted:
        import_roster(target, race, read.body)
    if as_json:
        click.echo(to_json({"imported": len(read.roster.runners) if wanted else 0, **read.to_builtins()}))
    if not wanted:
        raise Failed(
            f"{counted(len(problems), 'bad row')}; nothing was imported. "
            "Mend the file, or the race's rules with snaprace race set, or leave bad rows out with --skip-bad-rows."
        )
    left_out = f", {counted(len(problems), 'row')} left out" if problems else ""
    console.print(f"{counted(len(read.roster.runners), 'runner')} imported{left_out}.")


@click.command("correct", short_help="Say who is in a photo, or that two faces are not one person.")
@click.argument("photo", metavar="PHOTO")
@options.race()
@click.option("--bib", metavar="B", help="The runner that this is about.")
@click.option("--not-here", is_flag=True, help="She is not in this photo.")
@click.option("--cut", "other", metavar="OTHER_PHOTO", help="A face here and one there are different people.")
@click.option("--face", type=int, metavar="N", help="Which face, counted from the left, where there are several.")
@click.option("--other-face", type=int, metavar="M", help="Which face in the other photo.")
@click.option("--undo", is_flag=True, help="Take a --cut back.")
def correct_photo(
    photo: str,
    organizer: str | None,
    event: str | None,
    bib: str | None,
    not_here: bool,
    other: str | None,
    face: int | None,
    other_face: int | None,
    undo: bool,
) -> None:
    """Correct who is in a photo. Your word outranks what was read and seen, and stays when photos are looked at again.

    PHOTO is a file name, an upload's key or a photo id; snaprace explain PHOTO lists its faces from left to right.

    \b
    snaprace correct IMG_2300.jpg --bib 1042 --face 2
    snaprace correct IMG_2300.jpg --bib 77 --not-here
    snaprace correct IMG_2300.jpg --face 1 --cut IMG_2314.jpg --other-face 3
    """
    from ops.cli.screen import console
    from ops.look.photo import photo_report
    from ops.race.correct import bib_correction, match_cut, say

    if (bib is None) == (other is None):
        raise click.UsageError("Give either --bib or --cut.")
    if bib and (extra := options.given_besides({"photo", "organizer", "event", "bib", "not_here", "face"})):
        raise click.UsageError(f"{', '.join(extra)} goes with --cut.")
    if not_here and (other or face):
        raise click.UsageError("--not-here goes with --bib alone: she has no face here.")
    target = options.target()
    race = options.race_of(target, photo, organizer, event)
    found = photo_report(target, race, photo)
    word: BibCorrected | MatchCut
    if bib is not None:
        word = bib_correction(target, found, bib, here=not not_here, face=face)
    else:
        word = match_cut(found, photo_report(target, race, other or ""), face=face, other_face=other_face, undo=undo)
    console.print(say(target, found, word), markup=False)


COMMANDS = (race, roster, correct_photo)
