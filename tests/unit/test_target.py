"""What the command reaches in an environment is named as the cards and cdk.json have it."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from local.runtime import Ports, Running
from ops.reach import generations, target
from ops.reach.target import Target

RUNNING = Running(pid=1, ports=Ports(aws=4_601, vision=4_602, web=4_603), started="", keep=False)


def test_a_stages_table_is_of_the_generation_that_cdk_json_names_for_aws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "cdk.json"
    file.write_text('{"context": {"environments": {"dev": {"generations": {"ocr": 2}}, "prod": {}}}}')
    monkeypatch.setattr(generations, "FILE", file)

    def name(env: str, stage: str) -> str:
        reached = Target(env=env, account="1", where="AWS", session=boto3.Session(region_name="eu-west-1"))
        return reached.records(stage).name

    assert name("dev", "ocr") == "snaprace-dev-ocr-2"
    assert (name("dev", "faces"), name("prod", "ocr")) == ("snaprace-dev-faces", "snaprace-prod-ocr")
    assert target.of_runtime(RUNNING).records("ocr").name == "snaprace-dev-ocr"


def test_the_runtime_answers_for_rekognition_at_an_address_of_its_own() -> None:
    reached = target.of_runtime(RUNNING)
    assert reached.client("rekognition").meta.endpoint_url == RUNNING.vision_url
    assert reached.client("s3").meta.endpoint_url == RUNNING.aws_url
