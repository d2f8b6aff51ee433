"""The ingest function: every upload ends as a photo or as a rejection, whatever order things are told in."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest

from services.ingest.records import UNPLACED, KeyRecord, UploadedPhoto, Waiting
from shared.contracts.events import DomainEvent, PhotoIngested, PhotoRejected, PhotoWithdrawn
from shared.contracts.keys import RaceRef, original_key
from shared.kit import aws
from tests.kit import events, pictures
from tests.kit.compare import assert_same, settled
from tests.kit.events import RACE, Happened, raw_key, replayed
from tests.kit.lambdas import DERIVED
from tests.kit.wire import Call, InArchive, Killed, Meanwhile, Mishap, client
from tests.kit.world import World, latest, world

INTAKE = "ingest.intake"


@pytest.fixture
def here() -> Iterator[World]:
    """Before the race is known."""
    with world() as made:
        yield made


@pytest.fixture
def at_race(here: World) -> World:
    """Once the race is configured."""
    assert here.deliver(INTAKE, configured(here)) == []
    here.work_off(INTAKE)
    return here


def configured(here: World, revision: str = "01", race: RaceRef = RACE, timezone: str = "Asia/Seoul") -> Happened:
    return here.says(events.configured(revision, race=race, name="Seoul Marathon", timezone=timezone))


def only(events: list[DomainEvent]) -> Any:
    assert len(events) == 1, events
    return events[0]


def test_a_photo_comes_in(at_race: World) -> None:
    exif = pictures.exif(orientation=6, make="Canon", model="Canon EOS R5", original="2026:10:25 09:12:03", gps=True)
    body = pictures.jpeg(size=(3000, 2000), exif=exif)
    uploaded = at_race.upload(raw_key("a.jpg"), body, photographer="%EA%B9%80%20%EC%B2%A0%EC%88%98")
    assert at_race.deliver(INTAKE, uploaded) == []

    event = only(at_race.heard())
    assert isinstance(event, PhotoIngested)
    assert event.keys == (raw_key("a.jpg"),)
    assert (event.camera, event.photographer) == ("Canon EOS R5", "김 철수")
    assert event.taken_at == "2026-10-25T09:12:03+09:00"
    assert event.uploaded_at == uploaded["time"]
    assert (event.processed.width, event.processed.height) == (1365, 2048)
    for image in (event.processed, event.preview, event.thumbnail):
        stored = client("s3").get_object(Bucket=image.bucket, Key=image.key)
        assert stored["ContentType"] == "image/jpeg"
        picture = pictures.opened(stored["Body"].read())
        assert picture.size == (image.width, image.height)
        assert not picture.getexif()


def test_requests_per_photo_stay_within_the_budget(at_race: World) -> None:
    at_race.deliver(INTAKE, at_race.upload(raw_key("a.jpg"), pictures.jpeg()))
    assert aws.calls == {
        "dynamodb.BatchGetItem": 2,
        "dynamodb.TransactWriteItems": 1,
        "s3.GetObject": 1,
        "s3.PutObject": 3,
        "eventbridge.PutEvents": 1,
    }


@pytest.mark.parametrize(
    "name", ["a b+c%20d.jpg", "결승 사진.jpg", "🏃.jpeg", "%2F.png", "x" * 800 + ".jpg", "a?b#c&d.JPG"]
)
def test_names_are_taken_as_they_are(at_race: World, name: str) -> None:
    at_race.deliver(INTAKE, at_race.upload(raw_key(name), pictures.jpeg()))
    assert only(at_race.heard()).keys == (raw_key(name),)


def test_a_key_of_1024_bytes_fits_the_table(at_race: World) -> None:
    key = raw_key("x")
    key += "é" * ((1024 - len(key)) // 2)
    twin = key[:-1] + "è"
    at_race.deliver(INTAKE, at_race.upload(key, pictures.jpeg(1)), at_race.upload(twin, pictures.jpeg(2)))
    assert {event.keys for event in at_race.heard()} == {(key,), (twin,)}


@pytest.mark.parametrize(
    "key", ["readme.txt", "org/race/other/x.jpg", "org/race/raw_photos/", "org/race/race.json", "org/race/roster.csv"]
)
def test_other_keys_are_none_of_our_business(at_race: World, key: str) -> None:
    before = at_race.items("ingest")
    assert at_race.deliver(INTAKE, at_race.upload(key, b"x"), at_race.delete(key)) == []
    assert (at_race.heard(), at_race.items("ingest")) == ([], before)


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
def test_near_misses_are_rejected_with_a_reason(here: World, key: str, reason: str) -> None:
    uploaded = here.upload(key, pictures.jpeg())
    assert here.deliver(INTAKE, uploaded) == []
    event = only(here.heard())
    assert isinstance(event, PhotoRejected)
    assert (event.race, event.key, event.reason) == (RACE, key, reason)
    assert here.items("ingest")[KeyRecord.prefix(key)]["state"] == "rejected"
    here.deliver(INTAKE, here.delete(key), uploaded)
    assert here.items("ingest")[KeyRecord.prefix(key)]["state"] == "withdrawn"


def test_a_near_miss_of_no_race_is_kept(here: World) -> None:
    assert here.deliver(INTAKE, here.upload("o!/e!/raw_photos/x.jpg", b"x")) == []
    assert here.heard() == []
    assert here.items("ingest", UNPLACED)[KeyRecord.prefix("o!/e!/raw_photos/x.jpg")]["reason"] == "key_bad_id"


def test_a_race_file_among_the_photos_is_no_picture(at_race: World) -> None:
    at_race.deliver(INTAKE, at_race.upload(raw_key("race.json"), b"{}"))
    assert only(at_race.heard()).reason == "not_an_image"


@pytest.mark.parametrize(("name", "reason"), pictures.BAD_REASONS)
def test_every_bad_file_has_its_own_reason(at_race: World, name: str, reason: str) -> None:
    assert at_race.deliver(INTAKE, at_race.upload(raw_key(name), pictures.bad(name))) == []
    event = only(at_race.heard())
    assert isinstance(event, PhotoRejected)
    assert event.reason == reason
    assert event.message.endswith(".")
    item = at_race.items("ingest")[KeyRecord.prefix(raw_key(name))]
    assert (item["state"], item["reason"], item["message"]) == ("rejected", reason, event.message)
    assert set(at_race.derived()) == set()


def test_too_large_is_told_without_reading(at_race: World) -> None:
    uploaded = at_race.upload(raw_key("a.jpg"), b"x")
    uploaded["detail"]["object"]["size"] = 41 * 1024 * 1024
    at_race.deliver(INTAKE, uploaded)
    assert only(at_race.heard()).reason == "too_large"
    assert "s3.GetObject" not in aws.calls


def test_a_photo_in_an_archive_is_rejected_in_words_and_not_tried_again(at_race: World) -> None:
    """A race that is created months after its photos came: S3 gives archived bytes back in hours, if asked to."""
    uploaded = at_race.upload(raw_key("a.jpg"), pictures.jpeg())
    at_race.wire.trouble = InArchive()
    assert at_race.deliver(INTAKE, uploaded) == []
    at_race.wire.trouble = None
    rejected = only(at_race.heard())
    assert (rejected.reason, rejected.message) == (
        "archived",
        "The photo lies in an archive, since its race was not created for months. Upload it again.",
    )
    assert at_race.deliver(INTAKE, at_race.upload(raw_key("a.jpg"), pictures.jpeg())) == []
    assert [type(event) for event in at_race.heard()[-1:]] == [PhotoIngested], "uploaded again it is taken"


def test_the_same_content_is_one_photo(at_race: World) -> None:
    body = pictures.jpeg()
    second = at_race.upload(raw_key("b.jpg"), body, photographer="B")
    first = at_race.upload(raw_key("a.jpg"), body, photographer="A")
    at_race.deliver(INTAKE, second)
    at_race.deliver(INTAKE, first)
    assert "s3.PutObject" not in aws.calls, "rendered again"
    one, two = at_race.heard()
    assert (one.keys, one.photographer, one.uploaded_at) == ((raw_key("b.jpg"),), "B", second["time"])
    assert (two.keys, two.photographer, two.uploaded_at) == ((raw_key("a.jpg"), raw_key("b.jpg")), "A", first["time"])
    assert one.photo_id == two.photo_id
    assert one.revision < two.revision
    other = RaceRef("org", "other")
    at_race.deliver(INTAKE, configured(at_race, race=other), at_race.upload(raw_key("a.jpg", other), body))
    assert only(at_race.heard()).photo_id != one.photo_id


def test_a_redelivery_says_the_same_again_and_renders_nothing(at_race: World) -> None:
    uploaded = at_race.upload(raw_key("a.jpg"), pictures.jpeg())
    at_race.deliver(INTAKE, uploaded)
    (said,), before = at_race.heard(), at_race.items("ingest")
    at_race.deliver(INTAKE, uploaded)
    assert aws.calls.keys() == {"dynamodb.BatchGetItem", "eventbridge.PutEvents"}
    assert only(at_race.heard()) == said
    assert at_race.items("ingest") == before


def test_a_replay_that_changes_nothing_is_marked_and_one_that_does_is_news(at_race: World) -> None:
    """Invariant 6: the same items, pictures and events, which the archive leaves out."""
    told = [*story(at_race), at_race.upload(raw_key("bad.jpg"), b"bad"), configured(at_race)]
    at_race.deliver(INTAKE, *told)
    at_race.work_off(INTAKE)
    said = {envelope.meta.id for envelope in at_race.envelopes() if envelope.meta.replay is None}
    before = at_race.items("ingest"), set(at_race.derived())
    at_race.deliver(INTAKE, *map(replayed, told))
    at_race.work_off(INTAKE)
    again = at_race.envelopes()
    assert {envelope.meta.replay for envelope in again} == {"again"}
    assert {envelope.meta.id for envelope in again} < said, "what does not hold any more is not said again"
    assert {type(envelope.data) for envelope in again} == {PhotoIngested, PhotoWithdrawn, PhotoRejected}
    assert (at_race.items("ingest"), set(at_race.derived())) == before
    fresh(at_race)
    at_race.deliver(INTAKE, *map(replayed, told[-1:] + told[:-1]))
    at_race.work_off(INTAKE)
    news = at_race.envelopes()
    assert {envelope.meta.replay for envelope in news} == {None}
    assert list(believed([envelope.data for envelope in news]).values()) == [(raw_key("a.jpg"), raw_key("b.jpg"))]


def test_after_the_table_was_lost_and_rebuilt_consumers_still_take_what_is_new_for_new(at_race: World) -> None:
    key, body = raw_key("a.jpg"), pictures.jpeg(1, (160, 120))
    race = configured(at_race)
    told = [happened for _ in range(3) for happened in (at_race.upload(key, body), at_race.delete(key))]
    at_race.deliver(INTAKE, race, *told)
    said = at_race.heard()
    fresh(at_race)
    at_race.deliver(INTAKE, race, *reversed(told))
    said += at_race.heard()
    at_race.deliver(INTAKE, at_race.upload(key, body))
    said += at_race.heard()
    assert list(believed(said).values()) == [(key,)]


def test_too_many_copies_are_refused(at_race: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.domain.photos.MAX_COPIES", 2)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        at_race.deliver(INTAKE, at_race.upload(raw_key(name), pictures.jpeg()))
    *_, last = at_race.heard()
    assert (last.key, last.reason) == (raw_key("c.jpg"), "too_many_copies")


# --- overwritten, deleted, in any order -----------------------------------------------------------------


def test_overwriting_withdraws_the_photo_before(at_race: World) -> None:
    key = raw_key("a.jpg")
    at_race.deliver(INTAKE, at_race.upload(key, pictures.jpeg(1)))
    (before,) = at_race.heard()
    at_race.deliver(INTAKE, at_race.upload(key, pictures.jpeg(2)))
    said = at_race.heard()
    after = next(event for event in said if isinstance(event, PhotoIngested))
    gone = next(event for event in said if isinstance(event, PhotoWithdrawn))
    assert gone.photo_id == before.photo_id != after.photo_id
    assert gone.revision > before.revision
    assert set(at_race.derived()) == {after.processed.key, after.preview.key, after.thumbnail.key}


def test_a_bad_file_over_a_photo_withdraws_it(at_race: World) -> None:
    key = raw_key("a.jpg")
    at_race.deliver(INTAKE, at_race.upload(key, pictures.jpeg()), at_race.upload(key, b"oops"))
    assert [type(event) for event in at_race.heard()] == [PhotoIngested, PhotoWithdrawn, PhotoRejected]
    assert set(at_race.derived()) == set()


def test_a_photo_comes_back_after_its_deletion(at_race: World) -> None:
    key, body = raw_key("a.jpg"), pictures.jpeg()
    for happened in (at_race.upload(key, body), at_race.delete(key), at_race.upload(key, body)):
        at_race.deliver(INTAKE, happened)
    said = at_race.heard()
    assert isinstance(latest(said), PhotoIngested)
    assert set(at_race.derived()) == {said[-1].processed.key, said[-1].preview.key, said[-1].thumbnail.key}  # type: ignore[attr-defined]


@pytest.mark.parametrize("times", [1, 2])
def test_the_full_size_picture_goes_with_the_others(at_race: World, times: int) -> None:
    """The search stage made it, under the name of the photo's preview."""
    key, body = raw_key("a.jpg"), pictures.jpeg()
    for _ in range(times):
        at_race.deliver(INTAKE, at_race.upload(key, body))
        *_, shown = at_race.heard()
        assert isinstance(shown, PhotoIngested)
        client("s3").put_object(
            Bucket=DERIVED, Key=original_key(RACE, PurePosixPath(shown.preview.key).stem), Body=body
        )
        at_race.deliver(INTAKE, at_race.delete(key))
        assert list(at_race.derived()) == []


