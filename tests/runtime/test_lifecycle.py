"""The runtime as a whole: no process outlives it, one home has one runtime, and what it says when it cannot start."""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from local import runtime
from local.aws.clients import REGION
from local.runtime import Ports, Running, RuntimeProblem
from shared.contracts import naming
from tests.runtime import assemblies
from tests.runtime.conftest import until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    runtime.stop(tmp_path / "home")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemblies.write(tmp_path_factory.mktemp("small"), assemblies.with_a_busy_worker())


# Most of these tests leave out the vision server, whose start takes long.
detached = functools.partial(runtime.start_detached, vision=False)


def supervised(
    home: Path, assembly: Path, *, keep: bool = False, vision: bool = False
) -> tuple["subprocess.Popen[bytes]", Running]:
    """A supervisor that is a child of ours, and what it runs, when it is ready."""
    order = {"home": str(home), "ports": msgspec.to_builtins(Ports.free()), "keep": keep, "vision": vision}
    order |= {"assembly": str(assembly)}
    command = [sys.executable, "-m", "local.tether", "local.runtime", json.dumps(order)]  # ends if pytest is killed
    supervisor = subprocess.Popen(command, cwd=runtime.CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    for line in supervisor.stdout:
        said = json.loads(line)
        assert "problem" not in said, said
        if "running" in said:
            return supervisor, msgspec.convert(said["running"], Running)
    raise AssertionError("the supervisor ended without a word")


def processes(running: Running) -> list[str]:
    """The command lines of all that runs in the process groups of the runtime's parts."""
    table = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    groups = set(map(str, running.parts.values()))
    return [row[2] for row in rows if len(row) == 3 and row[0] in groups and not row[1].startswith("Z")]


def busy_workers(running: Running) -> int:
    return sum("sleep 300" in command for command in processes(running))


def queue_url(running: Running, queue: str) -> str:
    return f"{running.aws_url}/000000000000/{queue}"


def keep_a_worker_busy(running: Running) -> None:
    queue = queue_url(running, "work")
    running.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    until(lambda: any("sleep 300" in command for command in processes(running)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_told_to_end(number: signal.Signals, home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small)  # with the vision server: tests/e2e/test_demo.py
    assert runtime.find(home) == running
    keep_a_worker_busy(running)
    assert len(processes(running)) >= 4  # two parts, a worker, the program it started

    supervisor.send_signal(number)
    assert supervisor.wait(15) == 0
    assert processes(running) == []
    assert runtime.find(home) is None
    assert not (home / "runtime.json").exists()


def test_kill_9_leaves_no_process_and_the_next_start_has_all_that_was_kept(home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small, keep=True)
    running.client("s3").create_bucket(Bucket="mine")
    running.client("s3").put_object(Bucket="mine", Key="mine.jpg", Body=b"mine")
    keep_a_worker_busy(running)

    supervisor.kill()
    supervisor.wait()
    until(lambda: not processes(running), seconds=10)
    assert runtime.find(home) is None
    assert (home / "runtime.json").exists()

    again = detached(home, running.ports, keep=True, assembly=small)
    assert again.client("s3").get_object(Bucket="mine", Key="mine.jpg")["Body"].read() == b"mine"
    until(lambda: any("sleep 300" in command for command in processes(again)))  # the message is worked on again


@pytest.mark.parametrize("vision", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_part_that_is_killed_is_started_again_while_the_others_go_on(home: Path, small: Path, vision: bool) -> None:
    supervisor, running = supervised(home, small, keep=True, vision=vision)
    running.client("sqs").send_message(QueueUrl=queue_url(running, "patient"), MessageBody="for a full batch")
    for name, group in running.parts.items():
        os.killpg(group, signal.SIGKILL)
        until(lambda name=name, group=group: runtime.find(home).parts[name] != group)  # type: ignore[misc, union-attr]
        until(lambda: runtime.find(home).ready)  # type: ignore[union-attr]
    now = runtime.find(home)
    assert now is not None
    assert set(now.parts) == set(running.parts)
    assert not set(now.parts.values()) & set(running.parts.values())
    assert supervisor.poll() is None
    for url in (now.vision_url, now.front_door) if vision else (now.front_door,):
        assert httpx.get(f"{url}/health", trust_env=False).is_success
    [waiting] = now.client("sqs").receive_message(QueueUrl=queue_url(now, "patient"))["Messages"]
    assert waiting["Body"] == "for a full batch"


def test_a_part_that_ends_again_and_again_ends_the_runtime_with_its_last_words(home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small)
    while supervisor.poll() is None:
        now = runtime.find(home) or running
        with contextlib.suppress(ProcessLookupError):
            os.killpg(now.parts["The front door"], signal.SIGKILL)
        time.sleep(0.05)
    assert supervisor.stdout is not None
    said = json.loads(supervisor.stdout.read().splitlines()[-1])["problem"]
    assert "The front door ends again and again" in said
    assert "door.log" in said
    assert processes(running) == []


def test_what_was_kept_is_taken_up_at_other_ports_and_in_another_place(home: Path, small: Path) -> None:
    first = detached(home, Ports.free(), keep=True, assembly=small)
    first.client("sqs").send_message(QueueUrl=queue_url(first, "patient"), MessageBody="for a full batch")
    runtime.stop(home)
    moved = home.rename(home.with_name("moved"))
    try:
        second = detached(moved, Ports.free(), keep=True, assembly=small)
        assert second.ports != first.ports
        [waiting] = second.client("sqs").receive_message(QueueUrl=queue_url(second, "patient"))["Messages"]
        assert waiting["Body"] == "for a full batch"
    finally:
        runtime.stop(moved)


def test_what_cannot_be_used_is_set_aside_by_name(home: Path, small: Path) -> None:
    journal = home / "kept" / "aws" / "journal.sqlite"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"what a later version wrote, perhaps" * 100)
    said: list[str] = []
    detached(home, Ports.free(), said.append, keep=True, assembly=small)
    [aside] = home.glob("set-aside-*")
    assert any(str(aside) in text for text in said)
    assert (aside / "aws" / "journal.sqlite").read_bytes().startswith(b"what a later version")


@pytest.mark.parametrize("in_order", [True, False], ids=["ended in order", "did not"])
def test_what_a_version_without_a_journal_kept_is_taken_over_or_set_aside(
    home: Path, small: Path, *, in_order: bool
) -> None:
    """Written as those versions did it: ministack's snapshots, and a mark after an orderly end."""
    earlier = home / "data" / "kept"
    snapshots = earlier / "aws" / "state"
    snapshots.mkdir(parents=True)
    url, arn = "http://127.0.0.1:4566/000000000000/patient", "arn:aws:sqs:us-east-1:000000000000:patient"
    old, new = "snaprace-dev-photos-000000000000", naming.photo_bucket("dev", "000000000000", REGION)
    photo = earlier / "aws" / "s3" / "000000000000" / old / "a.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"a photo")
    message = {"id": "m", "body": f"uploaded to {old}", "md5_body": "x", "receipt_handle": None, "sent_at": time.time()}
    message |= {"visible_at": time.time(), "receive_count": 0, "message_attributes": {}, "sys": {}}
    queue = {"name": "patient", "url": url, "attributes": {"QueueArn": arn}, "messages": [message]}
    scoped = {"__account_region_scoped__": True, "data": {f"000000000000\0us-east-1\0{url!r}": queue}}
    (snapshots / "sqs.json").write_text(json.dumps({"__ministack_format__": 2, "payload": {"queues": scoped}}))
    if in_order:
        (earlier / "whole.json").write_text("{}")
    said: list[str] = []
    running = detached(home, Ports.free(), said.append, keep=True, assembly=small)
    found = running.client("sqs").receive_message(QueueUrl=queue_url(running, "patient")).get("Messages", [])
    assert [message["Body"] for message in found] == ([f"uploaded to {new}"] if in_order else [])
    if in_order:
        assert running.client("s3").get_object(Bucket=new, Key="a.jpg")["Body"].read() == b"a photo"
    assert len(list(home.glob("set-aside-*/aws/state/sqs.json"))) == (0 if in_order else 1)
    assert any(("earlier version" if in_order else "set-aside") in text for text in said)


def test_what_is_kept_is_there_again_with_the_messages_that_were_being_worked_on_or_waiting(
    home: Path, small: Path
) -> None:
    ports = Ports.free()
    first = detached(home, ports, keep=True, assembly=small)
    first.client("s3").create_bucket(Bucket="mine")
    first.client("s3").put_object(Bucket="mine", Key="사진 +1.jpg", Body=b"content", Metadata={"photographer": "kim"})
    first.client("sqs").send_message(QueueUrl=queue_url(first, "patient"), MessageBody="for a full batch")
    keep_a_worker_busy(first)
    assert runtime.stop(home) == first
    assert processes(first) == []

    second = detached(home, ports, keep=True, assembly=small)
    found = second.client("s3").get_object(Bucket="mine", Key="사진 +1.jpg")
    assert (found["Body"].read(), found["Metadata"]) == (b"content", {"photographer": "kim"})
    until(lambda: any("sleep 300" in command for command in processes(second)), seconds=5)
    [waiting] = second.client("sqs").receive_message(QueueUrl=queue_url(second, "patient"))["Messages"]
    assert waiting["Body"] == "for a full batch"


def test_it_is_like_aws_when_asked_to(home: Path, small: Path) -> None:
    running = runtime.start_detached(home, Ports.free(), keep=False, like_aws="ap-northeast-2", assembly=small)
    for _ in range(7):
        running.client("sqs").send_message(QueueUrl=queue_url(running, "work"), MessageBody="{}")
    until(lambda: busy_workers(running) == 6)  # as the mapping says, however few processors there are

    # That these are kept is tried in tests/vision/test_quotas.py: how many calls a busy machine makes is not sure.
    [vision] = [command for command in processes(running) if f"vision --data {home}" in command]
    assert vision.endswith("--quotas ap-northeast-2")


def test_a_region_whose_quotas_nobody_knows_is_refused(home: Path, small: Path) -> None:
    with pytest.raises(RuntimeProblem, match=r"'atlantis'.*us-east-1"):
        runtime.start_detached(home, Ports.free(), keep=False, like_aws="atlantis", assembly=small)


def test_a_second_start_says_who_runs_and_how_to_stop_it(home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small)
    with pytest.raises(RuntimeProblem, match=rf"process {supervisor.pid}, {running.front_door}.*snaprace down"):
        detached(home, Ports.free(), keep=False, assembly=small)
    assert supervisor.poll() is None


@pytest.mark.parametrize(("part", "option"), [("aws", "--aws-port"), ("vision", "--vision-port"), ("web", "--port")])
def test_a_taken_port_is_named_with_the_option_for_another(part: str, option: str, home: Path, small: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = msgspec.structs.replace(Ports.free(), **{part: taken})
        with pytest.raises(RuntimeProblem, match=rf"Port {taken} .* is used by another program.* with {option}\."):
            runtime.start_detached(home, ports, keep=False, assembly=small)
    assert runtime.find(home) is None


def test_a_failure_half_way_is_one_sentence_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    template = {"Resources": {"Odd": {"Type": "AWS::Odd::Thing", "Properties": {}}}}
    ports: Ports = Ports.free()
    with pytest.raises(RuntimeProblem, match=r"Stack odd .*AWS::Odd::Thing"):
        runtime.start_detached(home, ports, keep=False, assembly=assemblies.write(tmp_path / "odd", template, "odd"))
    until(lambda: runtime.find(home) is None, seconds=5)
    for port in (ports.aws, ports.vision, ports.web):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_part_of_nothing_cannot_be_restarted(tmp_path: Path) -> None:
    with pytest.raises(RuntimeProblem, match=r"no local runtime is running here\. Start one with: snaprace up"):
        runtime.restart("vision", tmp_path / "home")
