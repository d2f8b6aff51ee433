"""The embedded AWS for integration tests: one for the session, with the product's own templates deployed to it."""

import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.aws import deployment
from local.runtime import CHECKOUT, Ports, Running
from tests.runtime.assemblies import with_code


def until(holds: Callable[[], Any], seconds: float = 20) -> Any:
    """What `holds` gives as soon as that is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := holds():
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds")


def answers(url: str) -> bool:
    try:
        # Without certificates, which take longer to read than the answer: it is http.
        return httpx.get(url, trust_env=False, verify=False).is_success  # noqa: S501
    except httpx.TransportError:
        return False


@contextmanager
def serving(command: list[str], environment: dict[str, str], url: str) -> Iterator[None]:
    """A part of the runtime alone, from when `url` answers until SIGTERM."""
    command = [sys.executable, "-m", "local.tether", *command]  # ends if pytest is killed
    process = subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | environment, stdin=subprocess.PIPE)
    try:
        until(lambda: process.poll() is not None or answers(url))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)


@contextmanager
def launched(data: Path, *options: str) -> Iterator[Running]:
    """The embedded AWS alone, empty; `options` are further ones of `python -m local.aws`."""
    running = Running(pid=os.getpid(), ports=Ports.free(), started="now", keep=False)
    command = ["local.aws", "--port", str(running.ports.aws), "--data", str(data), *options]
    with serving(command, running.environment(), f"{running.aws_url}/_ministack/health"):
        yield running


@pytest.fixture(scope="session")
def hurried(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's stacks, but that they wait for nothing: notes are delayed by a second, batches need not be full."""
    copy = tmp_path_factory.mktemp("hurried") / "cdk.out"
    with_code(assembly, copy, "shared/kit/queue.py", r"DelaySeconds=delay_s\b", "DelaySeconds=min(delay_s, 1)")
    for template in copy.glob("*.template.json"):
        template.write_text(re.sub(r'("MaximumBatchingWindowInSeconds": )\d+', r"\g<1>0", template.read_text()))
    return copy


Client = Callable[[str], Any]


@pytest.fixture(scope="session")
def embedded(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The product's stacks, deployed and checked. Tests share it: they leave what stands as it is."""
    with launched(tmp_path_factory.mktemp("aws")) as running:
        deployment.deploy(assembly, running.client)
        yield running


@pytest.fixture(scope="session")
def client(embedded: Running) -> Client:
    """Gives the boto3 client of a service of `embedded`."""
    return functools.cache(embedded.client)
