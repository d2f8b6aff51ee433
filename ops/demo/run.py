"""The demo: a whole race on this machine, from an empty runtime to every runner's photos found, and scored.

What it reports is asked of the product: the tables for what became of each upload, the search API for who was found,
the vision server for its work, the functions' logs for the AWS calls they made.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from local import runtime
from local.runtime import Running
from ops.cost.usage import calls_of, calls_per_photo, usages
from ops.demo.score import Found, Score, Truth, score_bibs, score_people
from ops.look.backlog import backlog
from ops.look.state_hash import state_hash
from ops.look.status import RaceStatus, status, unmatched
from ops.race.races import create_race, import_roster, read_file, read_roster
from ops.race.upload import key_of, photos_in, upload
from ops.reach.errors import Failed
from ops.reach.search_api import SearchApi
from ops.reach.target import Target, of_runtime
from shared.contracts.bibs import BibRules
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings, Roster

RACE = RaceRef("demo", "marathon")
DRAWN = runtime.CHECKOUT / "build" / "demo-race"
PHOTOGRAPHER = "박도현"
_DRAW_SECONDS = 300
# A photo takes seconds; when nothing at all has moved for so long, nothing will.
_STALLED_SECONDS = 180
_POLL_SECONDS = 1.0
_SETTLING_SECONDS = 300  # faces are compared once more when nothing has come for 30 s


@dataclass(frozen=True)
class Material:
    """What the demo runs on. `truth` is None for somebody's own photos."""

    photos: list[Path]
    settings: bytes
    roster_file: bytes | None
    roster: Roster | None
    truth: Truth | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the run came to. Times in seconds; `vision_seconds` is the vision workers' working time, divided by them.

    `seconds` run from the first upload until the last upload is searchable, rejected or dead-lettered;
    `settling_seconds` then pass until the race is quiet and the faces that need it are compared with all others.
    `api_calls` are those of the functions that photos go through, `calls_per_photo` the ones that cost, per uploaded
    photo: S3 GET counts uploads that are fetched. `state_hash` as in `snaprace status --json`.
    """

    photos: int
    searchable: int
    rejected: list[dict[str, str | None]]
    duplicates: int
    dead_lettered: int
    lost: int
    bibs: Score | None
    people: Score | None
    seconds: float
    vision_seconds: float
    vision_workers: int
    seconds_before_upload: float
    settling_seconds: float
    api_calls: dict[str, int]
    calls_per_photo: dict[str, float]
    state_hash: str | None

    @property
    def complete(self) -> bool:
        """Whether every upload ended well or was rejected with a reason."""
        return self.lost == 0 and self.dead_lettered == 0

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(msgspec.to_builtins(self), ensure_ascii=False, indent=2)


class Observer:
    """Told how the demo gets on; the command line shows it."""

    def step(self, text: str) -> None:
        """Something begins."""

    def uploading(self, done: int, total: int) -> None:
        """So many photos are up."""

    def processing(self, now: RaceStatus) -> None:
        """Where the uploads stand."""

    def settled(self) -> None:
        """Nothing is in work any more; now the product is asked what it came to."""


@contextlib.contextmanager
def drawing() -> Iterator[Callable[[], Path]]:
    """Begin to draw the demo race in the background; call what is given to wait for its folder.

    The race is drawn once for each version of its code and kept in build/. A drawing that was not waited for is ended.
    """
    folder = drawn_folder()
    if folder.is_dir():
        yield lambda: folder
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    command = [sys.executable, "-m", "local.tether", "local.race", str(fresh)]
    with subprocess.Popen(
        command,
        cwd=runtime.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        @functools.cache
        def finished() -> Path:
            try:
                process.wait(_DRAW_SECONDS)  # not communicate(), which would close the tether
            except subprocess.TimeoutExpired:
                raise Failed(f"The demo race was not drawn within {_DRAW_SECONDS} s.") from None
            complaint = process.stderr.read() if process.stderr else ""
            if process.returncode:
                raise Failed(f"The demo race could not be drawn: {(complaint.strip().splitlines() or ['?'])[-1]}")
            fresh.rename(folder)
            return folder

        try:
            yield finished
        finally:
            process.terminate()


def drawn_folder() -> Path:
    """Where the demo race lies, or will: drawn by the code as it is now."""
    sources = sorted((runtime.CHECKOUT / "local" / "race").glob("*.py"))
    return DRAWN / hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def drawn_material(folder: Path) -> Material:
    """The drawn race."""
    body, roster = read_roster(folder / "roster.csv")
    return Material(
        photos=photos_in(folder / "photos"),
        settings=read_file(folder / "race.json"),
        roster_file=body,
        roster=roster,
        truth=msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth),
    )


def own_material(photos: Path, roster_path: Path | None) -> Material:
    """Somebody's own photos; the bib rules follow from the roster. Raises Failed."""
    files = photos_in(photos)
    body, roster = read_roster(roster_path) if roster_path else (None, None)
    settings = RaceSettings(
        name=photos.resolve().name or "My race",
        date=f"{datetime.now().astimezone():%Y-%m-%d}",
        faces=True,
        bib_rules=_rules_for(roster),
    )
    return Material(photos=files, settings=msgspec.json.encode(settings), roster_file=body, roster=roster, truth=None)


