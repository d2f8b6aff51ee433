"""What runs: the ports, the addresses and the environment of a local runtime, and its folder."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from local.aws import clients
from shared.contracts.errors import SnapRaceError

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".snaprace"

ENVIRONMENT = "dev"
HOST = "127.0.0.1"

Report = Callable[[str], None]
"""Told in a few words what happens now, e.g. "Deploying 7 stacks"."""


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

    `parts` are the process groups of its children; `ready` is false until photos can be uploaded. `like_aws` is the
    region whose quotas it keeps, "" for none.
    """

    pid: int
    ports: Ports
    started: str
    keep: bool
    like_aws: str = ""
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

    def environment_within(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The given environment, with this runtime's AWS in place of any other."""
        others = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        return others | self.environment()


def require_free(ports: Ports, *, vision: bool) -> None:
    """Raise RuntimeProblem when another program listens at one of the ports."""
    for purpose, option, port in (
        ("the page", "--port", ports.web),
        ("the embedded AWS", "--aws-port", ports.aws),
        *([("the vision server", "--vision-port", ports.vision)] if vision else []),
    ):
        require_port(purpose, option, port)


def require_port(purpose: str, option: str, port: int) -> None:
    """Raise RuntimeProblem when another program listens there; the sentence names the option for another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise RuntimeProblem(
                f"Port {port} for {purpose} is used by another program; stop that one or choose another port "
                f"with {option}."
            ) from None
