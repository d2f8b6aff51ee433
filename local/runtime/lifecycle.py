"""Starts, finds and stops a runtime."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from deploy.place import DeploymentFailed
from local.aws import clients, deployment
from local.aws.cloudwatch.clock import MINUTE
from local.aws.kept.requests import HEALTH_PATH, OPEN_PATH
from local.runtime.description import ENVIRONMENT, HOME, Ports, Report, Running, RuntimeProblem, require_free
from local.runtime.folder import Folder
from local.runtime.pages import with_large_pages
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
from local.runtime.supervision import Supervision
from local.runtime.synthesis import synthesized, with_quotas_of
from shared.contracts import naming

AWS, VISION, DOOR = "The embedded AWS", "The vision server", "The front door"

_BACK_SECONDS = 120.0

RESTARTABLE = {"vision": VISION, "door": DOOR}
"""Parts that can be started anew by themselves, by short names. The embedded AWS takes the others with it."""


class Runtime:
    """A runtime that this process started. Leaving the `with` block stops it."""

    def __init__(self, folder: Folder, running: Running, minute_s: float = MINUTE) -> None:
        self.running = running
        self._minute_s = minute_s
        self._folder = folder
        self._parts: list[Part] = []
        self._supervision: Supervision | None = None
        self._assembly: Path | None = None

    def check(self) -> None:
        """Raise RuntimeProblem when a part cannot be kept running. Call it while waiting for something else."""
        if self._supervision:
            self._supervision.check()
        else:
            check(self._parts)

    def wait(self) -> None:
        """Never returns: raises KeyboardInterrupt on Ctrl-C or SIGTERM, RuntimeProblem when a part cannot be kept."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything and wait for it; a second call does nothing."""
        with signals_ignored():
            if self._supervision:
                self._supervision.end()
                self._supervision = None
            stop_parts(self._parts)
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
        environment = self.running.environment_within(os.environ) | with_quotas_of(self.running.like_aws)
        self._assembly = assembly or synthesized(self._folder, environment, self.check)
        report("Deploying the stacks")
        for part in self._parts:
            self._make_ready(part)
        self._supervision = Supervision(self._parts, self._ready_again)
        self._write(ready=True)

    def _start_parts(self, vision: bool, seen_by_functions: Mapping[str, str]) -> None:
        data, ports = self._folder.data(self.running), self.running.ports
        environment = self.running.environment_within(os.environ)

        def start_part(name: str, *command: str, **others: str) -> None:
            log = self._folder.logs / f"{command[0].removeprefix('local.')}.log"
            # Kept at once, so that a failure at the next one leaves none unknown.
            self._parts.append(Part(name, command, environment | others, log))

        keep = ["--keep"] if self.running.keep else []
        batches, quotas = (["--all-batches"], ["--quotas", region]) if (region := self.running.like_aws) else ([], [])
        # The functions' environment is that of the embedded AWS, which itself asks nobody.
        where = ("--port", str(ports.aws), "--door-port", str(ports.web), "--data", str(data / "aws"))
        aws = ("local.aws", *where, "--deploying", "--minute-seconds", str(self._minute_s), *keep, *batches)
        start_part(AWS, *aws, **seen_by_functions)
        if vision:
            looks = ("vision", "--data", str(data / "vision"), "--port", str(ports.vision), *quotas)
            start_part(VISION, *looks, **with_large_pages(environment))
        start_part(DOOR, "local.door", "--port", str(ports.web), "--aws", self.running.aws_url)

    def _make_ready(self, part: Part) -> None:
        """Return when the part, just started, serves. Raises RuntimeProblem."""
        if part.name == AWS:
            wait_for(self.running.aws_url + HEALTH_PATH, part)
            self._deploy(part)
        else:
            url = self.running.vision_url if part.name == VISION else self.running.front_door
            wait_for(f"{url}/health", part)

    def _ready_again(self, part: Part) -> None:
        self._write(ready=False, parts={part.name: part.pid for part in self._parts})
        self._make_ready(part)
        self._write(ready=True)

    def _write(self, **news: Any) -> None:
        self.running = msgspec.structs.replace(self.running, **news)
        try:
            self._folder.write(self.running)
        except OSError as error:
            raise RuntimeProblem(
                f"The runtime's folder cannot be written: {error.strerror}. Make room there."
            ) from error

    def _deploy(self, part: Part) -> None:
        """Deploy the stacks, note where the front door is, and let the embedded AWS serve everybody."""
        assert self._assembly is not None  # noqa: S101 - it is made before the first deployment

        def client(service: str) -> Any:
            return clients.deploying_client(self.running.aws_url, service)

        door = {"Name": naming.front_door_parameter(ENVIRONMENT), "Value": self.running.front_door}
        try:
            deployment.deploy(self._assembly, client)
            client("ssm").put_parameter(**door, Type="String", Overwrite=True)
            httpx.post(self.running.aws_url + OPEN_PATH, trust_env=False).raise_for_status()
        except DeploymentFailed as failure:
            raise RuntimeProblem(str(failure)) from failure
        except (BotoCoreError, ClientError, httpx.HTTPError) as error:
            check([part])
            raise RuntimeProblem(f"The embedded AWS could not take the stacks: {error}") from error


