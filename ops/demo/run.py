"""The demo: a whole race on this machine, from an empty runtime to every runner's photos found, and scored.

What it reports is asked of the product: the tables for what became of each upload, the search API for who was found,
the vision server for its work, the functions' logs for the AWS calls they made.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from local import runtime
from local.runtime import Ports, Running, Runtime
from ops.cost.usage import calls_of, calls_per_photo, of_queues, usages
from ops.demo.fewer import fewer
from ops.demo.material import Material, preparing
from ops.demo.score import Found, Score, score_bibs, score_people
from ops.demo.soon import HiddenBibs, Waits
from ops.look.quiet import until_quiet
from ops.look.state_hash import state_hash
from ops.look.status import REJECTED, RaceStatus, status
from ops.race.races import import_roster
from ops.race.settings import put_race
from ops.race.upload import upload
from ops.reach.cards import in_order
from ops.reach.errors import Failed
from ops.reach.search_api import SearchApi
from ops.reach.target import Target, of_runtime
from ops.reach.words import some_of
from shared.contracts.keys import RaceRef

RACE = RaceRef("demo", "marathon")
PHOTOGRAPHER = "박도현"
# A photo takes seconds; when nothing at all has moved for so long, and no message is in work, nothing will.
_STALLED_SECONDS = 180
_POLL_SECONDS = 2.0  # a look takes .1 s of a processor, which vision has to do without
SMALL = 16
"""Photos of the drawn race that `snaprace demo --small` takes, besides bad files and copies."""
_SETTLING_SECONDS = 1200  # faces are compared in a pause of a quarter of an hour at most


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the run came to. Times in seconds; `vision_seconds` is the vision workers' working time, divided by them.

    `seconds` run from the first upload until the last upload is searchable, rejected or dead-lettered;
    `settling_seconds` then pass until the race is quiet and the faces that need it are compared with all others; where
    it is not `quiet` then, more runners may be found. `hidden_bibs` tells how soon these were found.
    `api_calls` are those of the functions that queues feed, through which photos go, `calls_per_photo` the ones that
    cost, per uploaded photo: S3 GET counts uploads that are fetched. `state_hash` as in `snaprace status --json`.
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
    hidden_bibs: Waits
    quiet: bool
    api_calls: dict[str, int]
    calls_per_photo: dict[str, float]
    state_hash: str | None

    @property
    def complete(self) -> bool:
        """Whether every upload ended well or was rejected with a reason, and all faces are compared."""
        return self.lost == 0 and self.dead_lettered == 0 and self.quiet


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


@dataclass(frozen=True)
class Demo:
    """A demo that is through: its runtime, which still runs, what it ran on, and what it came to."""

    runtime: Runtime
    material: Material
    report: Report


@contextlib.contextmanager
def demo(home: Path, ports: Ports, own: Material | None, observer: Observer, *, small: bool = False) -> Iterator[Demo]:
    """Take a race, one's own or the drawn one, through a new, empty runtime, which ends with the context.

    `small` takes a fifth of the drawn race.
    """
    began = time.monotonic()
    with preparing(own) as whole, runtime.start(home, ports, observer.step, keep=False) as started:

        def prepare() -> Material:
            return fewer(whole(), SMALL) if small else whole()

        report = run(started.running, prepare, began, observer, started.check)
        yield Demo(started, prepare(), report)


def run(
    running: Running, prepare: Callable[[], Material], began: float, observer: Observer, check: Callable[[], None]
) -> Report:
    """Take a race through a running, empty runtime. `began` is the monotonic time at which the user's wait began.

    `check` is called now and then, to raise when a part of the runtime has ended.
    """
    target = of_runtime(running)
    observer.step("Waiting until the photos are ready")
    material = prepare()
    observer.step("Creating the race" + (" and importing its roster" if material.roster_file else ""))
    put_race(target, RACE, material.settings)
    if material.roster_file is not None:
        import_roster(target, RACE, material.roster_file)
    vision_before = _vision(running)
    first_upload = time.monotonic()
    keys = _upload(target, material, observer)
    hidden = HiddenBibs(target, RACE)

    def looked() -> None:
        check()
        hidden.look()

    ended = _wait(target, running, keys, observer, looked)
    last_result = time.monotonic()
    vision = _vision(running)
    observer.step("Waiting until the race is quiet and all faces are compared")
    # A photo can be searched before the last word about its runners is spoken: that is waited for, but not for ever.
    patience_s = longest_unseen_s() + _SETTLING_SECONDS
    quiet = until_quiet(target, {RACE}, polls=2, patience_s=patience_s, progress=lambda _: looked())
    settled = time.monotonic()
    functions = of_queues(usages(target))
    observer.settled()
    observer.step("Asking the product who is in which photo")
    bibs, people = _scores(target, ended, material)
    return Report(
        **_counts(ended, material),
        bibs=bibs,
        people=people,
        seconds=round(last_result - first_upload, 1),
        vision_seconds=round((vision["engine_seconds"] - vision_before["engine_seconds"]) / vision["workers"], 1),
        vision_workers=vision["workers"],
        seconds_before_upload=round(first_upload - began, 1),
        settling_seconds=round(settled - last_result, 1),
        hidden_bibs=hidden.waits(),
        quiet=quiet,
        api_calls=dict(sorted(calls_of(functions).items())),
        calls_per_photo=calls_per_photo(functions, len(material.photos)),
        state_hash=state_hash(target, RACE),
    )


def _counts(ended: RaceStatus, material: Material) -> dict[str, Any]:
    """The report's numbers of uploads."""
    counts = ended.counts
    return {
        "photos": len(material.photos),
        "searchable": counts["searchable"],
        "rejected": [some_of(upload, *REJECTED) for upload in ended.rejected],
        "duplicates": ended.duplicates,
        "dead_lettered": counts["dead-lettered"],
        "lost": len(material.photos) - counts["searchable"] - counts["rejected"] - counts["dead-lettered"],
    }


