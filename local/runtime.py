"""The whole product on one machine: starts, supervises and stops the embedded AWS, the vision server and the door.

    with runtime.start(home, Ports(), report, keep=False) as running:
        print(running.front_door)
        running.wait()                   # until Ctrl-C, SIGTERM, or a part dies

`start` raises RuntimeProblem, whose text is one sentence for a person. On every way out — the end of the `with`
block, a failure half-way, Ctrl-C, SIGTERM and SIGHUP (both raise KeyboardInterrupt(number) from then on) — what was
started is stopped. When the process that called `start` is killed with -9, its children notice and end too.

    start_detached(home, ports, report, keep=True)   # returns when ready and leaves it running
    find(home)                                       # what runs in this home, or None
    stop(home)                                       # ends that and waits for it; None when nothing ran

`home` is a folder (default HOME): runtime.json says what runs, logs/ has a log of each part, data/ the state.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from deploy.failures import DeploymentFailed
from local import clients, tether
from local.aws import deployment
from shared.contracts import naming
from shared.contracts.errors import SnapRaceError

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".snaprace"

ENVIRONMENT = "dev"
HOST = "127.0.0.1"

Report = Callable[[str], None]
"""Told in a few words what happens now, e.g. "Deploying 7 stacks"."""

_RUNNING_FILE = "runtime.json"
_LOGS = "logs"
_READY_SECONDS = 90.0
_SYNTH_SECONDS = 180.0
_STOP_SECONDS = tether.GRACE_SECONDS + 3
_POLL_SECONDS = 0.05


class RuntimeProblem(SnapRaceError):
    """The local runtime cannot start, or a part of it ended."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts listen, all on 127.0.0.1. On the command line: --aws-port, --vision-port, --port."""

    aws: int = 4566
    vision: int = 4567
    web: int = 8080

    @classmethod
    def free(cls) -> Ports:
        """Ports that nobody listens at now."""
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind((HOST, 0))
            aws, vision, web = (each.getsockname()[1] for each in sockets)
        return cls(aws=aws, vision=vision, web=web)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime as other processes see it: what runtime.json says. `started` is ISO 8601.

    `parts` are the process groups of its children; `ready` is false until photos can be uploaded.
    """

    pid: int
    ports: Ports
    started: str
    keep: bool
    ready: bool = False
    parts: dict[str, int] = {}

    @property
    def front_door(self) -> str:
        """The page and, under /api/<stage>, the APIs."""
        return f"http://{HOST}:{self.ports.web}"

    @property
    def aws_url(self) -> str:
        """The embedded AWS."""
        return f"http://{HOST}:{self.ports.aws}"

    @property
    def vision_url(self) -> str:
        """The vision server, which speaks Rekognition's protocol."""
        return f"http://{HOST}:{self.ports.vision}"

    def environment(self) -> dict[str, str]:
        """The variables with which boto3 and the AWS CLI speak to this runtime instead of AWS."""
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ENDPOINT_URL_REKOGNITION": self.vision_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": clients.REGION,
            "AWS_DEFAULT_REGION": clients.REGION,
            "SNAPRACE_ENV": ENVIRONMENT,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def client(self, service: str) -> Any:
        """A boto3 client for the embedded AWS, independent of this process's environment."""
        return clients.client(self.aws_url, service)

    def _with_own_settings(self, environment: Mapping[str, str]) -> dict[str, str]:
        others = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        return others | self.environment()


