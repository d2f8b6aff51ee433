"""A client of Rekognition keeps what our vision server says beyond it, and lives without."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bench.rekognition import Answer, serving
from shared.kit.aws import client
from shared.kit.extension import EXTENSION, extension_of
from tests.vision.running import free_port

WORD = {"DetectedText": "376", "Type": "WORD", "Id": 1}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


class ImageTooLargeException(Exception):
    pass


def _detected(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Any:
    port = free_port()
    with serving(port, answer):
        monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", f"http://127.0.0.1:{port}")
        return client("rekognition").detect_text(Image={"Bytes": b"picture"})


def test_it_keeps_what_is_said_beyond_rekognition(monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = {"Words": {"1": {"Cut": ["END"]}}}
    answer = _detected(lambda *_: {"TextDetections": [WORD], EXTENSION: beyond}, monkeypatch)
    assert extension_of(answer) == beyond
    assert answer["TextDetections"] == [WORD]


def test_rekognition_says_nothing_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _detected(lambda *_: {"TextDetections": [WORD]}, monkeypatch)
    assert extension_of(answer) == {}


def test_an_error_stays_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ImageTooLargeException

    with pytest.raises(ClientError, match="ImageTooLargeException"):
        _detected(refuse, monkeypatch)
