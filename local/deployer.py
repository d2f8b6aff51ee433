"""Deploys a synthesized cloud assembly (cdk.out) with CloudFormation, and checks what stands afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.errors import SnapRaceError

Client = Callable[[str], Any]
"""Gives the boto3 client of a service, e.g. `client("s3")`."""


class DeploymentFailed(SnapRaceError):
    """A stack does not stand, or not as its template asked."""


def deploy(assembly: Path, client: Client) -> None:
    """Deploy every stack of the assembly."""
    raise NotImplementedError
