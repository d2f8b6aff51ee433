"""How a cloud assembly is deployed to the embedded AWS, which begins empty and does not emulate everything."""

from __future__ import annotations

from pathlib import Path

from deploy import assembly
from deploy.place import Client
from local.aws import limits


def deploy(cdk_out: Path, client: Client, *, verify: bool = True) -> list[str]:
    """Deploy every stack of the assembly and return their names in order. Raises DeploymentFailed."""
    return assembly.deploy(
        cdk_out, client, bootstraps=True, stack_seconds=60.0, not_expected=limits.PROPERTIES, verify=verify
    )
