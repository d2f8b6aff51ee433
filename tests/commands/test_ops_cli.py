"""The `snaprace` command as it is typed: exit codes, sentences instead of tracebacks, JSON alone on stdout."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import msgspec
import pytest

from local.runtime import CHECKOUT, Ports, Running
from ops.cli import main as cli
from ops.look import quiet
from ops.look.dead_letters import queues_of
from ops.race import races
from ops.reach import queues
from ops.reach.target import Target
from services.ingest.records import UNPLACED, KeyRecord
from shared.contracts import naming
from shared.contracts.keys import RaceRef
from shared.kit.table import to_item
from tests.kit import kept_photo, page_server, search_stage
from tests.kit.deployed import ENV, SETTINGS, configure, create_table, deployed, keep, listen
from tests.kit.events import RACE, as_body, notification, raw_key
from tests.kit.fake_aws import FakeRekognition

NAMED = ("--organizer", RACE.organizer_id, "--event", RACE.event_id)


class Said(NamedTuple):
    code: int
    out: str
    err: str


Snaprace = Callable[..., Said]


@pytest.fixture
def snaprace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Snaprace]:
    """Runs the command in this process."""
    monkeypatch.setenv("SNAPRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["snaprace", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Said(code, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with deployed(monkeypatch, tmp_path / "home"):
        yield


@pytest.fixture
def files(tmp_path: Path) -> None:
    """Where the command is run: photos, an empty folder, good and bad race files."""
    for folder in ("photos", "empty"):
        (tmp_path / folder).mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a")
    (tmp_path / "race.json").write_bytes(SETTINGS)
    (tmp_path / "broken.json").write_text('{"name": "Seoul", ')
    (tmp_path / "roster.csv").write_text("bib,name\n42,Ann\n")
    (tmp_path / "bad rows.csv").write_text("bib,name\n42,Ann\nx:1,Bob\n42,Cid\n")
    (tmp_path / "binary.csv").write_bytes(b"\x00\x01")


def test_help_is_one_page_and_every_command_has_an_example(snaprace: Snaprace) -> None:
    page = snaprace("--help")
    assert page.code == 0
    commands = [
        "demo",
        "up",
        "down",
        "race create",
        "race set",
        "race show",
        "race list",
        "race delete",
        "strays",
        "roster import",
        "upload",
        "find",
        "status",
        "explain",
        "cost",
        "correct",
        "dlq",
        "redrive",
        "replay",
        "rollback",
        "backup",
        "restore",
        "drill",
        "traffic",
        "live",
        "alarms",
        "dashboards",
        "restart",
    ]
    assert len(page.out.splitlines()) <= 60
    for name in (*commands, "vision serve"):
        assert f"  {name} " in page.out
    for name in commands:
        described, _, _ = snaprace(*name.split(), "--help").out.removeprefix("Usage: ").partition("Options:")
        assert described.count(f"snaprace {name}") >= 2, "the usage line, and an example"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("status --jsn", "No such option '--jsn'"),
        ("upload", "Missing argument 'DIR'"),
        ("find", "Give either --bib or --selfie"),
        ("find --bib 1 --selfie me.jpg", "Give either --bib or --selfie"),
        ("race create --organizer o --event e", "Give --name and --date, or --file"),
        ("race create --organizer o --event e --file race.json --faces", "leave out --faces"),
        ("race create --name x --date 2026-10-25", "Missing option '--organizer'"),
        ("demo --roster roster.csv", "--roster goes with --photos"),
        ("up --port eighty", "'eighty' is not a valid integer"),
        ("correct a.jpg", "Give either --bib or --cut"),
        ("correct a.jpg --bib 7 --cut b.jpg", "Give either --bib or --cut"),
        ("correct a.jpg --bib 7 --undo", "--undo goes with --cut"),
        ("correct a.jpg --bib 7 --face 1 --not-here", "--not-here goes with --bib alone"),
        ("correct a.jpg --cut b.jpg --not-here", "--not-here goes with --bib alone"),
        ("--env staging status", "'staging' is not one of 'dev', 'prod'"),
        ("upload photos --wait-for-race", "--wait-for-race needs --organizer and --event"),
        ("race set", "Name what is to change, as --originals"),
        ("race set --file race.json --faces", "leave out --faces"),
        ("race set --lowest few", "'few' is not a valid integer"),
        ("race delete --event e", "Missing option '--organizer'"),
        ("race delete --organizer o --event e --yes", "--yes, and --confirm with the event_id"),
        ("race delete --organizer o --event e --confirm e", "--yes, and --confirm with the event_id"),
        ("race delete --organizer o --event e --yes --confirm other", "--yes, and --confirm with the event_id"),
        ("strays --delete", "--from goes with either --move-to or --delete"),
        ("strays --from o/ --delete --move-to o/e", "--from goes with either --move-to or --delete"),
        ("strays --from o/ --move-to o", "--move-to takes the organizer's and the event's id"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_hint(arguments: str, sentence: str, snaprace: Snaprace, files: None) -> None:
    said = snaprace(*arguments.split())
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "--help' for help" in said.err


O_E = " ".join(NAMED)


@pytest.fixture(scope="class")
def unchanging_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For tests that change nothing there."""
    with pytest.MonkeyPatch.context() as monkeypatch, deployed(monkeypatch, tmp_path_factory.mktemp("home")):
        yield


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ("upload nowhere", "There is no folder nowhere."),
            ("upload empty", "There are no files in empty."),
            ("upload race.json", "race.json is a file; name the folder that holds the photos."),
            (f"upload photos {O_E}", f"There is no race {RACE} in AWS account 123456789012 in us-east-1."),
            ("upload photos --organizer a/b --event e", "--organizer 'a/b' cannot be an id"),
            (f"race create {O_E} --file gone.json", "There is no file gone.json."),
            (f"race create {O_E} --file photos", "photos is a folder, not a file."),
            (f"race create {O_E} --file broken.json", "race.json is not JSON"),
            (f"race create {O_E} --name x --date 2026-13-01", "date must be a day like 2026-10-25"),
            (f"race create {O_E} --name x --date 2026-W43-7", "date must be a day like 2026-10-25"),
            (f"race create {O_E} --name x --date 20261025", "date must be a day like 2026-10-25"),
            (f"race set {O_E} --faces", f"There is no race {RACE}"),
            (f"race show {O_E}", f"There is no race {RACE}"),
            (f"strays --from x/ --move-to {RACE}", f"There is no race {RACE}"),
            ("strays --from x/ --delete", "There are no uploads of no race below 'x/'"),
            (f"upload {'x' * 5000} {O_E}", "cannot be read: File name too long."),
            (f"explain {'x' * 5000} {O_E}", "No photo has such a name: 'xxxx"),
            ("explain \udcff.jpg", "No photo has such a name: it is not UTF-8."),
            ("explain raw_photos/a.jpg", "There is no upload 'raw_photos/a.jpg'. Nor could there be one: 'raw_photos'"),
            ("explain o!/e!/raw_photos/a.jpg", "Nor could there be one: Organizer and event ids are 1-64"),
            ("explain o/e/raw_photos/", "'o/e/raw_photos/' is a folder, and no upload"),
            ("explain o/e/raw_photos/a.jpg", "There is no race o/e in AWS"),
            (
                f"race create {O_E} --name x --date 2026-10-25 --timezone Seoul",
                "timezone must be a name like Asia/Seoul",
            ),
            (f"race create {O_E} --name x --date 2026-10-25 --prefix 1", "prefixes are letters"),
            (f"roster import roster.csv {O_E}", f"There is no race {RACE}"),
            (f"roster import gone.csv {O_E}", "There is no file gone.csv."),
            (f"roster import binary.csv {O_E}", "binary.csv: The roster is not a text file."),
            (f"find --bib 1 {O_E}", f"There is no race {RACE}"),
            ("status", "There is no such race in AWS account 123456789012"),
            ("cost --region mars-1", "No prices are known for 'mars-1', only for us-east-1."),
            ("cost", "There are no photos in AWS account 123456789012 in us-east-1 yet."),
            (f"correct gone.jpg --bib 7 {O_E}", f"There is no race {RACE}"),
            (f"explain gone.jpg {O_E}", f"There is no race {RACE}"),
            ("--target local status", "No local runtime is running here. Start it with: snaprace up"),
            ("demo --photos nowhere", "There is no folder nowhere."),
            ("demo --photos empty --roster roster.csv", "There are no files in empty."),
            ("demo --photos photos --roster binary.csv", "binary.csv: The roster is not a text file."),
        ],
    )
    def test_bad_input_is_exit_code_1_and_one_sentence(
        self, arguments: str, sentence: str, snaprace: Snaprace, unchanging_aws: None, files: None
    ) -> None:
        said = snaprace(*arguments.split())
        assert (said.code, said.out) == (1, "")
        assert sentence in said.err
        assert len(said.err.splitlines()) == 1, said.err
        assert "Traceback" not in said.err


