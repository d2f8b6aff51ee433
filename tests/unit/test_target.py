"""What the command reaches in an environment is named as the cards have it."""

from __future__ import annotations

import dataclasses

import boto3
import pytest

from local.runtime import Ports, Running
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


def test_the_runtime_answers_for_rekognition_at_an_address_of_its_own() -> None:
    running = Running(pid=1, ports=Ports(aws=4_601, vision=4_602, web=4_603), started="", keep=False)
    reached = target.of_runtime(running)
    assert reached.client("rekognition").meta.endpoint_url == running.vision_url
    assert reached.client("s3").meta.endpoint_url == running.aws_url
