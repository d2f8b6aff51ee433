"""`snaprace traffic`, and the demo's visitors, through the search API and the real collector."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from ops.cli.main import cli
from ops.demo import visitors
from ops.reach.insight_api import InsightApi
from ops.reach.target import choose
from services.insight.questions import EventsAnswer
from shared.contracts import naming
from tests.kit import page_server, search_stage
from tests.kit.deployed import ENV, configure, create_table
from tests.kit.events import RACE
from tests.kit.insight_collector import Collector


def snaprace(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--target", "aws", *arguments])


@pytest.fixture
def race() -> Iterator[tuple[search_stage.SearchStage, Collector]]:
    """A race with two photos of runner 42, behind a front door."""
    collector = Collector()
    with search_stage.search_stage() as world, page_server.serving(world, collector=collector) as address:
        world.hear(search_stage.configured())
        create_table("races")
        configure()
        boto3.client("ssm").put_parameter(Name=naming.front_door_parameter(ENV), Value=address, Type="String")
        yield world, collector


def add_photos(world: search_stage.SearchStage) -> None:
    for number in (1, 2):
        world.hear(search_stage.ingested(number), search_stage.matched(number, search_stage.runner("42")))


def test_visitors_are_sent_and_counted(race: tuple[search_stage.SearchStage, Collector]) -> None:
    world, collector = race
    add_photos(world)
    ended = snaprace("traffic", "--visitors", "20", "--minutes", "1", "--speed", "10000", "--json")
    sent, facts = json.loads(ended.stdout), collector.facts
    assert ended.exit_code == 0
    assert (sent["visitors"], sent["robots"]) == (19, 1)
    assert len({fact.visitor for fact in facts if not fact.robot}) == 19, "told apart by their browsers' names"
    assert sum(sent["events"].values()) == sum(not fact.robot for fact in facts)
    assert sent["robot_events"] == sum(fact.robot for fact in facts)
    looked_at = {fact.subject for fact in facts if fact.kind == "photo_view"}
    assert looked_at == {search_stage.photo_id(number) for number in (1, 2)}


def test_a_race_without_photos_has_no_visitors(race: tuple[search_stage.SearchStage, Collector]) -> None:
    _, collector = race
    ended = snaprace("traffic", "--race", str(RACE), "--json")
    assert "can be found by a bib yet" in str(ended.exception)
    assert collector.facts == []


@pytest.mark.parametrize("named", ["seoul", "a/b/c"])
def test_a_race_is_named_by_both_ids(named: str, race: tuple[search_stage.SearchStage, Collector]) -> None:
    ended = snaprace("traffic", "--race", named)
    assert ended.exit_code == 2
    assert "--race takes the organizer's and the event's id" in ended.stderr


def test_visitors_of_the_demo_come_in_the_background_and_end_with_it(
    race: tuple[search_stage.SearchStage, Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, collector = race
    add_photos(world)
    monkeypatch.setattr(visitors, "MINUTES", 0.001)
    said: list[str] = []
    with visitors.visitors(choose("aws", ENV), RACE, said.append):
        (thread,) = [each for each in threading.enumerate() if each.name == "visitors"]
        thread.join()
    assert len({fact.visitor for fact in collector.facts}) > 1
    monkeypatch.setattr(visitors, "MINUTES", 60.0)
    with visitors.visitors(choose("aws", ENV), RACE, said.append):
        pass
    assert not any(each.name == "visitors" for each in threading.enumerate())
    assert said == []


def test_what_hinders_the_demos_visitors_is_said(race: tuple[search_stage.SearchStage, Collector]) -> None:
    said: list[str] = []
    with visitors.visitors(choose("aws", ENV), RACE, said.append):
        (thread,) = [each for each in threading.enumerate() if each.name == "visitors"]
        thread.join()
    (sentence,) = said
    assert "can be found by a bib yet" in sentence


def test_what_was_sent_until_ctrl_c_is_told(
    race: tuple[search_stage.SearchStage, Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, collector = race
    add_photos(world)
    told = InsightApi.tell

    def tell(api: InsightApi, *given: Any) -> EventsAnswer:
        if collector.facts:
            raise KeyboardInterrupt
        return told(api, *given)

    monkeypatch.setattr(InsightApi, "tell", tell)
    ended = snaprace("traffic", "--visitors", "20", "--minutes", "1", "--speed", "10000", "--json")
    assert ended.exit_code != 0
    assert json.loads(ended.stdout)["requests"] == 1
