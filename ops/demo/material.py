"""What the demo runs on: the drawn race, or somebody's own photos."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from ops.demo.score import Truth
from ops.race.races import read_roster
from ops.race.upload import photos_in
from ops.reach.files import read_file
from shared.contracts.bibs import BibRules
from shared.contracts.race import RaceSettings, Roster


@dataclass(frozen=True)
class Material:
    """Photos, race.json and roster.csv. `truth` and `selfies`, a folder, are None for somebody's own photos."""

    photos: list[Path]
    settings: bytes
    roster_file: bytes | None
    roster: Roster | None
    truth: Truth | None = None
    selfies: Path | None = None


def drawn_material(folder: Path) -> Material:
    """The drawn race."""
    body, roster = read_roster(folder / "roster.csv")
    return Material(
        photos=photos_in(folder / "photos"),
        settings=read_file(folder / "race.json"),
        roster_file=body,
        roster=roster,
        truth=msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth),
        selfies=folder / "selfies",
    )


def own_material(photos: Path, roster_path: Path | None) -> Material:
    """Somebody's own photos; the bib rules follow from the roster. Raises Failed."""
    files = photos_in(photos)
    body, roster = read_roster(roster_path) if roster_path else (None, None)
    settings = RaceSettings(
        name=photos.resolve().name or "My race",
        date=f"{datetime.now().astimezone():%Y-%m-%d}",
        faces=True,
        bib_rules=_rules_for(roster),
    )
    return Material(photos=files, settings=msgspec.json.encode(settings), roster_file=body, roster=roster)


def _rules_for(roster: Roster | None) -> BibRules:
    if roster is None:
        return BibRules(min_digits=2)
    digits = [sum(map(str.isdigit, runner.printed)) for runner in roster.runners]
    prefixes = {runner.bib.rstrip("0123456789") for runner in roster.runners}
    return BibRules(prefixes=tuple(sorted(prefixes)), min_digits=min(digits), max_digits=max(digits))
