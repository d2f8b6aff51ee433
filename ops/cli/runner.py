"""The runner's command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops.cli import options

if TYPE_CHECKING:
    from services.search.questions import PhotoAnswer


@click.command(short_help="Find a runner's photos by bib or selfie.")
@options.race()
@click.option("--bib", metavar="N", help="The number on the bib.")
@click.option("--selfie", type=click.Path(path_type=Path), metavar="FILE", help="A picture of the runner's face.")
@options.json
def find(organizer: str | None, event: str | None, bib: str | None, selfie: Path | None, as_json: bool) -> None:
    """Find a runner's photos, also those where her bib is hidden.

    \b
    snaprace find --bib 1042
    snaprace find --selfie me.jpg --json
    """
    from ops.reach.search_api import SearchApi

    if (bib is None) == (selfie is None):
        raise click.UsageError("Give either --bib or --selfie.")
    target = options.target()
    ref = options.the_race(target, organizer, event)
    api = SearchApi(target.api_url("search"))
    found = api.by_bib(ref, bib) if bib is not None else api.by_selfie(ref, selfie or Path())
    _show(list(found), as_json=as_json)


def _show(photos: Sequence[PhotoAnswer], *, as_json: bool) -> None:
    from rich.text import Text

    from ops.cli.screen import answers, console
    from ops.reach.words import counted, some_of, to_json
    from services.search.questions import MatchedPhotoAnswer

    if as_json:
        shown = ("photo_id", "filename", "taken_at", "taken_at_sure", "runners", "preview_url", "similarity")
        print(to_json({"photos": [some_of(photo, *shown) for photo in photos]}))
        return
    if not photos:
        console.print("No photos found.")
        return
    for photo in photos:
        facts = [
            _when(photo),
            ", ".join(f"{runner.bib} {runner.status}" for runner in photo.runners),
            f"{photo.similarity:.0f}% alike" if isinstance(photo, MatchedPhotoAnswer) else "",
        ]
        answers.print(Text(photo.filename, style="bold"), Text(" · ".join(filter(None, facts))), sep="  ")
        answers.print(Text(f"  {photo.preview_url}", style="dim"))
    console.print(f"{counted(len(photos), 'photo')}; the links work for 15 minutes.")


def _when(photo: PhotoAnswer) -> str:
    when = (photo.taken_at or "")[:19].replace("T", " ")
    return when if photo.taken_at_sure or not when else f"about {when}"


COMMANDS = (find,)
