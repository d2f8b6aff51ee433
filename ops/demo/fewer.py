"""Fewer photos of a drawn race, in which as much happens: for slow machines and for tests."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from ops.demo.material import Material
from ops.demo.score import Truth


def fewer(whole: Material, count: int) -> Material:
    """So many photos of a drawn race, and besides its bad files and the copies of what is chosen."""
    truth = whole.truth
    if truth is None:
        raise ValueError("Only a drawn race brings its truth, by which photos are chosen.")
    names = chosen(truth, count)
    duplicates = {name: original for name, original in truth.duplicates.items() if original in names}
    kept = names | truth.bad.keys() | duplicates.keys()
    photos = {name: photo for name, photo in truth.photos.items() if name in kept}
    return replace(
        whole,
        photos=[path for path in whole.photos if path.name in kept],
        truth=msgspec.structs.replace(truth, photos=photos, duplicates=duplicates),
    )


def chosen(truth: Truth, count: int) -> frozenset[str]:
    """The file names of so many photos: those with hidden bibs first, then those that tell whose these are."""
    photos = {name: photo for name, photo in sorted(truth.photos.items()) if name not in truth.duplicates}
    seen = {name: {each.bib for each in photo.runners if each.visibility == "full"} for name, photo in photos.items()}
    wanted: dict[str, None] = {}
    for name, photo in photos.items():
        for bib in [each.bib for each in photo.runners if each.visibility == "hidden"]:
            telling = [other for other in photos if bib in seen[other]][:3]
            if telling and len(wanted.keys() | {name, *telling}) <= count:
                wanted |= dict.fromkeys([name, *telling])
    return frozenset(list(dict.fromkeys([*wanted, *photos]))[:count])