def believed(said: list[DomainEvent]) -> dict[str, Any]:
    """What a consumer holds after hearing all: per photo its keys, by the highest revision."""
    ids = {event.photo_id for event in said if isinstance(event, PhotoIngested | PhotoWithdrawn)}
    newest = {photo_id: latest(said, photo_id=photo_id) for photo_id in ids}
    return {photo_id: event.keys for photo_id, event in newest.items() if isinstance(event, PhotoIngested)}


def outcome(here: World) -> dict[str, Any]:
    """What is kept, and what was said since last asked comes to."""
    return {"ingest": settled(here.items("ingest")), "believed": believed(here.heard())}


def story(here: World) -> list[dict[str, Any]]:
    """Two keys, two pictures, each key overwritten, one deleted: with the same contents crossing over."""
    one, two = pictures.jpeg(1, (160, 120)), pictures.jpeg(2, (160, 120))
    return [
        here.upload(raw_key("a.jpg"), one),
        here.upload(raw_key("b.jpg"), one, photographer="B"),
        here.upload(raw_key("a.jpg"), two, photographer="A"),
        here.delete(raw_key("b.jpg")),
        here.upload(raw_key("b.jpg"), two),
    ]


def fresh(here: World) -> None:
    """Forget the race's photos."""
    here.lose_table("ingest")
    for key in here.derived():
        client("s3").delete_object(Bucket=DERIVED, Key=key)
    here.heard()


