"""Starts, finds and stops a runtime."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from deploy.place import DeploymentFailed
from local.aws import deployment
from local.runtime.description import ENVIRONMENT, HOME, Ports, Report, Running, RuntimeProblem, require_free
from local.runtime.folder import Folder
from local.runtime.processes import (
    STOP_SECONDS,
    Part,
    check,
    group_lives,
    signals_ignored,
    signals_raise,
    stop_parts,
    wait_for,
    within,
)
from shared.contracts import naming

_SYNTH_SECONDS = 180.0


class Runtime:
    """A runtime that this process started. Leaving the `with` block stops it."""

    def __init__(self, folder: Folder, running: Running) -> None:
        self.running = running
        self._folder = folder
        self._parts: list[Part] = []

    def check(self) -> None:
        """Raise RuntimeProblem when a part has ended. Call it now and then while waiting for something else."""
        check(self._parts)

    def wait(self) -> None:
        """Never returns: raises KeyboardInterrupt on Ctrl-C or SIGTERM, RuntimeProblem when a part ends."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything and wait for it, a few seconds at most; a second call does nothing."""
        with signals_ignored():
            in_order = stop_parts(self._parts)
            if self._parts and self.running.keep and self.running.ready and in_order:
                self._folder.mark_whole(self.running)
            self._parts = []
            self._folder.release()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(
        self, report: Report, assembly: Path | None, *, vision: bool, seen_by_functions: Mapping[str, str]
    ) -> None:
        self._folder.forget_dead_run()
        self._folder.write(self.running)
        require_free(self.running.ports, vision=vision)
        report(f"Starting the embedded AWS{' and the vision server' if vision else ''}")
        self._folder.prepare_data(self.running, report)
        self._start_parts(vision, seen_by_functions)
        self._write(parts={part.name: part.pid for part in self._parts})
        assembly = assembly or self._synthesized()
        wait_for(f"{self.running.aws_url}/_ministack/health", self._parts)
        report("Deploying the stacks")
        self._deploy(assembly)
        wait_for(f"{self.running.vision_url}/health", self._parts)
        wait_for(f"{self.running.front_door}/health", self._parts)
        self._write(ready=True)

    def _start_parts(self, vision: bool, seen_by_functions: Mapping[str, str]) -> None:
        data, ports = self._folder.data(self.running), self.running.ports
        environment = self.running.environment_within(os.environ)

        def start_part(name: str, *command: str, **others: str) -> None:
            log = self._folder.logs / f"{command[0].removeprefix('local.')}.log"
            # Kept at once, so that a failure at the next one leaves none unknown.
            self._parts.append(Part(name, command, environment | others, log))

        keep = ["--keep"] if self.running.keep else []
        # The functions' environment is that of the embedded AWS, which itself asks nobody.
        aws = ("local.aws", "--port", str(ports.aws), "--data", str(data / "aws"), *keep)
        start_part("The embedded AWS", *aws, **seen_by_functions)
        if vision:
            start_part("The vision server", "vision", "--data", str(data / "vision"), "--port", str(ports.vision))
        start_part("The front door", "local.door", "--port", str(ports.web), "--aws", self.running.aws_url)

    def _write(self, **news: Any) -> None:
        self.running = msgspec.structs.replace(self.running, **news)
        self._folder.write(self.running)

    def _synthesized(self) -> Path:
        """Run app.py as `cdk synth` would, without the CLI."""
        assembly = self._folder.assembly
        shutil.rmtree(assembly, ignore_errors=True)
        environment = self.running.environment_within(os.environ) | {"CDK_OUTDIR": str(assembly)}
        synthesis = Part("Synthesizing app.py", ["app.py"], environment, self._folder.logs / "synth.log")
        try:
            if synthesis.wait(_SYNTH_SECONDS) != 0:
                raise RuntimeProblem(f"app.py could not be synthesized: {synthesis.last_line()}")
        finally:
            with signals_ignored():
                stop_parts([synthesis])
        self.check()
        return assembly

    def _deploy(self, assembly: Path) -> None:
        """Deploy the stacks, and note where the front door is."""
        try:
            deployment.deploy(assembly, self.running.client)
        except DeploymentFailed as failure:
            raise RuntimeProblem(str(failure)) from failure
        except (BotoCoreError, ClientError) as error:
            self.check()
            raise RuntimeProblem(f"The embedded AWS could not take the stacks: {error}") from error
        door = {"Name": naming.front_door_parameter(ENVIRONMENT), "Value": self.running.front_door}
        self.running.client("ssm").put_parameter(**door, Type="String", Overwrite=True)


def start(
    home: Path = HOME,
    ports: Ports | None = None,
    report: Report = lambda _: None,
    *,
    keep: bool,
    assembly: Path | None = None,
    vision: bool = True,
    seen_by_functions: Mapping[str, str] | None = None,
) -> Runtime:
    """Start everything and return when photos can be uploaded. Raises RuntimeProblem.

    With `keep`, buckets, tables and faces of the last such run that ended in order are there again; without, it
    starts empty and leaves what was kept alone. `assembly` is a cdk.out to deploy; None synthesizes one. Without
    `vision`, somebody else already serves Rekognition's protocol (and /health) at its port. `seen_by_functions` are
    environment variables that are different for the functions.
    """
    signals_raise()
    folder = Folder(home)
    folder.acquire()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    runtime = Runtime(folder, Running(pid=os.getpid(), ports=ports or Ports(), started=started, keep=keep))
    try:
        runtime._start(report, assembly, vision=vision, seen_by_functions=seen_by_functions or {})
    except BaseException:
        runtime.stop()
        raise
    return runtime


def find(home: Path = HOME) -> Running | None:
    """What runs in this home (perhaps not `ready` yet), or None."""
    folder = Folder(home)
    return None if folder.is_free() else folder.read()


def stop(home: Path = HOME) -> Running | None:
    """End what runs in this home and wait until all of it has ended; None when nothing was running."""
    running = find(home)
    if running is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    if not within(STOP_SECONDS + 2, Folder(home).is_free):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
    within(STOP_SECONDS, lambda: not any(map(group_lives, running.parts.values())))
    return running
