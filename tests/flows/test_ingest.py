"""The ingest function on moto: every upload ends as a photo or as a rejection, whatever order things are told in."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from services.ingest.stage import STAGE
from shared.contracts.events import DomainEvent, PhotoIngested, PhotoRejected, PhotoWithdrawn
from shared.contracts.keys import RaceRef
from tests.kit import pictures
from tests.kit.desk import DERIVED, PHOTOS, Crash, Desk, calls, latest

RACE = RaceRef("org", "race")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with mock_aws():
        yield Desk(monkeypatch)


@pytest.fixture
def race_desk(desk: Desk) -> Desk:
    assert desk.deliver("ingest", desk.configured(RACE)) == []
    desk.work_off_notes("ingest")
    return desk


def raw(name: str, race: RaceRef = RACE) -> str:
    return f"{race.prefix}raw_photos/{name}"


def only(events: list[DomainEvent]) -> Any:
    assert len(events) == 1, events
    return events[0]


def test_a_photo_comes_in(race_desk: Desk) -> None:
    exif = pictures.exif(orientation=6, make="Canon", model="Canon EOS R5", original="2026:10:25 09:12:03", gps=True)
    body = pictures.jpeg(size=(3000, 2000), exif=exif)
    uploaded = race_desk.upload(raw("a.jpg"), body, photographer="%EA%B9%80%20%EC%B2%A0%EC%88%98")
    assert race_desk.deliver("ingest", uploaded) == []

    event = only(race_desk.heard())
    assert isinstance(event, PhotoIngested)
    assert event.keys == (raw("a.jpg"),)
    assert (event.camera, event.photographer) == ("Canon EOS R5", "김 철수")
    assert event.taken_at == "2026-10-25T09:12:03+09:00"
    assert event.uploaded_at == uploaded["time"]
    assert (event.processed.width, event.processed.height) == (1365, 2048)
    for image in (event.processed, event.preview, event.thumbnail):
        stored = race_desk.s3.get_object(Bucket=image.bucket, Key=image.key)
        assert stored["ContentType"] == "image/jpeg"
        picture = pictures.opened(stored["Body"].read())
        assert picture.size == (image.width, image.height)
        assert not picture.getexif()


def test_requests_per_photo_stay_within_the_budget(race_desk: Desk) -> None:
    race_desk.deliver("ingest", race_desk.upload(raw("a.jpg"), pictures.jpeg()))
    assert calls() == {
        "dynamodb.BatchGetItem": 2,
        "dynamodb.TransactWriteItems": 1,
        "s3.GetObject": 1,
        "s3.PutObject": 3,
        "eventbridge.PutEvents": 1,
    }


@pytest.mark.parametrize(
    "name", ["a b+c%20d.jpg", "결승 사진.jpg", "🏃.jpeg", "%2F.png", "x" * 800 + ".jpg", "a?b#c&d.JPG"]
)
def test_names_are_taken_as_they_are(race_desk: Desk, name: str) -> None:
    race_desk.deliver("ingest", race_desk.upload(raw(name), pictures.jpeg()))
    assert only(race_desk.heard()).keys == (raw(name),)


def test_a_key_of_1024_bytes_fits_the_table(race_desk: Desk) -> None:
    key = raw("x")
    key += "é" * ((1024 - len(key)) // 2)
    twin = key[:-1] + "è"
    race_desk.deliver("ingest", race_desk.upload(key, pictures.jpeg(1)), race_desk.upload(twin, pictures.jpeg(2)))
    assert {event.keys for event in race_desk.heard()} == {(key,), (twin,)}


@pytest.mark.parametrize(
    "key", ["readme.txt", "org/race/other/x.jpg", "org/race/raw_photos/", "org/race/race.json", "org/race/roster.csv"]
)
def test_other_keys_are_none_of_our_business(race_desk: Desk, key: str) -> None:
    before = race_desk.items("ingest", RACE.partition)
    assert race_desk.deliver("ingest", race_desk.upload(key, b"x"), race_desk.delete(key)) == []
    assert (race_desk.heard(), race_desk.items("ingest", RACE.partition)) == ([], before)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("org/race/raw_photos/day1/x.jpg", "key_nested"),
        ("org/race/raw-photos/x.jpg", "key_wrong_folder"),
        ("org/race/Raw Photos/x.jpg", "key_wrong_folder"),
        ("org/race/2026/raw_photos/x.jpg", "key_wrong_depth"),
        ("org/race/raw_photos/day1/race.json", "key_nested"),
    ],
)
def test_near_misses_are_rejected_with_a_reason(desk: Desk, key: str, reason: str) -> None:
    uploaded = desk.upload(key, pictures.jpeg())
    assert desk.deliver("ingest", uploaded) == []
    event = only(desk.heard())
    assert isinstance(event, PhotoRejected)
    assert (event.race, event.key, event.reason) == (RACE, key, reason)
    assert desk.items("ingest", RACE.partition)[f"KEY#{key}"]["state"] == "rejected"
    desk.deliver("ingest", desk.delete(key), uploaded)
    assert desk.items("ingest", RACE.partition)[f"KEY#{key}"]["state"] == "withdrawn"


def test_a_near_miss_of_no_race_is_kept(desk: Desk) -> None:
    assert desk.deliver("ingest", desk.upload("o!/e!/raw_photos/x.jpg", b"x")) == []
    assert desk.heard() == []
    assert desk.items("ingest", "UNPLACED")["KEY#o!/e!/raw_photos/x.jpg"]["reason"] == "key_bad_id"


def test_a_race_file_among_the_photos_is_no_picture(race_desk: Desk) -> None:
    race_desk.deliver("ingest", race_desk.upload(raw("race.json"), b"{}"))
    assert only(race_desk.heard()).reason == "not_an_image"


@pytest.mark.parametrize(("name", "reason"), pictures.BAD_REASONS)
def test_every_bad_file_has_its_own_reason(race_desk: Desk, name: str, reason: str) -> None:
    assert race_desk.deliver("ingest", race_desk.upload(raw(name), pictures.bad(name))) == []
    event = only(race_desk.heard())
    assert isinstance(event, PhotoRejected)
    assert event.reason == reason
    assert event.message.endswith(".")
    item = race_desk.items("ingest", RACE.partition)[f"KEY#{raw(name)}"]
    assert (item["state"], item["reason"], item["message"]) == ("rejected", reason, event.message)
    assert race_desk.derived(RACE) == set()


def test_too_large_is_told_without_reading(race_desk: Desk) -> None:
    uploaded = race_desk.upload(raw("a.jpg"), b"x")
    uploaded["detail"]["object"]["size"] = 41 * 1024 * 1024
    race_desk.deliver("ingest", uploaded)
    assert only(race_desk.heard()).reason == "too_large"
    assert "s3.GetObject" not in calls()


def test_the_same_content_is_one_photo(race_desk: Desk) -> None:
    body = pictures.jpeg()
    second = race_desk.upload(raw("b.jpg"), body, photographer="B")
    first = race_desk.upload(raw("a.jpg"), body, photographer="A")
    race_desk.deliver("ingest", second)
    race_desk.deliver("ingest", first)
    assert "s3.PutObject" not in calls(), "rendered again"
    one, two = race_desk.heard()
    assert (one.keys, one.photographer, one.uploaded_at) == ((raw("b.jpg"),), "B", second["time"])
    assert (two.keys, two.photographer, two.uploaded_at) == ((raw("a.jpg"), raw("b.jpg")), "A", first["time"])
    assert one.photo_id == two.photo_id
    assert one.revision < two.revision
    other = RaceRef("org", "other")
    race_desk.deliver("ingest", race_desk.configured(other), race_desk.upload(raw("a.jpg", other), body))
    assert only(race_desk.heard()).photo_id != one.photo_id


def test_a_redelivery_says_the_same_again_and_renders_nothing(race_desk: Desk) -> None:
    uploaded = race_desk.upload(raw("a.jpg"), pictures.jpeg())
    race_desk.deliver("ingest", uploaded)
    (said,), before = race_desk.heard(), race_desk.items("ingest", RACE.partition)
    race_desk.deliver("ingest", uploaded)
    assert calls().keys() == {"dynamodb.BatchGetItem", "eventbridge.PutEvents"}
    assert only(race_desk.heard()) == said
    assert race_desk.items("ingest", RACE.partition) == before


def test_a_replay_that_changes_nothing_is_marked_and_one_that_does_is_news(race_desk: Desk) -> None:
    """Invariant 6: the same items, pictures and events, which the archive leaves out."""
    told = [*story(race_desk), race_desk.upload(raw("bad.jpg"), b"bad"), race_desk.configured(RACE)]
    race_desk.deliver("ingest", *told)
    race_desk.work_off_notes("ingest")
    said = {envelope.meta.id for envelope in race_desk.envelopes() if envelope.meta.replay is None}
    before = race_desk.items("ingest", RACE.partition), race_desk.derived(RACE)
    race_desk.deliver("ingest", *map(race_desk.replayed, told))
    race_desk.work_off_notes("ingest")
    again = race_desk.envelopes()
    assert {envelope.meta.replay for envelope in again} == {"again"}
    assert {envelope.meta.id for envelope in again} < said, "what does not hold any more is not said again"
    assert {type(envelope.data) for envelope in again} == {PhotoIngested, PhotoWithdrawn, PhotoRejected}
    assert (race_desk.items("ingest", RACE.partition), race_desk.derived(RACE)) == before
    fresh(race_desk)
    race_desk.deliver("ingest", *map(race_desk.replayed, told[-1:] + told[:-1]))
    race_desk.work_off_notes("ingest")
    news = race_desk.envelopes()
    assert {envelope.meta.replay for envelope in news} == {None}
    assert list(believed([envelope.data for envelope in news]).values()) == [(raw("a.jpg"), raw("b.jpg"))]


def test_after_the_table_was_lost_and_rebuilt_consumers_still_take_what_is_new_for_new(race_desk: Desk) -> None:
    key, body = raw("a.jpg"), pictures.jpeg(1, (160, 120))
    race = race_desk.configured(RACE)
    told = [happened for _ in range(3) for happened in (race_desk.upload(key, body), race_desk.delete(key))]
    race_desk.deliver("ingest", race, *told)
    said = race_desk.heard()
    fresh(race_desk)
    race_desk.deliver("ingest", race, *reversed(told))
    said += race_desk.heard()
    race_desk.deliver("ingest", race_desk.upload(key, body))
    said += race_desk.heard()
    assert list(believed(said).values()) == [(key,)]


def test_too_many_copies_are_refused(race_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.domain.photos.MAX_COPIES", 2)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        race_desk.deliver("ingest", race_desk.upload(raw(name), pictures.jpeg()))
    *_, last = race_desk.heard()
    assert (last.key, last.reason) == (raw("c.jpg"), "too_many_copies")


# --- overwritten, deleted, in any order -----------------------------------------------------------------


def test_overwriting_withdraws_the_photo_before(race_desk: Desk) -> None:
    key = raw("a.jpg")
    race_desk.deliver("ingest", race_desk.upload(key, pictures.jpeg(1)))
    (before,) = race_desk.heard()
    race_desk.deliver("ingest", race_desk.upload(key, pictures.jpeg(2)))
    said = race_desk.heard()
    after = next(event for event in said if isinstance(event, PhotoIngested))
    gone = next(event for event in said if isinstance(event, PhotoWithdrawn))
    assert gone.photo_id == before.photo_id != after.photo_id
    assert gone.revision > before.revision
    assert race_desk.derived(RACE) == {after.processed.key, after.preview.key, after.thumbnail.key}


def test_a_bad_file_over_a_photo_withdraws_it(race_desk: Desk) -> None:
    key = raw("a.jpg")
    race_desk.deliver("ingest", race_desk.upload(key, pictures.jpeg()), race_desk.upload(key, b"oops"))
    assert [type(event) for event in race_desk.heard()] == [PhotoIngested, PhotoWithdrawn, PhotoRejected]
    assert race_desk.derived(RACE) == set()


def test_a_photo_comes_back_after_its_deletion(race_desk: Desk) -> None:
    key, body = raw("a.jpg"), pictures.jpeg()
    for happened in (race_desk.upload(key, body), race_desk.delete(key), race_desk.upload(key, body)):
        race_desk.deliver("ingest", happened)
    said = race_desk.heard()
    assert isinstance(latest(said), PhotoIngested)
    assert race_desk.derived(RACE) == {said[-1].processed.key, said[-1].preview.key, said[-1].thumbnail.key}  # type: ignore[attr-defined]


PATHS = ("revision", "generation", "former")  # remember the way there: see services/ingest/domain/photos.py


def settled(desk: Desk, race: RaceRef) -> dict[str, Any]:
    """The table without what only remembers the way there; a withdrawn photo is as good as none."""
    items = desk.items("ingest", race.partition)
    return {
        sk: {name: value for name, value in item.items() if name not in PATHS and name != "PK"}
        for sk, item in items.items()
        if not (sk.startswith("PHOTO#") and not item["copies"])
    }


def believed(said: list[DomainEvent]) -> dict[str, Any]:
    """What a consumer holds after hearing all: per photo its keys, by the highest revision."""
    ids = {event.photo_id for event in said if isinstance(event, PhotoIngested | PhotoWithdrawn)}
    newest = {photo_id: latest(said, photo_id=photo_id) for photo_id in ids}
    return {photo_id: event.keys for photo_id, event in newest.items() if isinstance(event, PhotoIngested)}


def story(desk: Desk) -> list[dict[str, Any]]:
    """Two keys, two pictures, each key overwritten, one deleted: with the same contents crossing over."""
    one, two = pictures.jpeg(1, (160, 120)), pictures.jpeg(2, (160, 120))
    return [
        desk.upload(raw("a.jpg"), one),
        desk.upload(raw("b.jpg"), one, photographer="B"),
        desk.upload(raw("a.jpg"), two, photographer="A"),
        desk.delete(raw("b.jpg")),
        desk.upload(raw("b.jpg"), two),
    ]


def fresh(desk: Desk) -> None:
    """Forget the race's photos."""
    for sk in desk.items("ingest", RACE.partition):
        desk.dynamodb.delete_item(TableName="ingest", Key={"PK": {"S": RACE.partition}, "SK": {"S": sk}})
    for key in desk.derived(RACE):
        desk.s3.delete_object(Bucket=DERIVED, Key=key)
    desk.heard()


