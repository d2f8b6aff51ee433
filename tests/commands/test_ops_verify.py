"""`snaprace verify` and `checkup` as they are typed: exit codes, JSON alone on stdout, and what people are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.checkup import routine
from ops.cli import options
from ops.cli.main import cli
from ops.reach.errors import Failed
from ops.verify import verification
from ops.verify.check import Check, Verdict
from tests.kit.stubs import Stub, target

WELL = Check(name="rules", ok=True, seen="12 rules, as asked")
NOTE = Check(name="topics: p1", ok=True, seen="nobody hears it", expected="somebody", advice="aws sns subscribe")
WRONG = Check(name="tables: t", ok=False, seen="TTL is off", expected="on", advice="aws dynamodb update-time-to-live")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the verification is asked for; it finds what is "found"."""
    told: dict[str, Any] = {"found": (WELL, NOTE, WRONG)}

    def verify(_target: Any, **how: Any) -> Verdict:
        how.pop("tell")("Looking")
        told.update(how)
        return Verdict.of(told["found"])

    monkeypatch.setattr(verification, "verify", verify)
    monkeypatch.setattr(options, "target", lambda: target(env="dev"))
    return told


def snaprace(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_json_alone_is_on_stdout_and_the_exit_code_says_that_something_is_wrong(asked: dict[str, Any]) -> None:
    said = snaprace("verify", "--json")
    verdict = json.loads(said.stdout)
    assert (said.exit_code, verdict["ok"]) == (1, False)
    assert verdict["checks"][2] == {
        "name": "tables: t",
        "ok": False,
        "seen": "TTL is off",
        "expected": "on",
        "advice": "aws dynamodb update-time-to-live",
    }
    asked["found"] = (WELL, NOTE)
    assert snaprace("verify").exit_code == 0


def test_people_see_what_is_well_in_a_line_and_what_is_not_with_what_to_do(asked: dict[str, Any]) -> None:
    said = snaprace("verify").stdout
    assert "ok    rules: 12 rules, as asked" in said
    assert "note  topics: p1: nobody hears it\n      aws sns subscribe" in said
    assert "wrong tables: t\n      seen:     TTL is off\n      expected: on\n      to do:    aws dynamodb" in said
    assert "1 thing not as it should be." in said


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ((), {"only": None, "probe_s": 600}),
        (("--no-probe",), {"only": None, "probe_s": None}),
        (("--only", "probe", "--timeout", "90"), {"only": "probe", "probe_s": 90}),
    ],
)
def test_options_say_what_is_verified(asked: dict[str, Any], words: tuple[str, ...], how: dict[str, Any]) -> None:
    snaprace("verify", *words)
    assert {name: asked[name] for name in how} == how


@pytest.mark.parametrize("period", ["daily", "weekly", "monthly"])
def test_a_checkup_goes_on_where_one_thing_cannot_be_read(monkeypatch: pytest.MonkeyPatch, period: str) -> None:
    def cannot(_target: Any) -> Any:
        raise Failed("AWS does not let you.")

    def well(_target: Any) -> Any:
        yield WELL

    monkeypatch.setattr(options, "target", lambda: target(cloudwatch=Stub()))
    monkeypatch.setitem(routine.ROUTINE, period, (cannot, well))
    said = snaprace("checkup", period, "--json")
    checks = json.loads(said.stdout)["checks"]
    assert said.exit_code == 1
    assert [(check["name"], check["ok"]) for check in checks] == [("cannot", False), ("rules", True)]
    assert checks[0]["seen"] == "AWS does not let you."


def test_the_day_is_what_a_checkup_looks_at_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "target", target)
    monkeypatch.setattr(routine, "ROUTINE", {"daily": (lambda _: iter((WELL,)),)})
    assert json.loads(snaprace("checkup", "--json").stdout)["checks"][0]["name"] == "rules"
