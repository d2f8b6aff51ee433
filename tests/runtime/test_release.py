"""The pipeline's own make targets, through the CDK's command line, against the embedded AWS: what a release does.

Soak only: it needs npm's registry, and a Python of Lambda's version as `python3.13`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runtime import CHECKOUT, Running
from services import cards
from shared.contracts import naming
from tests.runtime.conftest import launched

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with launched(tmp_path_factory.mktemp("aws")) as running:
        yield running


def make(aws: Running, *words: str) -> str:
    command = ["make", "--no-print-directory", "--old-file", "setup", *words]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=os.environ | aws.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_what_was_assembled_is_compared_released_once_and_found_unchanged(aws: Running) -> None:
    make(aws, "layers", "assembly")
    make(aws, "bootstrap")
    make(aws, "diff")
    compared = (CHECKOUT / "build" / "diff-dev.md").read_text()
    assert "### What it changes in dev" in compared and "Stack snaprace-account" in compared
    released = make(aws, "release")
    stacks = [naming.ACCOUNT_STACK, *(naming.stack("dev", card.name) for card in cards())]
    assert all(f"{stack} does not stand." in released and f"✅  {stack}" in released for stack in stacks)
    assert "All stacks of dev stand as they are asked for." in make(aws, "release")
    metrics = aws.client("cloudwatch").list_metrics(Namespace="SnapRace")["Metrics"]
    assert [each["Dimensions"] for each in metrics if each["MetricName"] == "Deploying"] == [
        [{"Name": "Environment", "Value": "dev"}]
    ]


def test_a_service_is_deployed_alone_by_one_command(aws: Running, request: pytest.FixtureRequest) -> None:
    module = Path(CHECKOUT) / "services" / "ocr" / "functions" / "read.py"
    text = module.read_text()
    request.addfinalizer(lambda: module.write_text(text))
    module.write_text(f"{text}\n# A change.\n")
    assert "✅  snaprace-dev-ocr" in make(aws, "deploy", "SERVICE=ocr")
    module.write_text(text)
    released = make(aws, "release")
    assert "snaprace-dev-ocr has another template." in released and "snaprace-dev-faces" not in released
