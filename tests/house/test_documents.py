"""What a document tells somebody to type is there to be typed, and what it links to is there to be read."""

from __future__ import annotations

import functools
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import click
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from deploy.permission import BREAK_GLASS
from ops.cli.main import cli
from tests.kit.synthesis import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Options that the AWS CLI has for every operation.
EVERYWHERE = {"query", "output", "max-items"}
# Services that the AWS CLI calls otherwise than botocore does.
CALLED = {"deploy": "codedeploy", "monitoring": "cloudwatch", "s3api": "s3"}
# Commands of the AWS CLI's own, with the options used here.
OWN_COMMANDS = {("logs", "tail"): {"since", "filter-pattern"}}
# Options of the AWS CLI's own, by service.
OWN_OPTIONS = {"rekognition": {"image-bytes"}, "sns": {"notification-endpoint"}}
# What is written where somebody puts words of her own.
ASIDE = re.compile(r"\[[^]]*\]|…|\\$")

each_document = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))


def code(text: str) -> Iterator[str]:
    """The lines that are to be typed: of blocks for a shell, and code within the text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M)
    for language, block in blocks:
        if language in ("sh", "console", "bash"):
            lines = re.sub(r"\\\n", " ", block).splitlines()
            prompted = any(line.startswith("$ ") for line in lines)
            yield from (line.removeprefix("$ ") for line in lines if line.startswith("$ ") or not prompted)
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command of a program, up to its end or the next one."""
    for line in code(text):
        for command in re.split(rf"(?<![\w./-])(?<!--target )(?:\.venv/bin/)?{program} ", line)[1:]:
            yield re.split(r"[;#|)]|&&", command, maxsplit=1)[0].split()


def options(words: list[str]) -> set[str]:
    return {found[1] for word in words if (found := re.match(r"--([a-z][a-z-]*)", word))}


@each_document
def test_commands_of_the_aws_cli_exist(page: Path) -> None:
    session = botocore.session.get_session()
    for service, operation, *words in (each for each in commands(page.read_text(), "aws") if len(each) > 1):
        if (service, operation) in OWN_COMMANDS:
            assert options(words) <= OWN_COMMANDS[service, operation]
            continue
        try:
            model = session.get_service_model(CALLED.get(service, service))
        except UnknownServiceError:
            pytest.fail(f"no such command: aws {service} {operation}")
        found = [each for each in model.operation_names if xform_name(each, "-") == operation]
        assert found, f"no such command: aws {service} {operation}"
        members = model.operation_model(found[0]).input_shape.members
        known = {xform_name(member, "-") for member in members} | EVERYWHERE | OWN_OPTIONS.get(service, set())
        known |= {f"no-{xform_name(name, '-')}" for name, shape in members.items() if shape.type_name == "boolean"}
        assert options(words) <= known, (service, operation)


# Commands of ours whose options another program of ours reads.
PASSED_ON = {"bench": "bench", "serve": "vision"}


@each_document
def test_commands_of_ours_exist(page: Path) -> None:
    for words in commands(page.read_text(), "snaprace"):
        command: click.Command = cli
        known = {"--help", "--version"} | _taken(cli)
        for at, word in enumerate(words):
            if not isinstance(command, click.Group):
                break
            if word in command.commands:
                command = command.commands[word]
                known |= _taken(command)
                if command.name in PASSED_ON:
                    known |= _told_by(PASSED_ON[command.name], *words[at + 1 :][:1])
        complete = command is not cli or "…" in words or options(words) & {"help", "version"}
        assert complete, f"no such command: snaprace {' '.join(words)}"
        assert {f"--{option}" for option in options(words)} <= known, words


def _taken(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@functools.cache
def _told_by(module: str, *words: str) -> set[str]:
    """The options of which a command of Python's tells; asked once. Only a word that begins no option is passed on."""
    further = [word for word in words if re.fullmatch(r"[a-z]+", word)]
    asked = [sys.executable, "-m", module, *further, "--help"]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z][a-z-]*", said))


# --- make ---------------------------------------------------------------------------------------------------

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
VARIABLES = set(re.findall(r"\$\(([A-Z_]+)\)", MAKEFILE)) | set(re.findall(r"\$\$([A-Z_]+)", MAKEFILE)) | {BREAK_GLASS}


@each_document
def test_targets_and_variables_of_make_exist(page: Path) -> None:
    for words in commands(page.read_text(), "make"):
        for word in shlex.split(" ".join(words)):
            name, given, _ = ASIDE.sub("", word).partition("=")
            assert name in (VARIABLES if given else TARGETS | {""}), f"{word} of make {' '.join(words)}"


# --- python -m ----------------------------------------------------------------------------------------------


@each_document
def test_commands_of_python_exist(page: Path) -> None:
    for module, *words in commands(page.read_text(), "python -m"):
        assert importlib.util.find_spec(module), module
        if wanted := options(words):
            assert {f"--{option}" for option in wanted} <= _told_by(module), f"python -m {module} {' '.join(words)}"


# --- links and files ----------------------------------------------------------------------------------------


@functools.cache
def _anchors(page: Path) -> set[str]:
    """The places in a document that can be linked to: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", page.read_text(), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue  # elsewhere in the world
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


PLACES = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"build"}


@each_document
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|json|yml|lock|in|html|js))`", page.read_text()):
        if name.split("/")[0] in PLACES | {".github"}:
            assert (ROOT / name).exists(), name


# --- these tests find what they look for --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "text"),
    [
        (test_commands_of_the_aws_cli_exist, "`aws lambda get-funktion --function-name f`"),
        (test_commands_of_the_aws_cli_exist, "```sh\naws sqs purge-queue --queue-name q\n```\n"),
        (test_commands_of_the_aws_cli_exist, "`aws s4 list-buckets`"),
        (test_commands_of_ours_exist, "```console\n$ snaprace uplod photos\n```\n"),
        (test_commands_of_ours_exist, "`snaprace --target aws status --al`"),
        (test_commands_of_ours_exist, "`snaprace bench accuracy --dat DIR`"),
        (test_targets_and_variables_of_make_exist, "`make deplyo SERVICE=ocr`"),
        (test_targets_and_variables_of_make_exist, '```sh\nmake cdk ARG="deploy --all"\n```\n'),
        (test_commands_of_python_exist, "`python -m deploi`"),
        (test_commands_of_python_exist, "`.venv/bin/python -m deploy --assembly cdk.out --verify`"),
        (test_links_lead_somewhere, "see [there](nowhere.md)"),
        (test_links_lead_somewhere, "# Here\nsee [there](#their)"),
        (test_files_that_are_named_exist, "in `stacks/nowhere.py`"),
    ],
)
def test_what_is_wrong_is_found(test: Any, text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(page)