def pictures_on_show(desk: Desk) -> set[str]:
    """The derived objects that the table's photos have."""
    photos = [item for sk, item in desk.items("ingest", RACE.partition).items() if sk.startswith("PHOTO#")]
    names = {
        f"{item['photo_id']}-{item['generation']}" if item["generation"] else item["photo_id"]
        for item in photos
        if item["copies"]
    }
    return {f"{RACE.prefix}{kind}/{name}.jpg" for kind in ("processed", "preview", "thumbnail") for name in names}


def test_every_order_ends_the_same(desk: Desk) -> None:
    """Invariant 3, for one race: a sample of the 720 orders of five uploads and deletions and the race itself."""
    told = [desk.configured(RACE), *story(desk)]
    orders = list(itertools.permutations(told))
    outcomes = []
    for order in [orders[0], orders[-1], *random.Random(7).sample(orders, 38)]:
        fresh(desk)
        for message in order:
            assert desk.deliver("ingest", message) == []
            desk.work_off_notes("ingest")
        assert desk.derived(RACE) == pictures_on_show(desk)
        outcomes.append((settled(desk, RACE), believed(desk.heard())))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    (keys,) = outcomes[0][1].values()
    assert keys == (raw("a.jpg"), raw("b.jpg"))


@pytest.mark.parametrize("seed", range(6))
def test_none_counted_twice(desk: Desk, seed: int) -> None:
    """Invariant 2: each event delivered 1-5 times, shuffled, in batches, gives the table of a single delivery."""
    dice = random.Random(seed)
    told = [desk.configured(RACE), *story(desk), desk.upload(raw("bad.jpg"), b"bad")]
    outcomes = []
    for copies in ([1] * len(told), [dice.randint(1, 5) for _ in told]):
        fresh(desk)
        deliveries = [message for message, times in zip(told, copies, strict=True) for _ in range(times)]
        if copies != [1] * len(told):
            dice.shuffle(deliveries)
        while deliveries:
            batch = [deliveries.pop() for _ in range(min(len(deliveries), dice.randint(1, 5)))]
            assert desk.deliver("ingest", *batch) == []
        desk.work_off_notes("ingest")
        assert desk.derived(RACE) == pictures_on_show(desk)
        said = desk.heard()
        outcomes.append((settled(desk, RACE), believed(said)))
        assert latest(said, key=raw("bad.jpg")) is not None
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_anywhere(race_desk: Desk, moment: str) -> None:
    """Invariant 4: the process dies at any AWS call; the redelivery ends as if nothing had been."""
    told = story(race_desk)
    configured = race_desk.configured(RACE)

    def run(dies_at: int | None) -> tuple[Any, int]:
        fresh(race_desk)
        race_desk.deliver("ingest", configured)
        race_desk.work_off_notes("ingest")
        made = race_desk.deliver_dying("ingest", told, moment, dies_at)
        assert race_desk.derived(RACE) == pictures_on_show(race_desk)
        return (settled(race_desk, RACE), believed(race_desk.heard())), made

    expected, total = run(None)
    for dies_at in range(1, total + 1):
        assert run(dies_at)[0] == expected, f"crash {moment} call {dies_at}"


