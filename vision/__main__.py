"""`python -m vision`: start the server."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from vision.server import CannotStart, Settings, serve

DEFAULT_PORT = 4567
WAITING_PER_WORKER = 16
"""Pictures that may wait for each worker: at 1 to 2 s a picture, the last is answered within half a minute."""


def main() -> int:
    """The exit code: 0 after a stop, 1 when the server could not start."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings(
        data=given.data,
        host=given.host,
        port=given.port,
        workers=given.workers,
        queue=given.queue or WAITING_PER_WORKER * given.workers,
    )
    try:
        serve(settings)
    except CannotStart as reason:
        print(reason, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vision",
        description="A server that speaks Amazon Rekognition's protocol: text, faces and face collections, on this "
        "machine alone. Point any AWS SDK at it with AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:PORT.",
        epilog="GET /health says when it is ready. Ctrl-C stops it. docs/vision.md says more.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that keeps the collections")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="N", help="(default %(default)s)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="H",
        help="address to listen on (default %(default)s: this machine only; requests are not authenticated)",
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=_cores(),
        metavar="N",
        help="processes that look at pictures, about 0.5 GB each (default: one for each core, here %(default)s)",
    )
    parser.add_argument(
        "--queue",
        type=_positive,
        metavar="N",
        help="pictures that may wait before others get a throttling error "
        f"(default: {WAITING_PER_WORKER} for each worker)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be a whole number of 1 or more")
    return number


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # at once: a thread may still be waiting for an answer of S3
