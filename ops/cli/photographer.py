"""The photographer's command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops.cli import options

if TYPE_CHECKING:
    from ops.reach.target import Target
    from shared.contracts.keys import RaceRef


@click.command("upload", short_help="Upload a folder of photos.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.race()
@click.option("--photographer", metavar="NAME", help="Who took them; shown with each photo.")
@click.option("--wait-for-race", is_flag=True, help="Upload although the race does not exist yet: the photos wait.")
def upload_folder(
    folder: Path, organizer: str | None, event: str | None, photographer: str | None, wait_for_race: bool
) -> None:
    """Upload all photos of a folder, several at once. The same command resumes an upload that was interrupted.

    \b
    snaprace upload ~/race/photos --organizer hanriver --event seoul-2026 --photographer "Lee Younghee"
    """
    from ops.race.races import race_ref
    from ops.race.upload import photos_in

    files = photos_in(folder)
    if wait_for_race and not (organizer and event):
        raise click.UsageError("--wait-for-race needs --organizer and --event.")
    target = options.target()
    if wait_for_race and organizer and event:
        ref = race_ref(organizer, event)
    else:
        ref = options.the_race(target, organizer, event)
    sys.exit(send(target, ref, files, photographer))


def send(target: Target, race: RaceRef, files: Sequence[Path], photographer: str | None) -> int:
    """Upload with a bar, and say what came of it; the exit code."""
    from ops.cli.screen import Bar, console
    from ops.race.upload import upload
    from ops.reach.words import counted

    bar = Bar("Uploading", len(files))
    try:
        with bar:
            outcome = upload(target, race, files, photographer=photographer, progress=bar.move)
    except KeyboardInterrupt:
        console.print(f"{bar.done:,} of {len(files):,} files are done; the same command sends the rest.")
        raise
    for name, why in outcome.failed:
        console.print(f"not uploaded: {name}: {why}", markup=False)
    already = f", {len(outcome.already_there):,} already there" if outcome.already_there else ""
    console.print(f"{counted(len(outcome.sent), 'file')} uploaded{already}. See how they get on: snaprace status")
    if outcome.failed:
        console.print(
            f"{counted(len(outcome.failed), 'file')} could not be uploaded; the same command tries them again."
        )
    return 1 if outcome.failed else 0


COMMANDS = (upload_folder,)
