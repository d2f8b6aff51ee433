"""The parts of a runtime: what is started, in which order it becomes ready, and what is deployed to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from deploy.place import DeploymentFailed
from local.aws import deployment
from local.runtime import signals
from local.runtime.description import ENVIRONMENT, Report, Running, RuntimeProblem
from local.runtime.folder import LOGS, data_folder, prepare_data
from local.runtime.processes import Part, check, stop_parts
from shared.contracts import naming

_SYNTH_SECONDS = 180.0
_EMBEDDED_AWS = "The embedded AWS"
_VISION_SERVER = "The vision server"


def start_parts(
    home: Path,
    running: Running,
    parts: list[Part],
    report: Report,
    *,
    vision: bool,
    seen_by_functions: Mapping[str, str],
) -> None:
    """Start each part and add it to `parts` at once, so that a failure at the next one leaves none unknown."""
    report(f"Starting the embedded AWS{' and the vision server' if vision else ''}")
    data = data_folder(home, keep=running.keep)
    prepare_data(data, running, report)
    ports = running.ports
    commands = {
        _EMBEDDED_AWS: (
            ["local.aws", "--port", str(ports.aws), "--data", str(data / "aws")] + (["--keep"] if running.keep else [])
        ),
        _VISION_SERVER: ["vision", "--data", str(data / "vision"), "--port", str(ports.vision)],
        "The front door": ["local.door", "--port", str(ports.web), "--aws", running.aws_url],
    }
    if not vision:
        del commands[_VISION_SERVER]
    environment = running.environment_within(os.environ)
    for name, command in commands.items():
        log = home / LOGS / f"{command[0].removeprefix('local.')}.log"
        # The functions' environment is that of the embedded AWS, which itself asks nobody.
        own = environment | dict(seen_by_functions) if name == _EMBEDDED_AWS else environment
        parts.append(Part(name, command, own, log))


def synthesize(home: Path, running: Running, parts: Sequence[Part]) -> Path:
    """Run app.py as `cdk synth` would, without the CLI."""
    assembly = home / "cdk.out"
    shutil.rmtree(assembly, ignore_errors=True)
    environment = running.environment_within(os.environ) | {"CDK_OUTDIR": str(assembly)}
    synthesis = Part("Synthesizing app.py", ["app.py"], environment, home / LOGS / "synth.log")
    try:
        if synthesis.wait(_SYNTH_SECONDS) != 0:
            raise RuntimeProblem(f"app.py could not be synthesized: {synthesis.last_line()}")
    finally:
        with signals.ignored():
            stop_parts([synthesis])
    check(parts)
    return assembly


def deploy(assembly: Path, running: Running, parts: Sequence[Part]) -> None:
    """Deploy the stacks, and note where the front door is. Raises RuntimeProblem."""
    try:
        deployment.deploy(assembly, running.client)
    except DeploymentFailed as failure:
        raise RuntimeProblem(str(failure)) from failure
    except (BotoCoreError, ClientError) as error:
        check(parts)
        raise RuntimeProblem(f"The embedded AWS could not take the stacks: {error}") from error
    running.client("ssm").put_parameter(
        Name=naming.front_door_parameter(ENVIRONMENT), Value=running.front_door, Type="String", Overwrite=True
    )
