"""Draw the demo race: python -m local.race FOLDER [--processes 2]."""

from __future__ import annotations

import argparse
from pathlib import Path

from local.race.files import draw_race


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(prog="python -m local.race", description="Draw the demo race into a folder.")
    parser.add_argument("folder", type=Path, help="where to; made where needed")
    parser.add_argument("--processes", type=int, default=1, help="how many draw at once (default: 1)")
    arguments = parser.parse_args()
    draw_race(arguments.folder, processes=arguments.processes)


if __name__ == "__main__":
    main()
