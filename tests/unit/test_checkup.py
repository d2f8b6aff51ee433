"""What `snaprace checkup` finds, by what AWS answers; tests/runtime/test_verify.py carries it out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ops.checkup import daily, monthly, weekly
from ops.look.races import ListedRace
from ops.verify.check import Check
from tests.kit import aws_cli
from tests.kit.stubs import Stub, target

NOW = datetime.now(UTC)


def wrong(checks: Any) -> list[Check]:
    return [check for check in checks if not check.ok]


def measuring(value: Any) -> Stub:
    """CloudWatch, which has measured `value(metric, begin)` of each."""

    def answer(MetricDataQueries: Any, StartTime: datetime, **_: Any) -> dict[str, Any]:
        results = []
        for query in MetricDataQueries:
            found = value(query["MetricStat"]["Metric"], StartTime)
            results.append({"Id": query["Id"], "Values": [] if found is None else [found]})
        return {"MetricDataResults": results}

    return Stub(get_metric_data=answer)


# --- each day -----------------------------------------------------------------------------------------------


def test_red_alarms_are_told_with_their_runbooks_and_budgets_by_theirs() -> None:
    red = {
        "AlarmName": "snaprace-prod-P1-slo-burn-search",
        "StateValue": "ALARM",
        "AlarmDescription": "Runbook: docs/runbooks/slo-burn.md",
        "StateUpdatedTimestamp": NOW,
    }
    well = {**red, "AlarmName": "snaprace-prod-P2-slo-burn-search", "StateValue": "OK"}
    found = list(daily.alarms(target(cloudwatch=Stub(describe_alarms={"MetricAlarms": [red, well]}))))
    assert [(check.name, check.ok, check.advice) for check in found] == [
        ("alarms: snaprace-prod-P1-slo-burn-search", False, "read docs/runbooks/slo-burn.md")
    ]
    found = list(daily.alarms(target(cloudwatch=Stub(describe_alarms={"MetricAlarms": [well]}))))
    assert [check.name for check in found if check.ok] == ["alarms", "error budgets"]


def test_a_message_that_waits_for_too_long_is_told_by_its_queue() -> None:
    old = measuring(lambda metric, _: 1800.0 if metric["Dimensions"][0]["Value"].endswith("-ocr-read") else 10.0)
    (check,) = wrong(daily.oldest_messages(target(cloudwatch=old)))
    assert (check.name, check.seen) == ("oldest message: snaprace-prod-ocr-read", "30 minutes old")
    assert wrong(daily.oldest_messages(target(cloudwatch=measuring(lambda *_: None)))) == []


@pytest.mark.parametrize(("yesterday", "well"), [(11.0, True), (16.0, False)])
def test_a_dear_day_is_told(yesterday: float, well: bool) -> None:
    days = [{"Total": {"UnblendedCost": {"Amount": str(each)}}} for each in (10, 10, 9, 11, 10, 10, 40, yesterday)]
    (check,) = daily.cost(target(ce=Stub(get_cost_and_usage={"ResultsByTime": days})))
    assert check.ok == well
    assert check.seen == f"${yesterday:.2f} yesterday, $10.00 on a usual day of the week before"


def test_where_no_cost_is_known_it_is_said_how_to_let_it_be_known() -> None:
    days = [{"Total": {"UnblendedCost": {"Amount": "0"}}}] * 8
    (check,) = daily.cost(target(ce=Stub(get_cost_and_usage={"ResultsByTime": days})))
    assert check.ok
    aws_cli.read(aws_cli.commands(check.advice)[0])


# --- each week ----------------------------------------------------------------------------------------------


def test_a_log_that_grows_twice_as_fast_is_told() -> None:
    week_ago = NOW - timedelta(days=8)

    def logged(metric: Any, begin: datetime) -> float:
        chatty = metric["Dimensions"][0]["Value"].endswith("-search-api")
        return 5e9 if chatty and begin > week_ago else 2e9

    (check,) = wrong(weekly.logs(target(cloudwatch=measuring(logged))))
    assert (check.name, check.seen) == (
        "logs: /aws/lambda/snaprace-prod-search-api",
        "5.00 GB this week, 2.00 GB the week before",
    )


def test_throttles_are_told_with_the_runbook_of_their_kind() -> None:
    throttled = measuring(lambda metric, _: 3.0 if metric["MetricName"] == "Throttles" else 0.0)
    found = wrong(weekly.throttles(target(cloudwatch=throttled)))
    assert found
    assert all("function-throttles" in check.advice for check in found)
    assert wrong(weekly.throttles(target(cloudwatch=measuring(lambda *_: 0.0)))) == []


@pytest.mark.parametrize(("hours", "well"), [(20, True), (30, False), (None, False)])
def test_each_table_has_a_backup_of_the_last_day(hours: int | None, well: bool) -> None:
    arn = "arn:aws:dynamodb:us-east-1:1:table/snaprace-prod-"

    def table(stage: str) -> Any:
        return SimpleNamespace(name=f"snaprace-prod-{stage}")

    def kept(**_: Any) -> dict[str, Any]:
        stages = ("races", "ingest", "ocr", "faces", "search", "insight")
        at = {stage: NOW - timedelta(hours=1) for stage in stages}
        del at["ocr"]
        if hours:
            at["ocr"] = NOW - timedelta(hours=hours)
        return {"Results": [{"ResourceArn": arn + stage, "LastBackupTime": when} for stage, when in at.items()]}

    vaults = {"BackupVaultList": [{"BackupVaultName": "snaprace-prod-vault"}]}
    asked = target(backup=Stub(list_backup_vaults=vaults, list_protected_resources=kept))
    asked.table = table
    assert [check.name for check in wrong(weekly.backups(asked))] == (
        [] if well else ["backups: table/snaprace-prod-ocr"]
    )


# --- each month ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("runners", "well"), [(2_000, True), (30_000, False)])
def test_a_race_that_the_quotas_are_too_small_for_is_told(
    monkeypatch: pytest.MonkeyPatch, runners: int, well: bool
) -> None:
    names = ("DetectText", "IndexFaces", "SearchFaces")
    found = [{"QuotaName": f"Transactions per second of {name}", "QuotaCode": "L-1", "Value": 5.0} for name in names]
    race = ListedRace(organizer_id="o", event_id="next", name="Next", date=f"{NOW.date()}", faces=True, runners=runners)
    monkeypatch.setattr(monthly, "listed", lambda _: [race])
    checks = list(monthly.next_races(target(service_quotas=Stub(list_service_quotas={"Quotas": found}))))
    assert [check.ok for check in checks] == [well] * 3
    if not well:
        asked = aws_cli.read(aws_cli.commands(checks[0].advice)[0])
        assert asked.parameters["DesiredValue"] == 30.0  # 210,000 photos in two hours


@pytest.mark.parametrize(("used", "well"), [(1e9, True), (70e9, False)])
def test_code_that_fills_lambdas_room_is_told(used: float, well: bool) -> None:
    settings = {"AccountUsage": {"TotalCodeSize": used}, "AccountLimit": {"TotalCodeSize": 80e9}}
    (check,) = monthly.code_storage(target(**{"lambda": Stub(get_account_settings=settings)}))
    assert check.ok == well


def test_a_user_with_one_of_our_policies_is_told_and_a_role_is_named() -> None:
    arn = "arn:aws:iam::1:policy/snaprace-prod-eraser-us-east-1"
    policies = {"Policies": [{"PolicyName": arn.rpartition("/")[2], "Arn": arn}, {"PolicyName": "other", "Arn": "x"}]}
    held = {"PolicyUsers": [{"UserName": "kim"}], "PolicyRoles": [{"RoleName": "Ops"}], "PolicyGroups": []}
    (check,) = monthly.access(target(iam=Stub(list_policies=policies, list_entities_for_policy=held)))
    assert (check.ok, check.seen) == (False, "the IAM user kim has it")
    aws_cli.read(aws_cli.commands(check.advice)[0])
    (check,) = monthly.access(
        target(iam=Stub(list_policies=policies, list_entities_for_policy={**held, "PolicyUsers": []}))
    )
    assert (check.ok, check.seen) == (True, "Ops has it")
