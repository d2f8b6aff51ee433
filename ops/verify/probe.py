"""A drawn race through the whole pipeline: uploaded, found by bib, also where it is hidden, and by selfie; then erased.

It is safe beside a real race: its races are the organizer PROBE's, each run has one of its own, and all of it goes
again however the run ends. What a run left that was cut off hard, the next one erases.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ops.look.backlog import backlog
from ops.look.status import RaceStatus, searchable, status
from ops.look.steps import all_steps
from ops.race.erase import erase_race, left_of, versions
from ops.race.races import import_roster, races
from ops.race.settings import put_race
from ops.race.upload import upload
from ops.reach.errors import Failed, explain
from ops.reach.search_api import SearchApi
from ops.reach.target import Target
from ops.reach.words import counted
from ops.verify.advice import aws
from ops.verify.check import Check
from ops.verify.material import Drawn, draw
from shared.contracts import naming
from shared.contracts.keys import PROBE, RaceRef

TIMEOUT_S = 600.0

_ERASED_S = 600.0
"""How long the stages may take to withdraw what was uploaded."""

_POLL_S = 2.0
_IDLE_POLLS = 3  # in a row: between two queues a message is in neither
_STILL_S = 60.0
"""Nothing of a race has changed for so long, which is longer than its notes are delayed.

Beside a real race the queues never are empty, which is what would be waited for else.
"""

_OLDER = timedelta(hours=2)
"""No run takes so long: what is older was left behind."""

_EVENT = re.compile(r"probe-(\d{8}T\d{6})-[0-9a-f]{6}")
_WHEN = "%Y%m%dT%H%M%S"

Tell = Callable[[str], None]


class TimedOut(Failed):
    """The probe's photos were not found in time."""


class _Run(NamedTuple):
    """A run of the probe, which has so long (s); `until` is the monotonic time at which it is over."""

    target: Target
    race: RaceRef
    drawn: Drawn
    seconds: float
    until: float


def probe(target: Target, *, timeout_s: float, tell: Tell) -> Iterator[Check]:
    """The checks of a run, as far as it comes; `tell` hears what is done. What it made is erased in any case."""
    yield from _erase_leftovers(target, tell)
    race = RaceRef(PROBE, f"probe-{datetime.now(UTC):{_WHEN}}-{secrets.token_hex(3)}")
    with TemporaryDirectory(prefix="snaprace-probe-") as folder:
        tell("Drawing a race of four photos")
        drawn = draw(Path(folder))
        with _erased(target, race, tell) as erased:
            run = _Run(target, race, drawn, timeout_s, time.monotonic() + timeout_s)
            try:
                yield from _through(run, tell)
            except (Failed, ClientError, BotoCoreError) as problem:
                yield _failed(run, problem)
        yield from erased


# --- through the pipeline -------------------------------------------------------------------------------------


def _through(run: _Run, tell: Tell) -> Iterator[Check]:
    tell(f"Creating the race {run.race}")
    put_race(run.target, run.race, run.drawn.settings)
    import_roster(run.target, run.race, run.drawn.roster)
    began = time.monotonic()
    keys = _upload(run)
    tell("Waiting until its photos can be searched")
    _wait_until(run, lambda: _all_searchable(run, keys))
    yield Check(
        name="probe: uploads", ok=True, seen=f"{len(keys)} can be searched after {time.monotonic() - began:.0f} s"
    )
    api = SearchApi(run.target.api_url("search"))
    tell("Waiting until the runner is found, also where her bib is hidden")
    hers = {path.name for path in (*run.drawn.seen, *run.drawn.hidden)}
    by_bib: set[str] = set()

    def found_by_bib() -> str:
        by_bib.clear()
        by_bib.update(photo.filename for photo in api.by_bib(run.race, run.drawn.bib))
        return "" if by_bib >= hers else f"by her bib {_named(by_bib)} of {_named(hers)} are found"

    _wait_until(run, found_by_bib)
    yield _compared("probe: found by bib", by_bib, hers, "faces")
    tell("Searching with her selfie")
    by_selfie = {photo.filename for photo in api.by_selfie(run.race, run.drawn.selfie)}
    yield _compared("probe: found by selfie", by_selfie, hers, "search")


def _upload(run: _Run) -> frozenset[str]:
    outcome = upload(run.target, run.race, run.drawn.photos, photographer=PROBE)
    for name, why in outcome.failed:
        raise Failed(f"{name} could not be uploaded: {why}")
    return frozenset(outcome.keys.values())


def _all_searchable(run: _Run, keys: frozenset[str]) -> str:
    """What is still waited for; "" for nothing. Raises Failed for what will never be searchable."""
    now = status(run.target, run.race, keys)
    for upload_state in now.uploads:
        if upload_state.state in ("rejected", "dead-lettered"):
            why = upload_state.message or upload_state.why
            raise Failed(f"{upload_state.filename} is {upload_state.state}: {why}")
    return _what_is_left(now)


