"""A function's live code, run here and on another table than the function's own.

Lambda gives out what it runs: the package and the settings of the version that is live. A process of this machine runs
that with the credentials of whoever asks, so the function itself, its queue and its table have no part in it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.card import Function, Queue
from shared.contracts.environment import DEAD_LETTERS

_PROCESS = Path(__file__).with_name("lambda_process.py")
_NOWHERE = "none"


def keeps_alone(function: Function) -> bool:
    """Whether a function hears messages and does nothing with them but to keep them in its stage's table.

    Another one writes pictures, collections or events, which would be the environment's own also in a drill.
    """
    return isinstance(function.fed_by, Queue) and all(call.on == "table" for call in function.calls)


class LiveFunction:
    """A function's process; see `running`."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    def hear(self, bodies: Sequence[str]) -> None:
        """Have the function handle messages with these bodies, as a batch of its queue. Raises Failed."""
        records = [_record(body) for body in bodies]
        answer = self._answer({"Records": records})
        failed = (answer.get("answer") or {}).get("batchItemFailures", [])
        if "error" in answer or failed:
            why = answer.get("error") or f"{len(failed)} of {len(records)} messages failed"
            raise Failed(f"{self._name} could not be run on the restored table: {why}. {self._last_words()}")

    def _answer(self, event: dict[str, Any]) -> dict[str, Any]:
        told, answers = self._process.stdin, self._process.stdout
        assert told is not None  # noqa: S101 - both are pipes
        assert answers is not None  # noqa: S101
        try:
            told.write(json.dumps(event) + "\n")
            told.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        return answer

    def _last_words(self) -> str:
        written = self._log.read_text(errors="replace").strip().splitlines()
        return f"Its log ends: {written[-1][:500]}" if written else ""


@contextmanager
def running(target: Target, stage: str, function: Function, table: str) -> Iterator[LiveFunction]:
    """The function's live code in a process of its own, which works with `table`. Raises Failed for other functions."""
    name = naming.function(target.env, stage, function.name)
    if not keeps_alone(function):
        raise Failed(f"{name} does more than to keep what it hears, so it is not run on a restored table.")
    found = target.client("lambda").get_function(FunctionName=name, Qualifier=naming.LIVE)
    with tempfile.TemporaryDirectory(prefix="snaprace-live-") as folder:
        package, log = Path(folder) / "package", Path(folder) / "log"
        _unpack(found["Code"]["Location"], package)
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_PROCESS), found["Configuration"]["Handler"]],
                cwd=package,
                env=_environment(target, found["Configuration"], package, table),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            try:
                yield LiveFunction(name, process, log)
            finally:
                process.terminate()
                process.wait()


def _unpack(url: str, package: Path) -> None:
    local = url.startswith("http://127.0.0.1")
    content = httpx.get(url, timeout=60, trust_env=not local).raise_for_status().content
    zipfile.ZipFile(io.BytesIO(content)).extractall(package)


def _environment(target: Target, settings: dict[str, Any], package: Path, table: str) -> dict[str, str]:
    """The function's own variables; but it has another table, and neither a bus nor queues."""
    variables = {name: value for name, value in settings["Environment"]["Variables"].items() if name != DEAD_LETTERS}
    variables.pop("QUEUE_URL", None)
    return {
        **os.environ,
        **(target.local.environment() if target.local else {}),
        **variables,
        "TABLE_NAME": table,
        "BUS_NAME": _NOWHERE,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_LAMBDA_FUNCTION_NAME": settings["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": settings["Version"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings["MemorySize"]),
        "SNAPRACE_TIMEOUT_S": str(settings["Timeout"]),
        "PYTHONPATH": str(package),
    }


def _record(body: str) -> dict[str, Any]:
    """A message as a mapping gives it to a function, received for the first time."""
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": _NOWHERE,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": _NOWHERE,
    }
