"""What the Makefile's targets for AWS run, in which order, and when they stop: with programs that only tell of it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kit.synthesis import ROOT

# Each tells its arguments; what it answers, and whether it fails, stands in files beside it.
PYTHON = """#!/bin/sh
echo "$*" >> told
case "$*" in
  *--changed*) cat changed ;;
  *deploy.permission*) test ! -f refused ;;
esac
"""
GH = """#!/bin/sh
echo "gh $*" >> told
case "$*" in
  "run list"*) cat runs ;;
  "run download"*) mkdir -p build/of/dev && tar -cf build/assembly-dev.tar -C build/of dev ;;
esac
"""


class Desk(NamedTuple):
    """A folder with the Makefile, where python and gh are not what they seem."""

    folder: Path

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        command = ["make", "--no-print-directory", *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def told(self) -> list[str]:
        """What was run, but for what `make setup` runs."""
        lines = (self.folder / "told").read_text().splitlines()
        return [re.sub(r"^jsii_node\.py aws-cdk@\S+", "cdk", line) for line in lines if line != "-m deploy.layers"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("Makefile", "requirements", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    for file, program in ((".venv/bin/python", PYTHON), ("bin/gh", GH)):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(program)
        (tmp_path / file).chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    for name in ("changed", "runs"):
        (tmp_path / name).touch()
    return Desk(tmp_path)


PERMITTED = "-m deploy.permission deploy --app build/assembly/dev -c env=dev"
COMPARED = "-m deploy --changed --assembly build/assembly/dev"
ANNOUNCED = "-m deploy --announce dev --minutes 20"
DEPLOYED = (
    "cdk deploy --app build/assembly/dev --exclusively --require-approval never --progress events --concurrency 3 "
)


def test_a_release_asks_looks_announces_and_deploys_what_changed(desk: Desk) -> None:
    (desk.folder / "changed").write_text("snaprace-dev-platform\nsnaprace-dev-ocr\n")
    assert desk.make("release").returncode == 0
    deployed = f"{DEPLOYED}snaprace-dev-platform snaprace-dev-ocr"
    assert desk.told() == [PERMITTED, COMPARED, ANNOUNCED, deployed]


def test_where_nothing_changed_nothing_is_announced_or_deployed(desk: Desk) -> None:
    released = desk.make("release")
    assert released.returncode == 0 and released.stdout == "All stacks of dev stand as they are asked for.\n"
    assert desk.told() == [PERMITTED, COMPARED]


@pytest.mark.parametrize("words", [("release",), ("deploy", "SERVICE=ocr"), ("cdk", "ARGS=deploy --all")])
def test_nothing_is_done_without_permission(desk: Desk, words: tuple[str, ...]) -> None:
    (desk.folder / "refused").touch()
    (desk.folder / "build" / "layers-aws").mkdir(parents=True)
    assert desk.make(*words).returncode
    assert "deploy.permission" in desk.told()[-1]


def test_a_service_is_named(desk: Desk) -> None:
    (desk.folder / "build" / "layers-aws").mkdir(parents=True)
    refused = desk.make("deploy")
    assert refused.returncode and "Say which service: make deploy SERVICE=ocr" in refused.stderr
    assert not any("cdk" in line for line in desk.told())


def test_a_service_is_synthesized_and_deployed_alone(desk: Desk) -> None:
    (desk.folder / "build" / "layers-aws").mkdir(parents=True)
    assert desk.make("deploy", "SERVICE=ocr").returncode == 0
    app = ".venv/bin/python app.py --for-aws --service ocr"
    assert desk.told()[-2:] == [ANNOUNCED, f"cdk deploy --app {app} -c env=dev --exclusively snaprace-dev-ocr"]


LISTED = (
    "gh run list --workflow deliver.yml --branch main --status success --limit 1 --json databaseId --jq .[].databaseId"
)


def test_who_goes_back_deploys_what_the_last_good_run_deployed(desk: Desk) -> None:
    (desk.folder / "runs").write_text("4711\n")
    (desk.folder / "changed").write_text("snaprace-dev-ocr\n")
    stale = desk.folder / "build" / "assembly" / "dev"
    stale.mkdir(parents=True)
    (stale / "manifest.json").touch()
    assert desk.make("rollback").returncode == 0
    fetched = "gh run download 4711 --name assembly-dev --dir build"
    assert desk.told() == [LISTED, fetched, PERMITTED, COMPARED, ANNOUNCED, f"{DEPLOYED}snaprace-dev-ocr"]
    assert not (stale / "manifest.json").exists(), "what failed is not deployed again"


def test_who_goes_back_may_name_the_run(desk: Desk) -> None:
    assert desk.make("rollback", "RUN=42").returncode == 0
    assert desk.told()[0] == "gh run download 42 --name assembly-dev --dir build"


def test_what_is_named_is_no_program(desk: Desk) -> None:
    """Whoever starts the workflow types the run, and it must not be read by the shell."""
    desk.make("rollback", 'RUN="; touch entered; echo "')
    assert not (desk.folder / "entered").exists()


def test_where_nothing_was_deployed_there_is_nothing_to_go_back_to(desk: Desk) -> None:
    refused = desk.make("rollback")
    assert refused.returncode and "No deployment has succeeded yet" in refused.stderr
    assert desk.told() == [LISTED]