def pictures_on_show(here: World) -> set[str]:
    """The derived objects that the table's photos have."""
    photos = [item for sk, item in here.items("ingest").items() if sk.startswith(UploadedPhoto.prefix())]
    names = {
        f"{item['photo_id']}-{item['generation']}" if item["generation"] else item["photo_id"]
        for item in photos
        if item["copies"]
    }
    return {f"{RACE.prefix}{kind}/{name}.jpg" for kind in ("processed", "preview", "thumbnail") for name in names}


@pytest.mark.parametrize("sampled", [18, pytest.param(718, marks=pytest.mark.soak)])
def test_every_order_ends_the_same(here: World, sampled: int) -> None:
    """Invariant 3, for one race: a sample of the 720 orders of five uploads and deletions and the race itself."""
    told = [configured(here), *story(here)]
    orders = list(itertools.permutations(told))
    outcomes = []
    for order in [orders[0], orders[-1], *random.Random(7).sample(orders[1:-1], sampled)]:
        fresh(here)
        for message in order:
            assert here.deliver(INTAKE, message) == []
            here.work_off(INTAKE)
        assert set(here.derived()) == pictures_on_show(here)
        outcomes.append(outcome(here))
    for found in outcomes:
        assert_same(found, outcomes[0])
    (keys,) = outcomes[0]["believed"].values()
    assert keys == (raw_key("a.jpg"), raw_key("b.jpg"))


