"""Uploads of no race: told by every command that looks, explained, moved, and deleted; folder markers never counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from ops.look.races import listed, look_at
from ops.look.status import as_json, status
from ops.look.strays import Stray, strays
from ops.race.strays import erase, move, strays_below
from ops.race.upload import upload
from ops.reach.errors import Failed
from ops.reach.raw_photos import raw_photos
from ops.reach.target import Target
from shared.contracts.keys import RaceRef
from tests.kit.deployed import configure, deployed
from tests.kit.events import RACE

MISSPELT = RaceRef(RACE.organizer_id, "rcae")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        configure()
        yield target


def put(target: Target, *keys: str, body: bytes = b"x") -> None:
    for key in keys:
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=body)


def there(target: Target) -> dict[str, bytes]:
    client = target.client("s3")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=target.photo_bucket).get("Contents", ())]
    return {key: client.get_object(Bucket=target.photo_bucket, Key=key)["Body"].read() for key in keys}


def found(target: Target) -> dict[str, tuple[int, str]]:
    return {stray.beginning: (stray.files, stray.why) for stray in strays(target)}


def test_what_is_of_no_race_is_found_wherever_it_lies(target: Target) -> None:
    put(target, f"{RACE.prefix}raw_photos/a.jpg", f"{RACE.prefix}race.json", f"{RACE.prefix}roster.csv")
    assert strays(target) == []
    put(target, f"{RACE.prefix}roster (1).csv", f"{RACE.prefix}photos/a.jpg", f"{RACE.prefix}photos/day1/b.jpg")
    put(target, "a.jpg", "raw_photos/a.jpg", "org/IMG_1.jpg", "o!/e!/raw_photos/x.jpg")
    put(target, f"{MISSPELT.prefix}raw_photos/a.jpg", f"{MISSPELT.prefix}raw_photos/b.jpg", "org/else/RAW/a.jpg")
    told = found(target)
    assert {place: number for place, (number, _) in told.items()} == {
        RACE.prefix: 1, f"{RACE.prefix}photos/": 2,
        "": 1, "raw_photos/": 1, "org/": 1, "o!/e!/": 1, MISSPELT.prefix: 2, "org/else/": 1,
    }  # fmt: skip
    assert told[MISSPELT.prefix][1] == f"It waits for the race {MISSPELT} to be created."
    assert "Organizer and event ids are 1-64 letters" in told["o!/e!/"][1]
    assert "must be the third part of the key" in told["raw_photos/"][1]
    assert "none of a race's photos or files" in told["org/else/"][1]
    assert told[f"{RACE.prefix}photos/"][1].endswith(f"photos go to {RACE.prefix}raw_photos/.")
    configure(MISSPELT)
    assert MISSPELT.prefix not in found(target)


def test_a_stray_says_how_much_it_is(target: Target) -> None:
    put(target, "raw_photos/a.jpg", "raw_photos/b.jpg", body=b"12345")
    (stray,) = strays(target)
    assert stray == Stray(
        beginning="raw_photos/", race=None, files=2, size=10, example="raw_photos/a.jpg", why=stray.why
    )


def test_a_race_that_is_not_created_is_no_race_but_can_be_looked_at(target: Target) -> None:
    put(target, f"{MISSPELT.prefix}raw_photos/a.jpg")
    assert [each.event_id for each in listed(target)] == [RACE.event_id]
    report = look_at(target, MISSPELT)
    assert (report.settings, [upload.state for upload in report.status.uploads]) == (None, ["in progress"])


def test_status_tells_them_to_programs(target: Target) -> None:
    put(target, "raw_photos/a.jpg")
    told = json.loads(as_json(status(target, RACE), strays(target)))
    assert [each["beginning"] for each in told["strays"]] == ["raw_photos/"]


# --- folder markers ---------------------------------------------------------------------------------------


def test_a_folder_marker_of_the_console_is_nothing_to_nobody(target: Target) -> None:
    put(target, "org/", RACE.prefix, f"{RACE.prefix}raw_photos/", f"{RACE.prefix}raw_photos/day1/", body=b"")
    put(target, MISSPELT.prefix, f"{MISSPELT.prefix}raw_photos/", body=b"")
    assert status(target, RACE).uploads == ()
    assert status(target, RACE).settled
    assert raw_photos(target, RACE) == {}
    assert strays(target) == []
    with pytest.raises(Failed, match="There are no uploads of no race below"):
        strays_below(target, MISSPELT.prefix)


# --- moving and deleting ----------------------------------------------------------------------------------


def test_they_are_moved_into_a_race_and_none_is_lost(target: Target) -> None:
    put(target, f"{RACE.prefix}raw_photos/a.jpg", body=b"another photo")
    put(target, f"{RACE.prefix}raw_photos/same.jpg", body=b"same")
    put(target, f"{MISSPELT.prefix}raw_photos/a.jpg", body=b"first")
    put(target, f"{MISSPELT.prefix}raw_photos/same.jpg", body=b"same")
    put(target, f"{MISSPELT.prefix}raw_photos/day1/b.jpg", body=b"second")
    keys = strays_below(target, MISSPELT.prefix)
    moved = move(target, keys, MISSPELT.prefix, RACE)
    names = {key.removeprefix(f"{RACE.prefix}raw_photos/"): body for key, body in there(target).items()}
    (told_apart,) = names.keys() - {"a.jpg", "same.jpg", "day1--b.jpg"}
    assert names == {"a.jpg": b"another photo", "same.jpg": b"same", "day1--b.jpg": b"second", told_apart: b"first"}
    assert told_apart.startswith("a--")
    assert set(moved) <= there(target).keys()
    assert strays(target) == []
    assert move(target, [], MISSPELT.prefix, RACE) == []


def test_a_photographers_name_moves_along(target: Target, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    upload(target, MISSPELT, [tmp_path / "a.jpg"], photographer="Kim")
    (key,) = move(target, strays_below(target, MISSPELT.prefix), MISSPELT.prefix, RACE)
    head = target.client("s3").head_object(Bucket=target.photo_bucket, Key=key)
    assert head["Metadata"] == {"photographer": "Kim"}


def test_what_lies_too_deep_in_its_race_can_be_moved_up(target: Target) -> None:
    put(target, f"{RACE.prefix}raw_photos/day1/a.jpg", f"{RACE.prefix}raw_photos/day2/a.jpg")
    put(target, f"{RACE.prefix}raw_photos/good.jpg")
    keys = strays_below(target, f"{RACE.prefix}raw_photos/")
    assert len(keys) == 2, "the race's photo is none"
    move(target, keys, f"{RACE.prefix}raw_photos/", RACE)
    assert {key.rsplit("/", 1)[-1] for key in raw_photos(target, RACE)} == {
        "day1--a.jpg", "day2--a.jpg", "good.jpg",
    }  # fmt: skip


def test_they_are_deleted_in_all_versions_and_races_stay(target: Target) -> None:
    client, bucket = boto3.client("s3"), target.photo_bucket
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(target, f"{RACE.prefix}raw_photos/a.jpg", f"{RACE.prefix}raw_photos/day1/a.jpg")
    for body in (b"1", b"2"):
        put(target, f"{MISSPELT.prefix}raw_photos/a.jpg", body=body)
    assert erase(target, strays_below(target, "org/"), "org/") == 3
    listed_versions = client.list_object_versions(Bucket=bucket)
    assert [each["Key"] for each in listed_versions["Versions"]] == [f"{RACE.prefix}raw_photos/a.jpg"]
    assert "DeleteMarkers" not in listed_versions
    with pytest.raises(Failed, match="There are no uploads of no race below 'org/'"):
        strays_below(target, "org/")
    with pytest.raises(Failed, match="Say how the keys begin"):
        strays_below(target, "")
