"""The gallery's items are what the newest events say, in whatever order and however often they are heard."""

from __future__ import annotations

import json
from functools import reduce
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.domain import gallery
from services.search.domain.gallery import (
    MAX_ACTIONS,
    MAX_RUNNERS,
    Change,
    PhotoEvent,
    apply,
    change,
    race_of,
    records,
    transactions,
)
from services.search.records import BibEntry, GalleryPhoto, Race, TimeEntry, wall_clock
from shared.contracts.events import PhotoIngested, PhotoMatched, PhotoWithdrawn
from shared.contracts.keys import PhotoRef
from shared.contracts.records import At
from shared.kit.records import Records
from shared.kit.table import Item, to_item
from tests.kit.events import RACE
from tests.kit.memory_table import MemoryTable
from tests.kit.search_stage import configured as race_configured
from tests.kit.search_stage import ingested, match, matched, photo_id, runner, withdrawn

PHOTO = PhotoRef(RACE, photo_id(1))

# Two lives of one photo. Ingest counts what it says of it, and so does faces; what faces says names the life.
LIVES: list[PhotoEvent] = [
    ingested(1, revision=1),
    ingested(1, revision=2, by="Lee"),
    matched(1, runner("42"), complete=False, revision=1, photo_revision=1),
    matched(1, runner("42"), runner("7", "doubtful"), revision=2, photo_revision=2),
    withdrawn(1, revision=3),
    ingested(1, revision=4, at="2026-11-08T10:00:00"),
    matched(1, runner("8", "inferred"), complete=False, revision=3, photo_revision=4),
    matched(1, runner("8", "inferred"), runner("42", "doubtful", 51.5), revision=4, photo_revision=4),
]


def heard(events: list[PhotoEvent]) -> list[Item]:
    return [record.item(RACE) for record in records(reduce(apply, events, GalleryPhoto(photo_id=photo_id(1))))]


@given(told=st.integers(1, len(LIVES)), data=st.data())
def test_order_and_repetition_do_not_matter(told: int, data: st.DataObject) -> None:
    story = LIVES[:told]
    again = data.draw(st.lists(st.sampled_from(story), max_size=4 * told))
    shuffled = data.draw(st.permutations([*story, *again]))
    assert heard(shuffled) == heard(story)


def sks(found: list[Item]) -> list[str]:
    return [item["SK"] for item in found]


ONE = GalleryPhoto.prefix(photo_id(1))


def worn(bib: str) -> str:
    """Where the photo is found by a bib."""
    return BibEntry.prefix(bib, photo_id(1))


def test_a_photo_is_in_time_and_under_each_of_its_runners() -> None:
    found = heard(LIVES[:4])
    assert sks(found) == [
        ONE,
        TimeEntry.prefix("2026-11-08T09:30:00.000", "2026-11-08T03:00:00Z", photo_id(1)),
        worn("42"),
        worn("7"),
    ]
    assert found[0]["searchable"] is True
    assert found[0]["photographer"] == "Lee"
    assert [item["status"] for item in found[2:]] == ["confirmed", "doubtful"]


def test_a_withdrawn_photo_leaves_nothing_but_its_revisions() -> None:
    (tombstone,) = heard(LIVES[:5])
    empty = {name: value for name, value in tombstone.items() if not value}
    assert set(tombstone) - set(empty) == {
        *("PK", "SK", "photo_id", "withdrawn_revision"),
        *("ingest_revision", "match_revision", "photo_revision"),
    }
    assert tombstone["searchable"] is False


def test_who_was_in_a_photo_before_it_was_withdrawn_is_not_in_it_when_it_returns() -> None:
    returned = heard(LIVES[:6])
    assert sks(returned)[0] == ONE
    assert not any(sk.startswith(BibEntry.prefix()) for sk in sks(returned))
    assert returned[0]["searchable"] is False


def test_runners_heard_of_before_their_photo_wait_for_it() -> None:
    assert sks(heard([matched(1, runner("42"))])) == [ONE]
    assert worn("42") in sks(heard([matched(1, runner("42")), ingested(1)]))


@pytest.mark.parametrize(("complete", "searchable"), [(False, False), (True, True)])
def test_searchable_means_fully_looked_at(complete: bool, searchable: bool) -> None:
    assert heard([ingested(1), matched(1, complete=complete)])[0]["searchable"] is searchable


def test_a_runner_is_once_in_a_photo_as_she_is_known_best() -> None:
    found = heard([ingested(1), matched(1, runner("42", "doubtful", 99), runner("42", "confirmed", 60))])
    assert [(item["SK"], item["status"]) for item in found[2:]] == [(worn("42"), "confirmed")]


