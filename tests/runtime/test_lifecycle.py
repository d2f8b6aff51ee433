"""The runtime as a whole: no process outlives it, one home has one runtime, and what it says when it cannot start."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from local import runtime
from local.runtime import Ports, Running, RuntimeProblem
from tests.runtime import assemblies
from tests.runtime.conftest import until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    runtime.stop(tmp_path / "home")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemblies.write(tmp_path_factory.mktemp("small"), assemblies.with_a_busy_worker())


def supervised(home: Path, assembly: Path, *, keep: bool = False) -> tuple["subprocess.Popen[bytes]", Running]:
    """A supervisor that is a child of ours, and what it runs, when it is ready."""
    order = {"home": str(home), "ports": msgspec.to_builtins(Ports.free()), "keep": keep, "assembly": str(assembly)}
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
    table = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    groups = set(map(str, running.parts.values()))
    return [row[2] for row in rows if len(row) == 3 and row[0] in groups and not row[1].startswith("Z")]


def queue_url(running: Running, queue: str) -> str:
    return f"{running.aws_url}/000000000000/{queue}"


def keep_a_worker_busy(running: Running) -> None:
    queue = queue_url(running, "work")
    running.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    until(lambda: any("sleep 300" in command for command in processes(running)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_told_to_end(number: signal.Signals, home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small)
    assert runtime.find(home) == running
    keep_a_worker_busy(running)
    assert len(processes(running)) >= 5  # three parts, a worker, the program it started

    supervisor.send_signal(number)
    assert supervisor.wait(15) == 0
    assert processes(running) == []
    assert runtime.find(home) is None
    assert not (home / "runtime.json").exists()


def test_kill_9_leaves_no_process_and_the_next_start_leaves_its_state_behind(home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small, keep=True)
    running.client("s3").create_bucket(Bucket="mine")
    keep_a_worker_busy(running)

    supervisor.kill()
    supervisor.wait()
    until(lambda: not processes(running), seconds=10)
    assert runtime.find(home) is None
    assert (home / "runtime.json").exists()

    said: list[str] = []
    again = runtime.start_detached(home, running.ports, said.append, keep=True, assembly=small)
    buckets = {bucket["Name"] for bucket in again.client("s3").list_buckets()["Buckets"]}
    assert "mine" not in buckets
    assert any("starting empty" in text for text in said)


def test_what_is_kept_is_there_again_with_the_messages_that_were_being_worked_on_or_waiting(
    home: Path, small: Path
) -> None:
    ports = Ports.free()
    first = runtime.start_detached(home, ports, keep=True, assembly=small)
    first.client("s3").create_bucket(Bucket="mine")
    first.client("s3").put_object(Bucket="mine", Key="사진 +1.jpg", Body=b"content", Metadata={"photographer": "kim"})
    first.client("sqs").send_message(QueueUrl=queue_url(first, "patient"), MessageBody="for a full batch")
    keep_a_worker_busy(first)
    assert runtime.stop(home) == first
    assert processes(first) == []

    second = runtime.start_detached(home, ports, keep=True, assembly=small)
    found = second.client("s3").get_object(Bucket="mine", Key="사진 +1.jpg")
    assert (found["Body"].read(), found["Metadata"]) == (b"content", {"photographer": "kim"})
    until(lambda: any("sleep 300" in command for command in processes(second)), seconds=5)
    [waiting] = second.client("sqs").receive_message(QueueUrl=queue_url(second, "patient"))["Messages"]
    assert waiting["Body"] == "for a full batch"


def test_a_second_start_says_who_runs_and_how_to_stop_it(home: Path, small: Path) -> None:
    supervisor, running = supervised(home, small)
    with pytest.raises(RuntimeProblem, match=rf"process {supervisor.pid}, {running.front_door}.*snaprace down"):
        runtime.start_detached(home, Ports.free(), keep=False, assembly=small)
    assert supervisor.poll() is None

    os.killpg(running.parts["The vision server"], signal.SIGKILL)
    assert supervisor.wait(15) == 1
    assert supervisor.stdout is not None
    assert "The vision server ended unexpectedly" in json.loads(supervisor.stdout.read().splitlines()[-1])["problem"]
    assert processes(running) == []


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