def _rules_for(roster: Roster | None) -> BibRules:
    if roster is None:
        return BibRules(min_digits=2)
    digits = [sum(map(str.isdigit, runner.printed)) for runner in roster.runners]
    prefixes = {runner.bib.rstrip("0123456789") for runner in roster.runners}
    return BibRules(prefixes=tuple(sorted(prefixes)), min_digits=min(digits), max_digits=max(digits))


def run(
    running: Running, prepare: Callable[[], Material], began: float, observer: Observer, check: Callable[[], None]
) -> Report:
    """Take a race through a running, empty runtime. `began` is the monotonic time at which the user's wait began.

    `check` is called now and then, to raise when a part of the runtime has ended.
    """
    target = of_runtime(running)
    observer.step("Waiting for the photos to be drawn")
    material = prepare()
    observer.step("Creating the race and importing its roster")
    create_race(target, RACE, material.settings)
    if material.roster_file is not None:
        import_roster(target, RACE, material.roster_file)
    vision_before = _vision(running)
    first_upload = time.monotonic()
    _upload(target, material, observer)
    ended = _wait(target, running, material, observer, check)
    seconds = time.monotonic() - first_upload
    vision = _vision(running)
    observer.step("Waiting until the race is quiet and all faces are compared")
    _wait_until_matched(target, check)
    settling_seconds = time.monotonic() - first_upload - seconds
    functions = [usage for usage in usages(target) if not usage.serves]
    observer.settled()
    observer.step("Asking the product who is in which photo")
    found = list(_answers(target, ended, material.roster)) if material.truth and material.roster else []
    roster = {runner.bib for runner in material.roster.runners} if material.roster else set()
    counts = ended.counts
    return Report(
        photos=len(material.photos),
        searchable=counts["searchable"],
        rejected=[
            {"key": each.key, "reason": each.reason, "message": each.message}
            for each in ended.uploads
            if each.state == "rejected"
        ],
        duplicates=ended.duplicates,
        dead_lettered=counts["dead-lettered"],
        lost=len(material.photos) - counts["searchable"] - counts["rejected"] - counts["dead-lettered"],
        bibs=score_bibs(material.truth, roster, found) if material.truth else None,
        people=score_people(material.truth, roster, found) if material.truth else None,
        seconds=round(seconds, 1),
        vision_seconds=round((vision["engine_seconds"] - vision_before["engine_seconds"]) / vision["workers"], 1),
        vision_workers=vision["workers"],
        seconds_before_upload=round(first_upload - began, 1),
        settling_seconds=round(settling_seconds, 1),
        api_calls=dict(sorted(calls_of(functions).items())),
        calls_per_photo=calls_per_photo(functions, len(material.photos)),
        state_hash=state_hash(target, RACE),
    )


def _upload(target: Target, material: Material, observer: Observer) -> None:
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        observer.uploading(done, len(material.photos))

    observer.uploading(0, len(material.photos))
    outcome = upload(target, RACE, material.photos, photographer=PHOTOGRAPHER, progress=one_more)
    if outcome.failed:
        name, why = outcome.failed[0]
        raise Failed(f"{len(outcome.failed)} files could not be uploaded, the first was {name}: {why}.")


def _wait(
    target: Target, running: Running, material: Material, observer: Observer, check: Callable[[], None]
) -> RaceStatus:
    """Wait until nothing is in progress, or nothing has moved for a while: what is left then is lost."""
    keys = frozenset(key_of(RACE, path) for path in material.photos)
    moved, last = time.monotonic(), ""
    while True:
        check()
        now = status(target, RACE, keys)
        observer.processing(now)
        if now.settled:
            return now
        signs_of_life = f"{sorted(now.counts.items())} {_vision(running)['engine_seconds']}"
        if signs_of_life != last:
            moved, last = time.monotonic(), signs_of_life
        if time.monotonic() - moved > _STALLED_SECONDS:
            return now
        time.sleep(_POLL_SECONDS)


def _wait_until_matched(target: Target, check: Callable[[], None]) -> None:
    """A photo can be searched before the last word about its runners is spoken: wait for that, but not for ever."""
    deadline = time.monotonic() + _SETTLING_SECONDS
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline:  # twice: between two queues a message is in neither
        check()
        quiet = 0 if backlog(target) or unmatched(target, RACE) else quiet + 1
        time.sleep(_POLL_SECONDS)


def _vision(running: Running) -> dict[str, Any]:
    """The vision server's own count of its work."""
    try:
        answer = httpx.get(f"{running.vision_url}/health", timeout=30, trust_env=False)
        return dict(answer.raise_for_status().json())
    except httpx.HTTPError as error:
        raise Failed(f"The vision server at {running.vision_url} does not answer: {error}.") from None


def _answers(target: Target, ended: RaceStatus, roster: Roster | None) -> Iterator[Found]:
    """What a runner of each bib is shown, by asking the search API as she would."""
    names: dict[str, list[str]] = {}
    for each in ended.uploads:
        if each.photo_id:
            names.setdefault(each.photo_id, []).append(each.key.rsplit("/", 1)[-1])
    api = SearchApi(target.api_url("search"))
    for runner in roster.runners if roster else ():
        for photo in api.by_bib(RACE, runner.bib):
            read = any(shown.bib == runner.bib and shown.read for shown in photo.runners)
            filenames = tuple(names.get(photo.photo_id, [photo.filename]))
            yield Found(filenames=filenames, bib=runner.bib, read=read)
