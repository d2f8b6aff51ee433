"""How well the real engines see the drawn race: snaprace bench drawn-race.

Draws the race (or takes one already drawn), finds every face and reads every bib with the vision server's own
engines, and says: faces found and missed, distances within and between people, selfies, bibs read. Some three
minutes on one core; `--photos 12` looks at twelve photos spread over the race.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.labelled import CannotMeasure, require_files
from local.race import draw_race
from local.race.cast import ROSTER, Person
from local.race.photo import heads
from local.race.plan import Shot, Visibility, plan
from shared.contracts.race import RaceSettings, parse_race
from vision.collections.similarity import BEST_DISTANCE
from vision.engine.faces import FaceFinder
from vision.engine.pictures import decode
from vision.engine.text import TextReader

Vector = NDArray[np.float32]


@dataclass
class Seen:
    """What the engines saw: each person's faces, who was missed, what was read where."""

    faces: dict[str, list[Vector]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    full: int = 0
    unread: list[str] = field(default_factory=list)
    misread: list[str] = field(default_factory=list)


def run(folder: Path | None, photos: int) -> dict[str, Any]:
    """Measure the race in `folder`, or one that is drawn for it; `photos` of it, 0 for all. Raises CannotMeasure."""
    if folder is not None:
        if not (folder / "race.json").is_file():
            raise CannotMeasure(f"{folder} holds no drawn race; draw one there with: python -m local.race {folder}")
        require_files(folder / "photos" / shot.filename for shot in _shots(photos))
        require_files(_selfie_of(folder, person) for person in ROSTER)
        return measure(folder, photos)
    with tempfile.TemporaryDirectory() as made:
        started = time.process_time()
        draw_race(Path(made))
        drawing = round(time.process_time() - started, 1)
        return {"drawing_cpu_seconds": drawing, **measure(Path(made), photos)}


def measure(folder: Path, limit: int) -> dict[str, Any]:
    """Look at the race in `folder` and sum up."""
    finder, reader = FaceFinder(), TextReader()
    settings = parse_race((folder / "race.json").read_bytes())
    shots = _shots(limit)
    seen = Seen()
    for shot in shots:
        pixels = decode((folder / "photos" / shot.filename).read_bytes())
        _look_for_faces(shot, pixels, finder, seen)
        _look_for_bibs(shot, pixels, reader, settings, seen)
    selfies = {person.bib: _selfie(_selfie_of(folder, person), finder) for person in ROSTER}
    return {"photos": len(shots), "faces": _faces(seen), "selfies": _selfies(seen, selfies), "bibs": _bibs(seen)}


def _shots(limit: int) -> tuple[Shot, ...]:
    """So many photos of the race, spread over it; all for 0."""
    shots = plan()
    return shots[:: max(1, len(shots) // limit)] if limit else shots


def _selfie_of(folder: Path, person: Person) -> Path:
    return folder / "selfies" / f"{person.bib}.jpg"


def _look_for_faces(shot: Shot, pixels: Any, finder: FaceFinder, seen: Seen) -> None:
    found = finder.find(pixels, "NONE", 100)
    for bib, (x, y) in heads(shot).items():
        own = [
            face
            for face in found
            if face.box.left < x < face.box.left + face.box.width
            and face.box.top < y < face.box.top + 1.2 * face.box.height
        ]
        if not own:
            seen.missed.append(f"{bib} in {shot.filename}")
            continue
        found.remove(own[0])
        if own[0].vector is not None:
            seen.faces.setdefault(bib, []).append(np.frombuffer(own[0].vector, dtype="<f4"))
    seen.surplus.extend(f"{shot.filename} ({face.confidence:.0f}%)" for face in found)


def _look_for_bibs(shot: Shot, pixels: Any, reader: TextReader, settings: RaceSettings, seen: Seen) -> None:
    roster = {person.bib for person in ROSTER}
    read: set[str] = set()
    for line in reader.read(pixels):
        for word in line.words:
            bib = settings.bib_rules.admits(word.text)
            corner = settings.watermark
            if corner and all(p.x >= corner.left and p.y >= corner.top for p in word.corners):
                continue
            if bib is not None and word.confidence >= settings.min_confidence:
                read.add(bib)
    full = {a.person.bib for a in shot.appearances if a.visibility is Visibility.FULL}
    seen.full += len(full)
    seen.unread.extend(f"{bib} in {shot.filename}" for bib in sorted(full - read))
    seen.misread.extend(f"{bib} in {shot.filename}" for bib in sorted((read & roster) - full))


def _selfie(path: Path, finder: FaceFinder) -> list[Vector]:
    found = finder.find(decode(path.read_bytes()), "NONE", 100)
    return [np.frombuffer(face.vector, dtype="<f4") for face in found if face.vector is not None]


def _distance(one: Vector, other: Vector) -> float:
    return float(np.linalg.norm(one - other))


def _faces(seen: Seen) -> dict[str, Any]:
    found = sum(len(faces) for faces in seen.faces.values())
    within = [_distance(a, b) for faces in seen.faces.values() for a, b in combinations(faces, 2)]
    apart = {
        f"{one} {other}": [_distance(a, b) for a, b in product(seen.faces[one], seen.faces[other])]
        for one, other in combinations(sorted(seen.faces), 2)
    }
    nearest = sorted(((pair, min(distances)) for pair, distances in apart.items()), key=lambda item: item[1])[:8]
    return {
        "drawn": found + len(seen.missed),
        "found": found,
        "missed": seen.missed,
        "false": seen.surplus,
        "threshold": BEST_DISTANCE,
        "same_person": _spread(within),
        "different_people": _spread([distance for distances in apart.values() for distance in distances]),
        "nearest_people": {pair: round(distance, 3) for pair, distance in nearest},
    }


def _spread(distances: list[float]) -> dict[str, Any]:
    if not distances:
        return {"pairs": 0}
    low, middle, high = np.percentile(distances, [1, 50, 99])
    return {
        "pairs": len(distances),
        "least": round(min(distances), 3),
        "percentiles_1_50_99": [round(float(low), 3), round(float(middle), 3), round(float(high), 3)],
        "most": round(max(distances), 3),
        "above_threshold": sum(distance > BEST_DISTANCE for distance in distances),
    }


def _selfies(seen: Seen, selfies: dict[str, list[Vector]]) -> dict[str, Any]:
    own, others = list[float](), list[float]()
    for (bib, found), (other, faces) in product(selfies.items(), seen.faces.items()):
        (own if bib == other else others).extend(_distance(one, face) for one, face in product(found, faces))
    return {
        "without_one_face": [bib for bib, found in selfies.items() if len(found) != 1],
        "same_person": _spread(own),
        "different_people": _spread(others),
    }


def _bibs(seen: Seen) -> dict[str, Any]:
    return {
        "fully_visible": seen.full,
        "read": seen.full - len(seen.unread),
        "unread": seen.unread,
        "somebody_elses": seen.misread,
    }
