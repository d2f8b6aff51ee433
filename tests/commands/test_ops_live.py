"""`snaprace live`: a race's numbers in a terminal of any width, and what visitors did last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, get_args

import boto3
import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from ops.cli import show_live, visitors
from ops.cli.main import cli
from ops.cli.show_live import follow, screen, sparkline
from ops.reach.errors import Failed
from ops.reach.insight_api import InsightApi
from services.insight.questions import Event
from services.insight.records import EVENTS
from shared.contracts import naming
from shared.contracts.keys import RaceRef
from shared.kit.records import Records
from tests.kit import live_race
from tests.kit.deployed import ENV, configure, deployed
from tests.kit.events import RACE
from tests.kit.told_facts import fact, keep


def snaprace(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--target", "aws", *arguments])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[live_race.Told]:
    """A race behind a front door, of which the API tells what it is given."""
    told = live_race.Told()
    with deployed(monkeypatch, tmp_path / "home"), live_race.telling(told) as address:
        configure()
        boto3.client("ssm").put_parameter(Name=naming.front_door_parameter(ENV), Value=address, Type="String")
        yield told


def test_the_numbers_are_the_apis(told: live_race.Told) -> None:
    answer = json.loads(snaprace("live", "--json").stdout)
    assert answer == msgspec.to_builtins(told.live)
    shown = snaprace("live", "--once").stdout
    for text in (
        "Han River Marathon",
        "184 visitors in 5",
        "2,236 searchable",
        "110 on their way",
        "812 of 1,000",
        "1042F",
    ):
        assert text in shown


def test_a_race_that_is_not_known_is_one_sentence(told: live_race.Told) -> None:
    configure(RaceRef(RACE.organizer_id, "other"))  # of which the live API has not heard yet
    ended = snaprace("live", "--race", f"{RACE.organizer_id}/other", "--once")
    assert isinstance(ended.exception, Failed)
    assert str(ended.exception) == "There is no such race. Check the organizer and the event."


def printed(width: int, live: Any) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(screen(live, width))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [30, 60, 89, 90, 200])
@pytest.mark.parametrize("race", [live_race.busy_race, live_race.empty_race])
def test_it_fits_a_terminal_of_any_width(width: int, race: Callable[[], Any]) -> None:
    lines = printed(width, race())
    assert all(len(line) <= width for line in lines)
    assert any("Searches without a result" in line for line in lines)
    if width >= 90:
        assert len(lines) < len(printed(60, race()))


def test_what_others_named_cannot_change_the_terminal() -> None:
    live = msgspec.structs.replace(live_race.busy_race(), name="[bold]Run[/]")
    assert "[bold]Run[/]" in "\n".join(printed(200, live))


def test_a_sparkline_is_as_high_as_its_numbers() -> None:
    assert sparkline([0, 1, 50, 100]) == "▁▂▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""


def test_the_last_numbers_stay_when_the_api_fails_and_why_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show_live, "answers", Console(width=100, force_terminal=True, color_system=None))
    asked = count()

    def ask() -> Any:
        if next(asked) == 1:
            raise Failed("The API is away.")
        return live_race.busy_race()

    waited = iter([None, None])

    def sleep(_: float) -> None:
        if next(waited, "enough") == "enough":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(ask, sleep)
    shown = capsys.readouterr().out
    assert "The API is away. The numbers are of 11:41." in shown
    assert shown.rindex("Ctrl-C ends it.") > shown.rindex("The API is away."), "it goes on by itself"


def test_what_has_not_changed_is_not_sent_again(told: live_race.Told, monkeypatch: pytest.MonkeyPatch) -> None:
    door = boto3.client("ssm").get_parameter(Name=naming.front_door_parameter(ENV))["Parameter"]["Value"]
    api = InsightApi(f"{door}/api/insight")
    codes: list[int] = []
    api._client.event_hooks["response"].append(lambda response: codes.append(response.status_code))
    assert api.realtime(RACE) == api.realtime(RACE) == told.live
    told.live = msgspec.structs.replace(told.live, active_visitors=185)
    assert api.realtime(RACE).active_visitors == 185
    assert codes == [200, 304, 200]


# --- what visitors did last -----------------------------------------------------------------------------


def test_kinds_are_those_of_the_api() -> None:
    assert set(visitors._KINDS) == {kind.__struct_config__.tag for kind in get_args(Event)}


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Records]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        configure()
        yield target.records_in("insight", EVENTS)


def test_what_visitors_did_last_is_told_the_newest_first_and_once(events: Records) -> None:
    minute = 29_000_000 * 60_000
    batches = [[fact(60 * at + each, minute + 60_000 * at + each) for each in range(60)] for at in range(3)]
    single = [[each] for each in batches[2]]
    keep(events, *batches[:2], *single, batches[2][:7])  # the last minute in many chunks, and some twice
    keep(events, [fact(999, minute + 300_000, "share")])
    newest = sorted((one for batch in batches for one in batch), key=lambda one: -one.at_ms)
    for most in (30, 62):  # some of the last minute, and some of the one before
        done = json.loads(snaprace("live", "--events", "search", "--most", str(most), "--json").stdout)
        assert [each["id"] for each in done] == [one.id.hex()[:6] for one in newest[:most]]
    assert done[0]["at"] == "2025-02-19T21:22:00.059+00:00"
    assert {len(each["visitor"]) for each in done} == {6}


def test_what_a_search_found_and_whether_a_robot_asked_is_told(events: Records) -> None:
    keep(events, [fact(1, 60_000 * 29_000_000, found=7, robot=True)])
    shown = snaprace("live", "--events", "search").stdout
    assert "42  found 7  robot" in shown
    assert "1 event, the newest first" in shown
    assert "No share was kept in the last day." in snaprace("live", "--events", "share").stdout
