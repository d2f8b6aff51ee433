"""Whether anything is lost when parts of the runtime are killed with -9 at random moments, and how soon it is ready.

Races of the same photos go through one kept runtime: the first undisturbed, in each further one every part is killed
once, at a random moment of the race or of the restart after the kill before. Races are not waited for before the next
begins: what a killed Lambda worker had is invisible for six times its function's timeout, as on AWS. Then all races
must have come to what the undisturbed one came to.

The photos are of the drawn race, hidden bibs among them. Texts in them are read once and remembered (which takes most
of a race's time); the vision server does the rest of its work each time.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from bench.disturbed import Came, DisturbedRace, came_to
from bench.faults import Faults
from bench.killing import ENDS_THE_RUNTIME, PARTS, kill
from local import runtime
from local.runtime import Ports, Running
from local.runtime.processes import signals_raise
from ops.demo.fewer import chosen
from ops.demo.material import Material, preparing
from ops.demo.run import Observer
from ops.demo.run import run as run_demo
from ops.demo.score import Truth
from ops.look.backlog import dead_letters
from ops.look.quiet import until_quiet
from ops.reach.errors import Failed
from ops.reach.target import of_runtime
from shared.contracts.keys import RaceRef

PHOTOS = 40
KILLS_A_RACE = len(PARTS)
ROUNDS = 2  # of a race with its state kept and one without
LATEST_MOMENT_S = 12.0  # of a kill, after the runtime is ready again
WHILE_STARTING = 0.25  # of the kills come before that, within
STARTING_S = 5.0
READY_PATIENCE_S = 180.0
LOOK_EVERY_S = 0.1
QUIET_PATIENCE_S = 3600.0  # a message that is killed with its worker four times comes back after 48 minutes

Tell = Callable[[str], None]
_PHOTO_ID = re.compile(rb"[0-9a-f]{32}")


def run(kills: int, seed: int, parts: Sequence[str], tell: Tell) -> dict[str, Any]:
    """Kill parts so many times; whether anything was lost, and what kills and keeping the state cost in time."""
    signals_raise()  # so that a runtime that runs by itself is stopped whatever ends this
    chance = random.Random(seed)  # noqa: S311 - no secrets
    with tempfile.TemporaryDirectory(prefix="snaprace-crash-") as folder, preparing() as drawn:
        home, whole = Path(folder), drawn()
        assert whole.truth is not None  # noqa: S101 - the drawn race brings its truth
        names = chosen(whole.truth, PHOTOS)
        material = replace(whole, photos=[path for path in whole.photos if path.name in names], truth=None)
        with _Kept(home, material, to_correct(whole.truth, names), tell) as kept:
            report = kept.crash(kills, parts or PARTS, chance)
        tell(f"lost: {report['missing'] or 'nothing'}; answers equal: {report['answers_equal']}")
        keeping = _keeping(home, material, tell)
    return {**report, "keeping": keeping}


def to_correct(truth: Truth, names: AbstractSet[str]) -> tuple[str, str]:
    """The file name of a photo of one runner whose bib can be read there and is hidden in another, and that bib."""
    hidden = {each.bib for name in names for each in truth.photos[name].runners if each.visibility == "hidden"}
    alone = [(name, truth.photos[name].runners[0]) for name in sorted(names) if len(truth.photos[name].runners) == 1]
    return next((name, one.bib) for name, one in alone if one.visibility == "full" and one.bib in hidden)


def in_turn(parts: Sequence[str], kills: int, chance: random.Random) -> list[str]:
    """What is killed in one race: every part once before any is killed again."""
    order: list[str] = []
    while len(order) < kills:
        order += chance.sample(parts, len(parts))
    return order[:kills]


@dataclass
class _Kept:
    """A kept runtime, the races that go through it, and the kills."""

    home: Path
    material: Material
    correction: tuple[str, str]
    tell: Tell
    ports: Ports = field(default_factory=Ports.free)
    races: list[DisturbedRace] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __enter__(self) -> _Kept:
        behind = Running(pid=0, ports=self.ports, started="", keep=True)
        self._door = Faults(
            behind=behind.vision_url, port=Ports.free().vision, chance=None, texts={}, known_by=self._photo_in
        )
        self._door.__enter__()
        self.target = of_runtime(behind)
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        for race in self.races:
            race.give_up()
        runtime.stop(self.home)
        self._door.__exit__(None, None, None)

    def _start(self) -> None:
        """Start the runtime, as `snaprace up` does."""
        runtime.start_detached(
            self.home,
            self.ports,
            keep=True,
            assembly=self.home / "cdk.out" if (self.home / "cdk.out").is_dir() else None,
            seen_by_functions={"AWS_ENDPOINT_URL_REKOGNITION": self._door.url},
        )

    def _photo_in(self, request: bytes) -> bytes:
        """By what a request about a photo is known: the photo's file name, which is the same in every race."""
        named = {each: name for race in self.races for each, name in race.names.items()}
        found = _PHOTO_ID.findall(request)
        return named.get(found[-1].decode(), "").encode() if found else request

    def crash(self, kills: int, parts: Sequence[str], chance: random.Random) -> dict[str, Any]:
        """Take races through, and kill."""
        peace = self._begin()
        peace.wait()
        self._until_quiet()
        expected = came_to(self.target, peace)
        self.tell(f"undisturbed: {expected.state_hash}, {expected.inferred} hidden bibs inferred")
        while (done := sum(self.kills.values())) < kills:
            race = self._begin()
            race.uploads_began.wait()
            self._kill_each(in_turn(parts, min(KILLS_A_RACE, kills - done), chance), chance)
        for race in self.races:
            race.wait()
        self._until_quiet()
        return self._report(expected, [came_to(self.target, race) for race in self.races[1:]])

    def _begin(self) -> DisturbedRace:
        race = DisturbedRace(
            self.target, RaceRef(f"crash{len(self.races)}", "marathon"), self.material, self.correction
        )
        self.races.append(race)
        race.begin()
        return race

    def _kill_each(self, order: Sequence[str], chance: random.Random) -> None:
        latest = 1.0  # the first while photos are uploaded, which takes seconds
        for number, part in enumerate(order, start=1):
            time.sleep(chance.uniform(0, latest))
            before = runtime.find(self.home)
            at = time.monotonic()
            while before is None or not kill(before, part, chance):
                time.sleep(LOOK_EVERY_S)
                before, at = runtime.find(self.home), time.monotonic()
            self.kills[part] += 1
            if part not in ENDS_THE_RUNTIME and number < len(order) and chance.random() < WHILE_STARTING:
                self.tell(f"{part} killed; the next one while it starts again")
                latest = STARTING_S
                continue
            if part in ENDS_THE_RUNTIME:
                self._start()
            self._until_ready(part, before)
            self.seconds[part].append(time.monotonic() - at)
            self.tell(f"{part} killed; ready after {self.seconds[part][-1]:.1f} s")
            for race in self.races:
                race.look()
            latest = LATEST_MOMENT_S

    def _until_ready(self, part: str, before: Running) -> None:
        """Wait until photos can be uploaded and looked at. Raises Failed when that takes too long."""
        deadline = time.monotonic() + READY_PATIENCE_S
        time.sleep(LOOK_EVERY_S)  # a server needs a moment to notice that its worker is gone
        while not self._is_ready(part, before):
            if time.monotonic() > deadline:
                raise Failed(f"{part} was killed, and the runtime is not ready after {READY_PATIENCE_S:.0f} s.")
            time.sleep(LOOK_EVERY_S)

    def _is_ready(self, part: str, before: Running) -> bool:
        now = runtime.find(self.home)
        if now is None or not now.ready or (part in now.parts and now.parts[part] == before.parts.get(part)):
            return False
        try:
            self.target.client("s3").head_bucket(Bucket=self.target.photo_bucket)
            health = httpx.get(f"{now.vision_url}/health", timeout=5, trust_env=False).raise_for_status().json()
            httpx.get(f"{now.front_door}/health", timeout=5, trust_env=False).raise_for_status()
        except (BotoCoreError, ClientError, httpx.HTTPError):
            return False
        return bool(health["workers_ready"] == health["workers"])

    def _until_quiet(self) -> None:
        races = {race.ref for race in self.races}
        self.tell(f"waiting until {len(races)} races are quiet")
        if not until_quiet(self.target, races, patience_s=QUIET_PATIENCE_S):
            self.tell(f"the races are not quiet after {QUIET_PATIENCE_S:.0f} s")

    def _report(self, expected: Came, came: Sequence[Came]) -> dict[str, Any]:
        everything = [seconds for of_part in self.seconds.values() for seconds in of_part]
        missing = sorted({thing for race in self.races for thing in race.missing(expected)})
        return {
            "kills": sum(self.kills.values()),
            "lost": len(missing),
            "missing": missing,
            "answers_equal": all(one == expected for one in came),
            "dead_letters": dead_letters(self.target),
            "inferred": expected.inferred,
            "races": len(self.races),
            "seconds_to_ready": _worst_and_median(everything),
            "by_part": {
                part: {"kills": count, "seconds_to_ready": _worst_and_median(self.seconds[part])}
                for part, count in sorted(self.kills.items())
            },
        }


def _worst_and_median(seconds: Sequence[float]) -> dict[str, float] | None:
    return {"worst": round(max(seconds), 1), "median": round(median(seconds), 1)} if seconds else None


def _keeping(home: Path, material: Material, tell: Tell) -> dict[str, float]:
    """The time of the same race with its state kept and without, in turn."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ROUNDS):
        for keep in (True, False):
            with runtime.start(home / f"keeping{number}", Ports.free(), keep=keep, assembly=home / "cdk.out") as one:
                report = run_demo(one.running, lambda: material, time.monotonic(), Observer(), one.check)
            seconds[keep].append(report.seconds)
            tell(f"{'with' if keep else 'without'} its state kept: {report.seconds} s")
    kept, not_kept = median(seconds[True]), median(seconds[False])
    return {
        "seconds_with": round(kept, 1), "seconds_without": round(not_kept, 1), "ratio": round(kept / not_kept, 3),
    }  # fmt: skip