def uploads() -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=naming.photo_bucket(ENV, "123456789012", "us-east-1"))
    return [item["Key"] for item in found.get("Contents", ())]


def test_bad_rows_are_listed_and_nothing_goes_up_unless_they_are_to_be_skipped(
    snaprace: Snaprace, aws: None, files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure()
    said = snaprace("roster", "import", "bad rows.csv", *NAMED)
    assert said.code == 1
    assert "line 3: 'x:1' is not a bib" in said.err
    assert "line 4: bib 42 is already in line 2." in said.err
    assert "2 bad rows; nothing was imported" in said.err
    assert uploads() == []

    monkeypatch.setattr(races, "OUTCOME_SECONDS", 0)  # no stage listens here
    said = snaprace("roster", "import", "bad rows.csv", *NAMED, "--skip-bad-rows")
    assert uploads() == [f"{RACE.prefix}roster.csv"]


def test_photos_may_go_up_before_their_race_when_they_are_said_to_wait(
    snaprace: Snaprace, aws: None, files: None
) -> None:
    said = snaprace("upload", "photos", *NAMED, "--wait-for-race")
    assert said.code == 0
    assert "1 file uploaded" in said.err
    assert uploads() == [f"{RACE.prefix}raw_photos/a.jpg"]


def test_what_of_a_folder_does_not_go_up_is_told_and_the_exit_code_says_it(
    snaprace: Snaprace, aws: None, files: None, tmp_path: Path
) -> None:
    configure()
    (tmp_path / "photos" / "more").symlink_to(tmp_path / "empty")
    said = snaprace("upload", "photos")
    assert said.code == 1
    assert "1 file uploaded" in said.err
    assert "not uploaded: photos/more: it is a link to the folder" in said.err
    (tmp_path / "empty" / "a.jpg").write_bytes(b"another")
    assert snaprace("upload", "photos", "empty").code == 0
    assert uploads() == [f"{RACE.prefix}raw_photos/a.jpg", f"{RACE.prefix}raw_photos/empty--a.jpg"]
    (tmp_path / "photos" / "a.jpg").write_bytes(b"edited")
    assert snaprace("upload", "photos", "empty", "--replace").code == 0
    assert len(uploads()) == 2


def test_status_is_json_alone_on_stdout(snaprace: Snaprace, aws: None, files: None) -> None:
    configure()
    snaprace("upload", "photos")
    (key,) = uploads()
    at = "2026-10-25T08:00:00Z"
    keep(KeyRecord(key=key, state="rejected", reason="truncated", message="Cut off.", at=at, sequencer="01"))
    told = json.loads(snaprace("status", "--json").out)
    assert told["counts"] == {"rejected": 1}
    shown = snaprace("status")
    assert "rejected a.jpg: Cut off." in shown.out


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "No AWS credentials were found. Sign in again"),
        ({"AWS_DEFAULT_REGION": ""}, "No AWS region is set. Set AWS_REGION"),
        ({"AWS_DEFAULT_REGION": "mars-1"}, "'mars-1' is not a region of AWS."),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
    ],
)
def test_an_account_that_cannot_be_used_is_said_in_one_sentence(
    settings: dict[str, str], sentence: str, snaprace: Snaprace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    said = snaprace("status")
    assert (said.code, said.out) == (1, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_nothing_deployed_is_said_in_one_sentence(snaprace: Snaprace, aws: None) -> None:
    said = snaprace("--env", "prod", "status")
    assert said.code == 1
    assert "SnapRace does not seem to be deployed there" in said.err
    configure()
    said = snaprace("find", "--bib", "42", *NAMED)
    assert said.code == 1
    assert "The search stage is not deployed in AWS account 123456789012 in us-east-1, environment dev." in said.err


def test_a_runtime_that_died_is_not_spoken_to(snaprace: Snaprace, aws: None, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    dead = Running(pid=2**22 - 3, ports=Ports(aws=9, vision=9, web=9), started="2026-10-25T00:00:00Z", keep=True)
    (home / "runtime.json").write_bytes(msgspec.json.encode(dead))
    (home / "lock").touch()
    assert "in AWS account 123456789012" in snaprace("status").err


# --- finding, through the real search API ---------------------------------------------------------------


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch) -> Iterator[search_stage.SearchStage]:
    """A race with two photos of runner 42, and its API behind a front door."""
    with search_stage.search_stage() as world, page_server.serving(world) as address:
        race = search_stage.RACE
        world.hear(
            search_stage.configured(),
            search_stage.ingested(1),
            search_stage.ingested(2),
            search_stage.matched(1, search_stage.runner("42")),
            search_stage.matched(2, search_stage.runner("42", "inferred")),
        )
        create_table("races")
        configure(race)
        boto3.client("ssm").put_parameter(Name=naming.front_door_parameter(ENV), Value=address, Type="String")
        yield world


def test_a_runners_photos_are_found_by_bib(snaprace: Snaprace, gallery: search_stage.SearchStage) -> None:
    shown = snaprace("find", "--bib", "0042")
    assert shown.code == 0
    assert "결승 1.jpg" in shown.out
    assert "42 confirmed" in shown.out
    assert "42 inferred" in shown.out
    assert shown.out.count("http://127.0.0.1") == 2
    told = json.loads(snaprace("find", "--bib", "42", "--json").out)
    assert sorted(photo["filename"] for photo in told["photos"]) == ["결승 1.jpg", "결승 2.jpg"]
    assert json.loads(snaprace("find", "--bib", "7", "--json").out) == {"photos": []}
    assert "No photos found" in snaprace("find", "--bib", "7").err


def test_a_runners_photos_are_found_by_selfie(
    snaprace: Snaprace, gallery: search_stage.SearchStage, tmp_path: Path
) -> None:
    gallery.rekognition.matches = {search_stage.photo_id(2): 99.1}
    (tmp_path / "me.jpg").write_bytes(search_stage.JPEG)
    told = json.loads(snaprace("find", "--selfie", "me.jpg", "--json").out)
    assert [(photo["filename"], photo["similarity"]) for photo in told["photos"]] == [("결승 2.jpg", 99.1)]


def test_a_selfie_is_compared_once_for_all_pages(
    snaprace: Snaprace, gallery: search_stage.SearchStage, tmp_path: Path
) -> None:
    many = range(1, 31)  # more than a page
    gallery.hear(*map(search_stage.ingested, many))
    gallery.rekognition.matches = {search_stage.photo_id(number): 60.0 + number for number in many}
    (tmp_path / "me.jpg").write_bytes(search_stage.JPEG)
    told = json.loads(snaprace("find", "--selfie", "me.jpg", "--json").out)
    assert [photo["similarity"] for photo in told["photos"]] == sorted((60.0 + number for number in many), reverse=True)
    assert [operation for operation, _ in gallery.rekognition.requests] == ["DetectFaces", "SearchFacesByImage"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no file me.jpg."),
        (b"no picture", "not a"),
        (b"\xff\xd8\xff" + b"0" * 3_999_998, "has 4,000,001 bytes; at most 4,000,000 are taken"),
    ],
    ids=["no file", "no picture", "too large"],
)
def test_a_selfie_that_is_none(
    content: bytes | None, sentence: str, snaprace: Snaprace, gallery: search_stage.SearchStage, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "me.jpg").write_bytes(content)
    said = snaprace("find", "--selfie", "me.jpg")
    assert (said.code, said.out) == (1, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_what_the_api_refuses_is_said_in_its_words(
    snaprace: Snaprace, gallery: search_stage.SearchStage, tmp_path: Path
) -> None:
    said = snaprace("find", "--bib", "10:42")
    assert (said.code, said.err) == (
        1,
        "Give the bib as it is printed, like 1042, A42, 727-2 or 1042F.\n",
    )
    (tmp_path / "me.jpg").write_bytes(search_stage.JPEG)
    gallery.rekognition.faces = []
    said = snaprace("find", "--selfie", "me.jpg")
    assert said.code == 1
    assert "face" in said.err


def test_an_explanation_is_a_page_for_people_and_json_for_programs(
    snaprace: Snaprace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with kept_photo.everywhere(monkeypatch, tmp_path / "home"):
        shown = snaprace("explain", "결승 1.jpg")
        assert (shown.code, shown.err) == (0, "")
        lines = shown.out.splitlines()
        assert lines[0] == f"결승 1.jpg  {kept_photo.PHOTO}"
        assert "42        confirmed, 97.5%, face 1" in lines
        assert lines[-1].startswith("Nobody knows whose face 3 is: ")
        by_key = snaprace("explain", kept_photo.key_of(1), "--json")
        assert json.loads(by_key.out)["photo_id"] == kept_photo.PHOTO
        unknown = snaprace("explain", "gone.jpg")
        assert (unknown.code, unknown.out) == (1, "")
        assert unknown.err.startswith(f"There is no photo 'gone.jpg' in the race {kept_photo.RACE}.")
        assert len(unknown.err.splitlines()) == 1


# --- as a process of its own ----------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_upload_with_its_code_and_no_traceback(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
        environment = os.environ | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "SNAPRACE_HOME": str(tmp_path / "home"),
        }
        command = [sys.executable, "-m", "ops.cli.main", "status"]
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=subprocess.PIPE, text=True)
        silent.accept()
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert said.strip() == "Stopped."


def test_help_comes_at_once() -> None:
    times = []
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "ops.cli.main", "--help"], cwd=CHECKOUT, check=True, capture_output=True)
        times.append(time.monotonic() - began)
    modules = "import sys, ops.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", modules], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    assert not {"boto3", "rich", "httpx", "local.runtime"} & set(loaded.stdout.split())
    assert min(times) < 2  # 0.2 s on an idle machine


