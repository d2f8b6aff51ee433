"""Invariant 9: what a function's role allows is what the function calls, no more and no less.

A race in which all kinds of things happen goes through the functions of all cards, also of a stage that is new: what
each asks of boto3 is held against its role in the template, by action, resource and condition.
"""

from __future__ import annotations

import base64
import functools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from services import cards
from services.insight.domain import feed
from services.insight.domain.facts import Fact
from shared.contracts import naming
from shared.contracts.api import Route
from shared.contracts.card import Function
from shared.contracts.events import Box, ImageRef
from shared.contracts.keys import processed_key
from shared.contracts.metrics import Measure
from shared.kit.telemetry import Telemetry
from tests.kit import events, iam, pictures, small_race
from tests.kit.events import RACE, raw_key, said
from tests.kit.iam import Allowance, Ask
from tests.kit.insight_collector import viewed
from tests.kit.lambdas import DERIVED, ENV, as_letter
from tests.kit.search_stage import request
from tests.kit.small_race import FIRST, GROUP, HIDDEN, PLAIN, photo
from tests.kit.wire import Made
from tests.kit.world import World, world
from tests.templates import templates
from tests.templates.templates import Template

FUNCTIONS = {f"{card.name}.{function.name}": function for card in cards() for function in card.functions}

# What a role allows that no code of ours calls: Lambda writes logs and traces, and polls the queue or stream; whoever
# gives messages up is Lambda, or a worker that failed.
_LAMBDAS_OWN = ("logs:", "xray:", "kinesis:", "sqs:")


# --- a race in which everything happens ---------------------------------------------------------------------


LATER = "2026-10-25T01:30:00Z"  # when the minutes of what happened are over
BEFORE_MS = 1_792_889_940_000  # the minute before the world begins
FACE = Box(left=0.05, top=0.2, width=0.06, height=0.09)  # of the first person in a photo of the small race


def tell(here: World, *happened: events.Happened) -> None:
    here.tell(*happened)
    here.run()


def hear(here: World, *heard: Any) -> None:
    here.hear(*(said(event, f"2026-10-25T03:00:{number:02}Z") for number, event in enumerate(heard)))
    here.run()


def uploads(here: World) -> None:
    """A photo before its race, then of each kind one; files of the race, good and bad, and another zone."""
    floating = pictures.jpeg(30, (96, 80), exif=pictures.exif(original="2026:10:25 09:00:00"))
    tell(here, photo(here, "waits.jpg", PLAIN, 1))
    tell(here, *small_race.race_files(here))
    tell(here, *small_race.photos(here), here.upload(raw_key("floating.jpg"), floating))
    tell(here, photo(here, "copy.jpg", PLAIN, 1))
    tell(here, here.upload(raw_key("bad.jpg"), b"no picture"), here.upload(raw_key("day1/a.jpg"), b"misplaced"))
    settings = {**small_race.SETTINGS, "timezone": "Europe/Paris"}
    tell(here, here.upload(f"{RACE.prefix}race.json", json.dumps(settings).encode()))
    tell(
        here,
        here.upload(f"{RACE.prefix}race.json", b"{"),
        small_race.roster(here, "bib,name\n11,Kim\n22,Lee\n33,Park\n"),
        small_race.roster(here, "name\nKim\n"),
    )


def changes(here: World) -> None:
    """Keys are overwritten, deleted and restored; a bucket without versions is heard of; rosters change again."""
    tell(here, photo(here, "over.jpg", FIRST, 11))
    tell(here, photo(here, "over.jpg", GROUP, 12), here.delete(raw_key("hidden.jpg")))
    tell(here, photo(here, "hidden.jpg", HIDDEN, 3))
    for key in (raw_key("plain.jpg"), f"{RACE.prefix}roster.csv"):
        unversioned = here.upload(key, b"bib\n11\n22\n")
        del unversioned["detail"]["object"]["version-id"]
        tell(here, unversioned)


def organizers_words(here: World) -> None:
    """Corrections and a cut; faces are switched off, and on again."""
    one, other, *_ = ids(here)
    hear(
        here,
        events.corrected(one, "22"),
        events.corrected(one, "11", here=False),
        events.match_cut((one, FACE), (other, FACE)),
    )
    for faces in (False, True):
        tell(here, here.upload(f"{RACE.prefix}race.json", json.dumps({**small_race.SETTINGS, "faces": faces}).encode()))
    settings = {**small_race.SETTINGS, "originals": True}
    tell(here, here.upload(f"{RACE.prefix}race.json", json.dumps(settings).encode()))


def ids(here: World) -> list[str]:
    """The photos that can be found."""
    return sorted(shown["photo_id"] for shown in here.state()["shown"][str(RACE)]["all"])


def gone(here: World) -> None:
    """A photo is heard of when its pictures are deleted already."""
    photo = f"{9:032x}"
    key = processed_key(RACE, photo)
    hear(here, events.ingested(photo, 1, processed=ImageRef(bucket=DERIVED, key=key, width=96, height=80)))


