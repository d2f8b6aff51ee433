"""Uploading a folder: every file once, awkward names as they are, and what happens when it cannot go on."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from ops.cli.photographer import send, tell_left_out
from ops.demo.material import own_material
from ops.race.folders import photos_in
from ops.race.upload import upload
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
    assert there(target)[f"{RACE.prefix}raw_photos/photos--결승선.jpg"] == b"retouched"


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
    whole = b"picture " + NAMES[0].encode()
    assert there(target) == {
        key: b"other",
        **{f"{RACE.prefix}raw_photos/{name}": b"picture " + name.encode() for name in NAMES[1:]},
        f"{RACE.prefix}raw_photos/photos--{NAMES[0]}": whole,
    }


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
    assert send(target, RACE, files) == 0
    assert len(sent.keys) == 60 - up
    assert set(there(target).values()) == {str(number).encode() for number in range(60)}
    assert f"{up} already there" in capsys.readouterr().err


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_up(
    target: Target, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken link.jpg").symlink_to(folder / "gone.jpg")
    assert send(target, RACE, photos_in(folder)) == 1
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


def test_a_folder_given_twice_goes_up_once(folder: Path) -> None:
    (folder / "cam2").mkdir()
    (folder / "cam2" / "extra.jpg").write_bytes(b"x")
    assert len(photos_in(folder, folder / "cam2", folder / ".." / folder.name)) == len(NAMES) + 1


# --- one name in two folders ---------------------------------------------------------------------------------


def day(folder: Path, name: str, *numbers: int) -> Path:
    """A day's folder: its camera's numbering has started again."""
    (folder / name).mkdir(parents=True)
    for number in numbers:
        (folder / name / f"IMG_{number}.jpg").write_bytes(f"{name} {number}".encode())
    return folder / name


def contents(target: Target) -> dict[str, str]:
    """The names of the race's raw photos → what is there."""
    beginning = f"{RACE.prefix}raw_photos/"
    return {key.removeprefix(beginning): body.decode() for key, body in there(target).items()}


def send_folders(target: Target, *folders: Path, replace: bool = False) -> int:
    return send(target, RACE, photos_in(*folders), folders=folders, replace=replace)


def test_photos_of_one_name_in_sub_folders_are_told_apart_by_these(target: Target, tmp_path: Path) -> None:
    for name in ("day1", "day2/cam 2"):
        day(tmp_path / "race", name, 1)
    assert send_folders(target, tmp_path / "race") == 0
    assert contents(target) == {"day1--IMG_1.jpg": "day1 1", "day2--cam 2--IMG_1.jpg": "day2/cam 2 1"}


