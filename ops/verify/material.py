"""What the probe uploads: of the drawn race, a runner whose bib is to be seen and is hidden, and one who is not her."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from local.race.cast import ROSTER, Person
from local.race.photo import photo, selfie
from local.race.plan import Shot, Visibility, plan
from shared.contracts.bibs import BibRules
from shared.contracts.race import RaceSettings

_SEEN = 2  # photos of her with her bib: what connects her face with it


class Drawn(NamedTuple):
    """Files of a race of two runners: `seen` and `hidden` show the runner of `bib`, `other` somebody else."""

    settings: bytes
    roster: bytes
    bib: str
    seen: tuple[Path, ...]
    hidden: tuple[Path, ...]
    other: Path
    selfie: Path

    @property
    def photos(self) -> tuple[Path, ...]:
        """All of them."""
        return (*self.seen, *self.hidden, self.other)


def draw(folder: Path) -> Drawn:
    """Draw them into a folder; it takes some seconds."""
    shots = plan()
    runner, seen, hidden = next(_candidates(shots))
    other, theirs = next(
        (person, shot) for person in ROSTER if person is not runner for shot in _alone(shots, person, Visibility.FULL)
    )
    settings = RaceSettings(
        name="snaprace verify",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        bib_rules=BibRules.for_bibs((runner.printed, other.printed)),
        faces=True,
    )
    portrait = folder / "selfie.jpg"
    portrait.write_bytes(selfie(runner))
    return Drawn(
        settings=msgspec.json.encode(settings),
        roster=f"bib,name\n{runner.printed},Runner\n{other.printed},Other\n".encode(),
        bib=runner.bib,
        seen=tuple(_draw(folder, shot) for shot in seen[:_SEEN]),
        hidden=(_draw(folder, hidden),),
        other=_draw(folder, theirs),
        selfie=portrait,
    )


def _candidates(shots: tuple[Shot, ...]) -> Iterator[tuple[Person, list[Shot], Shot]]:
    """Runners who are alone in photos with their bib, and in one without."""
    for person in ROSTER:
        seen, hidden = (list(_alone(shots, person, how)) for how in (Visibility.FULL, Visibility.HIDDEN))
        if len(seen) >= _SEEN and hidden:
            yield person, seen, hidden[0]


def _alone(shots: tuple[Shot, ...], person: Person, how: Visibility) -> Iterator[Shot]:
    for shot in shots:
        if [(each.person, each.visibility) for each in shot.appearances] == [(person, how)]:
            yield shot


def _draw(folder: Path, shot: Shot) -> Path:
    path = folder / f"{shot.seed}.jpg"
    path.write_bytes(photo(shot))
    return path
