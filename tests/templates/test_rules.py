"""The rules of others: cfn-lint on every template, cdk-nag's packs AwsSolutions and Serverless on every construct."""

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from tests.templates.templates import Template

REGIONS = ["us-east-1", "ap-northeast-2"]
IGNORED = {"W3005": "CDK names a function's role in DependsOn beside the reference to it: said twice, and right."}


@pytest.mark.parametrize("env", ["prod", pytest.param("dev", marks=pytest.mark.soak)])
def test_cfn_lint_has_nothing_to_say(env: str, request: pytest.FixtureRequest) -> None:
    templates: dict[str, Template] = request.getfixturevalue(env)
    found = [
        (match.rule.id, name, match.message)
        for name, template in templates.items()
        for match in lint_file(template.path, ManualArgs(regions=REGIONS))
    ]
    assert [each for each in found if each[0] not in IGNORED] == []
    assert set(IGNORED) <= {rule for rule, _, _ in found}, "a rule is ignored for nothing"


@pytest.fixture(scope="module")
def nag(reviewed: Path) -> dict[str, Any]:
    return json.loads((reviewed / "nag.json").read_text())


def _covers(acknowledged: dict[str, str], finding: dict[str, str]) -> bool:
    same_rule = acknowledged["rule"] == finding["rule"]
    return same_rule and f"{finding['path']}/".startswith(f"{acknowledged['path']}/")


def test_every_finding_of_cdk_nag_is_acknowledged(nag: dict[str, Any]) -> None:
    packs = {each["rule"].partition("-")[0] for each in nag["findings"]}
    assert packs == {"AwsSolutions", "Serverless"}, "a pack of cdk-nag finds nothing at all: does it still run?"
    assert [each for each in nag["findings"] if not any(_covers(known, each) for known in nag["acknowledged"])] == []
    assert nag["left"] == [], "acknowledged, but not in a way that cdk-nag understands"


def test_every_acknowledgement_is_needed_and_says_why(nag: dict[str, Any]) -> None:
    for known in nag["acknowledged"]:
        assert any(_covers(known, each) for each in nag["findings"]), f"needless: {known}"
        assert known["reason"].endswith(".") and len(known["reason"].split()) >= 6, known