def test_a_second_days_photos_do_not_take_the_place_of_the_first_days(
    target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = day(tmp_path, "day1", 1, 2), day(tmp_path, "day2", 2, 3)
    send_folders(target, first)
    capsys.readouterr()
    assert send_folders(target, second) == 0
    expected = {"IMG_1.jpg": "day1 1", "IMG_2.jpg": "day1 2", "day2--IMG_2.jpg": "day2 2", "IMG_3.jpg": "day2 3"}
    assert contents(target) == expected
    said = " ".join(capsys.readouterr().err.split())
    told = "1 photo under the file's own name, as IMG_3.jpg; 1 photo with more in the name, as day2--IMG_2.jpg, since"
    assert f"{second}: {told} the race has other photos of that name, and both are kept." in said
    sent = count_uploads(target)
    send_folders(target, first)
    send_folders(target, second)
    send_folders(target, first, second)
    send_folders(target, tmp_path)
    assert contents(target) == expected, "the same folders again: nothing is doubled"
    assert sent.keys == []


def test_a_card_whose_folder_has_the_same_name_each_day_keeps_every_photo(target: Target, tmp_path: Path) -> None:
    for shot in ("first", "second", "third"):
        card = tmp_path / "DCIM"
        card.mkdir(exist_ok=True)
        (card / "IMG_1.jpg").write_bytes(shot.encode())
        for _ in range(2):
            assert send_folders(target, card) == 0
    digest = hashlib.md5(b"third", usedforsecurity=False).hexdigest()[:12]
    assert contents(target) == {
        "IMG_1.jpg": "first", "DCIM--IMG_1.jpg": "second", f"DCIM--IMG_1--{digest}.jpg": "third",
    }  # fmt: skip


def test_folders_given_together_are_told_apart(target: Target, tmp_path: Path) -> None:
    folders = [day(tmp_path, f"{number}/100CANON", 1) for number in (1, 2, 3)]
    assert send_folders(target, *folders) == 0
    assert sorted(contents(target).values()) == [f"{number}/100CANON 1" for number in (1, 2, 3)]
    before, sent = contents(target), count_uploads(target)
    send_folders(target, *folders)
    assert (contents(target), sent.keys) == (before, [])


def test_names_that_only_look_like_a_folders_keep_their_photos(target: Target, tmp_path: Path) -> None:
    day(tmp_path, "race/a", 1)
    (tmp_path / "race" / "a--IMG_1.jpg").write_bytes(b"flat")
    assert send_folders(target, tmp_path / "race") == 0
    assert sorted(contents(target).values()) == ["flat", "race/a 1"]


def test_a_photo_that_is_edited_takes_its_place_where_somebody_says_so(target: Target, tmp_path: Path) -> None:
    first, second = day(tmp_path, "day1", 1), day(tmp_path, "day2", 1)
    send_folders(target, first, second)
    (second / "IMG_1.jpg").write_bytes(b"edited")
    assert send_folders(target, second, replace=True) == 0
    assert contents(target) == {"IMG_1.jpg": "day1 1", "day2--IMG_1.jpg": "edited"}


def test_what_an_earlier_version_sent_without_its_folder_stays_where_it_is(target: Target, tmp_path: Path) -> None:
    cafe = unicodedata.normalize("NFD", "café.jpg")
    folder = day(tmp_path, "race/cam2", 1).parent
    (folder / "cam2" / cafe).write_bytes(b"decomposed")
    for name, body in (("IMG_1.jpg", b"race/cam2 1"), (cafe, b"decomposed")):
        key = f"{RACE.prefix}raw_photos/{name}"
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=body)
    sent = count_uploads(target)
    assert send_folders(target, folder) == 0
    assert sent.keys == []


def test_a_name_is_one_however_a_disk_spells_its_accents(target: Target, tmp_path: Path) -> None:
    for form in ("NFD", "NFC"):
        folder = tmp_path / form / "jour été"
        folder.mkdir(parents=True)
        (folder / unicodedata.normalize(form, "café.jpg")).write_bytes(b"one")
        assert send_folders(target, folder.parent) == 0
    assert list(contents(target)) == [unicodedata.normalize("NFC", "jour été--café.jpg")]


def test_photos_whose_names_differ_in_case_or_spaces_alone_are_all_kept(target: Target, tmp_path: Path) -> None:
    names = ["IMG_1.JPG", "IMG_1.jpg", "IMG_1 .jpg", "CON.jpg", "a:b?.jpg", "a\\b.jpg"]
    for name in names:
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(name.encode())
    assert send_folders(target, tmp_path / "photos") == 0
    assert contents(target) == {name: name for name in names}


def test_folders_too_deep_for_a_key_are_told_apart_all_the_same(target: Target, tmp_path: Path) -> None:
    deep = [Path(*["가" * 80] * 4, last) for last in ("a", "b")]
    for folder in deep:
        day(tmp_path / "race", str(folder), 1)
    assert send_folders(target, tmp_path / "race") == 0
    assert sorted(contents(target).values()) == [f"{folder} 1" for folder in deep]
    assert all(len(key.encode()) <= 1024 for key in there(target))


@pytest.mark.parametrize("same", [True, False])
def test_who_comes_first_to_a_name_keeps_it(target: Target, tmp_path: Path, same: bool) -> None:
    folder = day(tmp_path, "day2", 1)
    key, body = f"{RACE.prefix}raw_photos/IMG_1.jpg", b"day2 1" if same else b"somebody else's"
    other = boto3.client("s3")

    def be_first(params: dict[str, Any], **_: Any) -> None:
        if params["Key"] == key:
            other.put_object(Bucket=target.photo_bucket, Key=key, Body=body)

    target.client("s3").meta.events.register("provide-client-params.s3.PutObject", be_first)
    assert send_folders(target, folder) == 0
    expected = {"IMG_1.jpg": body.decode()} | ({} if same else {"day2--IMG_1.jpg": "day2 1"})
    assert contents(target) == expected