@pytest.mark.parametrize("operation", ["eventbridge.PutEvents", "s3.DeleteObject"])
def test_what_an_outdated_delivery_left_unsaid_is_said_by_the_next(race_desk: Desk, operation: str) -> None:
    """The second upload is saved but not said, and the third is handled before the second is redelivered."""
    key = raw("a.jpg")
    first, second, third = (race_desk.upload(key, pictures.jpeg(seed, (160, 120))) for seed in (1, 2, 3))
    race_desk.deliver("ingest", first)

    def die(called: str) -> None:
        if called == operation:
            raise Crash

    race_desk.before_call = die
    assert race_desk.deliver("ingest", second) == [0]
    race_desk.before_call = None
    assert race_desk.deliver("ingest", third) == []
    assert race_desk.deliver("ingest", second) == []
    assert list(believed(race_desk.heard()).values()) == [(key,)]
    assert race_desk.derived(RACE) == pictures_on_show(race_desk)


def test_erasing_an_old_version_changes_nothing_and_the_current_one_withdraws(race_desk: Desk) -> None:
    key = raw("a.jpg")
    old, new = race_desk.upload(key, pictures.jpeg(1)), race_desk.upload(key, pictures.jpeg(2))
    race_desk.deliver("ingest", old, new)
    kept = race_desk.items("ingest", RACE.partition)
    race_desk.deliver("ingest", race_desk.erase(key, old))
    assert race_desk.items("ingest", RACE.partition) == kept
    race_desk.heard()
    erased = race_desk.erase(key, new)
    race_desk.deliver("ingest", erased, new, erased)
    assert believed(race_desk.heard()) == {}
    assert race_desk.derived(RACE) == set()