def start(
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
) -> Runtime:
    """Start everything and return when photos can be uploaded. Raises RuntimeProblem.

    With `keep`, what the last such run was given is there again, however that ended; without, it starts empty and
    leaves what was kept alone. A part that ends is started again. `like_aws` is a region: then as many batches are
    worked on at once as the mappings say, and the vision server keeps Rekognition's default quotas of that region.
    `assembly` is a cdk.out to deploy; None synthesizes one. Without `vision`, somebody else already serves
    Rekognition's protocol (and /health) at its port. `seen_by_functions` are environment variables that are different
    for the functions. `minute_s` is how long a minute of metrics and alarms takes, for tests of alarms.
    """
    signals_raise()
    folder = Folder(home)
    folder.acquire()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    running = Running(pid=os.getpid(), ports=ports or Ports(), started=started, keep=keep, like_aws=like_aws)
    runtime = Runtime(folder, running, minute_s)
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


def restart(part: str, home: Path = HOME) -> Running:
    """End a part (of RESTARTABLE) of what runs in this home, also one that hangs, and return when it serves again.

    The runtime's own supervision starts it anew. Raises RuntimeProblem when nothing runs, or it does not come back.
    """
    name, running = RESTARTABLE[part], find(home)
    if running is None or name not in running.parts:
        raise RuntimeProblem(f"{name} of no local runtime is running here. Start one with: snaprace up")
    before = running.parts[name]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(before, signal.SIGKILL)  # what is stopped hears no other signal

    def is_back() -> bool:
        now = find(home)
        if now is None:
            raise RuntimeProblem(f"The local runtime ended while {name} was started again; its logs say why.")
        return now.ready and now.parts[name] != before

    if not within(_BACK_SECONDS, is_back):
        raise RuntimeProblem(f"{name} did not come back in {_BACK_SECONDS:.0f} seconds; see {Folder(home).logs}.")
    return find(home) or running


def stop(home: Path = HOME, report: Report = lambda _: None) -> Running | None:
    """End what runs in this home and wait until all of it has ended; None when nothing was running.

    It waits as long as that takes, and tells what for.
    """
    running = find(home)
    if running is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    waited = 0.0
    while lasting := _lasting(home, running):
        if not within(STOP_SECONDS, lambda: not _lasting(home, running)):
            waited += STOP_SECONDS
            report(f"Waiting for {lasting} to end, for {waited:.0f} s now")
    return running


def _lasting(home: Path, running: Running) -> str:
    """What of a runtime that was told to end has not, in words; empty when all has."""
    now = Folder(home).read() or running  # a part that was started again has another process
    parts = [f"{name} (process {pid})" for name, pid in now.parts.items() if group_lives(pid)]
    if not Folder(home).is_free():
        parts = parts or [f"the runtime (process {running.pid})"]
    return " and ".join(parts)
