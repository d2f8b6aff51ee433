"""The whole product, as `make demo` runs it: the drawn race through the deployed templates and real vision.

The suite takes a fifth of the race (`snaprace demo --small`), the soak all of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.runtime import CHECKOUT, Ports
from ops.demo.fewer import fewer
from ops.demo.material import drawn_folder, drawn_material
from ops.demo.run import SMALL
from ops.demo.score import Truth
from tests.runtime.conftest import until

MINUTES = 60
RAW = "demo/marathon/raw_photos/"


@dataclass
class Demo:
    """A `snaprace demo` that was started, all of whose processes carry a mark."""

    process: subprocess.Popen[str]
    home: Path
    mark: str

    def left_behind(self) -> list[str]:
        """The command lines of the processes of this run, other than the command itself, that live now."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:  # it ended meanwhile
                continue
            if marked and command and int(entry.name) != self.process.pid:
                found.append(command)
        return found


@contextmanager
def demo(home: Path, *options: str) -> Iterator[Demo]:
    ports, mark = Ports.free(), f"snaprace-test-{uuid.uuid4()}"
    where = ["--port", str(ports.web), "--aws-port", str(ports.aws), "--vision-port", str(ports.vision)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli.main", "demo", *options, *where],
        cwd=CHECKOUT,
        env=os.environ | {"SNAPRACE_HOME": str(home), "SNAPRACE_TEST": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Demo(process, home, mark)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=30)


@dataclass
class Ended:
    """A demo that ran to its end."""

    code: int
    report: dict[str, Any]
    said: str
    left_behind: list[str]
    small: bool


@pytest.fixture(scope="session", params=[True, pytest.param(False, marks=pytest.mark.soak)], ids=["small", "whole"])
def ended(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Ended:
    size = ["--small"] if request.param else []
    with demo(tmp_path_factory.mktemp("demo") / "home", *size, "--exit", "--json") as running:
        out, said = running.process.communicate(timeout=15 * MINUTES)
        sys.stderr.write(said)  # pytest shows it when something below fails
        assert out, said
        return Ended(running.process.returncode, json.loads(out), said, running.left_behind(), request.param)


@pytest.fixture
def truth(ended: Ended) -> Truth:
    drawn = drawn_material(drawn_folder())
    truth = (fewer(drawn, SMALL) if ended.small else drawn).truth
    assert truth is not None
    return truth


def test_every_upload_is_accounted_for(ended: Ended, truth: Truth) -> None:
    report = ended.report
    least = SMALL if ended.small else 60
    assert report["photos"] == len(truth.photos) + len(truth.bad) + len(truth.duplicates) >= least
    assert (report["lost"], report["dead_lettered"]) == (0, 0)
    assert report["searchable"] == len(truth.photos) + len(truth.duplicates)
    assert report["duplicates"] == len(truth.duplicates)
    assert ended.code == 0


def test_each_bad_file_is_rejected_for_its_own_reason(ended: Ended, truth: Truth) -> None:
    reasons = {rejected["key"].removeprefix(RAW): rejected["reason"] for rejected in ended.report["rejected"]}
    assert reasons == truth.bad
    assert all(rejected["message"] for rejected in ended.report["rejected"])


def test_bibs_are_read(ended: Ended) -> None:
    assert ended.report["bibs"]["f1"] >= 0.95


def test_runners_are_found_also_where_their_bib_is_hidden(ended: Ended) -> None:
    assert ended.report["people"]["precision"] >= 0.99
    assert ended.report["people"]["recall"] >= 0.97


def test_hidden_bibs_are_found_while_uploads_go_on(ended: Ended) -> None:
    hidden = ended.report["hidden_bibs"]
    assert hidden["found"] + hidden["found_later"] >= (3 if ended.small else 20)
    assert hidden["found"] > 0
    assert 0 <= hidden["p50"] <= hidden["p95"]


def test_it_tells_how_long_vision_took_of_the_whole(ended: Ended) -> None:
    assert 0 < ended.report["vision_seconds"] < ended.report["seconds"]


def test_the_calls_that_cost_are_counted_and_at_the_floor(ended: Ended, truth: Truth) -> None:
    """One look for bibs and one for faces; only a face whose photo does not tell whose it is is searched, and twice."""
    calls, least = ended.report["calls_per_photo"], round(len(truth.photos) / ended.report["photos"], 2)
    assert least <= calls["DetectText"] <= 1
    assert least <= calls["IndexFaces"] <= 1
    assert 0 < calls["SearchFaces"] <= 1
    assert least <= calls["S3 GET"] <= 1
    # A fifth of the race has a third of its hidden bibs, each of which is worked out with its neighbours.
    assert 0 < calls["DynamoDB"] <= (16 if ended.small else 12)
    assert 0 < calls["PutEvents"] <= 5
    assert ended.report["api_calls"]["s3.PutObject"] >= 3 * len(truth.photos)


def test_the_final_state_has_a_hash(ended: Ended) -> None:
    assert len(ended.report["state_hash"]) == 64


def test_nothing_is_left_and_nothing_went_wrong_on_the_way(ended: Ended) -> None:
    assert ended.left_behind == []
    assert "Traceback" not in ended.said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_everything_and_a_second_start_is_told_of_the_first(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with demo(tmp_path / "home") as first:
        until(lambda: first.process.poll() is not None or len(first.left_behind()) >= 4)
        with demo(tmp_path / "home") as second:
            _, said = second.process.communicate(timeout=MINUTES)
            assert second.process.returncode == 1
            assert "SnapRace is already running here" in said
            assert "Traceback" not in said

        first.process.send_signal(number)
        out, said = first.process.communicate(timeout=MINUTES)
        assert (first.process.returncode, out) == (code, "")
        assert said.rstrip().endswith("Stopped.")
        assert "Traceback" not in said
        time.sleep(0.2)
        assert first.left_behind() == []
        assert not (first.home / "runtime.json").exists()
