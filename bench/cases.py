"""Whether small inputs that once went wrong come to what is right: snaprace bench cases DIR.

DIR has a cases.json, a list of {case, kind, expected, race, why}: `case` is a file below DIR, `kind` says whether it
is a roster or a picture. All of them go through one runtime of their own, by the code of the command line: each roster
into a race of its own, with the default settings unless `race` says otherwise; the pictures into one race, with faces.
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
from ops.race.rosters import read_roster, refused_now
from ops.race.settings import checked, put_race
from ops.race.upload import upload
from ops.reach.errors import Failed
from ops.reach.target import Target, of_runtime
from services.races.records import RosterHeld
from shared.contracts.bibs import Format
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings
from shared.contracts.roster.runners import from_json

CASES_FILE = "cases.json"
_DATE = "2026-10-25"
_PICTURES = RaceRef("cases", "pictures")
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
        more = f", nor are {len(missing) - 1} others" if len(missing) > 1 else ""
        raise CannotRun(f"{folder / missing[0]} is not there{more}.")
    for case in cases:
        settings_of(case)
    return cases


def settings_of(case: Case) -> RaceSettings:
    """The settings of a case's race. Raises CannotRun for what no race can have."""
    rules: dict[str, Any] = {}
    for name, value in case.race.items():
        if name == "bib_formats":
            rules["formats"] = ("number", *(form for word, form in _FORMATS.items() if word in value))
        elif name == "bib_rules" and isinstance(value, dict):
            rules |= value
        elif (name, value) != ("bib_rules", "defaults"):
            raise CannotRun(f"{case.case}: nobody knows a race with {name} {value!r}.")
    named = {"name": case.case, "date": _DATE, "faces": case.kind == "picture", "bib_rules": rules}
    try:
        return checked(msgspec.json.encode(named))
    except Failed as problem:
        raise CannotRun(f"{case.case}: {problem}") from None


def run(folder: Path, tell: Tell) -> dict[str, Any]:
    """Run all cases; how many passed, and what the others came to. Raises CannotRun."""
    cases = read_cases(folder)
    signals_raise()  # so that the runtime is stopped whatever ends this
    with (
        tempfile.TemporaryDirectory(prefix="snaprace-cases-") as home,
        runtime.start(Path(home), Ports.free(), tell, keep=False) as started,
    ):
        target = of_runtime(started.running)
        seen = _rosters(target, folder, [case for case in cases if case.kind == "roster"])
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


def _rosters(target: Target, folder: Path, cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    return {
        case.case: _roster(target, RaceRef("cases", f"roster{number}"), folder / case.case, settings_of(case))
        for number, case in enumerate(cases)
    }


def _roster(target: Target, race: RaceRef, file: Path, settings: RaceSettings) -> dict[str, Any]:
    """Import a roster as `snaprace roster import --skip-bad-rows` does; the runners that can be found then.

    They are those of the stage's own roster, without the ones that its rules refuse.
    """
    put_race(target, race, msgspec.json.encode(settings))
    try:
        read = read_roster(file).for_race(target, race)
        import_roster(target, race, read.body)
    except Failed as refusal:
        return {"refused": str(refusal)}
    held = target.records("races").get(RosterHeld.locate(race))
    if held is None:
        return {"refused": "The races stage keeps no roster."}
    kept = target.client("s3").get_object(Bucket=held.roster.bucket, Key=held.roster.key)["Body"].read()
    never_found = {problem.line for problem in refused_now(target, race)}
    return {
        "runners": {runner.printed: runner.name for runner in from_json(kept) if runner.line not in never_found},
        "problems": [{"line": problem.line, "message": problem.message} for problem in read.roster.problems],
    }


# --- pictures -----------------------------------------------------------------------------------------


def _pictures(
    target: Target, folder: Path, cases: Sequence[Case], check: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """Upload all pictures, wait until nothing is in work, and look what became of each."""
    if not cases:
        return {}
    put_race(target, _PICTURES, msgspec.json.encode(settings_of(cases[0])))
    files = {case.case: folder / case.case for case in cases}
    came = upload(target, _PICTURES, list(files.values()))
    if came.failed:
        raise Failed(f"{came.failed[0][0]} could not be uploaded: {came.failed[0][1]}.")
    until_quiet(target, [_PICTURES], patience_s=_PATIENCE_S, progress=lambda _left: check())
    return {case: _picture(target, came.keys[file]) for case, file in files.items()}


def _picture(target: Target, key: str) -> dict[str, Any]:
    """What the people of the race are told of a picture."""
    photo = photo_report(target, _PICTURES, key)
    told, state = explain(photo), photo.uploads[0]
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