def questions(here: World) -> None:
    """Every route of every API, with what it must be asked and with all that it may."""
    selfie = small_race.picture(1)
    here.paint_selfie(selfie, "kim")
    known: dict[str, Any] = {**RACE._asdict(), "photo_id": ids(here)[0], "bib": "11", "file": "app.js", "limit": 2}
    known |= {"from": "2026-10-25", "to": "2026-10-26", "bucket": "hour", "events": [viewed()]}
    known["image_b64"] = base64.b64encode(selfie).decode()
    for name, function in FUNCTIONS.items():
        for route in function.routes:
            for required in (True, False):
                answer = here.call(name, question(route, known, required))
                assert answer["statusCode"] < 400, (
                    f"{route.path}: say in `known` what else it is asked ({answer['body']})"
                )
                if route.name == "selfie":  # its answer is what the next route takes
                    known["face"] = json.loads(answer["body"])["face"]


def late_visitors(here: World) -> None:
    """What visitors did is heard of when later minutes are worked out already."""
    here.tick(at=LATER)
    fact = Fact(id=b"late" * 2, at_ms=BEFORE_MS, kind="page_view", visitor=b"visitor.", subject="gallery")
    assert here.deliver("insight.aggregate", *map(as_letter, feed.encode(RACE, [fact]))) == []
    here.tick(at=LATER)


def question(route: Route, known: dict[str, Any], only_required: bool) -> dict[str, Any]:
    wanted = [each for each in route.arguments if each.key in known and (each.required or not only_required)]
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in wanted:
        parts[each.source][each.key] = known[each.key] if each.source == "body" else str(known[each.key])
    body = json.dumps(parts["body"]) if route.method in ("POST", "PUT") else None
    return request(route.path, method=route.method, path=parts["path"] or None, query=parts["query"], body=body)


class Seen(NamedTuple):
    """What was seen of each function: what it asked for, and what it measured."""

    asked: dict[str, set[Ask]]
    measured: dict[str, set[Measure]]


@functools.cache
def seen() -> Seen:
    """What the functions did in that race."""
    found: dict[str, set[Ask]] = defaultdict(set)
    measured: dict[str, set[Measure]] = defaultdict(set)
    measure = Telemetry.measure

    def overlook(telemetry: Telemetry, what: Measure, *more: Any, **named: Any) -> None:
        measured[telemetry.logger.service].add(what)
        measure(telemetry, what, *more, **named)

    def overhear(made: Made, asked: dict[str, Any]) -> None:
        found[made.function] |= iam.asks(made.service, made.operation, asked)

    with world() as here, mock.patch.object(Telemetry, "measure", overlook):
        here.wire.overhear = overhear
        # Asked twice: by then there is something of the visitors who asked before.
        for happens in (uploads, changes, organizers_words, questions, questions, late_visitors, gone):
            happens(here)
            here.run()
            assert here.dead_letters == []
        here.tick(at=LATER)
        tell(here, *(here.delete(raw_key(name)) for name in ("twice.jpg", "group.jpg")))
        assert here.dead_letters == []
    return Seen(found, measured)


@pytest.fixture(scope="module")
def dev(assembly: Path) -> dict[str, Template]:
    """The templates of dev by stack."""
    return templates.read(assembly, ENV)


def role_of(name: str, dev: dict[str, Template]) -> list[Allowance]:
    """What the function's role allows."""
    stage, _, function = name.partition(".")
    return iam.allowances(dev[stage], naming.function(ENV, stage, function))


def is_lambdas_own(allowance: Allowance, function: Function) -> bool:
    """Whether it is Lambda that does this in the function's name."""
    called = {action for call in function.calls for action in call.actions}
    by_lambda = allowance.action not in called and allowance.action.startswith(_LAMBDAS_OWN)
    return by_lambda or allowance.resource.endswith("-dlq")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_its_role_allows_what_it_calls(dev: dict[str, Template], name: str) -> None:
    # Mutation: an action or a resource less on a card; another stage's table; an event that the card does not say.
    allowed = role_of(name, dev)
    refused = {ask for ask in seen().asked[name] if not any(allowance.covers(ask) for allowance in allowed)}
    assert refused == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_its_role_allows_nothing_that_it_does_not_call(dev: dict[str, Template], name: str) -> None:
    # Mutation: an action, a resource or an event more on a card.
    allowed = [each for each in role_of(name, dev) if not is_lambdas_own(each, FUNCTIONS[name])]
    unused = {way for allowance in allowed for way in allowance.ways}
    for allowance in allowed:
        for ask in filter(allowance.covers, seen().asked[name]):
            unused -= allowance.used(ask)
    assert unused == set()


def test_just_those_write_to_themselves_whose_cards_say_so() -> None:
    """Lambda is told by the card which loops are meant, and stops any other after some 16 rounds."""
    # Mutation: a function that sends to its queue and lists no note, or one that lists notes and sends none.
    sending = {name for name, asked in seen().asked.items() if "sqs:SendMessage" in {ask.action for ask in asked}}
    assert sending == {name for name, function in FUNCTIONS.items() if function.writes_to_itself}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_card_names_what_is_measured_and_nothing_else(name: str) -> None:
    assert seen().measured[name] == set(FUNCTIONS[name].measures)