@pytest.mark.parametrize("seed", range(6))
def test_none_counted_twice(here: World, seed: int) -> None:
    """Invariant 2: each event delivered 1-5 times, shuffled, in batches, gives the table of a single delivery."""
    dice = random.Random(seed)
    told = [configured(here), *story(here), here.upload(raw_key("bad.jpg"), b"bad")]
    outcomes = []
    for copies in ([1] * len(told), [dice.randint(1, 5) for _ in told]):
        fresh(here)
        deliveries = [message for message, times in zip(told, copies, strict=True) for _ in range(times)]
        if copies != [1] * len(told):
            dice.shuffle(deliveries)
        while deliveries:
            batch = [deliveries.pop() for _ in range(min(len(deliveries), dice.randint(1, 5)))]
            assert here.deliver(INTAKE, *batch) == []
        here.work_off(INTAKE)
        assert set(here.derived()) == pictures_on_show(here)
        said = here.heard()
        outcomes.append({"ingest": settled(here.items("ingest")), "believed": believed(said)})
        assert latest(said, key=raw_key("bad.jpg")) is not None
    assert_same(*outcomes)


@pytest.mark.parametrize("mishap", ["killed", pytest.param("killed before", marks=pytest.mark.soak)])
def test_crash_anywhere(at_race: World, mishap: Mishap) -> None:
    """Invariant 4: the process dies at any AWS call; the redelivery ends as if nothing had been."""
    told = story(at_race)

    def run(dies_at: int) -> tuple[Any, int]:
        fresh(at_race)
        at_race.deliver(INTAKE, configured(at_race))
        at_race.work_off(INTAKE)
        made = at_race.deliver_dying(INTAKE, told, mishap, dies_at)
        assert set(at_race.derived()) == pictures_on_show(at_race)
        return outcome(at_race), made

    expected, total = run(0)
    for dies_at in range(1, total + 1):
        assert_same(run(dies_at)[0], expected, f"{mishap}: call {dies_at}")


