"""What is worked out about capacity and idle cost follows from cards, quotas and templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import capacity, idle
from bench.__main__ import bench as command
from services import cards
from shared.contracts.prices import PRICES


def test_a_race_takes_as_long_as_its_scarcest_quota() -> None:
    small = capacity.run(18_000, "ap-northeast-2", 100, {})
    assert small["quotas"]["DetectText"] == {
        "function": "ocr.read",
        "calls": 18_000,
        "calls_a_second": 5.0,
        "hours": 1.0,
    }
    assert small["hours"] == max(each["hours"] for each in small["quotas"].values())
    assert small["quotas"][small["limited_by"]]["hours"] == small["hours"]
    assert small["ask_for"]["rekognition_calls_a_second"] == {}
    raised = capacity.run(18_000, "ap-northeast-2", 100, {"DetectText": 10.0})
    assert raised["quotas"]["DetectText"]["hours"] == 0.5
    assert capacity.run(18_000, "eu-west-1", 100, {})["quotas"]["DetectText"]["hours"] == 0.1


def test_what_is_asked_for_is_enough_and_no_more_than_that() -> None:
    # Mutation: rounded down, or asked for although there is enough.
    asked = capacity.run(200_000, "ap-northeast-2", 3, {})["ask_for"]["rekognition_calls_a_second"]
    assert set(asked) == {"DetectText", "IndexFaces", "SearchFaces"}
    assert capacity.run(200_000, "ap-northeast-2", 3, asked)["hours"] <= 3
    for operation in asked:
        less = {**asked, operation: asked[operation] - 1}
        assert capacity.run(200_000, "ap-northeast-2", 3, less)["hours"] > 3
    assert capacity.run(200_000, "ap-northeast-2", 3, asked)["ask_for"]["rekognition_calls_a_second"] == {}


def test_concurrency_is_that_of_every_function() -> None:
    found = capacity.run(1, "us-east-1", 1, {})["lambda_concurrency"]
    reserved = sum(each.reserved_concurrency or 0 for card in cards() for each in card.functions)
    assert found["apis_reserved"] == reserved > 0
    assert found["streams_and_clocks"] >= 2 and found["queues"] > 50
    assert found["queues"] + reserved + found["unreserved"] < capacity.USUAL


def test_an_environment_costs_what_its_templates_ask_for(assembly: Path) -> None:
    priced = idle.run(assembly)
    by_what = {line["what"]: line for line in priced["lines"]}
    resources = [
        each for file in assembly.glob("*.template.json") for each in json.loads(file.read_text())["Resources"].values()
    ]
    boards = sum(each["Type"] == "AWS::CloudWatch::Dashboard" for each in resources)
    assert by_what["dashboards"]["number"] == boards == len(cards()) + 2
    alarms = sum(each["Type"] == "AWS::CloudWatch::Alarm" for each in resources)
    assert by_what["metrics that alarms look at"]["number"] > alarms, "expressions are charged for each metric"
    assert by_what["shards of streams"]["dollars"] == round(730 * PRICES["us-east-1"].kinesis_shard_hour, 2)
    assert priced["dollars_a_month"] == pytest.approx(sum(line["dollars"] for line in priced["lines"]), abs=0.05)


def test_a_folder_without_templates_is_told(tmp_path: Path) -> None:
    ended = CliRunner().invoke(command, ["idle", "--assembly", str(tmp_path)])
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"Error: There are no templates in {tmp_path}. Make them with: make cdk")


def test_a_quota_there_is_not_is_refused() -> None:
    ended = CliRunner().invoke(command, ["capacity", "--raised", "CompareFaces", "5"])
    assert ended.exit_code == 2 and "DetectText" in ended.stderr
