"""The stage's functions as Lambda would call them, in this process, against the embedded AWS of a runtime."""

from __future__ import annotations

import io
import os
import types
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from unittest import mock

from local.runtime import Running
from ops.reach.target import of_runtime
from services.insight.stage import STAGE
from shared.contracts import naming
from shared.contracts.environment import Environment

CONTEXT = types.SimpleNamespace(
    aws_request_id="bench",
    function_name="bench",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:bench",
    get_remaining_time_in_millis=lambda: 60_000,
)


@contextmanager
def surroundings(running: Running) -> Iterator[None]:
    """What a function of the stage has around it. What it logs is thrown away, as it costs nothing on AWS either."""
    target = of_runtime(running)
    told = Environment(
        snaprace_env=target.env,
        bus_name=naming.bus(target.env),
        photo_bucket=target.photo_bucket,
        derived_bucket=target.derived_bucket,
        table_name=target.table(STAGE.name).name,
        queue_url="http://unused",
        dead_letter_queue_url="http://unused",
    )
    around = running.environment_within(os.environ) | told.variables()
    with mock.patch.dict(os.environ, around, clear=True), redirect_stdout(io.StringIO()):
        yield
