"""A new stage is one folder: the tree, copied, with the folder of docs/adding-a-stage.md and nothing else changed.

A second folder (`pulse`) is fed by a stream and by a clock, which no stage of the product is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.synthesis import MADE_BEFORE, ROOT, made_once, run, synthesize
from tests.templates import templates
from tests.templates.templates import Template

HERE = Path(__file__).parent
LEFT_OUT = (".git", ".venv", "build", "cdk.out", ".snaprace", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with two stages more, and its documents printed anew, as `make docs` does."""

    def make(folder: Path) -> None:
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (folder / "build").symlink_to(ROOT / "build")
        for stage in ("tally", "pulse"):
            shutil.copytree(HERE / stage, folder / "services" / stage)
        run(["-m", "catalogue"], cwd=folder)

    return made_once(tmp_path_factory, "one-folder", make)


@pytest.fixture(scope="session")
def assembly_of_copy(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "one-folder-cdk.out", lambda out: synthesize(out, checkout=copy))


@pytest.fixture(scope="session")
def synthesized(assembly_of_copy: Path) -> dict[str, Template]:
    return templates.read(assembly_of_copy, "dev")


def test_its_stack_is_made_and_no_other_stages_changes(synthesized: dict[str, Template], assembly: Path) -> None:
    before = templates.read(assembly, "dev")
    assert set(synthesized) == set(before) | {"tally", "pulse"}
    of_all_stages = {"monitoring", "people"}  # alarms, and who may look into its table
    assert {name for name in before if synthesized[name].body != before[name].body} == of_all_stages


def test_its_alarms_its_pages_and_its_dashboards_are_there(synthesized: dict[str, Template]) -> None:
    monitoring = synthesized["monitoring"]
    alarms = {alarm["AlarmName"] for alarm in monitoring.of_type("AWS::CloudWatch::Alarm").values()}
    assert {
        "snaprace-dev-P1-undelivered-events-tally",
        "snaprace-dev-P1-dead-letters-tally-count",
        "snaprace-dev-P1-queue-backlog-tally-count",
        "snaprace-dev-P1-api-server-errors-tally",
        "snaprace-dev-P1-stream-age-pulse-listen",
        "snaprace-dev-P1-dead-letters-pulse-look",
    } <= alarms
    woken = monitoring.of_type("AWS::CloudWatch::CompositeAlarm").values()
    services = {"snaprace-dev-P1-service-tally", "snaprace-dev-P1-service-tally-api", "snaprace-dev-P1-service-pulse"}
    assert services <= {alarm["AlarmName"] for alarm in woken}
    boards = monitoring.of_type("AWS::CloudWatch::Dashboard").values()
    bodies = {board["DashboardName"]: monitoring.text(board["DashboardBody"]) for board in boards}
    assert "## tally" in bodies["snaprace-dev-tally"] and "tally-count" in bodies["snaprace-dev-overview"]