def test_a_crowd_still_fits_into_one_transaction_of_100() -> None:
    def crowd(first: int, revision: int, at: str) -> list[PhotoEvent]:
        runners = [runner(str(bib)) for bib in range(first, first + 100)]
        return [ingested(1, at=at, revision=revision), matched(1, *runners, revision=revision)]

    before = reduce(apply, crowd(1, 1, "2026-11-08T09:00:00"), GalleryPhoto(photo_id=photo_id(1)))
    replaced = change(PHOTO, before, crowd(500, 2, "2026-11-08T10:00:00"))
    assert replaced is not None
    assert replaced.actions <= MAX_ACTIONS
    assert len(replaced.puts) == 2 + MAX_RUNNERS
    assert list(transactions([replaced])) == [[replaced]]


def test_a_crowd_with_all_its_evidence_fits_into_an_item_and_a_batch_of_such_into_transactions() -> None:
    """DynamoDB takes 400 KB an item and 4 MB a transaction; what is counted here is more than DynamoDB counts."""
    evidence = tuple(match("X" * 8, number, score=98.123456789, weight=0.123456789) for number in range(100))
    names = tuple(f"{RACE.prefix}raw_photos/{number:04}{'x' * 980}" for number in range(200))
    crowd = matched(1, *(runner(f"X{bib}", "doubtful", 51.123456789, evidence) for bib in range(100)))
    photo = msgspec.structs.replace(ingested(1), keys=names, placeholder="data:" + "x" * 2_000)
    made = change(PHOTO, None, [photo, crowd])
    assert made is not None
    assert len(made.puts) == 2 + MAX_RUNNERS
    items = [record.item(RACE) for record in made.puts]
    stored = [len(json.dumps(to_item(item), ensure_ascii=False).encode()) for item in items]
    assert max(stored) < 400_000
    assert sum(stored) < 4_000_000
    told = [item["SK"] for item in items if "evidence" in json.dumps(to_item(item))]
    assert told == [ONE], "lists do without"
    for together in transactions([made] * 50):
        written = [record.item(RACE) for one in together for record in one.puts]
        assert sum(len(json.dumps(to_item(item)).encode()) for item in written) < 4_000_000


def test_events_that_tell_nothing_new_change_nothing() -> None:
    known = reduce(apply, LIVES, GalleryPhoto(photo_id=photo_id(1)))
    assert change(PHOTO, known, LIVES) is None


def _change(actions: int, size: int) -> Change:
    large = TimeEntry(photo_id="1", shot_at="", uploaded_at="", photographer="x" * size)
    photo = GalleryPhoto(photo_id="1")
    return Change(
        photo=PHOTO, held=None, after=photo, puts=(large,), gone=(At(TimeEntry, RACE.partition, "x"),) * (actions - 1)
    )


SMALL_CHANGES = st.builds(_change, st.sampled_from([1, 2, 40, MAX_ACTIONS]), st.sampled_from([1, 400, 900]))


@given(st.lists(SMALL_CHANGES, max_size=60))
def test_transactions_are_whole_changes_within_dynamodbs_limits(changes: list[Change]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "MAX_BYTES", 2_000)
        made = list(transactions(changes))
    assert [one for together in made for one in together] == changes
    for together in made:
        assert sum(one.actions for one in together) <= MAX_ACTIONS
        assert sum(one.size for one in together) <= 2_000
    for one, following in pairwise(made):
        full = sum(c.actions for c in one) + following[0].actions > MAX_ACTIONS
        assert full or sum(c.size for c in one) + following[0].size > 2_000, "as few as can be in this order"


@pytest.mark.parametrize(
    ("taken_at", "shown"),
    [
        ("2026-11-08T09:30:00", "2026-11-08T09:30:00.000"),
        ("2026-11-08T09:30:00.25+09:00", "2026-11-08T09:30:00.250"),
        ("2026-11-08T09:30:00Z", "2026-11-08T09:30:00.000"),
        ("last summer", ""),
        (None, ""),
    ],
)
def test_times_are_the_wall_clocks(taken_at: str | None, shown: str) -> None:
    assert wall_clock(taken_at) == shown


@given(st.permutations(["0A", "0B", "0B0", "0B1", "0C"]))
def test_the_race_is_what_its_newest_file_says(revisions: list[str]) -> None:
    table = Records(MemoryTable("gallery"))  # type: ignore[arg-type]
    for revision in revisions:
        table.put_newest(RACE, race_of(race_configured(revision=revision, faces=revision == "0C")))
    race = table.get(Race.locate(RACE))
    assert race is not None
    assert (race.revision, race.faces) == ("0C", True)


def test_all_kinds_of_photo_events_are_in_the_story() -> None:
    assert {type(event) for event in LIVES} == {PhotoIngested, PhotoMatched, PhotoWithdrawn}
