"""The labelled pictures of snaprace bench accuracy --data DIR: reading them, and saying what is wrong with them.

`DIR/bibs` holds race photos with ground_truth.csv (filename, numbers, also_visible) and boxes.csv (face and bib boxes),
`DIR/bibs-modern` those of today's cameras with ground_truth.csv alone, `DIR/faces` portraits with ground_truth.csv
(filename, identity).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import click

from ops.reach.words import counted
from vision.engine.pictures import Pixels, decode
from vision.errors import ServiceError


class CannotMeasure(click.ClickException):
    """Why nothing was measured, as one sentence."""


def rows(table: Path, *columns: str) -> list[dict[str, str]]:
    """The lines of a CSV file with a header that names these columns. Raises CannotMeasure."""
    if not table.is_file():
        raise CannotMeasure(f"{table} is missing; --data names a folder with labelled pictures in bibs/ and faces/.")
    with table.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, restval="")  # where a row is short
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise CannotMeasure(f"{table} must have the column {missing[0]}.")
        return list(reader)


def require_files(paths: Iterable[Path]) -> None:
    """Raise CannotMeasure unless all files are there: before minutes are spent on those that are."""
    missing = sorted({path for path in paths if not path.is_file()})
    if missing:
        more = f", like {counted(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
        raise CannotMeasure(f"{missing[0]} cannot be used{more}: there is no such file.")


def pixels(path: Path) -> Pixels:
    """The picture as the vision server's workers decode it. Raises CannotMeasure."""
    try:
        return decode(path.read_bytes())
    except (OSError, ServiceError) as error:
        raise CannotMeasure(f"{path} cannot be used: {error}") from error


def share(part: int, whole: int) -> float:
    """A share with four decimals; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


class Score(NamedTuple):
    """How readings compare with labels."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean, 2PR / (P + R) (van Rijsbergen, Information Retrieval, 1979)."""
        both = self.precision + self.recall
        return round(2 * self.precision * self.recall / both, 4) if both else 0.0

    def told(self) -> dict[str, float]:
        """All three."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


def times(seconds: float, plain_seconds: float, photos: int) -> dict[str, float | None]:
    """The processor's seconds a photo, the plain pass's, and their ratio."""
    return {
        "seconds_per_photo": round(seconds / max(photos, 1), 4),
        "plain_seconds_per_photo": round(plain_seconds / max(photos, 1), 4),
        "time_ratio": round(seconds / plain_seconds, 3) if plain_seconds else None,
    }
