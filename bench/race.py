"""How well a race of real photos is found, by the whole product: snaprace bench race.

The photos go through a runtime of their own as in the demo, vision, pipeline and gallery; then what the gallery says of
each photo is compared with a truth that a person wrote, a CSV file with a row for each photo:

- `filename`, its name in the folder, sub-folders included (`day1/IMG_1.jpg`);
- `numbers`, the bibs that can be read in it, separated by spaces;
- `also_visible`, if there: bibs that may be read, but need not be, such as half-covered ones;
- `hidden`, if there: bibs of runners who are in it though nothing of their bib can be seen.

Photos of the folder that have no row go through as well, since they may tell who wears a hidden bib elsewhere; what is
found in them counts for nothing. Doubtful results wait for the organizer and are shown to no runner: they are counted
apart.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.labelled import CannotMeasure, rows, share
from local.runtime import Ports
from ops.demo.material import Material, own_material
from ops.demo.run import RACE, Observer, Report, demo
from ops.demo.score import Pair, score
from ops.race.folders import names_of
from ops.reach.errors import Failed, read_file
from ops.reach.target import Target, of_runtime
from ops.reach.words import counted
from services.search.records import ShownPhoto
from shared.contracts.bibs import canonical
from shared.contracts.errors import InvalidRace
from shared.contracts.race import parse_race


class Labels(NamedTuple):
    """Who is in a photo, by bib: those whose bib can be read, those whose bib may be, and those whose bib is hidden."""

    numbers: frozenset[str]
    also_visible: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


class Shown(NamedTuple):
    """A runner whom the product found in a photo."""

    filename: str
    bib: str
    status: str
    read: bool


def truth_of(table: Path, photos: Path) -> dict[str, Labels]:
    """The truth by file name. Raises CannotMeasure, also where a photo is not in the folder `photos`."""
    labels: dict[str, Labels] = {}
    for row in rows(table, "filename", "numbers"):
        name = row["filename"]
        if name in labels:
            raise CannotMeasure(f"{table} has two rows for {name}; give each photo one.")
        labels[name] = Labels(*(_bibs(table, name, row.get(field)) for field in Labels._fields))
    if not labels:
        raise CannotMeasure(f"{table} names no photo.")
    missing = sorted(name for name in labels if not (photos / name).is_file())
    if missing:
        more = f", like {counted(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
        raise CannotMeasure(f"{missing[0]}, which {table} names, is not in {photos}{more}.")
    return labels


def _bibs(table: Path, name: str, cell: str | None) -> frozenset[str]:
    bibs = set()
    for word in (cell or "").split():
        bib = canonical(word)
        if bib is None:
            raise CannotMeasure(f"{table} says of {name} that it shows '{word}', which is no bib.")
        bibs.add(bib)
    return frozenset(bibs)


def material_of(photos: Path, table: Path, roster: Path | None, settings: Path | None) -> Material:
    """What the race consists of; without `settings`, a race.json, they follow from the roster. Raises CannotMeasure.

    The tables may lie among the photos.
    """
    try:
        material = own_material(photos, roster)
        tables = {each.resolve() for each in (table, roster, settings) if each}
        material = replace(material, photos=[path for path in material.photos if path.resolve() not in tables])
        if settings is None:
            return material
        body = read_file(settings)
        if not parse_race(body).faces:
            raise CannotMeasure(f'{settings} switches faces off; say "faces": true, or nobody is found by her face.')
        return replace(material, settings=body)
    except (Failed, InvalidRace) as failed:
        raise CannotMeasure(str(failed)) from None


def run(
    photos: Path, table: Path, roster: Path | None, settings: Path | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Take the race through a runtime and score it. Raises CannotMeasure, before anything is started; later Failed."""
    truth = truth_of(table, photos)
    material = material_of(photos, table, roster, settings)
    with (
        tempfile.TemporaryDirectory(prefix="snaprace-race-") as home,
        demo(Path(home), Ports.free(), material, _Telling(tell)) as ended,
    ):
        found = list(_found(of_runtime(ended.runtime.running), material))
        return {**scores(truth, found), **_run(ended.report)}


def scores(truth: Mapping[str, Labels], found: Iterable[Shown]) -> dict[str, Any]:
    """What was found against the truth; what was found in photos that it does not name is left out."""
    known = [each for each in found if each.filename in truth]
    shown = _pairs(each for each in known if each.status != "doubtful")
    read = _pairs(each for each in known if each.status != "doubtful" and each.read)
    doubtful = _pairs(each for each in known if each.status == "doubtful")
    numbers, hidden = _true(truth, "numbers"), _true(truth, "hidden")
    visible = numbers | _true(truth, "also_visible")
    everybody = visible | hidden
    return {
        "labelled_photos": len(truth),
        "bibs": msgspec.to_builtins(score(read, right=visible, required=numbers)),
        "people": msgspec.to_builtins(score(shown, right=everybody, required=numbers | hidden)),
        "hidden": {
            "runners": len(hidden),
            "found": len(shown & hidden),
            "recall": _share(len(shown & hidden), len(hidden)),
        },
        "by_face_alone": _counted(shown - read, everybody),
        "doubtful": _counted(doubtful, everybody),
    }


def _pairs(found: Iterable[Shown]) -> frozenset[Pair]:
    return frozenset((each.filename, each.bib) for each in found)


def _true(truth: Mapping[str, Labels], field: str) -> frozenset[Pair]:
    return frozenset((name, bib) for name, labels in truth.items() for bib in getattr(labels, field))


def _counted(found: frozenset[Pair], right: frozenset[Pair]) -> dict[str, float | None]:
    return {"runners": len(found), "right": len(found & right), "precision": _share(len(found & right), len(found))}


def _share(part: int, whole: int) -> float | None:
    """A share; None of nothing, which is neither good nor bad."""
    return share(part, whole) if whole else None


def _found(target: Target, material: Material) -> Iterator[Shown]:
    """Whom the gallery shows in each photo, by the name of each file that holds it."""
    files = files_by_key(material)
    for photo in target.records("search").query(ShownPhoto, RACE):
        for key, runner in product(photo.keys, photo.runners):
            yield Shown(files[key], runner.bib, runner.status, runner.read)


def files_by_key(material: Material) -> dict[str, str]:
    """The name in its folder of each file, by the keys under which it may have gone up."""
    folder = material.folder
    assert folder is not None  # noqa: S101 - own_material names it
    return {
        key: path.relative_to(folder).as_posix()
        for path, names in names_of(RACE, material.photos, (folder,)).items()
        for key in (*names.own, names.with_digest(hashlib.sha256(path.read_bytes()).hexdigest()))
    }


def _run(report: Report) -> dict[str, Any]:
    """What the run took, and what became of the uploads."""
    fields = ("photos", "searchable", "rejected", "duplicates", "dead_lettered", "lost", "quiet", "seconds")
    also = ("vision_seconds", "vision_workers", "settling_seconds", "calls_per_photo")
    return {field: msgspec.to_builtins(getattr(report, field)) for field in (*fields, *also)}


class _Telling(Observer):
    """Says what begins."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def step(self, text: str) -> None:
        self._tell(text)