@pytest.mark.parametrize("operation", ["eventbridge.PutEvents", "s3.DeleteObject"])
def test_what_an_outdated_delivery_left_unsaid_is_said_by_the_next(at_race: World, operation: str) -> None:
    """The second upload is saved but not said, and the third is handled before the second is redelivered."""
    key = raw_key("a.jpg")
    first, second, third = (at_race.upload(key, pictures.jpeg(seed, (160, 120))) for seed in (1, 2, 3))
    at_race.deliver(INTAKE, first)

    def die(call: Call) -> None:
        if call.name == operation:
            raise Killed

    at_race.wire.trouble = Meanwhile(die)
    assert at_race.deliver(INTAKE, second) == [0]
    at_race.wire.trouble = None
    assert at_race.deliver(INTAKE, third) == []
    assert at_race.deliver(INTAKE, second) == []
    assert list(believed(at_race.heard()).values()) == [(key,)]
    assert set(at_race.derived()) == pictures_on_show(at_race)


def test_erasing_an_old_version_changes_nothing_and_the_current_one_withdraws(at_race: World) -> None:
    key = raw_key("a.jpg")
    old, new = at_race.upload(key, pictures.jpeg(1)), at_race.upload(key, pictures.jpeg(2))
    at_race.deliver(INTAKE, old, new)
    kept = at_race.items("ingest")
    at_race.deliver(INTAKE, at_race.erase(old))
    assert at_race.items("ingest") == kept
    at_race.heard()
    erased = at_race.erase(new)
    at_race.deliver(INTAKE, erased, new, erased)
    assert believed(at_race.heard()) == {}
    assert set(at_race.derived()) == set()


def test_an_upload_that_is_gone_leaves_no_photo(at_race: World) -> None:
    key = raw_key("a.jpg")
    created = at_race.upload(key, pictures.jpeg())
    erased = at_race.erase(created)
    assert at_race.deliver(INTAKE, erased, created) == []
    assert at_race.heard() == []
    assert at_race.items("ingest")[KeyRecord.prefix(key)]["state"] == "withdrawn"


# --- waiting for the race -------------------------------------------------------------------------------


