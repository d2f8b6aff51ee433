"""Commands of the AWS CLI, read as the CLI reads them, and done by boto3: so that what we tell people to type is tried.

Source of how options become parameters: AWS CLI User Guide, "Using parameters in the AWS CLI".
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import botocore.session
import click
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from ops.cli.main import cli

# The CLI's names of services that botocore calls otherwise.
_SERVICES = {"deploy": "codedeploy", "monitoring": "cloudwatch", "s3api": "s3"}
# What the CLI does itself: options of all operations, and paging.
_OF_THE_CLI = {"query", "output", "max-items"}


class Called(NamedTuple):
    """An operation and what it is asked with."""

    service: str
    operation: OperationModel
    parameters: dict[str, Any]

    def make(self, client: Callable[[str], Any]) -> Any:
        """Call it."""
        return getattr(client(self.service), xform_name(self.operation.name))(**self.parameters)


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def commands(text: str) -> list[list[str]]:
    """The commands of a line that are joined by &&, each as its words; what stands in brackets after is a remark."""
    return [shlex.split(part) for part in text.split("  (")[0].split(" && ")]


def read(words: Sequence[str]) -> Called:
    """An `aws` command. Fails for an operation, an option or a parameter that there is not, or one that is missing."""
    program, name, operation, *options = words
    assert program == "aws"
    service = _SERVICES.get(name, name)
    model = _session().get_service_model(service)
    if operation == "wait":
        operation, *options = _waited_for(service, options)
    (found,) = (each for each in model.operation_names if xform_name(each, "-") == operation)
    of_operation = model.operation_model(found)
    parameters = _parameters(of_operation, options)
    report = ParamValidator().validate(parameters, of_operation.input_shape)
    assert not report.has_errors(), f"{' '.join(words)}: {report.generate_report()}"
    return Called(service, of_operation, parameters)


def _waited_for(service: str, words: Sequence[str]) -> list[str]:
    """`wait NAME …` asks an operation again and again: that one, with the same options."""
    waiters = _session().get_waiter_model(service)
    (name,) = (each for each in waiters.waiter_names if xform_name(each, "-") == words[0])
    return [xform_name(waiters.get_waiter(name).operation, "-"), *words[1:]]


def ours(words: Sequence[str]) -> None:
    """A `snaprace` command. Fails for a command or an option that there is not."""
    command: click.Command = cli
    known = {option for parameter in command.params for option in parameter.opts}
    for word in words[1:]:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
            known |= {option for parameter in command.params for option in parameter.opts}
        elif word.startswith("--"):
            assert word in known, words
    assert not isinstance(command, click.Group), words


def _parameters(operation: OperationModel, options: Sequence[str]) -> dict[str, Any]:
    members = {xform_name(name, "-"): (name, shape) for name, shape in operation.input_shape.members.items()}
    found: dict[str, Any] = {}
    left = list(options)
    while left:
        option = left.pop(0).removeprefix("--")
        if option == "cli-input-json":
            found |= json.loads(left.pop(0))
        elif option in _OF_THE_CLI:
            left.pop(0)
        elif option in members and members[option][1].type_name != "boolean":
            name, shape = members[option]
            found[name] = _value(left.pop(0), shape)
            while shape.type_name == "list" and left and not left[0].startswith("--"):
                found[name].append(left.pop(0))
        else:
            name, _ = members[option.removeprefix("no-")]
            found[name] = not option.startswith("no-")
    return found


def _value(text: str, shape: Shape) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "double" | "float":
            return float(text)
        case "structure" | "map":
            return json.loads(text)
        case "list":
            return json.loads(text) if text.startswith("[") else [text]
    return text
