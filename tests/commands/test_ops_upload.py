"""Uploading a folder: every file once, awkward names as they are, and what happens when it cannot go on."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.awsrequest import AWSResponse

from ops.cli.photographer import send
from ops.race.upload import photos_in, upload
from ops.reach.errors import Failed
from ops.reach.target import Target
from tests.kit.deployed import count_uploads, deployed
from tests.kit.events import RACE

NAMES = [
    "IMG 1.jpg",
    "a+b.jpg",
    "50%.jpg",
    "%2F.jpg",
    "결승선.jpg",
    "🏃‍♀️.jpg",
    "no-extension",
    "café.png",
    "a&b=c?.jpg",
]


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        yield target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(b"picture " + name.encode())
    return folder


def there(target: Target) -> dict[str, bytes]:
    client = target.client("s3")
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=target.photo_bucket).get("Contents", ())]
    return {key: client.get_object(Bucket=target.photo_bucket, Key=key)["Body"].read() for key in keys}


def test_names_arrive_as_they_are_and_content_whole(target: Target, folder: Path) -> None:
    outcome = upload(target, RACE, photos_in(folder))
    assert sorted(outcome.sent) == sorted(NAMES)
    assert there(target) == {f"{RACE.prefix}raw_photos/{name}": b"picture " + name.encode() for name in NAMES}


def test_the_photographers_name_survives_headers(target: Target, folder: Path) -> None:
    upload(target, RACE, photos_in(folder)[:1], photographer="박도현 50% + Söhne")
    head = target.client("s3").head_object(Bucket=target.photo_bucket, Key=next(iter(there(target))))
    assert head["Metadata"]["photographer"].isascii()
    assert unquote(head["Metadata"]["photographer"]) == "박도현 50% + Söhne"


def test_a_second_upload_sends_only_what_is_new_or_changed(target: Target, folder: Path) -> None:
    upload(target, RACE, photos_in(folder))
    sent = count_uploads(target)
    (folder / "결승선.jpg").write_bytes(b"retouched")
    (folder / "new.jpg").write_bytes(b"new")
    outcome = upload(target, RACE, photos_in(folder))
    assert sorted(outcome.sent) == ["new.jpg", "결승선.jpg"]
    assert len(outcome.already_there) == len(NAMES) - 1
    assert len(sent.keys) == 2
    assert there(target)[f"{RACE.prefix}raw_photos/결승선.jpg"] == b"retouched"


def test_what_was_sent_in_parts_by_another_program_is_sent_again_rather_than_trusted(
    target: Target, folder: Path
) -> None:
    key, client = f"{RACE.prefix}raw_photos/{NAMES[0]}", target.client("s3")
    parts = client.create_multipart_upload(Bucket=target.photo_bucket, Key=key)["UploadId"]
    part = client.upload_part(Bucket=target.photo_bucket, Key=key, UploadId=parts, PartNumber=1, Body=b"other")
    client.complete_multipart_upload(
        Bucket=target.photo_bucket,
        Key=key,
        UploadId=parts,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert NAMES[0] in upload(target, RACE, photos_in(folder)).sent
    assert there(target)[key] == b"picture " + NAMES[0].encode()


def test_an_interrupted_upload_is_resumed_by_the_same_command(
    target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}.jpg").write_bytes(str(number).encode())
    files = photos_in(folder)

    def interrupt(done: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(target, RACE, files, progress=interrupt)
    up = len(there(target))
    assert 5 <= up < 60, "it stopped with what was under way"

    sent = count_uploads(target)
    assert send(target, RACE, files, None) == 0
    assert len(sent.keys) == 60 - up
    assert set(there(target).values()) == {str(number).encode() for number in range(60)}
    assert f"{up} already there" in capsys.readouterr().err


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_up(
    target: Target, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken link.jpg").symlink_to(folder / "gone.jpg")
    assert send(target, RACE, photos_in(folder), None) == 1
    said = capsys.readouterr().err
    assert "not uploaded: broken link.jpg: No such file or directory" in said
    assert len(there(target)) == len(NAMES)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_a_name_that_no_key_can_have_is_refused_alone(target: Target, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jpg")).write_bytes(b"x")
    outcome = upload(target, RACE, photos_in(folder))
    assert [why for _, why in outcome.failed] == ["its name is not UTF-8; rename it"]
    assert len(outcome.sent) == len(NAMES)


def answer(status: int, code: str) -> AWSResponse:
    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    return AWSResponse("https://s3", status, {}, Raw())


def test_what_concerns_every_file_stops_the_upload_with_one_sentence(target: Target, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number}.jpg").write_bytes(b"x")
    tried = 0

    def refuse(**_: Any) -> AWSResponse | None:
        nonlocal tried
        tried += 1
        return answer(403, "AccessDenied") if tried > 3 else None

    target.client("s3").meta.events.register_first("before-send.s3.PutObject", refuse)
    with pytest.raises(Failed, match=r"do not allow PutObject.* of 100 files are up; the same command sends the rest"):
        upload(target, RACE, photos_in(folder))
    assert tried < 50


def test_a_file_that_changes_under_way_is_told_of_alone(target: Target, folder: Path) -> None:
    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        return answer(400, "BadDigest") if request.url.endswith("no-extension") else None

    target.client("s3").meta.events.register_first("before-send.s3.PutObject", refuse)
    outcome = upload(target, RACE, photos_in(folder))
    assert outcome.failed == (("no-extension", "it changed while it was read"),)
    assert len(outcome.sent) == len(NAMES) - 1


def test_s3_is_told_what_the_content_must_be(target: Target, folder: Path) -> None:
    digests = {}

    def see(request: Any, **_: Any) -> None:
        digests[request.url.rsplit("/", 1)[-1]] = request.headers["x-amz-checksum-sha256"]

    target.client("s3").meta.events.register_first("before-send.s3.PutObject", see)
    upload(target, RACE, [folder / "no-extension"])
    expected = base64.b64encode(hashlib.sha256(b"picture no-extension").digest())
    assert digests["no-extension"] in (expected, expected.decode())


def test_hidden_files_stay_and_sub_folders_come(folder: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".cache/x.jpg", "cam2/extra.jpg"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert {path.name for path in photos_in(folder)} == {*NAMES, "extra.jpg"}


def test_one_name_in_two_sub_folders_is_refused_before_anything_goes_up(folder: Path) -> None:
    for camera in ("cam1", "cam2"):
        (folder / camera).mkdir()
        (folder / camera / "IMG_1.jpg").write_bytes(camera.encode())
    with pytest.raises(Failed, match=r"Two files are called IMG_1.jpg: cam\d/IMG_1.jpg and cam\d/IMG_1.jpg"):
        photos_in(folder)


@pytest.mark.parametrize(
    ("name", "sentence"), [("nowhere", "There is no folder"), ("empty", "no files in"), ("file", "is a file; name the")]
)
def test_a_folder_that_is_none(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(Failed, match=sentence):
        photos_in(tmp_path / name)
