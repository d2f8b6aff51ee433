"""Whether small inputs that once went wrong come to what is right: snaprace bench cases DIR.

DIR has a cases.json, a list of {case, kind, expected, race, why}: `case` is a file below DIR, `kind` says whether it
is a roster or a picture. All of them go through one runtime of their own, by the code of the command line: each roster
into a race of its own, with the default settings unless `race` says otherwise; the pictures into one race, with faces.
What a case came to is written to stderr as it is compared, for what only a person can judge.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from bench.expectations import meets, uncomparable
from local import runtime
from local.runtime import Ports
from local.runtime.processes import signals_raise
from ops.look.explain import explain
from ops.look.photo import photo_report
from ops.look.quiet import until_quiet
from ops.race.races import import_roster
from ops.race.rosters import read_roster, refused_now, runners_of
from ops.race.settings import checked, put_race
from ops.race.upload import upload
from ops.reach.errors import Failed
from ops.reach.target import Target, of_runtime
from ops.reach.words import counted
from services.races.records import RosterHeld
from shared.contracts.bibs import Format
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings

CASES_FILE = "cases.json"
_DATE = "2026-10-25"
_PATIENCE_S = 300.0
_FORMATS: dict[str, Format] = {"leg": "number-leg", "letter": "number-letter"}
"""By words of a case's bib_formats."""

Tell = Callable[[str], None]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One of cases.json; `why` is what went wrong, for people. `race` are settings that are not the default."""

    case: str
    kind: Literal["roster", "picture"]
    expected: dict[str, Any]
    race: dict[str, Any] = {}
    why: str = ""


class CannotRun(click.ClickException):
    """Why no case was run, as one sentence."""

    exit_code = 2


def read_cases(folder: Path) -> list[Case]:
    """The cases of a folder. Raises CannotRun where it cannot be read, or a file of it is missing."""
    try:
        cases = msgspec.json.decode((folder / CASES_FILE).read_bytes(), type=list[Case])
    except OSError as error:
        raise CannotRun(f"{folder / CASES_FILE} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise CannotRun(f"{folder / CASES_FILE} is no list of cases: {error}.") from None
    if missing := [case.case for case in cases if not (folder / case.case).is_file()]:
        more = f", like {counted(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
        raise CannotRun(f"{folder / missing[0]} is not there{more}.")
    for case in cases:
        settings_of(case)
    return cases


def settings_of(case: Case) -> RaceSettings:
    """The settings of a case's race, as race.json has them, but for formats in words. Raises CannotRun."""
    named = {"name": "Cases", "date": _DATE, "faces": case.kind == "picture", **case.race}
    formats = named.pop("bib_formats", "")
    if named.get("bib_rules") == "defaults":
        del named["bib_rules"]
    if formats:
        named["bib_rules"] = {"formats": ("number", *(form for word, form in _FORMATS.items() if word in formats))}
    try:
        return checked(msgspec.json.encode(named))
    except Failed as problem:
        raise CannotRun(f"{case.case} is for a race that cannot be: {problem}") from None


def run(folder: Path, tell: Tell) -> dict[str, Any]:
    """Run all cases; how many passed, and what the others came to. Raises CannotRun."""
    cases = read_cases(folder)
    signals_raise()  # so that the runtime is stopped whatever ends this
    with (
        tempfile.TemporaryDirectory(prefix="snaprace-cases-") as home,
        runtime.start(Path(home), Ports.free(), tell, keep=False) as started,
    ):
        target = of_runtime(started.running)
        seen = {
            case.case: _roster(target, RaceRef("cases", f"roster{number}"), folder / case.case, case)
            for number, case in enumerate(cases)
            if case.kind == "roster"
        }
        seen |= _pictures(target, folder, [case for case in cases if case.kind == "picture"], started.check)
    for case in cases:
        tell(f"{'passed' if meets(case.expected, seen[case.case]) else 'FAILED'} {case.case}: {seen[case.case]}")
    return report(cases, seen)


def report(cases: Sequence[Case], seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """How many cases came to what is expected, and the others with what they came to."""
    failed = [
        {"case": case.case, "expected": case.expected, "seen": seen[case.case] | _nobody_compares(case)}
        for case in cases
        if not meets(case.expected, seen[case.case])
    ]
    return {"passed": len(cases) - len(failed), "failed": failed}


def _nobody_compares(case: Case) -> dict[str, Any]:
    fields = uncomparable(case.expected)
    return {"nobody_compares": fields} if fields else {}


# --- rosters ------------------------------------------------------------------------------------------


def _roster(target: Target, race: RaceRef, file: Path, case: Case) -> dict[str, Any]:
    """Import a roster as `snaprace roster import --skip-bad-rows` does; the runners that can be found then.

    They are those of the stage's own roster, without the ones that its rules refuse.
    """
    put_race(target, race, msgspec.json.encode(settings_of(case)))
    try:
        read = read_roster(file).for_race(target, race)
        import_roster(target, race, read.body)
    except Failed as refusal:
        return {"refused": str(refusal)}
    held = target.records("races").get(RosterHeld.locate(race))
    if held is None:
        return {"refused": "The races stage keeps no roster."}
    never_found = {problem.line for problem in refused_now(target, race)}
    return {
        "runners": {
            runner.printed: runner.name for runner in runners_of(target, held) if runner.line not in never_found
        },
        "problems": [{"line": problem.line, "message": problem.message} for problem in read.roster.problems],
    }


# --- pictures -----------------------------------------------------------------------------------------


def _pictures(
    target: Target, folder: Path, cases: Sequence[Case], check: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """Upload all pictures, wait until nothing is in work, and look what became of each.

    Those whose races have the same settings share one.
    """
    races: list[RaceRef] = []
    lies: dict[str, tuple[RaceRef, str]] = {}
    for settings, together in _by_settings(cases).items():
        race = RaceRef("cases", f"pictures{len(races)}")
        races.append(race)
        put_race(target, race, settings)
        files = {folder / case.case: case.case for case in together}
        came = upload(target, race, list(files))
        if came.failed:
            raise CannotRun(f"{came.failed[0][0]} could not be uploaded: {came.failed[0][1]}.")
        lies |= {files[file]: (race, key) for file, key in came.keys.items()}
    if not until_quiet(target, races, patience_s=_PATIENCE_S, progress=lambda _left: check()):
        raise CannotRun(f"After {_PATIENCE_S:.0f} s messages are still in work.")
    return {case: _picture(target, *place) for case, place in lies.items()}


def _by_settings(cases: Sequence[Case]) -> dict[bytes, list[Case]]:
    together: dict[bytes, list[Case]] = {}
    for case in cases:
        together.setdefault(msgspec.json.encode(settings_of(case)), []).append(case)
    return together


def _picture(target: Target, race: RaceRef, key: str) -> dict[str, Any]:
    """What the people of the race are told of a picture."""
    photo = photo_report(target, race, key)
    told, state = explain(photo), next(upload for upload in photo.uploads if upload.key == key)
    bibs = photo.read.bibs.readings if photo.read and photo.read.bibs else ()
    return {
        "state": state.state,
        "reason": state.reason,
        "message": state.message,
        "dead_letters": list(state.dead_letters),
        "bibs": [reading.bib for reading in bibs],
        "taken_at": told.taken_at,
        "sure": told.taken_at_sure,
        "told": bool(told.taken_at_notes),
        "notes": list(told.taken_at_notes),
    }
