"""A runtime in a process of its own, which stays when the one that started it ends: `python -m local.runtime ORDER`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from local.aws.cloudwatch.clock import MINUTE
from local.runtime.description import CHECKOUT, HOME, Ports, Report, Running, RuntimeProblem
from local.runtime.folder import Folder
from local.runtime.lifecycle import start


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor is to run: the arguments of `start`."""

    home: str
    ports: Ports
    keep: bool
    like_aws: str = ""
    assembly: str | None
    vision: bool = True
    seen_by_functions: dict[str, str] = {}
    minute_s: float = MINUTE


class _Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line on the supervisor's standard output."""

    text: str = ""
    running: Running | None = None
    problem: str | None = None


def start_detached(
    home: Path = HOME,
    ports: Ports | None = None,
    report: Report = lambda _: None,
    *,
    keep: bool,
    like_aws: str = "",
    assembly: Path | None = None,
    vision: bool = True,
    seen_by_functions: Mapping[str, str] | None = None,
    minute_s: float = MINUTE,
) -> Running:
    """Like `start`, in a process of its own that stays when this one ends; stop it with `stop(home)`."""
    order = Order(
        home=str(home.resolve()),
        ports=ports or Ports(),
        keep=keep,
        like_aws=like_aws,
        assembly=str(assembly) if assembly else None,
        vision=vision,
        seen_by_functions=dict(seen_by_functions or {}),
        minute_s=minute_s,
    )
    logs = Folder(home).logs
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "runtime.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local.runtime", msgspec.json.encode(order).decode()],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert supervisor.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in supervisor.stdout:
            match msgspec.json.decode(line, type=_Said):
                case _Said(problem=str() as problem):
                    raise RuntimeProblem(problem)
                case _Said(running=Running() as running):
                    return running
                case _Said(text=text):
                    report(text)
        raise RuntimeProblem(f"The runtime could not be started; {logs / 'runtime.log'} may say why.")
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def supervise(order: Order) -> int:
    """Run what was ordered until a signal; what happens is said on standard output. Returns the exit code."""

    def say(said: _Said) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever asked may have gone
            os.write(1, msgspec.json.encode(said) + b"\n")

    try:
        with start(
            Path(order.home),
            order.ports,
            lambda text: say(_Said(text=text)),
            keep=order.keep,
            like_aws=order.like_aws,
            assembly=Path(order.assembly) if order.assembly else None,
            vision=order.vision,
            seen_by_functions=order.seen_by_functions,
            minute_s=order.minute_s,
        ) as runtime:
            say(_Said(running=runtime.running))
            runtime.wait()
    except RuntimeProblem as problem:
        say(_Said(problem=str(problem)))
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0
