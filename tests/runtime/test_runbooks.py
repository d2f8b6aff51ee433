"""What runbooks tell to look at first is looked at: each command is carried out on what is deployed.

Commands of the AWS CLI are read as the CLI reads them and done by boto3 (tests/kit/aws_cli.py). What mends is tried
where it mends: tests/runtime/test_page_of_a_dependency.py, test_replay.py and the tests of the commands.
"""

from __future__ import annotations

import datetime
import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath
import pytest
from click.testing import CliRunner

from local.runtime import Running
from ops.cli.main import cli
from shared.contracts.errors import SnapRaceError
from tests.kit import aws_cli
from tests.kit.synthesis import ROOT
from tests.runtime.conftest import Client

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
LOOKS = ("describe-", "get-", "list-", "start-query")
"""How operations begin that change nothing."""
OF_OURS = {"alarms", "dlq", "race", "status"}
"""Commands of ours that look, and need neither a running door nor long."""
NOT_HERE = {
    "service-quotas": "The embedded AWS has no quotas.",
    "deploy": "The embedded AWS has no CodeDeploy.",
    "rekognition": "The vision server does not run beside it.",
}
ABOUT = {
    "clock-stopped": ("insight", "roll"),
    "stream-age": ("insight", "aggregate"),
    "stream-throttles": ("insight", "aggregate"),
    "api-down": ("search", "api"),
}
"""The stage and function that a page's alarm is about, where it is not any."""


def looked_at_first(page: Path) -> list[str]:
    """The lines of its first block, a command each."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    return [line for line in re.sub(r"\\\n\s*", " ", blocks[0] if blocks else "").splitlines() if line.strip()]


class Shell:
    """As much of a shell as runbooks need: variables, what a command printed, times, remarks and a pipe at the end."""

    def __init__(self, client: Client, stage: str, function: str) -> None:
        self._client = client
        place = {"AWS_REGION": "us-east-1", "AWS_ACCOUNT_ID": "000000000000"}
        self._known = {"ENV": "dev", "STAGE": stage, "FUNCTION": function, **place}
        self.ran: list[str] = []

    def run(self, line: str) -> str:
        """Carry a line out; what its last command printed."""
        if kept := re.fullmatch(r"([A-Z]+)=\$\((.*)\)", line):
            self._known[kept[1]] = self.run(kept[2])
            return ""
        line = re.sub(r"\$\(date ([^)]*)\)", lambda found: _time(found[1]), line)
        line = re.sub(r"\$([A-Z_]+)", lambda found: self._known[found[1]], line)
        printed = ""
        for command in line.split("; "):
            words = list(_up_to_pipe(shlex.split(command, comments=True)))
            if words[0] in ("aws", "snaprace"):
                printed = self._aws(words) if words[0] == "aws" else self._ours(words[1:])
                self.ran.append(" ".join(words[:3]))
        return printed

    def _aws(self, words: list[str]) -> str:
        if words[1] in NOT_HERE or not words[2].startswith((*LOOKS, "tail")):
            return ""
        if words[1:3] == ["logs", "tail"]:  # a command of the CLI's own
            options = dict(zip(words[4::2], words[5::2], strict=True))
            pattern = {"filterPattern": options["--filter-pattern"]} if "--filter-pattern" in options else {}
            self._client("logs").filter_log_events(logGroupName=words[3], **pattern)
            return ""
        answer = aws_cli.read(words).make(self._client)
        query = words[words.index("--query") + 1] if "--query" in words else "@"
        found = jmespath.search(query, json.loads(json.dumps(answer, default=str)))
        assert found is not None, f"{' '.join(words)}: the query finds nothing"
        return "\t".join(found) if isinstance(found, list) and "text" in words else str(found)

    def _ours(self, words: list[str]) -> str:
        command = next(word for word in words if not word.startswith("-") and word not in ("aws", "dev"))
        if command not in OF_OURS:
            return ""
        ended = CliRunner().invoke(cli, words)
        told = ended.exception is None or isinstance(ended.exception, SnapRaceError | SystemExit)  # no such race
        assert ended.exit_code in (0, 1) and told, ended.output
        return ended.output


def _time(asked: str) -> str:
    """What `date` prints, of now or of an hour ago."""
    at = time.time() - (3600 if " ago" in asked else 0)
    return str(int(at)) if "+%s" in asked else datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()


def _up_to_pipe(words: list[str]) -> Iterator[str]:
    for word in words:
        if word == "|":
            return
        yield word


@pytest.fixture
def _as_on_aws(embedded: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in embedded.environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_as_on_aws")
@pytest.mark.parametrize("page", [page for page in RUNBOOKS if looked_at_first(page)], ids=lambda page: page.stem)
def test_what_is_to_be_looked_at_first_can_be_looked_at(client: Client, page: Path) -> None:
    # Mutation: a queue, log or function that a page names otherwise than it is called; a query of a wrong field.
    shell: Any = Shell(client, *ABOUT.get(page.stem, ("ocr", "read")))
    lines = [line for line in looked_at_first(page) if not line.startswith(("make ", ".venv/"))]
    for line in lines:
        shell.run(line)
    assert len(shell.ran) >= len([line for line in lines if line.startswith(("aws ", "snaprace "))])
