"""Which photos are taken: where, when, of whom, and what of each bib can be seen.

Everything follows from `SEED`, so the same race is drawn every time.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from local.race.cast import ROSTER, STRANGER, Person
from local.race.face import Expression
from local.race.figure import Cover, Figure, Pose
from local.race.scenery import Place

SEED = 26
START = datetime.fromisoformat("2026-10-25T08:00:00+09:00")

_GROUPS = (1, 2, 1, 3, 1, 2, 1, 4, 1, 2, 1, 2)
_STRANGER_SHOTS = 4


class Visibility(enum.Enum):
    """How much of a bib can be seen: all; some, but not all figures; none."""

    FULL = "full"
    HALF = "half"
    HIDDEN = "hidden"


@dataclass(frozen=True)
class Appearance:
    """Somebody in one photo. `behind`: the next one in the photo stands before her bib."""

    person: Person
    figure: Figure
    visibility: Visibility
    behind: bool = False


@dataclass(frozen=True)
class Shot:
    """One photo. `orientation` is EXIF's; `clock` is what the race clock shows, if one is in the picture."""

    filename: str
    place: Place
    daylight: str
    portrait: bool
    orientation: int
    taken: datetime
    photographer: str
    camera: tuple[str, str]
    clock: str
    appearances: tuple[Appearance, ...]
    seed: int


@dataclass(frozen=True)
class _Station:
    """A photographer's place: when she starts there, in which light, and how many photos she takes."""

    place: Place
    minutes: int
    daylights: tuple[str, ...]
    photographer: str
    camera: tuple[str, str]
    prefix: str
    photos: int


_STATIONS = (
    _Station(Place.RIVER, 12, ("dawn", "morning"), "Lee Jiwon", ("Canon", "EOS R6 Mark II"), "IMG_", 13),
    _Station(Place.CITY, 34, ("morning", "cloudy"), "Park Dohyun", ("NIKON CORPORATION", "NIKON Z 8"), "DSC_", 12),
    _Station(Place.AVENUE, 58, ("noon", "evening"), "Lee Jiwon", ("Canon", "EOS R6 Mark II"), "IMG_", 13),
    _Station(Place.BRIDGE, 81, ("cloudy", "noon"), "Mia Keller", ("SONY", "ILCE-9M3"), "MK", 9),
    _Station(Place.FINISH, 98, ("noon", "evening"), "Park Dohyun", ("NIKON CORPORATION", "NIKON Z 8"), "DSC_", 14),
    _Station(Place.WALL, 116, ("noon",), "Mia Keller", ("SONY", "ILCE-9M3"), "MK", 9),
)

# Names as photographers really give them; each replaces the plain one of the photo with this number.
_AWKWARD_NAMES = {
    3: "river side 01.jpg",
    9: "한강 코스 사진 (1).jpg",
    15: "10K + half.jpg",
    22: "100% effort.jpg",
    29: "단풍길🍁.jpg",
    34: "autumn%20avenue+2.JPG",
    41: "bridge & sky #7.jpeg",
    50: "결승선 골인🏃‍♀️💨.jpg",
    57: "FINISH  two  spaces.JPG",
    65: "메달_축하!🎉 final(최종).jpg",
}
_ROTATED = {5: 6, 13: 8, 20: 3, 27: 6, 38: 8, 46: 3, 55: 6, 63: 8}
_WITHOUT_PEOPLE = {0, 47}


