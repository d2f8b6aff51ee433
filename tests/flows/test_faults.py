"""Invariant 4 over the whole pipeline: any one AWS call of a race meets a mishap, or processes die at any of them; what
failed is redelivered when all else is through, and the end is that of a race where nothing happened.

A process that dies (Killed, as kill -9) catches nothing, tidies nothing up and tries no message of its batch again: its
whole batch comes back to a new process. `make soak` tries every call with every mishap, each in a race of its own. The
default suite tries a sample that meets every function; there, a race has a mishap in each of its functions.
"""

from __future__ import annotations

import functools
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.kit import small_race
from tests.kit.compare import assert_same
from tests.kit.wire import Call, Deaths, Made, Mishap, Once, Wire
from tests.kit.world import World, world

MISHAPS: tuple[Mishap, ...] = ("killed", "killed before", "unreachable", "unanswered", "asked twice", "half taken")
SAMPLED: tuple[Mishap, ...] = ("killed", "half taken")
READS = ("Get", "BatchGet", "Query", "Detect", "Search")


class Chosen(NamedTuple):
    """The mishap that a call meets when it is made for the n-th time, from 1."""

    made: Made
    time: int
    mishap: Mishap


@dataclass
class Several:
    """These calls of a race meet their mishaps. `left` are those that were not made yet."""

    wire: Wire
    left: list[Chosen]
    _met: dict[int, Once] = field(default_factory=dict)

    def going_out(self, call: Call) -> None:
        made = self.wire.calls[: call.number]
        for chosen in self.left:
            if chosen.made == made[-1] and chosen.time <= made.count(chosen.made):
                self._met[call.number] = Once(call.number, chosen.mishap)
                self.left.remove(chosen)
                break
        if met := self._met.get(call.number):
            met.going_out(call)

    def coming_back(self, call: Call) -> None:
        if met := self._met.get(call.number):
            met.coming_back(call)


class Outcome(NamedTuple):
    """How a race ended, and the calls that were made."""

    state: dict[str, Any]
    calls: tuple[Made, ...]


def told(here: World) -> None:
    """Photos come before their race is known, and once it is."""
    settings, roster = small_race.race_files(here)
    first, *others = small_race.photos(here)
    here.tell(first, settings)
    here.run()
    here.tell(roster, *others)
    here.run()


@functools.cache
def clean() -> Outcome:
    with world() as here:
        told(here)
        assert here.dead_letters == []
        calls = tuple(here.wire.calls)
        return Outcome(here.state(), calls)


def sample() -> list[Chosen]:
    """For each kind of call that leaves something behind one death and, where it applies, one half-taken request; of
    its other mishaps every twentieth.
    """
    calls = clean().calls
    kinds = [call for call in dict.fromkeys(calls) if not call.operation.startswith(READS)]
    pairs: list[tuple[Made, Mishap]] = [(kind, mishap) for mishap in MISHAPS for kind in kinds if applies(mishap, kind)]
    sure = [pair for pair in pairs if pair[1] in SAMPLED]
    others = [pair for pair in pairs if pair[1] not in SAMPLED]
    return [
        Chosen(kind, 1 + turn % calls.count(kind), mishap) for turn, (kind, mishap) in enumerate([*sure, *others[::20]])
    ]


def races(chosen: list[Chosen]) -> Iterator[list[Chosen]]:
    """The mishaps of each race: one for each function, since who is disturbed too often gives a message up."""
    by_function = defaultdict(list)
    for each in chosen:
        by_function[each.made.function].append(each)
    while any(by_function.values()):
        yield [those.pop() for those in by_function.values() if those]


def applies(mishap: Mishap, call: Made) -> bool:
    return mishap != "half taken" or call.takes_entries


def try_it(number: int, mishap: Mishap) -> None:
    expected = clean()
    with world() as here:
        here.wire.trouble = Once(number, mishap)
        told(here)
        here.wire.trouble = None
        assert here.dead_letters == []
        assert_same(here.state(), expected.state, f"{mishap}: call {number}, {expected.calls[number - 1]}")


def test_a_clean_race_finds_everybody() -> None:
    """What all others are compared with is right."""
    shown = clean().state["shown"][str(small_race.RACE)]
    assert {bib: set(names) for bib, names in shown.items() if bib != "all"} == {
        "11": {"plain.jpg", "hidden.jpg", "group.jpg"},
        "22": {"twice.jpg", "group.jpg"},
    }


def meets(mishaps: list[Chosen]) -> list[Chosen]:
    """Take a race through these mishaps; those that it did not meet, because the others changed what was called."""
    with world() as here:
        here.wire.trouble = several = Several(here.wire, list(mishaps))
        told(here)
        here.wire.trouble = None
        assert here.dead_letters == []
        assert_same(here.state(), clean().state, str(mishaps))
    return several.left


def test_a_sample_of_calls_may_fail() -> None:
    left = [each for mishaps in races(sample()) for each in meets(mishaps)]
    assert [each for alone in left for each in meets([alone])] == []


def die_often(seed: int) -> int:
    """Take a race through while processes die, its messages in any order, batches and number; how many died."""
    dice, expected = random.Random(seed), clean().state
    with world() as here:
        here.tell(*small_race.race_files(here), *small_race.photos(here))
        here.wire.trouble = deaths = Deaths(dice)
        here.run(dice, repeats=2)
        here.wire.trouble = None
        assert here.dead_letters == []
        assert_same(here.state(), expected, f"seed {seed}, {deaths.died} deaths")
    return deaths.died


def test_processes_may_die_at_any_call() -> None:
    assert sum(map(die_often, range(2))) >= 20


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 104))
def test_many_processes_may_die(seed: int) -> None:
    die_often(seed)


@pytest.mark.soak
@pytest.mark.parametrize("mishap", MISHAPS)
def test_any_call_may_fail(mishap: Mishap) -> None:
    for number, call in enumerate(clean().calls, start=1):
        if applies(mishap, call):
            try_it(number, mishap)