def test_the_checks_of_contracts_stacks_and_packages_know_it(copy: Path, assembly_of_copy: Path) -> None:
    tests = ["tests/contracts", *(f"tests/templates/test_{each}.py" for each in ("stages", "alarms", "packages"))]
    tests.append("tests/flows/test_permissions.py")
    # Left out: what the tests of other stages say, and what needs the assembly of prod.
    about = "(tally or pulse or (alarms and not whoever_is_named) or contracts or no_two_functions) and not prod"
    pytest_there = ("-m", "pytest", "-vv", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = _python(copy, *pytest_there, *tests, "-k", about, assembly=assembly_of_copy)
    assert done.returncode == 0, done.stdout[-3000:]
    for each in ("its_role_allows_what_the_card_says", "its_rules_bring_what_the_card", "it_imports_only_what"):
        assert re.search(rf"test_{each}\S*\[tally-count\] PASSED", done.stdout), each
    for each in ("tally.count", "tally.api", "pulse.listen", "pulse.look"):
        for test in ("what_it_calls", "nothing_that_it_does_not_call"):
            assert f"test_its_role_allows_{test}[{each}] PASSED" in done.stdout, each


def test_import_rules_hold_it(copy: Path, tmp_path: Path) -> None:
    lint = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    assert _python(copy, "-c", lint, "--no-cache").returncode == 0
    broken = tmp_path / "broken"
    shutil.copytree(copy, broken, symlinks=True)
    counting = broken / "services" / "tally" / "domain" / "counting.py"
    counting.write_text(counting.read_text() + "\nimport boto3\nfrom services.ocr.records import ReadPhoto\n")
    done = _python(broken, "-c", lint, "--no-cache")
    assert done.returncode != 0
    assert "services.tally.domain.counting -> boto3" in done.stdout
    assert "services.tally.domain.counting -> services.ocr.records" in done.stdout


def test_its_types_are_checked(copy: Path) -> None:
    """Also that a stored attribute which is renamed, and a refusal that is not declared, are type errors."""
    stage = copy / "services" / "tally"
    assert _mypy(copy) == []
    for file, before, after, complaint in (
        ("records.py", "    runners: int", "    people: int", 'has no attribute "runners"'),
        (
            "functions/api.py",
            "-> TallyAnswer | NothingCounted:",
            "-> TallyAnswer | NothingCounted | Busy:",
            "incompatible",
        ),
    ):
        right = (stage / file).read_text()
        assert before in right
        wrong = right.replace(before, after).replace(
            "from shared.kit.records", "from shared.contracts.api import Busy\nfrom shared.kit.records"
        )
        (stage / file).write_text(wrong)
        try:
            assert any(complaint in line for line in _mypy(copy)), file
        finally:
            (stage / file).write_text(right)


def _mypy(copy: Path) -> list[str]:
    done = _python(copy, "-m", "mypy", "--config-file", "pyproject.toml", "-p", "services.tally")
    return [line for line in done.stdout.splitlines() if ": error:" in line]


def test_the_documents_tell_of_it(copy: Path) -> None:
    docs = copy / "docs"
    assert "tally.count" in (docs / "events.md").read_text()
    assert "PhotoTally" in (docs / "records.md").read_text()
    assert "/races/{organizer_id}/{event_id}/tally" in (docs / "openapi-tally.yaml").read_text()
    assert "nothing_counted" in (docs / "api.md").read_text()


@pytest.fixture(scope="session")
def said(copy: Path, assembly_of_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the commands say of it, as it runs on the embedded AWS."""
    home = tmp_path_factory.mktemp("home")
    done = _python(copy, "-m", "tests.house.driven", str(home), str(assembly_of_copy))
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_it_hears_keeps_and_answers(said: dict[str, Any]) -> None:
    assert said["refused"] == [
        404,
        {
            "error": {
                "code": "nothing_counted",
                "message": "No photo of such a race is counted yet. Check the organizer and the event.",
            }
        },
    ]
    assert said["answered"] == {"photos": 2, "runners": 4}
    assert said["heard by the stream"] is True


def test_commands_know_it(said: dict[str, Any]) -> None:
    code, out, _ = said["dlq"]
    groups = json.loads(out)["groups"]
    assert (code, [group["function"] for group in groups]) == (0, ["count"])
    code, out, err = said["status"]
    assert (code, json.loads(out)["dead_letters"]) == (0, {"snaprace-dev-tally-count-dlq": 2}), err
    code, out, err = said["replay"]
    assert (code, json.loads(out)["sent"]) == (0, {"count": 2}), err
    code, out, err = said["missing"]
    assert (code, json.loads(out)["sent"]) == (0, {}), err
    assert "faces, ingest, insight, ocr, pulse, races, search, tally" in said["stages"][2]


def _python(copy: Path, *arguments: str, assembly: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy; a pytest there takes the copy's `assembly` instead of making it again."""
    # It is no worker of this run: as one, it would take the assemblies of whoever ran here before.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment | ({MADE_BEFORE: str(assembly)} if assembly else {}),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
