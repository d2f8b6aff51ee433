"""python -m catalogue [--check]: write the generated documents; with --check only name those that are stale."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from catalogue import api, events, inserted, reasons, records

ROOT = Path(__file__).parents[1]


def pages() -> dict[Path, str]:
    """All generated documents as they should be."""
    made = (module.pages() for module in (api, events, inserted, reasons, records))
    return {ROOT / path: text for each in made for path, text in each.items()}


def stale() -> dict[Path, str]:
    """The documents that are not as they should be."""
    return {path: text for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text}


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or name it and give 1."""
    found = stale()
    for path, text in found.items():
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is stale. Run: python -m catalogue")
        else:
            path.write_text(text, "utf-8")
    return int("--check" in arguments and bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