def plan() -> tuple[Shot, ...]:
    """All good photos in the order in which they are taken."""
    random = np.random.default_rng(SEED)
    stations = [station for station in _STATIONS for _ in range(station.photos)]
    groups = _groups(len(stations), random)
    looks = _appearances(groups, stations, random)
    shots: list[Shot] = []
    since: Counter[Place] = Counter()
    for number, (station, appearances) in enumerate(zip(stations, looks, strict=True)):
        since[station.place] += 1
        taken = START + timedelta(
            minutes=station.minutes, seconds=41 * since[station.place] + int(random.integers(0, 30))
        )
        orientation = _ROTATED.get(number, 1)
        alone = len(appearances) == 1
        shots.append(
            Shot(
                filename=_AWKWARD_NAMES.get(number, f"{station.prefix}{2300 + 7 * number}.jpg"),
                place=station.place,
                daylight=station.daylights[(since[station.place] - 1) * len(station.daylights) // station.photos],
                portrait=orientation in (6, 8) or (alone and number % 3 == 1),
                orientation=orientation,
                taken=taken,
                photographer=station.photographer,
                camera=station.camera,
                clock=str(taken - START) if station.place is Place.FINISH else "",
                appearances=appearances,
                seed=number,
            )
        )
    return tuple(shots)


def _groups(count: int, random: np.random.Generator) -> list[list[Person]]:
    """Who is in each photo: always those seen least so far, so that everybody is seen about as often."""
    seen: Counter[str] = Counter()
    groups: list[list[Person]] = []
    for number in range(count):
        if number in _WITHOUT_PEOPLE:
            groups.append([])
            continue
        size = _GROUPS[number % len(_GROUPS)]
        if _ROTATED.get(number) in (6, 8):
            size = min(size, 2)
        candidates = [p for p in (*ROSTER, STRANGER) if p is not STRANGER or seen[p.bib] < _STRANGER_SHOTS]
        ranked = sorted(candidates, key=lambda person: (seen[person.bib], random.random()))
        group = ranked[:size]
        seen.update(person.bib for person in group)
        groups.append(group)
    return groups


def _appearances(
    groups: Sequence[Sequence[Person]], stations: Sequence[_Station], random: np.random.Generator
) -> list[tuple[Appearance, ...]]:
    """Decide what each does and what of her bib can be seen: of everybody's bib, mostly all."""
    times: Counter[str] = Counter()
    result: list[tuple[Appearance, ...]] = []
    for group, station in zip(groups, stations, strict=True):
        sun = float(random.choice((-0.55, -0.35, 0.35, 0.55)))
        appearances: list[Appearance] = []
        blocked = False
        for position, person in enumerate(group):
            turn = times[person.bib]
            times[person.bib] += 1
            cover, behind = (Cover.NONE, False) if blocked else _cover(person, turn, last=position == len(group) - 1)
            blocked = behind
            visibility = (
                Visibility.HALF
                if cover in (Cover.OPEN_JACKET, Cover.TOWEL)
                else Visibility.HIDDEN
                if behind or cover is not Cover.NONE
                else Visibility.FULL
            )
            figure = Figure(
                look=person.look,
                outfit=person.outfit,
                printed=person.printed,
                pose=_pose(station.place, random) if cover is Cover.NONE and not behind else Pose.RUN,
                cover=cover,
                expression=_expression(random, sun),
                mirrored=bool(random.random() < 0.5),
                medal=station.place is Place.WALL,
                lean=float(random.uniform(-0.7, 0.7)),
            )
            appearances.append(Appearance(person, figure, visibility, behind))
        result.append(tuple(appearances))
    return result


def _cover(person: Person, turn: int, *, last: bool) -> tuple[Cover, bool]:
    """What hides her bib the `turn`-th time she is seen, and whether the next runner does."""
    if person is STRANGER:
        return Cover.NONE, False
    index = ROSTER.index(person)
    if turn == 2 + index % 3:
        hiding = (Cover.JACKET, None, Cover.FLAG, Cover.ARMS)[index % 4]
        if hiding is None:
            return (Cover.JACKET, False) if last else (Cover.NONE, True)
        return hiding, False
    if turn == 1 + (index + 2) % 5 and index % 2 == 0:
        return (Cover.OPEN_JACKET, Cover.TOWEL)[index // 2 % 2], False
    return Cover.NONE, False


def _pose(place: Place, random: np.random.Generator) -> Pose:
    poses = {
        Place.WALL: (Pose.STAND, Pose.THUMB),
        Place.FINISH: (Pose.CHEER, Pose.RUN, Pose.CHEER, Pose.WAVE),
    }.get(place, (Pose.RUN, Pose.DRIVE, Pose.RUN, Pose.DRIVE, Pose.WAVE))
    return poses[int(random.integers(len(poses)))]


def _expression(random: np.random.Generator, sun: float) -> Expression:
    return Expression(
        yaw=float(random.uniform(-0.16, 0.16)),
        pitch=float(random.uniform(-0.05, 0.08)),
        roll=float(random.uniform(-0.08, 0.08)),
        smile=float(random.uniform(0.3, 1.0)),
        sun=sun,
    )
