"""The ingest stage's edges to AWS, on moto."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import msgspec
import pytest
from moto import mock_aws

from services.ingest.domain import (
    Change,
    Content,
    Copy,
    Former,
    Gone,
    KeyRecord,
    Look,
    Photo,
    RaceRecord,
    Size,
    Stamp,
    settle,
)
from services.ingest.edges import Gallery, Ledger, Photographs, Raw, photographer
from services.ingest.pictures import Rendition
from shared.contracts.errors import InvalidPicture
from shared.contracts.events import Meta
from shared.contracts.keys import RaceRef
from shared.contracts.messages import ObjectCreated
from shared.kit.table import Table

RACE = RaceRef("org", "race")
PK = RACE.partition
META = Meta(id="k@1", version=1, correlation_id="k@1", causation_id="n", occurred_at="2026-10-25T00:00:00Z")
SIZE = Size(width=3, height=2)
LOOK = Look(processed=SIZE, preview=SIZE, thumbnail=SIZE, placeholder="data:", camera="C")


@pytest.fixture
def account() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def ledger(account: None) -> Ledger:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="ingest",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        BillingMode="PAY_PER_REQUEST",
    )
    return Ledger(Table(client, "ingest"))


def upload(key: str, **fields: object) -> ObjectCreated:
    defaults = ObjectCreated(
        meta=META, bucket="photos", key=key, sequencer="1", size=5, etag="", version_id=None, at="2026-10-25T00:00:00Z"
    )
    return msgspec.structs.replace(defaults, **fields)


def record(key: str, sequencer: str = "1", **fields: object) -> KeyRecord:
    return msgspec.structs.replace(KeyRecord(key=key, state="ingested", sequencer=sequencer, at="t"), **fields)


def test_what_is_kept_is_what_is_read(ledger: Ledger) -> None:
    held = record("k", photo_id="p", version_id="v", former=(Former(photo_id="q", generation=2),))
    photo = Photo(photo_id="p", revision=1, copies=(Copy(key="k", uploaded_at="t"),), look=LOOK, bucket="b")
    race = RaceRecord(name="서울", timezone="Asia/Seoul", revision="1", earlier_timezones=("UTC",))
    assert ledger.commit(PK, Change(record=held, photos=(photo,)), None, {})
    assert ledger.configure(PK, race, None)
    assert ledger.look_up(PK, "k") == (race, held)
    assert ledger.photos(PK, ["p", "p", "unknown"]) == {"p": photo}
    assert ledger.photos(PK, []) == {}
    assert ledger.race(PK) == race
    assert ledger.race("ORG#a#EVT#b") is None


def test_a_change_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    first, second = Photo(photo_id="p", revision=1), Photo(photo_id="q", revision=1)
    assert ledger.commit(PK, Change(record=record("k"), photos=(first,)), None, {})
    assert not ledger.commit(PK, Change(record=record("l"), photos=(first, second)), None, {}), "p is there already"
    assert ledger.look_up(PK, "l") == (None, None)
    assert ledger.photos(PK, ["q"]) == {}
    assert not ledger.commit(PK, Change(record=record("k", "3")), record("k", "2"), {}), "k is not what was read"
    assert not ledger.commit(PK, Change(record=record("k", "3")), record("k", "1", state="waiting"), {})
    assert ledger.commit(PK, Change(record=record("k", "3")), record("k"), {})
    newer = Photo(photo_id="p", revision=7)
    assert not ledger.save_photo(PK, newer, Photo(photo_id="p", revision=2)), "p is not what was read"
    assert ledger.save_photo(PK, newer, first)
    again = Change(record=record("l"), photos=(msgspec.structs.replace(newer, revision=8),))
    assert not ledger.commit(PK, again, None, {"p": first}), "nor is it any more"
    assert ledger.commit(PK, again, None, {"p": newer})


def test_waiting_ends_with_the_change_that_ends_it(ledger: Ledger) -> None:
    uploads = [upload(f"k{number}", version_id="v") for number in range(3)]
    waiting = [ledger.wait(PK, one, None) for one in uploads]
    assert ledger.wait(PK, uploads[0], None) is None
    assert [one for _, one in ledger.waiting(PK, None)] == uploads
    (position, _), *_ = ledger.waiting(PK, None)
    assert [one.key for _, one in ledger.waiting(PK, position)] == ["k1", "k2"]
    assert ledger.commit(PK, Change(record=record("k1")), waiting[1], {})
    assert [one.key for _, one in ledger.waiting(PK, None)] == ["k0", "k2"]


def test_a_race_is_configured_from_what_was_read(ledger: Ledger) -> None:
    one, two = (RaceRecord(name="n", timezone="UTC", revision=revision) for revision in ("1", "2"))
    assert ledger.configure(PK, one, None)
    assert not ledger.configure(PK, two, None)
    assert ledger.configure(PK, two, one)
    assert not ledger.configure(PK, two, one)


def test_keys_of_1024_bytes_stay_apart(ledger: Ledger) -> None:
    keys = ["é" * 511 + ending for ending in ("ab", "ba")]
    for key in keys:
        assert ledger.commit(PK, Change(record=record(key)), None, {})
    assert [ledger.look_up(PK, key)[1] for key in keys] == [record(key) for key in keys]


def test_a_full_photo_fits_one_item(ledger: Ledger) -> None:
    content = Content(bucket="b", sha256="s", photographer="김" * 100)
    photos: dict[str, Photo] = {}
    for number in range(201):
        stamp = Stamp(key=f"{number:04}" + "é" * 510, sequencer="1", at="2026-10-25T00:00:00Z")
        change = settle(RACE, stamp, content, by=META, record=None, photos=photos, look=LOOK)
        photos |= {photo.photo_id: photo for photo in change.photos}
    assert change.record.reason == "too_many_copies"
    (photo,) = photos.values()
    assert len(photo.copies) == 200
    assert ledger.commit(PK, msgspec.structs.replace(change, photos=(photo,)), None, {})


@pytest.fixture
def photographs(account: None) -> Photographs:
    client = boto3.client("s3")
    client.create_bucket(Bucket="photos")
    client.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    return Photographs(client)


def test_the_very_version_is_fetched(photographs: Photographs) -> None:
    client = boto3.client("s3")
    first = client.put_object(Bucket="photos", Key="k +%", Body=b"first", Metadata={"photographer": "%EA%B9%80"})
    client.put_object(Bucket="photos", Key="k +%", Body=b"second")
    versioned = upload("k +%", version_id=first["VersionId"], etag=first["ETag"].strip('"'))
    assert photographs.fetch(versioned) == Raw(body=b"first", photographer="김")
    assert photographs.fetch(upload("k +%", etag=first["ETag"].strip('"'))) == Gone(), "overwritten"
    assert photographs.fetch(upload("k +%")) == Raw(body=b"second", photographer=None)
    assert photographs.fetch(upload("other")) == Gone()
    with pytest.raises(InvalidPicture):
        photographs.fetch(upload("k +%", size=10**9))
    with pytest.raises(boto3.client("s3").exceptions.NoSuchBucket):
        photographs.fetch(upload("k", bucket="no-such"))


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("Kim", "Kim"),
        ("%EA%B9%80%20%EC%B2%A0%EC%88%98", "김 철수"),
        ("=?UTF-8?B?6rmAIOyyoOyImA==?=", "김 철수"),
        ("=?UTF-8?Q?=EA=B9=80?=", "김"),
        ("=?UTF-9?Q?x?=", "=?UTF-9?Q?x?="),
        ("김".encode().decode("latin-1"), "김"),
        ("José", "José"),
        ("100% Foto", "100% Foto"),
        ("a\tb", "a b"),
        ("", None),
        ("%00", None),
    ],
)
def test_photographer(sent: str, name: str | None) -> None:
    assert photographer({"photographer": sent}) == name
    assert photographer({}) is None


def test_pictures_are_put_and_discarded(account: None) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="derived")
    gallery = Gallery(client, "derived")
    keys = ("p.jpg", "v.jpg", "t.jpg")
    gallery.put(keys, Rendition(look=LOOK, processed=b"p", preview=b"v", thumbnail=b"t"))
    stored = {key: client.get_object(Bucket="derived", Key=key) for key in keys}
    assert [one["Body"].read() for one in stored.values()] == [b"p", b"v", b"t"]
    assert {one["ContentType"] for one in stored.values()} == {"image/jpeg"}
    gallery.discard([*keys, "missing.jpg"])
    assert client.list_objects_v2(Bucket="derived")["KeyCount"] == 0