# --- what a folder holds beside photos -----------------------------------------------------------------------


def test_links_to_folders_are_told_and_not_followed(target: Target, tmp_path: Path, capsys: Any) -> None:
    folder, elsewhere = day(tmp_path, "race", 1), day(tmp_path, "elsewhere", 2)
    (folder / "loop").symlink_to(folder)
    (folder / "more").symlink_to(elsewhere)
    told: list[tuple[Path, str]] = []
    files = photos_in(folder, left_out=lambda path, why: told.append((path, why)))
    assert [path.name for path in files] == ["IMG_1.jpg"]
    assert told == [(folder / "more", f"it is a link to the folder {elsewhere}; name that one, too, to upload it")]
    assert tell_left_out(told) == 1
    assert "not uploaded: " in capsys.readouterr().err
    told.clear()
    assert len(photos_in(folder, folder / "more", left_out=lambda path, why: told.append((path, why)))) == 2
    assert told == []


def test_ones_own_photos_for_the_demo_come_from_sub_folders_too_and_what_does_not_is_known(tmp_path: Path) -> None:
    for name in ("day1", "day2"):
        day(tmp_path / "race", name, 1)
    (tmp_path / "race" / "more").symlink_to(day(tmp_path, "elsewhere", 2))
    material = own_material(tmp_path / "race", None)
    assert [path.parent.name for path in material.photos] == ["day1", "day2"]
    assert material.folder == tmp_path / "race"
    assert [path.name for path, _ in material.left_out] == ["more"]


def test_a_file_that_is_linked_goes_up(target: Target, tmp_path: Path) -> None:
    folder = tmp_path / "race"
    folder.mkdir()
    (folder / "best.jpg").symlink_to(day(tmp_path, "elsewhere", 2) / "IMG_2.jpg")
    assert send_folders(target, folder) == 0
    assert contents(target) == {"best.jpg": "elsewhere 2"}


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    folder = day(tmp_path, "race", 1)
    os.mkfifo(folder / "pipe.jpg")
    told: list[tuple[Path, str]] = []
    assert len(photos_in(folder, left_out=lambda path, why: told.append((path, why)))) == 1
    assert told == [(folder / "pipe.jpg", "it is no file")]
    with pytest.raises(Failed, match=r"pipe\.jpg cannot be uploaded: it is no file\."):
        photos_in(folder)


def test_a_sub_folder_without_rights_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = day(tmp_path, "race", 1)
    day(folder, "closed", 2)
    scan = os.scandir

    def refuse(path: Any) -> Any:  # root, as tests may run, has every right
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    told: list[tuple[Path, str]] = []
    files = photos_in(folder, left_out=lambda path, why: told.append((path, why)))
    assert [path.name for path in files] == ["IMG_1.jpg"]
    assert told == [(folder / "closed", "the folder cannot be read (Permission denied)")]
    with pytest.raises(Failed, match=r"The folder .*closed cannot be read: Permission denied\."):
        photos_in(folder / "closed")


def test_a_folder_that_lets_nobody_look_at_its_files_is_told_file_by_file(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = day(tmp_path, "race", 1, 2)
    look, read = Path.stat, Path.open

    def refuse(does: Any) -> Any:
        def refusing(path: Path, *arguments: Any, **named: Any) -> Any:
            if path.name == "IMG_1.jpg":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return does(path, *arguments, **named)

        return refusing

    monkeypatch.setattr(Path, "stat", refuse(look))
    monkeypatch.setattr(Path, "open", refuse(read))
    assert send_folders(target, folder) == 1
    assert "not uploaded: IMG_1.jpg: Permission denied" in capsys.readouterr().err
    assert contents(target) == {"IMG_2.jpg": "race 2"}


def test_a_folder_whose_name_is_too_long_is_one_sentence() -> None:
    with pytest.raises(Failed, match=r"The folder x{200}… cannot be read: File name too long\."):
        photos_in(Path("x" * 5000))


@pytest.mark.parametrize(
    ("name", "sentence"), [("nowhere", "There is no folder"), ("empty", "no files in"), ("file", "is a file; name the")]
)
def test_a_folder_that_is_none(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(Failed, match=sentence):
        photos_in(tmp_path / name)