def _upload(target: Target, material: Material, observer: Observer) -> frozenset[str]:
    """Upload the photos; the keys under which they lie. Raises Failed."""

    def progress(done: int) -> None:
        observer.uploading(done, len(material.photos))

    progress(0)
    folders = (material.folder,) if material.folder else ()
    outcome = upload(target, RACE, material.photos, folders=folders, photographer=PHOTOGRAPHER, progress=progress)
    if outcome.failed:
        name, why = outcome.failed[0]
        raise Failed(f"{len(outcome.failed)} files could not be uploaded, the first was {name}: {why}.")
    return frozenset(outcome.keys.values())


def _wait(
    target: Target, running: Running, keys: frozenset[str], observer: Observer, check: Callable[[], None]
) -> RaceStatus:
    """Wait until nothing is in progress, or nothing has moved for a while: what is left then is lost."""
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
        if is_stalled(time.monotonic() - moved, now.in_work):
            return now
        time.sleep(_POLL_SECONDS)


def is_stalled(seconds: float, in_work: int) -> bool:
    """Whether nothing more will happen, after so long without a sign of life and with so many messages in work."""
    return seconds > _STALLED_SECONDS + (longest_unseen_s() if in_work else 0)


def longest_unseen_s() -> int:
    """How long nobody sees what a function had that died."""
    return max(function.visibility_timeout_s for stage in in_order() for function in stage.functions)


def _vision(running: Running) -> dict[str, Any]:
    """The vision server's own count of its work."""
    try:
        answer = httpx.get(f"{running.vision_url}/health", timeout=30, trust_env=False)
        return dict(answer.raise_for_status().json())
    except httpx.HTTPError as error:
        raise Failed(f"The vision server at {running.vision_url} does not answer: {error}.") from None


def _scores(target: Target, ended: RaceStatus, material: Material) -> tuple[Score | None, Score | None]:
    """How well bibs were read and people found; None where the truth is not known."""
    if material.truth is None:
        return None, None
    runners = material.roster.runners if material.roster else ()
    found = list(_answers(target, ended, [runner.bib for runner in runners]))
    roster = {runner.bib for runner in runners}
    return score_bibs(material.truth, roster, found), score_people(material.truth, roster, found)


def _answers(target: Target, ended: RaceStatus, bibs: Iterable[str]) -> Iterator[Found]:
    """What a runner of each bib is shown, by asking the search API as she would."""
    names: dict[str, list[str]] = {}
    for each in ended.uploads:
        if each.photo_id:
            names.setdefault(each.photo_id, []).append(each.filename)
    api = SearchApi(target.api_url("search"))
    for bib in bibs:
        for photo in api.by_bib(RACE, bib):
            read = any(shown.bib == bib and shown.read for shown in photo.runners)
            yield Found(filenames=tuple(names.get(photo.photo_id, [photo.filename])), bib=bib, read=read)
