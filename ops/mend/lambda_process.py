"""What a process does that runs a function's code as Lambda does: it is started by ops/mend/live_function.py.

    python -P lambda_process.py HANDLER < events > answers

Reads an event a line and answers with a line each: {"answer": …}, or {"error": …}. The code is found where PYTHONPATH
begins, and nothing here imports ours.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import uuid
from pathlib import Path
from typing import Any


class Context:
    """What Lambda tells of an invocation. Source: Lambda Developer Guide, "Using the Lambda context object"."""

    def __init__(self) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn = self.function_name
        self.memory_limit_in_mb = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
        self.aws_request_id = str(uuid.uuid4())
        self._ends = time.monotonic() + float(os.environ["SNAPRACE_TIMEOUT_S"])

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda would end the invocation."""
        return max(0, int(1000 * (self._ends - time.monotonic())))


def main(handler_name: str) -> None:
    """Answer events until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the function prints, as its metrics, is no answer
    module_name, _, name = handler_name.rpartition(".")
    module = importlib.import_module(module_name)
    package = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    if not Path(str(module.__file__)).is_relative_to(package):
        sys.exit(f"{module_name} was imported from {module.__file__}, not from the function's package.")
    handler = getattr(module, name)
    for line in sys.stdin:
        print(json.dumps(_answer(handler, json.loads(line))), file=answers, flush=True)


def _answer(handler: Any, event: Any) -> dict[str, Any]:
    try:
        return {"answer": handler(event, Context())}
    except Exception as error:  # noqa: BLE001 - who asked is told, as by Lambda
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main(sys.argv[1])