class Runtime:
    """A runtime that this process started. Leaving the `with` block stops it."""

    def __init__(self, home: Path, lock: _Lock, running: Running, parts: Sequence[_Part]) -> None:
        self.running = running
        self._home = home
        self._lock = lock
        self._parts = parts

    @property
    def front_door(self) -> str:
        """The page and, under /api/<stage>, the APIs."""
        return self.running.front_door

    @property
    def vision_url(self) -> str:
        """The vision server."""
        return self.running.vision_url

    def environment(self) -> dict[str, str]:
        """See Running.environment."""
        return self.running.environment()

    def check(self) -> None:
        """Raise RuntimeProblem when a part has ended. Call it now and then while waiting for something else."""
        _check(self._parts)

    def wait(self) -> None:
        """Never returns: raises KeyboardInterrupt on Ctrl-C or SIGTERM, RuntimeProblem when a part ends."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything and wait for it, a few seconds at most; a second call does nothing."""
        with _deaf_to_signals():
            in_order = _stop_parts(self._parts)
            if self._parts and self.running.keep and in_order:
                _mark_whole(_data(self._home, keep=True), self.running)
            self._parts = []
            self._lock.release()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


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
    _turn_signals_into_interrupts()
    (home / _LOGS).mkdir(parents=True, exist_ok=True)
    lock = _Lock(home)
    if not lock.acquire():
        raise RuntimeProblem(_already_running(home))
    parts: list[_Part] = []
    try:
        _forget_dead_run(home)
        running = Running(
            pid=os.getpid(),
            ports=ports or Ports(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            keep=keep,
        )
        _write(home, running)
        _require_free(running.ports, vision=vision)
        _start_parts(home, running, parts, report, vision=vision, seen_by_functions=seen_by_functions or {})
        running = msgspec.structs.replace(running, parts={part.name: part.pid for part in parts})
        _write(home, running)
        assembly = assembly or _synthesize(home, running, parts)
        _wait_for(f"{running.aws_url}/_ministack/health", parts)
        report("Deploying the stacks")
        _deploy(assembly, running, parts)
        _wait_for(f"{running.vision_url}/health", parts)
        _wait_for(f"{running.front_door}/health", parts)
        running = msgspec.structs.replace(running, ready=True)
        _write(home, running)
    except BaseException:
        with _deaf_to_signals():
            _stop_parts(parts)
            lock.release()
        raise
    return Runtime(home, lock, running, parts)


def start_detached(
    home: Path = HOME,
    ports: Ports | None = None,
    report: Report = lambda _: None,
    *,
    keep: bool,
    assembly: Path | None = None,
) -> Running:
    """Like `start`, in a process of its own that stays when this one ends; stop it with `stop(home)`."""
    (home / _LOGS).mkdir(parents=True, exist_ok=True)
    order = _Order(
        home=str(home.resolve()), ports=ports or Ports(), keep=keep, assembly=str(assembly) if assembly else None
    )
    with (home / _LOGS / "runtime.log").open("wb") as log:
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
        raise RuntimeProblem(f"The runtime could not be started; {home / _LOGS / 'runtime.log'} may say why.")
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def find(home: Path = HOME) -> Running | None:
    """What runs in this home (perhaps not `ready` yet), or None."""
    if not home.is_dir() or _Lock(home).is_free():
        return None
    return _read(home)


def stop(home: Path = HOME) -> Running | None:
    """End what runs in this home and wait until all of it has ended; None when nothing was running."""
    running = find(home)
    if running is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    lock = _Lock(home)
    if not _within(_STOP_SECONDS + 2, lock.is_free):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
    _within(_STOP_SECONDS, lambda: not any(map(_group_lives, running.parts.values())))
    return running


# --- the parts -------------------------------------------------------------------------------------------------


class _Part:
    """A child process tied to this one (see local.tether), with its log."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.tether", *command],
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> bool:
        return self._process.poll() is not None

    def check(self) -> None:
        if self.ended():
            raise RuntimeProblem(f"{self.name} ended unexpectedly: {self.last_words()} (all of it: {self._log})")

    def wait(self, seconds: float) -> int:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeProblem(f"{self.name} did not finish in {seconds:.0f} seconds; see {self._log}.") from None

    def last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit status {self._process.poll()}"

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number) if number is signal.SIGTERM else os.killpg(self.pid, number)


def _start_parts(
    home: Path,
    running: Running,
    parts: list[_Part],
    report: Report,
    *,
    vision: bool,
    seen_by_functions: Mapping[str, str],
) -> None:
    report(f"Starting the embedded AWS{' and the vision server' if vision else ''}")
    data = _data(home, keep=running.keep)
    _prepare(data, running, report)
    ports = running.ports
    commands = {
        "The embedded AWS": (
            ["local.launcher", "--port", str(ports.aws), "--data", str(data / "aws")]
            + (["--keep"] if running.keep else [])
        ),
        "The vision server": ["vision", "--data", str(data / "vision"), "--port", str(ports.vision)],
        "The front door": ["local.proxy", "--port", str(ports.web), "--aws", running.aws_url],
    }
    if not vision:
        del commands["The vision server"]
    environment = running._with_own_settings(os.environ)
    for name, command in commands.items():
        log = home / _LOGS / f"{command[0].removeprefix('local.')}.log"
        # The functions' environment is that of the embedded AWS, which itself asks nobody.
        own = environment | dict(seen_by_functions) if name == "The embedded AWS" else environment
        parts.append(_Part(name, command, own, log))


def _synthesize(home: Path, running: Running, parts: Sequence[_Part]) -> Path:
    """Run app.py as `cdk synth` would, without the CLI."""
    assembly = home / "cdk.out"
    shutil.rmtree(assembly, ignore_errors=True)
    environment = running._with_own_settings(os.environ) | {"CDK_OUTDIR": str(assembly)}
    synthesis = _Part("Synthesizing app.py", ["app.py"], environment, home / _LOGS / "synth.log")
    try:
        if synthesis.wait(_SYNTH_SECONDS) != 0:
            raise RuntimeProblem(f"app.py could not be synthesized: {synthesis.last_words()}")
    finally:
        with _deaf_to_signals():
            _stop_parts([synthesis])
    _check(parts)
    return assembly


def _deploy(assembly: Path, running: Running, parts: Sequence[_Part]) -> None:
    try:
        deployment.deploy(assembly, running.client)
    except DeploymentFailed as failure:
        raise RuntimeProblem(str(failure)) from failure
    except (BotoCoreError, ClientError) as error:
        _check(parts)
        raise RuntimeProblem(f"The embedded AWS could not take the stacks: {error}") from error
    running.client("ssm").put_parameter(
        Name=naming.front_door_parameter(ENVIRONMENT), Value=running.front_door, Type="String", Overwrite=True
    )


def _wait_for(url: str, parts: Sequence[_Part]) -> None:
    def answers() -> bool:
        _check(parts)
        try:
            return httpx.get(url, timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False

    if not _within(_READY_SECONDS, answers):
        raise RuntimeProblem(f"{url} did not answer in {_READY_SECONDS:.0f} seconds; the logs may say why.")


def _check(parts: Sequence[_Part]) -> None:
    for part in parts:
        part.check()


def _stop_parts(parts: Sequence[_Part]) -> bool:
    """End them with all they started; whether each ended by itself when asked to."""
    for part in reversed(parts):
        part.signal(signal.SIGTERM)
    in_order = _within(_STOP_SECONDS, lambda: all(part.ended() for part in parts))
    for part in parts:
        part.signal(signal.SIGKILL)
    _within(_STOP_SECONDS, lambda: all(part.ended() and not _group_lives(part.pid) for part in parts))
    return in_order


# --- who runs here, and where the state is ----------------------------------------------------------------------


class _Lock:
    """Held by the process that runs a home. The kernel releases it, whatever that process dies of."""

    def __init__(self, home: Path) -> None:
        self._path = home / "lock"
        self._file: int | None = None

    def acquire(self) -> bool:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        # is_free() of another process may hold it for an instant: so more than one try
        if not _within(0.5, lambda: _try_lock(file, fcntl.LOCK_EX)):
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._path.with_name(_RUNNING_FILE).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def is_free(self) -> bool:
        if not self._path.exists():
            return True
        file = os.open(self._path, os.O_RDONLY)
        try:
            return _try_lock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(home: Path, running: Running) -> None:
    draft = home / f"{_RUNNING_FILE}.new"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(running)))
    draft.replace(home / _RUNNING_FILE)


def _read(home: Path) -> Running | None:
    try:
        return msgspec.json.decode((home / _RUNNING_FILE).read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _already_running(home: Path) -> str:
    running = _read(home)
    where = f" (process {running.pid}, {running.front_door})" if running else ""
    return f"SnapRace is already running here{where}; stop it with: snaprace down"


def _forget_dead_run(home: Path) -> None:
    """After a kill -9 its children need a moment to notice."""
    dead = _read(home)
    if dead is not None:
        _within(_STOP_SECONDS, lambda: not any(map(_group_lives, dead.parts.values())))
    (home / _RUNNING_FILE).unlink(missing_ok=True)


def _require_free(ports: Ports, *, vision: bool) -> None:
    for purpose, option, port in (
        ("the page", "--port", ports.web),
        ("the embedded AWS", "--aws-port", ports.aws),
        *([("the vision server", "--vision-port", ports.vision)] if vision else []),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise RuntimeProblem(
                    f"Port {port} for {purpose} is used by another program; stop that one or choose another port "
                    f"with {option}."
                ) from None


def _data(home: Path, *, keep: bool) -> Path:
    return home / "data" / ("kept" if keep else "fresh")


_WHOLE = "whole.json"


def _belongs_to(running: Running) -> bytes:
    """State can be taken up again by the same emulator on the same port (queue URLs are part of the state)."""
    return msgspec.json.encode({"ministack": importlib.metadata.version("ministack"), "port": running.ports.aws})


def _mark_whole(data: Path, running: Running) -> None:
    (data / _WHOLE).write_bytes(_belongs_to(running))


def _prepare(data: Path, running: Running, report: Report) -> None:
    """State is saved at the end of a run; what a run that did not end in order left is not whole and not used."""
    mark = data / _WHOLE
    whole = mark.exists() and mark.read_bytes() == _belongs_to(running)
    if not (running.keep and whole):
        if running.keep and data.exists():
            report("What was kept is of a run that did not end in order, or ran elsewhere; starting empty")
        shutil.rmtree(data, ignore_errors=True)
    mark.unlink(missing_ok=True)
    for part in ("aws", "vision"):
        (data / part).mkdir(parents=True, exist_ok=True)


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs. One that has ended, unnoticed by its parent, does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    states = [state for state, of in _process_states() if of == group]
    return not states or any(state not in ("Z", "X") for state in states)


def _process_states() -> Iterator[tuple[str, int]]:
    """Each process's state and group, where there is a /proc (else nothing)."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, group = file.read_text().rpartition(")")[2].split()[:3]
            yield state, int(group)


# --- time and signals --------------------------------------------------------------------------------------------

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether it came to hold in that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _turn_signals_into_interrupts() -> None:
    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    if threading.current_thread() is threading.main_thread():
        # SIGINT too: a shell that starts us in the background has it ignored.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)


@contextlib.contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """So that a second Ctrl-C does not leave anything behind; everything within is bounded in time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- the detached supervisor: `python -m local.runtime ORDER` -------------------------------------------------------


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    home: str
    ports: Ports
    keep: bool
    assembly: str | None


class _Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line on the supervisor's standard output."""

    text: str = ""
    running: Running | None = None
    problem: str | None = None


def _supervise(order: _Order) -> int:
    def say(said: _Said) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever asked may have gone
            os.write(1, msgspec.json.encode(said) + b"\n")

    try:
        with start(
            Path(order.home),
            order.ports,
            lambda text: say(_Said(text=text)),
            keep=order.keep,
            assembly=Path(order.assembly) if order.assembly else None,
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


if __name__ == "__main__":
    sys.exit(_supervise(msgspec.json.decode(sys.argv[1], type=_Order)))