def _what_is_left(now: RaceStatus) -> str:
    waiting = [f"{len(each.uploads)} with {each.why}" for each in now.stuck]
    return f"of {len(now.uploads)} photos there are {', '.join(waiting)}" if waiting else ""


def _wait_until(run: _Run, left: Callable[[], str]) -> None:
    """Wait until nothing is left. Raises TimedOut with what is."""
    while waits := left():
        if time.monotonic() > run.until:
            raise TimedOut(f"after {run.seconds:g} s {waits}")
        time.sleep(_POLL_S)


def _compared(name: str, found: set[str], wanted: set[str], stage: str) -> Check:
    if found == wanted:
        return Check(name=name, ok=True, seen=f"{len(found)} photos, all of them hers")
    return Check(
        name=name,
        ok=False,
        seen=_named(found) or "none",
        expected=_named(wanted),
        advice=f"snaprace dlq --stage {stage}; snaprace verify --no-probe",
    )


def _failed(run: _Run, problem: Exception) -> Check:
    told = explain(problem) if isinstance(problem, ClientError | BotoCoreError) else str(problem)
    expected = (
        f"found within {run.seconds:g} s; --timeout gives it longer" if isinstance(problem, TimedOut) else "found"
    )
    stage, function = _where(told, run.target.env)
    return Check(
        name="probe: found",
        ok=False,
        seen=told,
        expected=expected,
        advice=f"snaprace dlq --stage {stage}; "
        + aws("logs tail", log_group_name=f"/aws/lambda/{function}", since="15m").replace("--log-group-name ", ""),
    )


def _where(told: str, env: str) -> tuple[str, str]:
    """The stage and function to look at: that of the first step that is waited for, else of the first step of all."""
    steps = all_steps()
    place = next((each for each in steps if each.waits in told), steps[0])
    return place.stage, naming.function(env, place.stage, place.function.name)


def _named(files: set[str]) -> str:
    return ", ".join(sorted(files))


# --- erased -------------------------------------------------------------------------------------------------


@contextmanager
def _erased(target: Target, race: RaceRef, tell: Tell) -> Iterator[list[Check]]:
    """Erase the race at the end, however that comes; the list then has the check that it is gone."""
    checks: list[Check] = []
    try:
        yield checks
    finally:
        tell(f"Erasing the race {race}")
        checks.append(_erase(target, race, tell))


def _erase(target: Target, race: RaceRef, tell: Tell) -> Check:
    again = (
        f"snaprace race delete --organizer {race.organizer_id} --event {race.event_id} --yes --confirm {race.event_id}"
    )
    try:
        erase_race(target, race, rest=lambda: _at_rest(target, race), tell=tell)
    except (Failed, ClientError, BotoCoreError) as problem:
        told = explain(problem) if isinstance(problem, ClientError | BotoCoreError) else str(problem)
        return Check(name="probe: erased", ok=False, seen=told, expected="no trace of the race", advice=again)
    except KeyboardInterrupt:
        tell(f"Not erased. Do it with: {again}")
        raise
    seen = "counted again, nothing is left of the race"
    if waiting := backlog(target):
        seen += f"; the stages have {counted(waiting, 'message')} in work, of which some may be about it"
    return Check(name="probe: erased", ok=True, seen=seen, advice=again if waiting else "")


def _at_rest(target: Target, race: RaceRef) -> bool:
    """Wait until its photos are withdrawn, and no stage has work or nothing of it changes; False if that takes long."""
    deadline = time.monotonic() + _ERASED_S
    seen, since, idle = None, time.monotonic(), 0
    while time.monotonic() < deadline:
        if searchable(target, race):
            since, idle = time.monotonic(), 0
        elif not backlog(target):
            idle += 1
            if idle == _IDLE_POLLS:
                return True
        else:
            idle, now = 0, left_of(target, race)
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > _STILL_S:
                return True
        time.sleep(_POLL_S)
    return False


def _erase_leftovers(target: Target, tell: Tell) -> Iterator[Check]:
    """What runs left behind that were cut off: their races are erased."""
    for race in leftovers(target, datetime.now(UTC)):
        tell(f"An earlier run left the race {race} behind: erasing it")
        left = _erase(target, race, tell)
        if not left.ok:
            yield Check(name="probe: earlier run", ok=False, seen=left.seen, expected=left.expected, advice=left.advice)


def leftovers(target: Target, now: datetime) -> list[RaceRef]:
    """Races of earlier runs: by what is configured, and by what lies in the buckets in any version."""
    events = {race.event_id for race in races(target) if race.organizer_id == PROBE}
    for bucket in (target.photo_bucket, target.derived_bucket):
        events |= {each["Key"].split("/")[1] for each in versions(target, bucket, f"{PROBE}/")}
    return [RaceRef(PROBE, event) for event in sorted(events) if _is_left_behind(event, now)]


def _is_left_behind(event: str, now: datetime) -> bool:
    """Whether a race is a probe's that cannot be going on any more; nobody else's race is touched."""
    match = _EVENT.fullmatch(event)
    return match is not None and now - datetime.strptime(match[1], _WHEN).replace(tzinfo=UTC) > _OLDER