def test_an_upload_that_is_gone_leaves_no_photo(race_desk: Desk) -> None:
    key = raw("a.jpg")
    created = race_desk.upload(key, pictures.jpeg())
    erased = race_desk.erase(key, created)
    assert race_desk.deliver("ingest", erased, created) == []
    assert race_desk.heard() == []
    assert race_desk.items("ingest", RACE.partition)[f"KEY#{key}"]["state"] == "withdrawn"


# --- waiting for the race -------------------------------------------------------------------------------


def test_photos_wait_for_their_race(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.functions.intake.RELEASE_PAGE", 3)
    names = [f"{number}.jpg" for number in range(8)]
    told = [desk.upload(raw(name), pictures.jpeg(number, (160, 120))) for number, name in enumerate(names)]
    assert desk.deliver("ingest", *told) == []
    assert desk.heard() == []
    assert {item["state"] for item in desk.items("ingest", RACE.partition).values() if "state" in item} == {"waiting"}

    desk.deliver("ingest", desk.configured(RACE))
    assert desk.work_off_notes("ingest") == 3 + len(names), "pages of 3, 3 and 2, and a note for each photo"
    assert sorted(event.keys for event in desk.heard()) == [(raw(name),) for name in names]
    assert not [sk for sk in desk.items("ingest", RACE.partition) if sk.startswith("WAITING#")]
    desk.deliver("ingest", desk.configured(RACE, revision="02"))
    assert desk.work_off_notes("ingest") == 1, "nothing waits any more"


def test_a_race_configured_while_an_upload_begins_to_wait(desk: Desk) -> None:
    """The race is read as unknown, then configured and its waiting keys released, then the upload starts waiting."""
    uploaded = desk.upload(raw("a.jpg"), pictures.jpeg())

    def configure(called: str) -> None:
        if called == "dynamodb.TransactWriteItems":
            desk.before_call = None
            desk.deliver("ingest", desk.configured(RACE))
            desk.work_off_notes("ingest")

    desk.before_call = configure
    assert desk.deliver("ingest", uploaded) == []
    assert only(desk.heard()).keys == (raw("a.jpg"),)


def test_a_waiting_upload_that_is_deleted_or_overwritten(desk: Desk) -> None:
    deleted = desk.upload(raw("a.jpg"), pictures.jpeg(1))
    desk.deliver("ingest", deleted, desk.delete(raw("a.jpg")))
    desk.deliver("ingest", desk.upload(raw("b.jpg"), pictures.jpeg(1)), desk.upload(raw("b.jpg"), pictures.jpeg(2)))
    desk.deliver("ingest", desk.configured(RACE))
    desk.work_off_notes("ingest")
    assert [event.keys for event in desk.heard()] == [(raw("b.jpg"),)]


def test_a_new_time_zone_dates_photos_anew(race_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.functions.intake.REDATE_PAGE", 1)
    floating, fixed = (pictures.exif(original="2026:10:25 09:00:00", offset=offset) for offset in (None, "+09:00"))
    race_desk.deliver(
        "ingest",
        race_desk.upload(raw("a.jpg"), pictures.jpeg(1, exif=floating)),
        race_desk.upload(raw("b.jpg"), pictures.jpeg(2, exif=fixed)),
        race_desk.upload(raw("c.jpg"), pictures.jpeg(3)),
    )
    before = {event.keys: event for event in race_desk.heard()}
    race_desk.deliver("ingest", race_desk.configured(RACE, "02", timezone="Europe/Paris"))
    race_desk.deliver("ingest", *race_desk.later)
    race_desk.work_off_notes("ingest")
    (envelope,) = race_desk.envelopes()
    again = envelope.data
    assert isinstance(again, PhotoIngested)
    assert before[again.keys].taken_at == "2026-10-25T09:00:00+09:00"
    assert again.taken_at == "2026-10-25T09:00:00+01:00"
    assert again.revision > before[again.keys].revision

    replayed = race_desk.replayed(race_desk.configured(RACE, "02", timezone="Europe/Paris"))
    race_desk.deliver("ingest", replayed)
    race_desk.deliver("ingest", race_desk.later[-1])
    race_desk.work_off_notes("ingest")
    assert [(one.meta.id, one.meta.replay) for one in race_desk.envelopes()] == [(envelope.meta.id, "again")]


# --- batches ----------------------------------------------------------------------------------------------


GARBAGE = ("", "{", "[]", "null", '{"source": "aws.s3"}', '{"snaprace-note": "take-upload"}')


@pytest.mark.parametrize("seed", range(5))
def test_exactly_the_bad_records_come_back(race_desk: Desk, seed: int) -> None:
    """Invariant 5: unparseable messages and failing AWS calls, mixed with good ones."""
    dice = random.Random(seed)
    batch: list[dict[str, Any] | str] = []
    bad = []
    for number in range(10):
        uploaded = race_desk.upload(raw(f"{seed}-{number}.jpg"), pictures.jpeg(number, (160, 120)))
        kind = dice.choice(["good", "good", "garbage", "failing"])
        if kind == "failing":
            uploaded["detail"]["bucket"]["name"] = "no-such-bucket"
        batch.append(dice.choice(GARBAGE) if kind == "garbage" else uploaded)
        if kind != "good":
            bad.append(number)
    assert race_desk.deliver("ingest", *batch) == bad
    assert len(race_desk.heard()) == len(batch) - len(bad)


def test_a_message_of_another_kind_comes_back(race_desk: Desk) -> None:
    other = race_desk.configured(RACE)
    other["detail-type"] = "PhotoMatched"
    assert race_desk.deliver("ingest", other) == [0]
    assert race_desk.deliver("ingest", json.dumps({"snaprace-note": "sing", "meta": {}, "body": {}})) == [0]


# --- what is stored ---------------------------------------------------------------------------------------


def stored_key(uploaded: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The item of a key by the event that was last told of it."""
    target = uploaded["detail"]["object"]
    item = {
        "PK": RACE.partition,
        "SK": f"KEY#{target['key']}",
        "key": target["key"],
        "sequencer": target["sequencer"],
        "at": uploaded["time"],
        "former": [],
    }
    return item | fields


def stored_ticket(uploaded: dict[str, Any]) -> dict[str, Any]:
    """The item of an upload that waits."""
    target, at = uploaded["detail"]["object"], uploaded["time"]
    story = f"{target['key']}@{target['sequencer']}"
    meta = {"id": story, "version": 1, "correlation_id": story, "causation_id": uploaded["id"], "occurred_at": at}
    upload = {"meta": meta, "bucket": PHOTOS, "key": target["key"], "sequencer": target["sequencer"], "at": at}
    upload |= {"size": target["size"], "etag": target["etag"], "version_id": target["version-id"]}
    return {"PK": RACE.partition, "SK": f"WAITING#{target['key']}", "upload": upload}


def stored_photo(said: PhotoIngested, **fields: Any) -> dict[str, Any]:
    sizes = {"processed": said.processed, "preview": said.preview, "thumbnail": said.thumbnail}
    item = {
        "PK": RACE.partition,
        "SK": f"PHOTO#{said.photo_id}",
        "photo_id": said.photo_id,
        "copies": [{"key": said.keys[0], "uploaded_at": said.uploaded_at, "photographer": None}],
        "revision": said.revision,
        "generation": 0,
        "bucket": PHOTOS,
        "content_sha256": said.content_sha256,
        "look": {
            **{name: {"width": image.width, "height": image.height} for name, image in sizes.items()},
            "placeholder": said.placeholder,
            "camera": "Canon",
            "capture": {"local": "2026-10-25T09:00:00", "offset": None},
        },
    }
    return item | fields


def by_sort_key(*items: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["SK"]: item for item in items}


def test_items_are_stored_as_they_ever_were(desk: Desk) -> None:
    """Every attribute by its name: tables outlive the code that filled them."""
    exif = pictures.exif(make="Canon", original="2026:10:25 09:00:00")
    uploaded, bad = desk.upload(raw("a.jpg"), pictures.jpeg(exif=exif)), desk.upload(raw("b.jpg"), b"")
    version, bad_version = (one["detail"]["object"]["version-id"] for one in (uploaded, bad))
    desk.deliver("ingest", uploaded)
    waiting = stored_key(uploaded, state="waiting", version_id=version)
    assert desk.items("ingest", RACE.partition) == by_sort_key(waiting, stored_ticket(uploaded))

    desk.deliver("ingest", desk.configured(RACE), desk.configured(RACE, "02", timezone="Europe/Paris"))
    desk.work_off_notes("ingest")
    desk.deliver("ingest", bad)
    said, *_, refused = desk.heard()
    assert isinstance(said, PhotoIngested)
    assert isinstance(refused, PhotoRejected)
    race = {"PK": RACE.partition, "SK": "RACE", "name": "Seoul Marathon", "timezone": "Europe/Paris", "revision": "02"}
    why = {"reason": "empty", "message": refused.message}
    assert desk.items("ingest", RACE.partition) == by_sort_key(
        {**race, "earlier_timezones": ["Asia/Seoul"]},
        stored_key(uploaded, state="ingested", version_id=version, photo_id=said.photo_id),
        stored_key(bad, state="rejected", version_id=bad_version, **why),
        stored_photo(said, timezone="Europe/Paris", taken_at="2026-10-25T09:00:00+01:00"),
    )

    deleted = desk.delete(raw("a.jpg"))
    desk.deliver("ingest", deleted)
    (gone,) = desk.heard()
    assert isinstance(gone, PhotoWithdrawn)
    stored = desk.items("ingest", RACE.partition)
    key = stored_key(deleted, state="withdrawn", former=[{"photo_id": said.photo_id, "generation": 0}])
    photo = stored_photo(said, revision=gone.revision, copies=[], bucket="", content_sha256="")
    del photo["look"]
    assert stored | by_sort_key(key, photo) == stored


# --- the card ---------------------------------------------------------------------------------------------

ACTIONS = {
    "s3.GetObject": {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"},  # the last to hear 404, not 403
    "s3.PutObject": {"s3:PutObject"},
    "s3.DeleteObject": {"s3:DeleteObject"},
    "dynamodb.BatchGetItem": {"dynamodb:BatchGetItem"},
    "dynamodb.TransactWriteItems": {"dynamodb:PutItem", "dynamodb:DeleteItem"},
    "dynamodb.PutItem": {"dynamodb:PutItem"},
    "dynamodb.Query": {"dynamodb:Query"},
    "eventbridge.PutEvents": {"events:PutEvents"},
    "sqs.SendMessage": {"sqs:SendMessage"},
    "sqs.SendMessageBatch": {"sqs:SendMessage"},
}


def test_the_card_allows_what_is_called_and_nothing_else(desk: Desk) -> None:
    made: set[str] = set()

    def note(called: str) -> None:
        made.add(called)

    uploaded = desk.upload(raw("a.jpg"), pictures.jpeg())
    desk.before_call = note
    desk.deliver("ingest", uploaded)
    desk.deliver("ingest", desk.configured(RACE))
    desk.before_call = None
    while bodies := desk._receive(desk.queue_urls["ingest"]):
        desk.before_call = note
        desk.deliver("ingest", *bodies)
        desk.before_call = None
    deleted = desk.delete(raw("a.jpg"))
    desk.before_call = note
    desk.deliver("ingest", deleted)
    desk.before_call = None
    needed = set().union(*(ACTIONS[operation] for operation in made))
    assert needed == {action for call in STAGE.function("intake").calls for action in call.actions}
