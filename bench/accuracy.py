"""How well the vision server sees: snaprace bench accuracy --data DIR.

`DIR/bibs` holds race photos with ground_truth.csv (filename, numbers, also_visible) and boxes.csv (face and bib boxes),
`DIR/faces` portraits with ground_truth.csv (filename, identity).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import bibs, faces


def run(data: Path) -> dict[str, Any]:
    """Measure with the labelled pictures in `data`. Raises CannotMeasure, with what is missing there."""
    return {"bibs": bibs.run(data / "bibs"), "faces": faces.run(data)}
