"""What a runbook tells the engineer to type is there to be typed."""

import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name

from ops.cli.main import cli
from tests.kit.synthesis import ROOT

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
# Options that the AWS CLI has for every operation.
EVERYWHERE = {"query", "output", "max-items"}
# Services that the AWS CLI calls otherwise than botocore does.
CALLED = {"deploy": "codedeploy", "monitoring": "cloudwatch"}
# Commands of the AWS CLI's own, with the options used here.
OWN_COMMANDS = {("logs", "tail"): {"since", "filter-pattern"}}


def _commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command of a program, in blocks and in the text, up to its end or the next one."""
    for code in re.findall(r"```sh\n(.*?)```|`([^`]+)`", text, re.S):
        for line in re.sub(r"\\\n", " ", "".join(code)).splitlines():
            for command in re.split(rf"(?<![\w/-])(?<!--target ){program} ", line)[1:]:
                yield re.split(r"[;#|]", command, maxsplit=1)[0].split()


def _options(words: list[str]) -> set[str]:
    return {word[2:] for word in words if re.fullmatch(r"--[a-z-]+", word)}


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_commands_of_the_aws_cli_exist(page: Path) -> None:
    session = botocore.session.get_session()
    for service, operation, *words in _commands(page.read_text(), "aws"):
        if (service, operation) in OWN_COMMANDS:
            assert _options(words) <= OWN_COMMANDS[service, operation]
            continue
        model = session.get_service_model(CALLED.get(service, service))
        (name,) = (each for each in model.operation_names if xform_name(each, "-") == operation)
        members = model.operation_model(name).input_shape.members
        known = {xform_name(member, "-") for member in members} | EVERYWHERE
        known |= {f"no-{xform_name(name, '-')}" for name, shape in members.items() if shape.type_name == "boolean"}
        assert _options(words) <= known, (service, operation)


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_commands_of_ours_exist(page: Path) -> None:
    for words in _commands(page.read_text(), "snaprace"):
        command: click.Command = cli
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
                known |= {option for parameter in command.params for option in parameter.opts}
        assert not isinstance(command, click.Group), f"no such command: snaprace {' '.join(words)}"
        assert {f"--{option}" for option in _options(words)} <= known, words
