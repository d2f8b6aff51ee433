"""Which generation of a stage's table an environment works with: what this checkout's cdk.json says.

A stack is made of the same file, so commands that run in the checkout that was deployed look into the right table.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from local.runtime import CHECKOUT

FILE = CHECKOUT / "cdk.json"


def generation(env: str, stage: str) -> int:
    """1 for the table that a stage began with, one more for each that was restored (docs/runbooks/restore.md)."""
    return int(_generations(FILE, env).get(stage, 1))


@cache
def _generations(file: Path, env: str) -> dict[str, int]:
    context: dict[str, Any] = json.loads(file.read_text())["context"]
    generations: dict[str, int] = context["environments"].get(env, {}).get("generations", {})
    return generations
