"""What a roster comes to: runners, problems, and the claim check by which stages hand the runners on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from shared.contracts.bibs import BibRules

MAX_PROBLEMS_KEPT = 100


class Runner(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the roster. `bib` is canonical, `printed` as the organizer wrote it, `line` where (1 = the first)."""

    bib: str
    printed: str
    name: str
    line: int = 0


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in one line (1 = the first) of a file, in a sentence."""

    line: int
    message: str


def refused(runners: Iterable[Runner], rules: BibRules) -> tuple[Problem, ...]:
    """The runners whose bibs the race's rules refuse, with the rule: these bibs are never read in a photo."""
    verdicts = ((runner.line, rules.refusal(runner.printed)) for runner in runners)
    return tuple(Problem(line=line, message=message) for line, message in verdicts if message is not None)


def kept(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """As many problems as an event has room for; where there are more, the last one says how many."""
    if len(problems) <= MAX_PROBLEMS_KEPT:
        return tuple(problems)
    more = problems[MAX_PROBLEMS_KEPT - 1 :]
    message = f"from here on {len(more):,} more rows cannot be used, of {len(problems):,} in all."
    return (*problems[: MAX_PROBLEMS_KEPT - 1], Problem(line=more[0].line, message=message))


def to_json(runners: Iterable[Runner]) -> bytes:
    """The claim check's body, in bib order."""
    return msgspec.json.encode(sorted(runners, key=lambda runner: runner.bib))


def from_json(body: bytes) -> list[Runner]:
    """The runners in a claim check's body."""
    return msgspec.json.decode(body, type=list[Runner])


def digest(body: bytes) -> str:
    """The hex SHA-256 that a claim check carries."""
    return hashlib.sha256(body).hexdigest()


def bibs_of_roster(body: bytes) -> frozenset[str]:
    """The canonical bibs in a claim check's body."""
    return frozenset(runner.bib for runner in from_json(body))
