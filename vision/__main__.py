"""`python -m vision`: start the server."""

from __future__ import annotations

import argparse
import logging
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from vision.collections.sqlite import CannotOpen
from vision.engine.hardware import HARDWARE, Hardware, hardware_named
from vision.front.operations import OPERATIONS
from vision.front.quotas import REGIONS
from vision.front.server import Settings
from vision.front.signatures import keys_in
from vision.front.start import CannotStart, serve

DEFAULT_PORT = 4567
WAITING_PER_WORKER = 16
"""Pictures that may wait for each worker: at 1 to 2 s a picture, the last is answered within half a minute."""


KEYS_VARIABLE = "VISION_KEYS"
"""May hold what a file of --keys holds, for where a secret is easier given as a variable."""
EMBEDDER_VARIABLE = "VISION_EMBEDDER"
"""May say what --embedder says, for where another program starts the server."""
CALLED_VARIABLE = "VISION_CALLED_AS"
"""How whoever starts this program calls it, for help and errors."""


def main() -> int:
    """The exit code: 0 after a stop, 1 when the server could not start, 2 for options that make no sense."""
    os.umask(0o077)  # collections hold faces: nobody else on this machine is to read them
    given = parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        serve(
            Settings(
                data=given.data,
                host=given.host,
                port=given.port,
                workers=given.workers,
                queue=given.queue or WAITING_PER_WORKER * given.workers,
                rates=(REGIONS[given.quotas] if given.quotas else {}) | dict(given.rate),
                keys=_keys(given.keys, given.unsigned),
                unsigned=given.unsigned,
                hosts=frozenset(given.allowed_host),
                embedder=given.embedder,
            )
        )
    except (CannotStart, CannotOpen) as reason:
        print(reason, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _Parser(
        prog=os.environ.get(CALLED_VARIABLE, "python -m vision"),
        allow_abbrev=False,
        description="A server that speaks Amazon Rekognition's protocol: text, faces and face collections, on this "
        "machine alone. Point any AWS SDK at it with AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:PORT.",
        epilog="GET /health says when it is ready. Ctrl-C stops it. docs/vision.md says more.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that keeps the collections")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, metavar="N", help="(default %(default)s)")
    _add_who_may_ask(parser)
    parser.add_argument(
        "--embedder",
        type=_hardware,
        default=os.environ.get(EMBEDDER_VARIABLE) or None,
        metavar="HARDWARE",
        help=f"what tells faces apart: {', '.join(HARDWARE)}; the variable {EMBEDDER_VARIABLE} may say it instead "
        "(default: the first of them that works here)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        action="append",
        default=[],
        metavar="OPERATION=N",
        help="at most N calls of the operation a second, further ones get ProvisionedThroughputExceededException; "
        "may be given for several operations (default: as many as the queue takes)",
    )
    parser.add_argument(
        "--quotas",
        choices=REGIONS,
        metavar="REGION",
        help=f"the rates that AWS allows by default in a region: {', '.join(REGIONS)}; --rate changes some of them",
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


def _add_who_may_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="H",
        help="address to listen on (default %(default)s: this machine only); any other needs --keys or --unsigned",
    )
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="answer only requests that are signed (SigV4) with one of these keys: lines of ACCESS_KEY_ID SECRET; "
        f"the variable {KEYS_VARIABLE} may hold such lines instead",
    )
    access.add_argument(
        "--unsigned", action="store_true", help="answer everyone, also when other machines can send requests"
    )
    parser.add_argument(
        "--allowed-host",
        type=_host,
        action="append",
        default=[],
        metavar="NAME",
        help="name by which clients ask, for the header Host; may be given several times (default: those of this "
        "machine, or any name with a --host that is open to others)",
    )


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, without the list of all options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _keys(file: Path | None, unsigned: bool) -> Mapping[str, str] | None:
    """The keys of the file or the variable, which the workers then do not inherit. Raises CannotStart."""
    variable = os.environ.pop(KEYS_VARIABLE, None)
    if variable is not None and unsigned:
        raise CannotStart(f"{KEYS_VARIABLE} asks for signed requests and --unsigned for none; leave one of them out.")
    try:
        if file is not None:
            if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH):
                print(  # noqa: T201
                    f"Other users of this machine can read the keys; hide them with: chmod 600 {file}", file=sys.stderr
                )
            return keys_in(file.read_text().splitlines())
        return None if variable is None else keys_in(variable.splitlines())
    except OSError as error:
        raise CannotStart(f"Cannot read the keys in {file} ({error.strerror}); give another --keys.") from error
    except ValueError as error:
        raise CannotStart(f"Cannot use the keys in {file or KEYS_VARIABLE}: {error}.") from error


def _rate(text: str) -> tuple[str, float]:
    operation, _, number = text.partition("=")
    if operation not in OPERATIONS:
        raise argparse.ArgumentTypeError(f"{operation!r} is no operation of this server: {', '.join(OPERATIONS)}")
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", number, re.ASCII) or float(number) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no rate; write it as {operation}=5")
    return operation, float(number)


def _hardware(text: str) -> Hardware:
    try:
        return hardware_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a host; write it without scheme, port and path")
    return text.lower()


def _port(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a whole number from 0 (any free port) to 65535")
    return int(text)


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 6 else 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 99999")
    return number


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # at once: a thread may still be waiting for an answer of S3
