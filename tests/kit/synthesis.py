"""Cloud assemblies for tests: synthesized as an engineer would, and once for a test run however many workers it has."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MADE_BEFORE = "SNAPRACE_TESTED_ASSEMBLY"
"""Environment variable that names the assembly of dev, for a pytest that another pytest runs."""

HEARD = {
    "P0": ["https://events.example.org/snaprace", "oncall@example.org"],
    "P1": ["https://events.example.org/snaprace", "oncall@example.org"],
    "P2": ["team@example.org"],
    "P3": ["team@example.org"],
}
"""Who hears prod's alarms in tests: the product's cdk.json leaves that to whoever deploys it."""

DELIVERED = {"repository": "octo@123456/snaprace@456789"}
"""The repository that deploys, in tests."""


def synthesize(out: Path, *, checkout: Path = ROOT, env: str = "dev") -> None:
    """What `cdk synth -c env=…` does: run app.py of a checkout, which writes the assembly to `out`."""
    settings = {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps({"env": env})}
    run([str(checkout / "app.py")], cwd=checkout, environment=settings)


def run(arguments: list[str], *, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    """Run this Python; a failure shows what the program said."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills, shared by all pytest-xdist workers of this run."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(folder)
            done.touch()
    return folder
