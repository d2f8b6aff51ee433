"""Configuring a race from the command line: checked here, sent, and the races stage's word waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ops.race import races
from ops.race.races import create_race, import_roster, race_ref, require, the_race
from ops.race.rosters import read_roster
from ops.reach.errors import Failed
from ops.reach.target import Target
from services.races.records import RaceOutcome
from shared.contracts.keys import RaceRef
from shared.contracts.race import parse_race
from tests.kit.deployed import SETTINGS, configure, count_uploads, deployed, keep, listen
from tests.kit.events import RACE


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    monkeypatch.setattr(races, "OUTCOME_SECONDS", 1)
    monkeypatch.setattr(races, "_POLL_SECONDS", 0.01)
    with deployed(monkeypatch, tmp_path / "home") as target:
        yield target


def test_a_race_holds_when_the_command_returns(target: Target) -> None:
    heard = listen(target)
    assert create_race(target, RACE, SETTINGS).name == "Seoul Marathon"
    require(target, RACE)
    assert heard() == 1


def test_saying_the_same_again_is_answered_anew(target: Target) -> None:
    heard = listen(target)
    create_race(target, RACE, SETTINGS)
    create_race(target, RACE, SETTINGS)
    assert heard() == 2


def test_settings_that_cannot_be_used_are_not_sent(target: Target) -> None:
    sent = count_uploads(target)
    with pytest.raises(Failed, match="date must be a day like 2026-10-25"):
        create_race(target, RACE, b'{"name": "x", "date": "25.10.2026"}')
    assert sent.keys == []


def test_what_only_the_stage_refuses_is_said_in_its_words(target: Target) -> None:
    listen(target)
    settings = msgspec.structs.replace(
        parse_race(SETTINGS),
        bib_rules=msgspec.structs.replace(parse_race(SETTINGS).bib_rules, excluded=tuple(map(str, range(20_000)))),
    )
    with pytest.raises(Failed, match=r"race\.json has .* bytes; at most"):
        create_race(target, RACE, msgspec.json.encode(settings))


def test_silence_is_not_taken_for_yes(target: Target) -> None:
    with pytest.raises(Failed, match=r"race.json is uploaded, but the races stage has said nothing for 1 s"):
        create_race(target, RACE, SETTINGS)


def test_the_answer_to_an_earlier_upload_is_not_taken_for_ours(target: Target) -> None:
    keep(RaceOutcome(sequencer="01", ok=True))
    with pytest.raises(Failed, match="has said nothing"):
        create_race(target, RACE, SETTINGS)


def test_a_roster_holds_when_the_command_returns(target: Target) -> None:
    listen(target)
    imported = import_roster(target, RACE, "bib,name\n42,김철수\nx:1,bad\n7,Ann\n".encode())
    assert imported.runners == 2
    assert [problem.line for problem in imported.problems] == [3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name,club\nAnn,7\n", "No column of the roster is called 'bib'"),
        (b"bib,name\n", "no runner below its header"),
        (b"\x00\x04\x00\x00", "not a text file"),
        (None, "There is no file"),
    ],
)
def test_a_roster_that_is_none(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Failed, match=sentence):
        read_roster(file)


def test_the_only_race_need_not_be_named(target: Target) -> None:
    with pytest.raises(Failed, match="There is no such race in AWS account 123456789012 in us-east-1"):
        the_race(target, None, None)
    configure()
    assert the_race(target, None, None) == RACE
    other = RaceRef(RACE.organizer_id, "busan-2026")
    configure(other)
    with pytest.raises(Failed, match=rf"There are 2 races \({other}, {RACE}\)"):
        the_race(target, RACE.organizer_id, None)
    assert the_race(target, None, "busan-2026") == other
    with pytest.raises(Failed, match="There is no race org/nowhere"):
        the_race(target, RACE.organizer_id, "nowhere")


@pytest.mark.parametrize("bad", ["", "a/b", "-x", "한강", "a" * 65])
def test_an_id_that_cannot_be_one_is_refused(bad: str) -> None:
    with pytest.raises(Failed, match=f"--event '{bad}' cannot be an id"):
        race_ref("org", bad)
