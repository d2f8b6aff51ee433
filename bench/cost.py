"""Whether a photo of a large race costs more than one of a small race: snaprace bench cost.

Takes races of 500 and of 5,000 photos through the real pipeline: the real templates and handlers on the embedded AWS,
with Rekognition's answers recorded (bench/recorded.py), because looking at 5,000 photos takes hours and does not depend
on their number. Then it prices what the functions called. Their times are left out: they are this machine's.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.labelled import CannotMeasure
from bench.recorded import Race, Recording, picture, race_of, serving
from local import runtime
from local.runtime import Ports
from ops.cost.bill import as_dict, bill, used
from ops.cost.prices import prices_in
from ops.look.quiet import until_quiet
from ops.look.status import status
from ops.race.races import import_roster
from ops.race.settings import put_race
from ops.race.upload import upload
from ops.reach.target import Target, of_runtime
from shared.contracts.keys import RaceRef

SIZES = (500, 5_000)
MOST = 1.1
"""How much more a photo of the largest race may cost than one of the smallest."""

REGION = "us-east-1"
RACE = RaceRef("bench", "cost")
_SETTINGS = b'{"name": "Bench", "date": "2026-10-25", "timezone": "Asia/Seoul", "faces": true}'
_POLL_SECONDS = 5.0
_SECONDS_A_PHOTO = 3.0  # then something is stuck


def run(sizes: Sequence[int]) -> dict[str, Any]:
    """Measure races of these sizes. Raises CannotMeasure when one does not get through."""
    measured = [measure(size) for size in sorted(sizes)]
    prices = [each["dollars_per_1000_photos"] for each in measured]
    ratio = round(prices[-1] / prices[0], 4)
    return {"sizes": measured, "ratio": ratio, "most": MOST, "within": ratio <= MOST}


def measure(photos: int) -> dict[str, Any]:
    """Take a race of so many photos through an empty runtime, and price it."""
    race = race_of(photos)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = draw(folder / "photos", photos)
        ports = Ports.free()
        stack.enter_context(serving(ports.vision, Recording(RACE, race)))
        started = stack.enter_context(runtime.start(folder / "home", ports, _say, keep=False, vision=False))
        target = of_runtime(started.running)
        began = time.monotonic()
        take_through(target, race, files, started.check)
        seconds = time.monotonic() - began
        found = status(target, RACE)
        if found.counts["searchable"] != photos:
            raise CannotMeasure(f"Of {photos:,} photos {found.counts['searchable']:,} are searchable: {found.counts}.")
        priced = as_dict(bill(used(target, timed=False), prices_in(REGION), REGION))
        return {"seconds": round(seconds, 1), **priced}


def draw(folder: Path, photos: int) -> list[Path]:
    """The race's files."""
    folder.mkdir()
    files = [folder / f"{number:06}.jpg" for number in range(photos)]
    for number, file in enumerate(files):
        file.write_bytes(picture(number))
    return files


def take_through(target: Target, race: Race, files: Sequence[Path], check: Callable[[], None]) -> None:
    """Upload a race and wait until all of it is worked out and compared. Raises CannotMeasure when it does not end."""
    put_race(target, RACE, _SETTINGS)
    import_roster(target, RACE, "\n".join(["bib,name", *(f"{bib},Runner {bib}" for bib in race.bibs)]).encode())
    _say(f"Uploading {len(files):,} photos")
    outcome = upload(target, RACE, files)
    if outcome.failed:
        raise CannotMeasure(f"{len(outcome.failed):,} photos could not be uploaded: {outcome.failed[0]}.")
    patience_s = max(300.0, _SECONDS_A_PHOTO * len(files))
    left = 0

    def looked(waiting: int) -> None:
        nonlocal left
        left = waiting
        check()

    if not until_quiet(target, [RACE], patience_s=patience_s, poll_s=_POLL_SECONDS, progress=looked):
        raise CannotMeasure(f"After {patience_s:,.0f} s {left:,} messages are still waiting.")


def _say(text: str) -> None:
    print(f"{text}…", file=sys.stderr)
