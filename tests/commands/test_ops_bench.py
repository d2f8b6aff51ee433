"""`snaprace bench` as a program sees it: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import bench.api
import bench.cases
import bench.chaos
import bench.crash
import bench.drawn_race
import bench.insight.verify
import bench.labelled
from bench.__main__ import bench as command
from local.race.cast import ROSTER
from local.race.plan import plan
from ops.cli.main import cli


@pytest.mark.parametrize(("identical", "code"), [(True, 0), (False, 1)])
def test_runs_that_do_not_end_the_same_are_printed_and_fail(
    identical: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.chaos, "run", lambda *_: {"identical": identical})  # two minutes a run otherwise
    ended = CliRunner().invoke(command, ["chaos", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == ({"identical": identical}, code)


@pytest.mark.parametrize(("cold", "warm", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_requests_that_fail_are_printed_and_fail(
    cold: int, warm: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {"at_once_cold": {"errors": cold}, "at_once_warm": {"errors": warm}}
    monkeypatch.setattr(bench.api, "run", lambda *_: report)  # a minute otherwise
    ended = CliRunner().invoke(command, ["api", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == (report, code)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"lost": 0, "answers_equal": True, "dead_letters": {}}, 0),
        ({"lost": 1, "answers_equal": True, "dead_letters": {}}, 1),
        ({"lost": 0, "answers_equal": False, "dead_letters": {}}, 1),
        ({"lost": 0, "answers_equal": True, "dead_letters": {"a-dlq": 1}}, 1),
    ],
)
def test_what_is_lost_in_a_crash_fails(report: dict[str, object], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.crash, "run", lambda *_: report)  # an hour otherwise
    ended = CliRunner().invoke(command, ["crash", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == (report, code)


@pytest.mark.parametrize(("failed", "code"), [([], 0), ([{"case": "a.jpg"}], 1)])
def test_a_case_that_fails_is_printed_and_fails(
    failed: list[dict[str, str]], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.cases, "run", lambda *_: {"passed": 1, "failed": failed})  # three minutes otherwise
    ended = CliRunner().invoke(command, ["cases", str(tmp_path), "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == ({"passed": 1, "failed": failed}, code)


def test_cases_of_which_a_file_is_missing_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text('[{"case": "gone.jpg", "kind": "picture", "expected": {}}]')
    ended = CliRunner().invoke(command, ["cases", str(tmp_path), "--json"])
    assert (ended.stdout, ended.exit_code) == ("", 2)
    assert "gone.jpg is not there" in ended.stderr


@pytest.mark.parametrize(("equal", "code"), [(True, 0), (False, 1)])
def test_numbers_that_differ_from_the_recount_are_printed_and_fail(
    equal: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.insight.verify, "run_here", lambda *_: {"equal": equal})  # a minute otherwise
    ended = CliRunner().invoke(command, ["insight", "--verify", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == ({"equal": equal}, code)


def test_a_recount_without_a_snaprace_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNAPRACE_HOME", str(tmp_path))
    monkeypatch.setenv("SNAPRACE_TARGET", "local")
    ended = CliRunner().invoke(command, ["insight", "--verify"])
    assert (ended.stdout, ended.exit_code) == ("", 1)
    assert "No local runtime is running here." in ended.stderr


BOXES = "filename,number,face_r0,face_r1,face_c0,face_c1,tag_r0,tag_r1,tag_c0,tag_c1\na.jpg,42,1,2,3,4,5,6,7,8\n"
LABELLED = {
    "bibs/ground_truth.csv": "filename,numbers,also_visible\na.jpg,42,\n",
    "bibs/boxes.csv": BOXES,
    "bibs/a.jpg": "a picture",
    "bibs-modern/ground_truth.csv": "filename,numbers,also_visible\ncity7.jpg,42,\n",
    "bibs-modern/city7.jpg": "a picture",
    "faces/ground_truth.csv": "filename,identity\nann.jpg,Ann\n",
    "faces/ann.jpg": "a picture",
}


@pytest.mark.parametrize("missing", LABELLED)
def test_what_any_part_of_a_bench_needs_is_looked_for_before_the_first_begins(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in LABELLED.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if name != missing:
            (tmp_path / name).write_text(text)
    monkeypatch.setattr(bench.labelled, "pixels", lambda _: pytest.fail("minutes are spent"))
    ended = CliRunner().invoke(command, ["accuracy", "--data", str(tmp_path)])
    assert ended.exit_code == 1
    assert str(tmp_path / missing) in ended.stderr


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("bibs/ground_truth.csv", "filename,numbers\na.jpg,42\n", "must have the column also_visible"),
        ("faces/ground_truth.csv", "filename\nann.jpg\n", "must have the column identity"),
        ("bibs/boxes.csv", BOXES.replace("8", "eight"), "as numbers in every row"),
        ("bibs-modern/ground_truth.csv", "filename,numbers\na.jpg,42\n", "must have the column also_visible"),
    ],
)
def test_a_table_that_lacks_something_is_refused_before_the_first_begins(
    name: str, text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each, content in LABELLED.items():
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text(text if each == name else content)
    monkeypatch.setattr(bench.labelled, "pixels", lambda _: pytest.fail("minutes are spent"))
    ended = CliRunner().invoke(command, ["accuracy", "--data", str(tmp_path)])
    assert ended.exit_code == 1
    assert sentence in ended.stderr


def test_some_sets_can_be_measured_without_the_others(tmp_path: Path) -> None:
    ended = CliRunner().invoke(command, ["accuracy", "--data", str(tmp_path), "--set", "portraits"])
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "there are bibs, bibs_modern, faces, race_faces" in ended.stderr
    (tmp_path / "faces").mkdir()
    ended = CliRunner().invoke(command, ["accuracy", "--data", str(tmp_path), "--set", "faces"])
    assert ended.exit_code == 1
    assert str(tmp_path / "faces" / "ground_truth.csv") in ended.stderr


@pytest.mark.parametrize("missing", ["race.json", "photos", "selfies"])
def test_a_drawn_race_that_is_not_whole_is_refused_before_it_is_looked_at(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "race.json").write_text("{}")
    for folder, names in (
        ("photos", [shot.filename for shot in plan()]),
        ("selfies", [f"{person.bib}.jpg" for person in ROSTER]),
    ):
        (tmp_path / folder).mkdir()
        for name in names if folder != missing else names[1:]:
            (tmp_path / folder / name).touch()
    if missing == "race.json":
        (tmp_path / missing).unlink()
    monkeypatch.setattr(bench.drawn_race, "measure", lambda *_: pytest.fail("minutes are spent"))
    ended = CliRunner().invoke(command, ["drawn-race", "--folder", str(tmp_path)])
    assert ended.exit_code == 1
    assert str(tmp_path) in ended.stderr


def test_a_bench_is_told_which_snaprace_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *given: called.append(given))
    CliRunner().invoke(cli, ["--target", "aws", "--env", "prod", "bench", "insight", "--verify", "--json"])
    ((_, arguments, around),) = called
    assert arguments[1:] == ["-m", "bench", "insight", "--verify", "--json"]
    assert (around["SNAPRACE_TARGET"], around["SNAPRACE_ENV"]) == ("aws", "prod")
