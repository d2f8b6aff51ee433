"""A client of Rekognition keeps what our vision server says beyond it, and lives without."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.kit.aws import client
from shared.kit.extension import EXTENSION, extension_of

WORD = {"DetectedText": "376", "Type": "WORD", "Id": 1}


@contextmanager
def _answering(status: int, answer: Mapping[str, Any]) -> Iterator[str]:
    """A server that gives every request this answer; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def _detected(status: int, answer: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    with _answering(status, answer) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", address)
        return client("rekognition").detect_text(Image={"Bytes": b"picture"})


def test_it_keeps_what_is_said_beyond_rekognition(monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = {"Words": {"1": {"Cut": ["END"]}}}
    answer = _detected(200, {"TextDetections": [WORD], EXTENSION: beyond}, monkeypatch)
    assert extension_of(answer) == beyond
    assert answer["TextDetections"] == [WORD]


def test_rekognition_says_nothing_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _detected(200, {"TextDetections": [WORD]}, monkeypatch)
    assert extension_of(answer) == {}


def test_an_error_stays_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClientError, match="ImageTooLargeException"):
        _detected(400, {"__type": "ImageTooLargeException", "Message": "Too large."}, monkeypatch)
