"""What the demo runs on: the drawn race, or somebody's own photos.

The race is drawn once for each version of its code, in the background, and kept in build/.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from local import runtime
from ops.demo.score import Truth
from ops.race.folders import photos_in
from ops.race.rosters import read_roster
from ops.reach.errors import Failed, read_file
from shared.contracts.bibs import BibRules
from shared.contracts.race import RaceSettings
from shared.contracts.roster.reading import Roster

_DRAWN = runtime.CHECKOUT / "build" / "demo-race"
_DRAW_SECONDS = 300


@dataclass(frozen=True)
class Material:
    """Photos, race.json and roster.csv. `truth` and `selfies`, a folder, are None for somebody's own photos.

    `folder` is where these were found: the photos of its sub-folders have their names by it. `left_out` is what else
    is there and does not go up, with why.
    """

    photos: list[Path]
    settings: bytes
    roster_file: bytes | None
    roster: Roster | None
    truth: Truth | None = None
    selfies: Path | None = None
    folder: Path | None = None
    left_out: tuple[tuple[Path, str], ...] = ()


@contextlib.contextmanager
def preparing(own: Material | None = None) -> Iterator[Callable[[], Material]]:
    """Begin to draw the demo race in the background, unless there is one's own; call what is given to wait for it.

    A drawing that was not waited for is ended.
    """
    folder = drawn_folder()
    if own or folder.is_dir():
        yield lambda: own or drawn_material(folder)
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with subprocess.Popen(
        [sys.executable, "-m", "local.tether", "local.race", str(fresh)],
        cwd=runtime.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        @functools.cache
        def finished() -> Material:
            _wait_for(process)
            fresh.rename(folder)
            return drawn_material(folder)

        try:
            yield finished
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(_DRAW_SECONDS)  # not communicate(), which would close the tether
    except subprocess.TimeoutExpired:
        raise Failed(f"The demo race was not drawn within {_DRAW_SECONDS} s.") from None
    complaint = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise Failed(f"The demo race could not be drawn: {(complaint.strip().splitlines() or ['?'])[-1]}")


def drawn_folder() -> Path:
    """Where the demo race lies, or will: drawn by the code as it is now."""
    sources = sorted((runtime.CHECKOUT / "local" / "race").glob("*.py"))
    return _DRAWN / hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def drawn_material(folder: Path) -> Material:
    """A race that was drawn there."""
    file = read_roster(folder / "roster.csv")
    return Material(
        photos=photos_in(folder / "photos"),
        settings=read_file(folder / "race.json"),
        roster_file=file.body,
        roster=file.roster,
        truth=msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth),
        selfies=folder / "selfies",
    )


def own_material(photos: Path, roster_path: Path | None) -> Material:
    """Somebody's own photos; the bib rules follow from the roster. Raises Failed."""
    left_out: list[tuple[Path, str]] = []
    files = photos_in(photos, left_out=lambda path, why: left_out.append((path, why)))
    file = read_roster(roster_path) if roster_path else None
    roster = file.roster if file else None
    settings = RaceSettings(
        name=photos.resolve().name or "My race",
        date=f"{datetime.now().astimezone():%Y-%m-%d}",
        faces=True,
        bib_rules=_rules_for(roster),
    )
    return Material(
        photos=files,
        settings=msgspec.json.encode(settings),
        roster_file=file.body if file else None,
        roster=roster,
        folder=photos,
        left_out=tuple(left_out),
    )


def _rules_for(roster: Roster | None) -> BibRules:
    if roster is None:
        return BibRules(min_digits=2)
    return BibRules.for_bibs(runner.printed for runner in roster.runners)
