"""How well bibs are read and faces told apart in real pictures: snaprace bench accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bench import bibs, faces, race_faces


class Block(NamedTuple):
    """A part of the report: whether its pictures are all there, and what they come to; both are given a folder."""

    folder: str
    check: Callable[[Path], object]
    run: Callable[[Path], dict[str, Any]]


BLOCKS: dict[str, Block] = {
    "bibs": Block("bibs", bibs.labelled, bibs.run),
    "bibs_modern": Block("bibs-modern", bibs.labelled, bibs.run),
    "faces": Block("faces", faces.labelled, faces.run),
    "race_faces": Block("", race_faces.labelled, race_faces.run),
}


def run(data: Path, names: Iterable[str] = BLOCKS) -> dict[str, Any]:
    """Measure these blocks. Raises CannotMeasure, with what is missing, before the first takes its minutes."""
    blocks = {name: BLOCKS[name] for name in names}
    for block in blocks.values():
        block.check(data / block.folder)
    return {name: block.run(data / block.folder) for name, block in blocks.items()}
