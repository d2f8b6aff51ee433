"""`snaprace rollback`: which versions there are, back and forward again, and a release that is stopped."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from moto import mock_aws

from ops.cli.main import cli
from ops.mend import rollback
from ops.mend.rollback import stop_release, versions_of
from ops.reach.target import Target, choose
from shared.contracts import naming

NAME = naming.function("dev", "ocr", "read")


def snaprace(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--target", "aws", "rollback", "--stage", "ocr", *arguments])


def _code(word: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("index.py", f"handler = {word!r}")
    return packed.getvalue()


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function of which the stack has version 1, and two more were published since; the last one is live.

    What a real stack tells of its versions is test_what_stands.py's.
    """
    with mock_aws():
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda")
        made = {"FunctionName": NAME, "Runtime": "python3.11", "Handler": "index.handler", "Role": role}
        client.create_function(**made, Code={"ZipFile": _code("first")}, Publish=True)
        for word in ("second", "third"):
            client.update_function_code(FunctionName=NAME, ZipFile=_code(word))
            client.publish_version(FunctionName=NAME)
        client.create_alias(FunctionName=NAME, Name=naming.LIVE, FunctionVersion="3")
        first = client.get_function_configuration(FunctionName=NAME, Qualifier="1")["FunctionArn"]
        monkeypatch.setattr(rollback, "_deployed", lambda _target, _stack: [first])
        yield client


def live(functions: Any) -> int:
    return int(functions.get_alias(FunctionName=NAME, Name=naming.LIVE)["FunctionVersion"])


def test_it_lists_the_versions_and_says_what_is_live_and_what_was_deployed(functions: Any) -> None:
    (told,) = json.loads(snaprace("--json").stdout)
    assert (told["function"], told["live"], told["arriving"]) == (NAME, 3, None)
    assert [(each["number"], each["deployed"]) for each in told["versions"]] == [(3, False), (2, False), (1, True)]
    shown = snaprace().stdout
    assert [line.split()[-1] for line in shown.splitlines() if line[:1].isspace()] == ["live", "UTC", "deployed"]
    assert live(functions) == 3


def test_back_is_the_version_before_and_forward_the_one_that_was_deployed(functions: Any) -> None:
    assert json.loads(snaprace("--back", "--yes", "--json").stdout) == {NAME: {"before": 3, "live": 2}}
    assert live(functions) == 2
    ended = snaprace("--forward", "--yes")
    assert (ended.exit_code, live(functions)) == (0, 1)
    assert "Nothing to do" in snaprace("--forward", "--yes").stderr
    ended = snaprace("--back", "--yes")
    assert "no earlier version" in str(ended.exception)
    assert live(functions) == 1


def test_a_version_can_be_named(functions: Any) -> None:
    ended = snaprace("--function", "read", "--to", "1", "--yes")
    assert (ended.exit_code, live(functions)) == (0, 1)
    assert "snaprace rollback --stage ocr --forward" in " ".join(ended.stderr.split())
    assert "has no version 7. It has: 3, 2, 1." in str(snaprace("--function", "read", "--to", "7", "--yes").exception)
    assert "has no function 'red'" in str(snaprace("--function", "red").exception)


@pytest.mark.parametrize("options", [("--to", "1"), ("--back", "--forward"), ("--back",)])
def test_what_is_ambiguous_or_cannot_be_asked_changes_nothing(functions: Any, options: tuple[str, ...]) -> None:
    assert snaprace(*options).exit_code == 2
    assert live(functions) == 3


# --- while CodeDeploy is at it ------------------------------------------------------------------------------


@pytest.fixture
def target(functions: Any) -> Target:
    """The third version is being released: the alias gives it a tenth of the invocations."""
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    functions.update_alias(FunctionName=NAME, Name=naming.LIVE, FunctionVersion="2", RoutingConfig=weights)
    return choose("aws", "dev")


def test_a_release_is_stopped_by_codedeploy_which_moves_the_alias_back(target: Target) -> None:
    (found,) = versions_of(target, "ocr")
    assert (found.live, found.arriving) == (2, 3)
    with Stubber(target.client("codedeploy")) as codedeploy:
        under_way = ["Created", "Queued", "InProgress", "Baking", "Ready"]
        which = {"applicationName": naming.stack("dev", "ocr"), "deploymentGroupName": NAME}
        codedeploy.add_response(
            "list_deployments", {"deployments": ["d-1"]}, {**which, "includeOnlyStatuses": under_way}
        )
        codedeploy.add_response(
            "stop_deployment", {"status": "Pending"}, {"deploymentId": "d-1", "autoRollbackEnabled": True}
        )
        assert stop_release(target, "ocr", found) == 1
        codedeploy.assert_no_pending_responses()


@pytest.mark.parametrize("options", [("--forward",), ("--function", "read", "--to", "1")])
def test_a_release_is_not_passed_by(target: Target, functions: Any, options: tuple[str, ...]) -> None:
    assert target.env == "dev"
    assert "just being released" in str(snaprace(*options, "--yes").exception)
    assert live(functions) == 2
