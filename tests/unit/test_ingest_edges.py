"""The ingest stage's edges to AWS, on moto."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from services.ingest.domain.keys import Rejection
from services.ingest.domain.photos import Change, Gone, PhotoContent, put_off, settle
from services.ingest.domain.texts import photographer
from services.ingest.edges import Ledger, Renditions, UploadedFile
from services.ingest.pictures import Rendition
from services.ingest.records import Copy, Former, KeyRecord, Look, RaceRecord, Size, UploadedPhoto, Waiting
from shared.contracts.events import Meta
from shared.contracts.keys import RaceRef, photo_id
from shared.contracts.messages import ObjectCreated
from shared.kit.records import Records
from shared.kit.table import Table
from tests.kit import pictures

RACE = RaceRef("org", "race")
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
    return Ledger(Records(Table(client, "ingest")))


def upload(key: str, **fields: object) -> ObjectCreated:
    defaults = ObjectCreated(
        meta=META, bucket="photos", key=key, sequencer="1", size=5, etag="", version_id=None, at="2026-10-25T00:00:00Z"
    )
    return msgspec.structs.replace(defaults, **fields)


def record(key: str, sequencer: str = "1", **fields: object) -> KeyRecord:
    return msgspec.structs.replace(KeyRecord(key=key, state="ingested", sequencer=sequencer, at="t"), **fields)


def test_what_is_kept_is_what_is_read(ledger: Ledger) -> None:
    held = record("k", photo_id="p", version_id="v", former=(Former(photo_id="q", generation=2),))
    photo = UploadedPhoto(photo_id="p", revision=1, copies=(Copy(key="k", uploaded_at="t"),), look=LOOK, bucket="b")
    race = RaceRecord(name="서울", timezone="Asia/Seoul", revision="1", earlier_timezones=("UTC",))
    assert ledger.commit(RACE, Change(record=held, photos=(photo,)), None, {})
    assert ledger.configure(RACE, race, None)
    assert ledger.look_up(RACE, "k") == (race, held)
    assert ledger.photos(RACE, ["p", "p", "unknown"]) == {"p": photo}
    assert ledger.photos(RACE, []) == {}
    assert ledger.race(RACE) == race
    assert ledger.race(RaceRef("a", "b")) is None


def test_a_change_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    first, second = UploadedPhoto(photo_id="p", revision=1), UploadedPhoto(photo_id="q", revision=1)
    assert ledger.commit(RACE, Change(record=record("k"), photos=(first,)), None, {})
    assert not ledger.commit(RACE, Change(record=record("l"), photos=(first, second)), None, {}), "p is there already"
    assert ledger.look_up(RACE, "l") == (None, None)
    assert ledger.photos(RACE, ["q"]) == {}
    assert not ledger.commit(RACE, Change(record=record("k", "3")), record("k", "2"), {}), "k is not what was read"
    assert not ledger.commit(RACE, Change(record=record("k", "3")), record("k", "1", state="waiting"), {})
    assert ledger.commit(RACE, Change(record=record("k", "3")), record("k"), {})
    newer = UploadedPhoto(photo_id="p", revision=7)
    assert not ledger.save_photo(RACE, newer, UploadedPhoto(photo_id="p", revision=2)), "p is not what was read"
    assert ledger.save_photo(RACE, newer, first)
    again = Change(record=record("l"), photos=(msgspec.structs.replace(newer, revision=8),))
    assert not ledger.commit(RACE, again, None, {"p": first}), "nor is it any more"
    assert ledger.commit(RACE, again, None, {"p": newer})


def test_waiting_ends_with_the_change_that_ends_it(ledger: Ledger) -> None:
    uploads = [upload(f"k{number}", version_id="v") for number in range(3)]
    changes = [put_off(one, None) for one in uploads]
    assert all(ledger.commit(RACE, change, None, {}) for change in changes)
    assert not ledger.commit(RACE, changes[0], None, {})
    first, *others = ledger.page(Waiting, RACE, None, 5)
    assert [one.upload for one in (first, *others)] == uploads
    assert ledger.page(Waiting, RACE, None, 2) == [first, others[0]]
    assert ledger.page(Waiting, RACE, first.place(RACE).sort_key, 5) == others
    overwritten = put_off(upload("k0", sequencer="2"), changes[0].record)
    assert ledger.commit(RACE, overwritten, changes[0].record, {})
    assert ledger.commit(RACE, Change(record=record("k1")), changes[1].record, {})
    assert [one.upload.sequencer for one in ledger.page(Waiting, RACE, None, 5)] == ["2", "1"]


def test_a_race_is_configured_from_what_was_read(ledger: Ledger) -> None:
    one, two = (RaceRecord(name="n", timezone="UTC", revision=revision) for revision in ("1", "2"))
    assert ledger.configure(RACE, one, None)
    assert not ledger.configure(RACE, two, None)
    assert ledger.configure(RACE, two, one)
    assert not ledger.configure(RACE, two, one)


def test_keys_of_1024_bytes_stay_apart(ledger: Ledger) -> None:
    keys = ["é" * 511 + ending for ending in ("ab", "ba")]
    for key in keys:
        assert ledger.commit(RACE, Change(record=record(key)), None, {})
    assert [ledger.look_up(RACE, key)[1] for key in keys] == [record(key) for key in keys]


def test_a_full_photo_fits_one_item(ledger: Ledger) -> None:
    content = PhotoContent(photo_id="p", bucket="b", sha256="s", photographer="김" * 100)
    photos: dict[str, UploadedPhoto] = {}
    for number in range(201):
        change = settle(upload(f"{number:04}" + "é" * 510), content, record=None, photos=photos, look=LOOK)
        photos |= {photo.photo_id: photo for photo in change.photos}
    assert change.record.reason == "too_many_copies"
    (photo,) = photos.values()
    assert len(photo.copies) == 200
    assert ledger.commit(RACE, msgspec.structs.replace(change, photos=(photo,)), None, {})


def test_the_very_version_is_fetched(account: None) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="photos")
    client.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})

    def content(key: str, **fields: object) -> object:
        return UploadedFile(client, RACE, upload(key, **fields)).content

    def picture(body: bytes, photographer: str | None) -> PhotoContent:
        sha256 = hashlib.sha256(body).hexdigest()
        name = photo_id(RACE, sha256)
        return PhotoContent(photo_id=name, bucket="photos", sha256=sha256, photographer=photographer)

    first = client.put_object(Bucket="photos", Key="k +%", Body=b"first", Metadata={"photographer": "%EA%B9%80"})
    client.put_object(Bucket="photos", Key="k +%", Body=b"second")
    etag = first["ETag"].strip('"')
    assert content("k +%", version_id=first["VersionId"], etag=etag) == picture(b"first", "김")
    assert content("k +%", etag=etag) == Gone(), "overwritten"
    assert content("k +%") == picture(b"second", None)
    assert content("other") == Gone()
    refused = content("k +%", size=10**9)
    assert isinstance(refused, Rejection)
    assert refused.reason == "too_large"
    with pytest.raises(client.exceptions.NoSuchBucket):
        content("k", bucket="no-such")


KMS = "User: arn:aws:sts::1:assumed-role/r/f is not authorized to perform: kms:Decrypt on this resource"


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("NoSuchKey", "", Gone),
        ("NoSuchVersion", "", Gone),
        ("MethodNotAllowed", "The specified method is not allowed against this resource.", Gone),
        ("InvalidObjectState", "", "archived"),
        ("InvalidRequest", "The object was stored using a form of Server Side Encryption.", "encrypted"),
        ("KMS.DisabledException", "", "encrypted"),
        ("AccessDenied", KMS, "encrypted"),
        ("AccessDenied", "Access Denied", ClientError),
    ],
)
def test_whatever_s3_says_of_an_upload_for_good_is_an_outcome(code: str, message: str, expected: object) -> None:
    class S3:
        def get_object(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")

    def content() -> object:
        left = UploadedFile(S3(), RACE, upload("k")).content  # type: ignore[arg-type]
        return left.reason if isinstance(left, Rejection) else type(left)

    if expected is ClientError:  # a missing permission of ours: no fault of the photo's
        with pytest.raises(ClientError):
            content()
    else:
        assert content() == expected


def test_an_upload_is_fetched_and_rendered_once(account: None) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="k", Body=pictures.jpeg())
    file = UploadedFile(client, RACE, upload("k"))
    content, rendition = file.content, file.rendition("Race")
    client.delete_object(Bucket="photos", Key="k")
    assert file.content is content
    assert file.rendition("Race") is rendition


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
    renditions = Renditions(client, "derived")
    keys = ("p.jpg", "v.jpg", "t.jpg")
    renditions.put(keys, Rendition(look=LOOK, processed=b"p", preview=b"v", thumbnail=b"t"))
    stored = {key: client.get_object(Bucket="derived", Key=key) for key in keys}
    assert [one["Body"].read() for one in stored.values()] == [b"p", b"v", b"t"]
    assert {one["ContentType"] for one in stored.values()} == {"image/jpeg"}
    renditions.discard([*keys, "missing.jpg"])
    assert client.list_objects_v2(Bucket="derived")["KeyCount"] == 0
