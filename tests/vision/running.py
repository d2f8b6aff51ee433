"""A vision server in a process of its own, and real boto3 clients for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.session import get_session
from botocore.validate import ParamValidator

from vision.front.protocol import EXTENSION

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0

_model = get_session().get_service_model("rekognition")


class Server:
    """`python -m vision` on a free port, keeping its collections in `data`."""

    def __init__(
        self, data: Path, *options: str, environment: dict[str, str] | None = None, ready: bool = True
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vision", "--data", str(data), "--port", str(self.port), *options],
            cwd=ROOT,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", **(environment or {})},
        )
        self.until_ready(workers=int(ready))

    def until_ready(self, workers: int = 1) -> None:
        """Wait until so many workers are ready."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended"
            if self.health().get("workers_ready", -1) >= workers:
                return
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready after {START_SECONDS} s: {self.health()}")

    def health(self) -> dict[str, Any]:
        """What GET /health says; empty when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except OSError:
            return {}

    def client(self, key: str = "test", secret: str = "test", token: str | None = None, **config: Any) -> Any:  # noqa: S107 - opens nothing
        """A boto3 client that does not retry, and that checks each answer against botocore's service model."""
        client = boto3.client(
            "rekognition",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**{"retries": {"total_max_attempts": 1}, "read_timeout": 120, "proxies": {}, **config}),
        )
        client.meta.events.register("before-parse.rekognition.*", _check_answer)
        return client

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        listed = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Whether the process runs."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def _check_answer(event_name: str, operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """The body as sent: only fields of the model, with the model's types, and what we say beyond it."""
    body = json.loads(response_dict["body"])
    body.pop(EXTENSION, None)
    if response_dict["status_code"] >= 300:
        assert set(body) == {"__type", "Code", "Message"}
        assert body["Message"]
        return
    report = ParamValidator().validate(body, operation_model.output_shape)
    assert not report.has_errors(), f"{operation_model.name}: {report.generate_report()}"
    unknown = sorted(_unknown(operation_model.output_shape, body))
    assert not unknown, f"{operation_model.name} answers fields that the model does not know: {unknown}"


def _unknown(shape: Any, value: Any) -> set[str]:
    if shape.type_name == "structure":
        inner = [_unknown(shape.members[name], value[name]) for name in value if name in shape.members]
        return set(value) - set(shape.members) | set().union(*inner)
    if shape.type_name == "list":
        return set().union(*(_unknown(shape.member, item) for item in value))
    return set()