def test_photos_wait_for_their_race(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.functions.intake.RELEASE_PAGE", 3)
    names = [f"{number}.jpg" for number in range(8)]
    told = [here.upload(raw_key(name), pictures.jpeg(number, (160, 120))) for number, name in enumerate(names)]
    assert here.deliver(INTAKE, *told) == []
    assert here.heard() == []
    assert {item["state"] for item in here.items("ingest").values() if "state" in item} == {"waiting"}

    here.deliver(INTAKE, configured(here))
    assert here.work_off(INTAKE) == 3 + len(names), "pages of 3, 3 and 2, and a note for each photo"
    assert sorted(event.keys for event in here.heard()) == [(raw_key(name),) for name in names]
    assert not [sk for sk in here.items("ingest") if sk.startswith(Waiting.prefix())]
    here.deliver(INTAKE, configured(here, "02"))
    assert here.work_off(INTAKE) == 1, "nothing waits any more"


def test_a_race_configured_while_an_upload_begins_to_wait(here: World) -> None:
    """The race is read as unknown, then configured and its waiting keys released, then the upload starts waiting."""
    uploaded = here.upload(raw_key("a.jpg"), pictures.jpeg())

    def configure(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            here.wire.trouble = None
            here.deliver(INTAKE, configured(here))
            here.work_off(INTAKE)

    here.wire.trouble = Meanwhile(configure)
    assert here.deliver(INTAKE, uploaded) == []
    assert only(here.heard()).keys == (raw_key("a.jpg"),)


def test_a_waiting_upload_that_is_deleted_or_overwritten(here: World) -> None:
    deleted = here.upload(raw_key("a.jpg"), pictures.jpeg(1))
    here.deliver(INTAKE, deleted, here.delete(raw_key("a.jpg")))
    here.deliver(
        INTAKE, here.upload(raw_key("b.jpg"), pictures.jpeg(1)), here.upload(raw_key("b.jpg"), pictures.jpeg(2))
    )
    here.deliver(INTAKE, configured(here))
    here.work_off(INTAKE)
    assert [event.keys for event in here.heard()] == [(raw_key("b.jpg"),)]


def test_a_new_time_zone_dates_photos_anew(at_race: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.functions.intake.REDATE_PAGE", 1)
    floating, fixed = (pictures.exif(original="2026:10:25 09:00:00", offset=offset) for offset in (None, "+09:00"))
    at_race.deliver(
        INTAKE,
        at_race.upload(raw_key("a.jpg"), pictures.jpeg(1, exif=floating)),
        at_race.upload(raw_key("b.jpg"), pictures.jpeg(2, exif=fixed)),
        at_race.upload(raw_key("c.jpg"), pictures.jpeg(3)),
    )
    before = {event.keys: event for event in at_race.heard()}
    at_race.deliver(INTAKE, configured(at_race, "02", timezone="Europe/Paris"))
    (later,) = at_race.take_put_off(INTAKE)
    at_race.deliver(INTAKE, later)
    at_race.work_off(INTAKE)
    (envelope,) = at_race.envelopes()
    again = envelope.data
    assert isinstance(again, PhotoIngested)
    assert before[again.keys].taken_at == "2026-10-25T09:00:00+09:00"
    assert again.taken_at == "2026-10-25T09:00:00+01:00"
    assert again.revision > before[again.keys].revision

    again = replayed(configured(at_race, "02", timezone="Europe/Paris"))
    at_race.deliver(INTAKE, again)
    at_race.deliver(INTAKE, *at_race.take_put_off(INTAKE))
    at_race.work_off(INTAKE)
    assert [(one.meta.id, one.meta.replay) for one in at_race.envelopes()] == [(envelope.meta.id, "again")]


# --- batches ----------------------------------------------------------------------------------------------


GARBAGE = ("", "{", "[]", "null", '{"source": "aws.s3"}', '{"snaprace-note": "take-upload"}')


@pytest.mark.parametrize("seed", range(5))
def test_exactly_the_bad_records_come_back(at_race: World, seed: int) -> None:
    """Invariant 5: unparseable messages and failing AWS calls, mixed with good ones."""
    dice = random.Random(seed)
    batch: list[dict[str, Any] | str] = []
    bad = []
    for number in range(10):
        uploaded = at_race.upload(raw_key(f"{seed}-{number}.jpg"), pictures.jpeg(number, (160, 120)))
        kind = dice.choice(["good", "good", "garbage", "failing"])
        if kind == "failing":
            uploaded["detail"]["bucket"]["name"] = "no-such-bucket"
        batch.append(dice.choice(GARBAGE) if kind == "garbage" else uploaded)
        if kind != "good":
            bad.append(number)
    assert at_race.deliver(INTAKE, *batch) == bad
    assert len(at_race.heard()) == len(batch) - len(bad)


def test_a_message_of_another_kind_comes_back(at_race: World) -> None:
    other = configured(at_race)
    other["detail-type"] = "PhotoMatched"
    assert at_race.deliver(INTAKE, other) == [0]
    assert at_race.deliver(INTAKE, json.dumps({"snaprace-note": "sing", "meta": {}, "body": {}})) == [0]
