"""The photographer's command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops.cli import options

if TYPE_CHECKING:
    from ops.race.upload import UploadResult
    from ops.reach.target import Target
    from shared.contracts.keys import RaceRef


_FOLDERS_SHOWN = 20


@click.command("upload", short_help="Upload folders of photos.")
@click.argument("folders", metavar="DIR", type=click.Path(path_type=Path), nargs=-1, required=True)
@options.race()
@click.option("--photographer", metavar="NAME", help="Who took them; shown with each photo.")
@click.option("--wait-for-race", is_flag=True, help="Upload although the race does not exist yet: the photos wait.")
@click.option("--replace", is_flag=True, help="Put photos that were edited in the place of those with their names.")
def upload_folders(
    folders: tuple[Path, ...],
    organizer: str | None,
    event: str | None,
    photographer: str | None,
    wait_for_race: bool,
    replace: bool,
) -> None:
    """Upload all photos of one or more folders, several at once. The same command resumes what was interrupted.

    Photos of sub-folders go up as day1--cam2--IMG_1.jpg. A photo never takes the place of another with its name: both
    are kept, unless --replace says otherwise. Hidden files stay; links to folders are told, and not followed.

    \b
    snaprace upload ~/race/photos --organizer hanriver --event seoul-2026 --photographer "Lee Younghee"
    snaprace upload ~/race/day1 ~/race/day2
    """
    from ops.race.folders import photos_in
    from ops.race.races import race_ref

    left_out: list[tuple[Path, str]] = []
    files = photos_in(*folders, left_out=lambda path, why: left_out.append((path, why)))
    if wait_for_race and not (organizer and event):
        raise click.UsageError("--wait-for-race needs --organizer and --event.")
    target = options.target()
    if wait_for_race and organizer and event:
        ref = race_ref(organizer, event)
    else:
        ref = options.the_race(target, organizer, event)
    code = send(target, ref, files, folders=folders, photographer=photographer, replace=replace)
    sys.exit(code or tell_left_out(left_out))


def send(
    target: Target,
    race: RaceRef,
    files: Sequence[Path],
    *,
    folders: Sequence[Path] = (),
    photographer: str | None = None,
    replace: bool = False,
) -> int:
    """Upload with a bar, and say what came of it; the exit code."""
    from ops.cli.screen import Bar, console
    from ops.race.upload import upload
    from ops.reach.words import counted

    bar = Bar("Uploading", len(files))
    try:
        with bar:
            outcome = upload(
                target,
                race,
                files,
                folders=folders,
                photographer=photographer,
                replace=replace,
                progress=bar.move,
            )
    except KeyboardInterrupt:
        console.print(f"{bar.done:,} of {len(files):,} files are done; the same command sends the rest.")
        raise
    for name, why in outcome.failed:
        console.print(f"not uploaded: {printable(name)}: {why}", markup=False)
    _tell_names(outcome)
    already = f", {len(outcome.already_there):,} already there" if outcome.already_there else ""
    console.print(f"{counted(len(outcome.sent), 'file')} uploaded{already}. See how they get on: snaprace status")
    if outcome.failed:
        console.print(
            f"{counted(len(outcome.failed), 'file')} could not be uploaded; the same command tries them again."
        )
    return 1 if outcome.failed else 0


def tell_left_out(left_out: Sequence[tuple[Path, str]]) -> int:
    """Say what was found beside the files and did not go up; the exit code."""
    from ops.cli.screen import console
    from ops.race.folders import shortened

    for path, why in left_out:
        console.print(f"not uploaded: {printable(shortened(path))}: {why}", markup=False)
    return 1 if left_out else 0


def _tell_names(outcome: UploadResult) -> None:
    """Say under which names each folder's photos are in the race; nothing of one folder where they are their own."""
    from ops.cli.screen import console

    by_folder: dict[Path, list[Path]] = {}
    for path in sorted(outcome.keys):
        by_folder.setdefault(path.parent, []).append(path)
    told = [f"{printable(str(folder))}: {_names_in(outcome, files)}." for folder, files in by_folder.items()]
    if len(told) == 1 and all(_name(outcome, path) == path.name for path in outcome.keys):
        return
    for line in told[:_FOLDERS_SHOWN]:
        console.print(line, markup=False)
    if len(told) > _FOLDERS_SHOWN:
        console.print(f"… and {len(told) - _FOLDERS_SHOWN:,} folders more.")
    if outcome.beside:
        console.print("To put edited photos in the place of the old ones: the same command with --replace.")


def _names_in(outcome: UploadResult, files: Sequence[Path]) -> str:
    """How many of a folder's photos have which kind of name."""
    from ops.reach.words import counted

    beside = set(outcome.beside).intersection(files)
    own = [path for path in files if _name(outcome, path) == path.name and path not in beside]
    others = [path for path in files if path not in beside and path not in set(own)]
    kinds = (
        (own, "under the file's own name", ""),
        (others, "with the folder's name", ""),
        (sorted(beside), "with more in the name", ", since the race has other photos of that name, and both are kept"),
    )
    return "; ".join(
        f"{counted(len(some), 'photo')} {how}, as {_name(outcome, some[0])}{why}" for some, how, why in kinds if some
    )


def _name(outcome: UploadResult, path: Path) -> str:
    return outcome.keys[path].rsplit("/", 1)[-1]


def printable(text: str) -> str:
    """A file's name as any terminal can show it: the disk's bytes need not be UTF-8."""
    return text.encode(errors="backslashreplace").decode()


COMMANDS = (upload_folders,)
