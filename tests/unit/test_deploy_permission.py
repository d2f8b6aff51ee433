"""Who may deploy where: dev is open to people, what else there is to the pipeline alone, which says how."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from deploy import permission
from deploy.place import DeploymentFailed
from shared.contracts import naming
from tests.kit.synthesis import ROOT

HERE = "arn:aws:sts::444455556666:"
PIPELINE = f"{HERE}assumed-role/{naming.deploy_role('prod')}/GitHubActions"


def sts_of(arn: str) -> Any:
    client = boto3.client("sts")
    stubber = Stubber(client)
    stubber.add_response("get_caller_identity", {"Arn": arn, "Account": "444455556666", "UserId": "AROA:session"}, {})
    stubber.activate()
    return client


def test_the_pipeline_deploys_prod() -> None:
    assert permission.require("prod", lambda: sts_of(PIPELINE), {}) is None


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::444455556666:user/alice",
        f"{HERE}assumed-role/Administrator/alice",
        f"{HERE}assumed-role/{naming.deploy_role('dev')}/GitHubActions",
        f"{HERE}assumed-role/{naming.deploy_role('prod')}-of-mine/alice",
        f"{HERE}assumed-role/Mine/{naming.deploy_role('prod')}",
        f"arn:aws:iam::444455556666:user/{naming.deploy_role('prod')}",
    ],
)
def test_nobody_else_does_and_is_told_the_way(arn: str) -> None:
    with pytest.raises(DeploymentFailed, match=r"prod is deployed by the pipeline alone: merge into main") as refused:
        permission.require("prod", lambda: sts_of(arn), {"GITHUB_ACTIONS": "true", permission.BREAK_GLASS: " "})
    assert arn in str(refused.value)
    title = str(refused.value).rpartition("docs/deployment.md, '")[2].removesuffix("'.")
    assert f"## {title}\n" in (ROOT / "docs" / "deployment.md").read_text()


def test_without_credentials_it_says_so() -> None:
    def none() -> Any:
        raise NoCredentialsError

    with pytest.raises(DeploymentFailed, match="You are nobody whom AWS knows"):
        permission.require("prod", none, {})


def test_who_breaks_the_glass_says_why() -> None:
    told = permission.require("prod", lambda: pytest.fail("asked"), {permission.BREAK_GLASS: "INC-7: rules are gone"})
    assert told == "Past the pipeline, to prod: INC-7: rules are gone"


def test_dev_is_open_and_asks_nobody() -> None:
    assert permission.require("dev", lambda: pytest.fail("asked"), {}) is None


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("deploy --all", {"dev"}),
        ("deploy --all -c env=prod", {"prod"}),
        ("deploy --all -cenv=prod", {"prod"}),
        ("--context env=prod deploy --all", {"prod"}),
        ("deploy --context=env=prod --all", {"prod"}),
        ("destroy snaprace-prod-*", {"prod"}),
        ("deploy --exclusively snaprace-dev-ocr -c env=prod", {"dev", "prod"}),
        ("import snaprace-prod-ocr -c quotas=x", {"prod"}),
        ("rollback snaprace-account", {"dev"}),
        ("diff --all -c env=prod", set()),
        ("synth -c env=prod", set()),
        ("bootstrap", set()),
    ],
)
def test_the_environment_is_read_as_the_cdk_reads_it(arguments: str, found: set[str]) -> None:
    assert permission.environments(arguments.split(), "dev") == found


def test_an_assembly_says_whose_it_is(assembly: Path, tmp_path: Path) -> None:
    assert permission.of_assembly(assembly) == {"dev"}
    assert permission.of_assembly(tmp_path) == set()
    of_prod = {"artifacts": {"it": {"properties": {"tags": {"environment": "prod"}}}, "its assets": {}}}
    (tmp_path / "manifest.json").write_text(json.dumps(of_prod))
    assert permission.environments(["deploy", "--app", str(tmp_path), "--all"], "dev") == {"prod"}
    assert permission.environments(["deploy", "--app", "python app.py --for-aws", "--all"], "dev") == {"dev"}


@pytest.mark.parametrize(("arguments", "code"), [(["deploy", "-c", "env=prod"], 1), (["diff", "-c", "env=prod"], 0)])
def test_the_command_says_it_before_anything_is_built(arguments: list[str], code: int) -> None:
    command = [sys.executable, "-m", "deploy.permission", *arguments]
    asked = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": "", "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == code
    assert ("prod is deployed by the pipeline alone" in asked.stderr) == bool(code), asked.stderr