# --- races ------------------------------------------------------------------------------------------------

RACE_KEY = f"{RACE.prefix}race.json"


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    """A race that exists, and the races stage, which hears of its files."""
    monkeypatch.setattr(races, "_POLL_SECONDS", 0.01)
    with deployed(monkeypatch, tmp_path / "home") as target:
        listen(target)
        monkeypatch.setattr("ops.reach.target.choose", lambda *_: target)
        yield target


@pytest.fixture
def no_faces(race: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rekognition has no collection of the race, and nobody has to wait for the stages to rest."""
    monkeypatch.setattr(quiet, "_AWS_POLL_S", 0)
    monkeypatch.setattr(queues, "WAIT_SECONDS", 0)
    race.client("s3").create_bucket(Bucket=race.derived_bucket)
    monkeypatch.setitem(race._clients, "rekognition", FakeRekognition())


def in_bucket(target: Target) -> dict[str, Any]:
    body = target.client("s3").get_object(Bucket=target.photo_bucket, Key=RACE_KEY)["Body"].read()
    return dict(json.loads(body))


def test_one_setting_is_changed_and_all_others_stay(snaprace: Snaprace, race: Target) -> None:
    given = ("--name", "Seoul", "--date", "2026-10-25", "--timezone", "Asia/Seoul", "--faces", "--highest", "900")
    assert snaprace("race", "create", *NAMED, *given, "--prefix", "A", "--prefix", "", "--exclude", "2026").code == 0
    before = in_bucket(race)
    assert before["bib_rules"]["prefixes"] == ["A", ""]
    said = snaprace("race", "create", *NAMED, "--name", "Seoul", "--date", "2026-10-25", "--originals")
    assert said.code == 1
    assert "exists already" in said.err
    assert "snaprace race set" in said.err
    assert in_bucket(race) == before

    said = snaprace("race", "set", "--originals")
    assert (said.code, said.out) == (0, "")
    assert "originals: off → on" in said.err
    assert in_bucket(race) == before | {"originals": True}
    snaprace("race", "set", "--highest", "none", "--exclude", "", "--min-confidence", "70")
    rules = before["bib_rules"] | {"highest": None, "excluded": []}
    after = before | {"originals": True, "bib_rules": rules, "min_confidence": 70}
    assert in_bucket(race) == after
    assert "Nothing has changed" in snaprace("race", "set", "--originals").err


def test_faces_do_not_go_without_a_yes(snaprace: Snaprace, race: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    snaprace("race", "create", *NAMED, "--name", "Seoul", "--date", "2026-10-25", "--faces")
    said = snaprace("race", "set", "--no-faces")
    assert said.code == 2
    assert "There is nobody here to ask: say --yes." in said.err
    monkeypatch.setattr("sys.stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})("n\n"))
    said = snaprace("race", "set", "--no-faces")
    assert "This erases all faces of the race, and what was concluded from them. Go on?" in said.err
    assert in_bucket(race)["faces"] is True
    assert snaprace("race", "set", "--no-faces", "--yes").code == 0
    assert in_bucket(race)["faces"] is False


def test_all_settings_can_come_from_a_file(snaprace: Snaprace, race: Target, files: None) -> None:
    snaprace("race", "create", *NAMED, "--name", "x", "--date", "2026-10-25", "--originals")
    said = snaprace("race", "set", *NAMED, "--file", "race.json")
    assert "originals: on → off" in said.err
    assert in_bucket(race)["name"] == "Seoul Marathon"


@pytest.mark.parametrize(("typed", "code", "held"), [("y", 0, 1), ("n", 1, 0)])
def test_names_in_a_guessed_encoding_are_asked_about_at_a_terminal(
    snaprace: Snaprace, race: Target, files: None, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, held: int
) -> None:
    snaprace("race", "create", *NAMED, "--name", "Seoul", "--date", "2026-10-25")
    Path("old.csv").write_bytes("배번,이름\n1042,김서연\n".encode("cp949"))
    monkeypatch.setattr("sys.stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})(f"{typed}\n"))
    said = snaprace("roster", "import", "old.csv")
    assert (said.code, said.err.count("runner imported")) == (code, held)
    assert "the first names: 김서연" in " ".join(said.err.split())
    assert "Are these names right?" in said.err
    assert ("Say what the encoding is with --encoding NAME." in said.err) is (code == 1)


def test_a_race_is_shown_with_its_roster_and_what_was_refused(snaprace: Snaprace, race: Target, files: None) -> None:
    snaprace("race", "create", *NAMED, "--name", "Seoul", "--date", "2026-10-25")
    by_hand = b"bib,name\n1042,Kim\nx:1,Lee\n1042-2,Park\n"
    race.client("s3").put_object(Bucket=race.photo_bucket, Key=f"{RACE.prefix}roster.csv", Body=by_hand)
    snaprace("upload", "photos")
    race.client("s3").put_object(Bucket=race.photo_bucket, Key=RACE_KEY, Body=b"no json")
    shown = " ".join(snaprace("race", "show").out.split())
    for words in (
        "2026-10-25",
        "bib_rules.max_digits",
        "runners on the roster",
        "left out of the roster: line 3: 'x:1' is not a bib",
        "never read as a bib, since the settings refuse it: line 4: bib 1042-2 is not like 1042",
    ):
        assert words in shown
    assert "The newest race.json was refused, and what held before holds: race.json is not JSON" in shown
    told = json.loads(snaprace("race", "show", "--json").out)
    assert told["settings"]["name"] == "Seoul"
    assert told["roster"]["runners"] == 2
    assert told["roster"]["refused_bibs_in_all"] == 1
    assert [each["line"] for each in told["roster"]["problems"]] == [3]
    assert (told["uploads"], told["counts"]) == (1, {"in progress": 1})


def test_races_are_listed_and_uploads_of_none_told(snaprace: Snaprace, aws: None) -> None:
    assert "There are no races yet" in snaprace("race", "list").err
    configure()
    put("o!/e!/raw_photos/x.jpg")
    shown = snaprace("race", "list").out
    assert f"{RACE}" in shown
    assert "1 file of no race (below o!/e!/)" in shown
    told = json.loads(snaprace("race", "list", "--json").out)
    assert [(each["event_id"], each["runners"]) for each in told["races"]] == [(RACE.event_id, None)]
    assert [each["files"] for each in told["strays"]] == [1]


def test_a_race_is_deleted_by_its_name_alone(snaprace: Snaprace, race: Target, files: None, no_faces: None) -> None:
    snaprace("race", "create", *NAMED, "--name", "Seoul", "--date", "2026-10-25")
    snaprace("roster", "import", "roster.csv")
    snaprace("upload", "photos")
    said = snaprace("race", "delete", *NAMED)
    assert said.code == 2
    assert "3 versions of uploads" in said.err
    assert "say --yes --confirm EVENT" in said.err
    assert len(uploads()) == 3
    said = snaprace("race", "delete", *NAMED, "--yes", "--confirm", RACE.event_id, "--json")
    assert said.code == 0
    assert "counted again, there is nothing left of it" in said.err
    told = json.loads(said.out)
    assert told["left"] == {}
    assert told["deleted"]["items of the races stage"] == 5
    assert uploads() == []
    assert f"There is nothing of the race {RACE}" in snaprace("race", "delete", *NAMED).err


@pytest.mark.parametrize(("typed", "gone"), [(RACE.event_id, True), ("else", False)])
def test_who_types_another_name_deletes_nothing(
    typed: str, gone: bool, snaprace: Snaprace, race: Target, no_faces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(RACE_KEY)
    monkeypatch.setattr("sys.stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})(f"{typed}\n"))
    said = snaprace("race", "delete", *NAMED)
    assert (said.code, uploads()) == ((0, []) if gone else (1, [RACE_KEY]))


def test_dead_letters_of_a_deleted_race_go_and_others_stay(snaprace: Snaprace, race: Target, no_faces: None) -> None:
    queue = naming.dead_letter_queue(ENV, "ocr", "read")
    client = race.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    other = RaceRef(RACE.organizer_id, "other")
    for number in range(12):
        for ref in (RACE, other):
            client.send_message(QueueUrl=url, MessageBody=as_body(notification(raw_key(f"{number}.jpg", ref))))
    told = json.loads(snaprace("race", "delete", *NAMED, "--yes", "--confirm", RACE.event_id, "--json").out)
    assert told["deleted"] == {"dead letters": 12}
    assert queues.depth(client, url) == len(queues.peek(client, url)) == 12
    assert all(str(other) in letter["Body"] for letter in queues.peek(client, url))


# --- uploads of no race -----------------------------------------------------------------------------------


def put(key: str) -> None:
    boto3.client("s3").put_object(Bucket=naming.photo_bucket(ENV, "123456789012", "us-east-1"), Key=key, Body=b"x")


def test_status_tells_of_uploads_of_no_race_and_of_a_race_that_is_not_created(snaprace: Snaprace, aws: None) -> None:
    put("o/typo/raw_photos/a.jpg")
    said = snaprace("status")
    assert said.code == 1
    assert "1 file of no race (below o/typo/), as o/typo/raw_photos/a.jpg: It waits for the race o/typo" in said.out
    assert "snaprace strays --help" in said.out
    said = snaprace("status", "--organizer", "o", "--event", "typo")
    assert said.code == 0
    assert "not taken in yet (ingest)" in said.out
    configure()
    assert "1 file of no race" in snaprace("status").out
    assert [each["files"] for each in json.loads(snaprace("status", "--json").out)["strays"]] == [1]


def test_strays_are_moved_or_deleted_when_somebody_says_yes(snaprace: Snaprace, aws: None) -> None:
    assert "Every upload belongs to a race." in snaprace("strays").err
    configure()
    put("o/typo/raw_photos/a.jpg")
    put("o/typo/raw_photos/b.jpg")
    assert "2 files of no race" in snaprace("strays").out
    assert json.loads(snaprace("strays", "--json").out)["strays"][0]["beginning"] == "o/typo/"
    assert snaprace("strays", "--from", "o/typo/", "--delete").code == 2, "nobody to ask"
    said = snaprace("strays", "--from", "o/typo/raw_photos/a", "--move-to", str(RACE), "--yes")
    assert (said.code, uploads()) == (0, ["o/typo/raw_photos/b.jpg", f"{RACE.prefix}raw_photos/a.jpg"])
    assert snaprace("strays", "--from", "o/typo/", "--delete", "--yes").code == 0
    assert uploads() == [f"{RACE.prefix}raw_photos/a.jpg"]


def test_a_key_that_names_no_race_is_explained(snaprace: Snaprace, aws: None) -> None:
    key = "o!/e!/raw_photos/x.jpg"
    put(key)
    at, why = "2026-10-25T08:00:00Z", "Ids are letters."
    record = KeyRecord(key=key, state="rejected", reason="key_bad_id", message=why, at=at, sequencer="01")
    item = to_item(record.item(UNPLACED))
    boto3.client("dynamodb").put_item(TableName=naming.table(ENV, "ingest"), Item=item)
    said = snaprace("explain", key)
    assert said.code == 0
    assert f"Rejected (key_bad_id): {why}" in said.out
    told = json.loads(snaprace("explain", key, "--json").out)
    assert told["uploads"][0]["state"] == "rejected"


def test_an_upload_whose_race_is_not_created_is_explained(snaprace: Snaprace, aws: None) -> None:
    key = "o/typo/raw_photos/a.jpg"
    put(key)
    ref = RaceRef("o", "typo")
    keep(KeyRecord(key=key, state="waiting", at="2026-10-25T08:00:00Z", sequencer="01"), race=ref)
    for queue in queues_of(ENV):
        boto3.client("sqs").create_queue(QueueName=queue.name)
    said = snaprace("explain", key)
    assert (said.code, said.err) == (0, "")
    assert "Waiting for its race to be created (snaprace race create)." in said.out
