"""The organizer's commands: a race, its runners, and her word about who is in a photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ops.cli import options

if TYPE_CHECKING:
    from shared.contracts.events import BibCorrected, MatchCut
    from shared.contracts.roster.runners import Problem

_PROBLEMS_SHOWN = 20


@click.group(short_help="Create a race, or change its settings.")
def race() -> None:
    """A race and its settings."""


@race.command("create", short_help="Create a race, or change its settings.")
@options.race(required=True)
@click.option("--name", help="What runners see.")
@click.option("--date", metavar="YYYY-MM-DD", help="The day of the race.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="For example Asia/Seoul.")
@click.option("--faces/--no-faces", default=False, help="Recognise faces, and let runners search by selfie.")
@click.option("--originals/--no-originals", default=False, help="Let runners download full-size pictures.")
@click.option(
    "--prefix",
    "prefixes",
    multiple=True,
    default=("",),
    metavar="LETTERS",
    help='Letters before the number; "" for none.',
)
@click.option("--min-digits", type=int, default=1, show_default=True, help="Fewest digits of a bib.")
@click.option("--max-digits", type=int, default=5, show_default=True, help="Most digits of a bib.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["number", "number-leg", "number-letter"]),
    help="How bibs are formed: 1042 (number), 727-2 (number-leg), 1042F (number-letter); for several, repeat it.",
)
@click.option("--lowest", type=int, metavar="N", help="The lowest number of a bib.")
@click.option("--highest", type=int, metavar="N", help="The highest number of a bib.")
@click.option(
    "--exclude", "excluded", multiple=True, metavar="WORD", help="A word that is never a bib here, such as the year."
)
@click.option(
    "--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="A race.json, instead of options."
)
def race_create(
    organizer: str, event: str, file: Path | None, name: str | None, date: str | None, **given: Any
) -> None:
    """Create a race, or change the settings of one: its photos are then looked at again.

    \b
    snaprace race create --organizer hanriver --event seoul-2026 --name "Seoul Marathon" \\
        --date 2026-10-25 --timezone Asia/Seoul --faces
    """
    from ops.cli.screen import console
    from ops.race.races import create_race, race_ref
    from ops.race.rosters import refused_now
    from ops.reach.errors import read_file
    from ops.reach.words import counted

    ref = race_ref(organizer, event)
    if file is None and not (name and date):
        raise click.UsageError("Give --name and --date, or --file with a race.json.")
    if file is not None and (extra := options.given_besides({"organizer", "event", "file"})):
        raise click.UsageError(f"--file brings all settings; leave out {', '.join(extra)}.")
    body = read_file(file) if file else _race_json(name or "", date or "", given)
    target = options.target()
    settings = create_race(target, ref, body)
    faces = "on" if settings.faces else "off"
    console.print(f"Race [bold]{ref}[/] ({settings.name}, {settings.date}) is set up, faces are {faces}.")
    if refused := refused_now(target, ref):
        console.print(f"These rules refuse {counted(len(refused), 'bib')} of its roster:")
        _show(refused)


def _race_json(name: str, date: str, given: dict[str, Any]) -> bytes:
    """What the options say; those about bibs have the names of BibRules' fields, the others those of RaceSettings'."""
    import msgspec

    from shared.contracts.bibs import BibRules
    from shared.contracts.race import RaceSettings

    asked = {field: given.pop(field) for field in BibRules.__struct_fields__}
    rules = BibRules(**{field: value for field, value in asked.items() if value != ()})
    return msgspec.json.encode(RaceSettings(name=name, date=date, bib_rules=rules, **given))


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
    with their line, and nothing is imported, unless --skip-bad-rows says so.

    \b
    snaprace roster import roster.csv --organizer hanriver --event seoul-2026
    """
    from ops.cli.screen import console
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
    _show(problems)
    wanted = not problems or skip_bad_rows
    if wanted:
        import_roster(target, race, read.body)
    if as_json:
        click.echo(to_json({"imported": len(read.roster.runners) if wanted else 0, **read.to_builtins()}))
    if not wanted:
        raise Failed(
            f"{counted(len(problems), 'bad row')}; nothing was imported. "
            "Mend the file or the race's rules, or leave bad rows out with --skip-bad-rows."
        )
    left_out = f", {counted(len(problems), 'row')} left out" if problems else ""
    console.print(f"{counted(len(read.roster.runners), 'runner')} imported{left_out}.")


def _show(problems: Sequence[Problem]) -> None:
    """Print the first problems with their lines, and how many more there are."""
    from ops.cli.screen import console

    for problem in problems[:_PROBLEMS_SHOWN]:
        console.print(f"line {problem.line}: {problem.message}", markup=False)
    if (more := len(problems) - _PROBLEMS_SHOWN) > 0:
        console.print(f"and {more:,} more.")


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
    target, race = options.race_of(photo, organizer, event)
    found = photo_report(target, race, photo)
    word: BibCorrected | MatchCut
    if bib is not None:
        word = bib_correction(target, found, bib, here=not not_here, face=face)
    else:
        word = match_cut(found, photo_report(target, race, other or ""), face=face, other_face=other_face, undo=undo)
    console.print(say(target, found, word), markup=False)


COMMANDS = (race, roster, correct_photo)
