"""What the command reaches in an environment is named as the cards have it."""

from __future__ import annotations

import dataclasses

import boto3
import pytest

from ops.reach import target
from ops.reach.cards import card_of
from ops.reach.target import Target
from shared.contracts import naming


@pytest.mark.parametrize("generation", [1, 2])
def test_a_stages_records_are_read_from_the_generation_that_its_card_names(
    generation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "card_of", lambda stage: dataclasses.replace(card_of(stage), generation=generation))
    reached = Target(env="prod", account="1", where="", session=boto3.Session(region_name="eu-west-1"))
    assert reached.records("ocr").name == naming.table("prod", "ocr", generation)
