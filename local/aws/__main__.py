"""Serves the embedded AWS.

    python -m local.aws --port 4566 --data DIR [--keep] [--deploying] [--door-port 8080] [--all-batches]
                        [--minute-seconds 60]

Serves programs on 127.0.0.1 until SIGTERM, and pages of the front door at --door-port (see local/gate). With --keep,
what was kept in DIR is there again, and all that changes is kept there. With --deploying it serves nobody but a
deployment until it is opened (see local/aws/kept/requests.py). The environment it is started with is the environment of
every Lambda handler, so AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_REKOGNITION belong there. What remains different from AWS
is listed in local/aws/limits.py.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local import gate
from local.aws import (
    backups,
    cloudformation,
    deliveries,
    events,
    expressions,
    kept,
    packages,
    ranges,
    recursion,
    restores,
    turns,
    workers,
)
from local.aws.cloudwatch import installed
from local.aws.cloudwatch.clock import MINUTE, Clock
from local.aws.kept import requests
from local.aws.kept.journal import NotKept, UnknownFormat
from local.aws.metrics import told

HOST = "127.0.0.1"
MOST_BYTES = 256 * 1024 * 1024
"""Of a request's body, which is held in memory. SDKs send large files to S3 in parts of a few megabytes."""


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.aws", description="The embedded AWS.")
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--data", type=Path, required=True, help="folder of the state")
    parser.add_argument("--keep", action="store_true", help="take up what was kept, and keep all that changes")
    parser.add_argument("--deploying", action="store_true", help="serve a deployment alone until opened")
    parser.add_argument("--all-batches", action="store_true", help="work on as many batches at once as a mapping says")
    parser.add_argument("--door-port", type=int, default=8080, help="port of the front door, whose pages may ask")
    parser.add_argument(
        "--minute-seconds", type=float, default=MINUTE, help="how long a minute of metrics and alarms takes, for tests"
    )
    arguments = parser.parse_args()
    _configure(arguments.port, arguments.data.resolve())
    file = arguments.data.resolve() / kept.FILE if arguments.keep else None
    deliveries.receive_as_aws_does()
    recursion.detect_loops()
    try:
        journal = kept.Journal(file, deploying=arguments.deploying)
        kept.keep(journal)
    except (NotKept, UnknownFormat) as problem:
        sys.exit(f"What is kept cannot be used: {problem}")
    cloudformation.register_missing_types()
    expressions.read_each_once()
    backups.back_up_as_aws_does()
    packages.give_out_by_signed_link(f"http://{HOST}:{arguments.port}")
    restores.remember()
    events.deliver_as_aws_does()
    events.archive_uploads()
    workers.honour_batching_windows()
    workers.reserve_for_all_versions()
    processors = max(2, os.cpu_count() or 1)
    if not arguments.all_batches:
        workers.bound_workers(processors)
    turns.bound_requests(2 * processors)
    workers.wait_for_late_logs()
    ranges.look_only_where_asked()
    cloudwatch = installed.CloudWatch(Clock(arguments.minute_seconds))
    alarms = installed.install(cloudwatch, told.measure(cloudwatch))
    installed.start(alarms, held=lambda: journal.deploying)
    with tempfile.TemporaryDirectory(prefix="layers-") as layers:
        workers.unpack_each_layer_once(Path(layers))
        asyncio.run(_serve(arguments.port, arguments.door_port, journal))


def _configure(port: int, data: Path) -> None:
    """Set the environment variables that configure ministack; it reads them when it is imported."""
    temporary = data / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "PERSIST_STATE": "0",  # it would save at an orderly end only
        "STATE_DIR": str(data / "emulator"),
        "S3_PERSIST": "1",  # objects on disk, not in memory
        "S3_DATA_DIR": str(data / "s3"),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",  # a throttled batch would count as a delivery
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # for the handlers
        "AWS_EMF_ENVIRONMENT": "Lambda",
        "TMPDIR": str(temporary),
    }
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    tempfile.tempdir = str(temporary)


async def _serve(port: int, door_port: int, journal: kept.Journal) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    async def tidy_app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        """The application, told to shut down only after its Lambda workers have ended."""

        async def receive_and_tidy() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                journal.close()  # so that what the workers' end cuts off counts as never begun
                await asyncio.to_thread(workers.end_workers)
            return message

        await app(scope, receive_and_tidy if scope["type"] == "lifespan" else receive, send)

    committing = asyncio.create_task(requests.commit_now_and_then(journal))
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = os.environ["LOG_LEVEL"]
    logging.getLogger("hypercorn.error").setLevel(os.environ["LOG_LEVEL"])
    rules = gate.embedded_aws(port, door_port, requests.OWN_ADDRESSES)
    kept_app = requests.served_when_kept(tidy_app, journal)
    await serve(gate.Gate(kept_app, rules, gate.origins(door_port), MOST_BYTES), config)
    committing.cancel()


if __name__ == "__main__":
    main()
