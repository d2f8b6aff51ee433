"""Configuring a race from the command line: checked here, sent, and the races stage's word waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from ops.race import races, settings
from ops.race.races import import_roster, race_ref, require, the_race
from ops.race.rosters import read_roster
from ops.race.settings import change_race, changed, changes, create_race, put_race, what_is_erased
from ops.reach.errors import Failed
from ops.reach.target import Target
from services.races.records import RaceHeld, RaceOutcome
from shared.contracts.keys import PROBE, RaceRef
from shared.contracts.race import RaceSettings, parse_race
from tests.kit.deployed import SETTINGS, configure, count_uploads, deployed, keep, listen
from tests.kit.events import RACE

RACE_KEY = f"{RACE.prefix}race.json"


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
    put_race(target, RACE, SETTINGS)
    put_race(target, RACE, SETTINGS)
    assert heard() == 2


def test_a_race_that_exists_is_not_created_again(target: Target) -> None:
    listen(target)
    create_race(target, RACE, SETTINGS)
    sent = count_uploads(target)
    with pytest.raises(Failed, match=rf"The race {RACE} exists already .* snaprace race set --organizer"):
        create_race(target, RACE, SETTINGS)
    assert sent.keys == []


def test_a_race_whose_file_no_stage_has_heard_of_exists_too(target: Target) -> None:
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=RACE_KEY, Body=SETTINGS)
    with pytest.raises(Failed, match="exists already"):
        create_race(target, RACE, SETTINGS)


def test_a_file_that_was_refused_is_no_race_yet(target: Target) -> None:
    listen(target)
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=RACE_KEY, Body=b"no json")
    create_race(target, RACE, SETTINGS)
    require(target, RACE)


# --- changing settings ------------------------------------------------------------------------------------

FULL = msgspec.json.encode(
    changed(parse_race(SETTINGS), {"faces": True, "originals": True, "highest": 9_000, "excluded": ("2026",)})
)


def held(target: Target) -> RaceSettings:
    kept = target.records("races").get(RaceHeld.locate(RACE))
    assert kept
    return kept.settings


def change(target: Target, agrees: bool = True, **named: Any) -> list[str]:
    told = change_race(target, RACE, lambda before: changed(before, named), lambda *_: agrees)
    return [each.name for each in told]


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ({"originals": False}, "originals"),
        ({"max_digits": 6}, "bib_rules.max_digits"),
        ({"highest": None}, "bib_rules.highest"),
    ],
)
def test_only_what_is_named_is_changed(target: Target, named: dict[str, Any], name: str) -> None:
    listen(target)
    create_race(target, RACE, FULL)
    assert change(target, **named) == [name]
    assert held(target) == changed(parse_race(FULL), named)
    (difference,) = changes(parse_race(FULL), held(target))
    assert difference.name == name


def test_what_was_set_a_moment_ago_is_kept_though_no_stage_has_heard_of_it(target: Target) -> None:
    listen(target)
    create_race(target, RACE, SETTINGS)
    boto3.client("s3").put_object(Bucket=target.photo_bucket, Key=RACE_KEY, Body=FULL)
    change(target, max_digits=6)
    assert held(target) == changed(parse_race(FULL), {"max_digits": 6})


@pytest.mark.parametrize("body", [b"no json", None], ids=["refused", "deleted"])
def test_where_the_newest_file_cannot_be_used_what_holds_is_changed(target: Target, body: bytes | None) -> None:
    listen(target)
    create_race(target, RACE, FULL)
    if body is None:
        boto3.client("s3").delete_object(Bucket=target.photo_bucket, Key=RACE_KEY)
    else:
        boto3.client("s3").put_object(Bucket=target.photo_bucket, Key=RACE_KEY, Body=body)
    assert change(target, max_digits=6) == ["bib_rules.max_digits"]
    assert held(target) == changed(parse_race(FULL), {"max_digits": 6})


def test_of_two_who_change_a_race_at_once_the_second_is_told(target: Target) -> None:
    listen(target)
    create_race(target, RACE, FULL)

    def agree_late(*_: Any) -> bool:
        boto3.client("s3").put_object(Bucket=target.photo_bucket, Key=RACE_KEY, Body=SETTINGS)
        return True

    with pytest.raises(Failed, match=f"Somebody else has changed the race {RACE} at this very moment"):
        change_race(target, RACE, lambda before: changed(before, {"max_digits": 6}), agree_late)
    assert boto3.client("s3").get_object(Bucket=target.photo_bucket, Key=RACE_KEY)["Body"].read() == SETTINGS


def test_of_two_who_create_a_race_at_once_the_second_is_told(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    look = settings.current

    def look_early(*asked: Any) -> Any:
        seen = look(*asked)
        boto3.client("s3").put_object(Bucket=target.photo_bucket, Key=RACE_KEY, Body=FULL)
        return seen

    monkeypatch.setattr(settings, "current", look_early)
    with pytest.raises(Failed, match="Somebody else has changed the race"):
        create_race(target, RACE, SETTINGS)
    assert boto3.client("s3").get_object(Bucket=target.photo_bucket, Key=RACE_KEY)["Body"].read() == FULL


def test_what_changes_nothing_or_is_not_agreed_to_is_not_sent(target: Target) -> None:
    listen(target)
    create_race(target, RACE, FULL)
    sent = count_uploads(target)
    assert change(target, faces=True) == []
    assert change(target, agrees=False, faces=False) == []
    assert sent.keys == []
    with pytest.raises(Failed, match="There is no race org/nowhere"):
        change_race(target, RaceRef("org", "nowhere"), lambda before: before, lambda *_: True)
    with pytest.raises(Failed, match="bib_rules: 1 <= min_digits"):
        change(target, min_digits=9)


def test_faces_that_go_off_are_said_to_be_erased() -> None:
    on, off = (changed(parse_race(SETTINGS), {"faces": faces}) for faces in (True, False))
    assert what_is_erased(on, off) == "all faces of the race, and what was concluded from them"
    assert what_is_erased(off, on) is None
    assert what_is_erased(on, changed(on, {"originals": True})) is None


def test_settings_that_cannot_be_used_are_not_sent(target: Target) -> None:
    sent = count_uploads(target)
    for day in ("25.10.2026", "20261025", "2026-W43-7", "2026-W43", "2026-10-25T09:00", "2026-1-5", ""):
        with pytest.raises(Failed, match=f"date must be a day like 2026-10-25, not '{day}'"):
            create_race(target, RACE, b'{"name": "x", "date": "%s"}' % day.encode())
    assert sent.keys == []


def test_what_only_the_stage_refuses_is_said_in_its_words(target: Target) -> None:
    listen(target)
    excluded = changed(parse_race(SETTINGS), {"excluded": tuple(map(str, range(20_000)))})
    with pytest.raises(Failed, match=r"race\.json has .* bytes; at most"):
        create_race(target, RACE, msgspec.json.encode(excluded))


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
    configure(RaceRef(PROBE, "probe-1"))  # nobody means it who does not name it
    assert the_race(target, None, None) == RACE
    assert the_race(target, PROBE, None) == RaceRef(PROBE, "probe-1")
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
