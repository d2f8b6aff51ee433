"""Builds the Lambda layers: `python -m deploy.layers`, which `make setup` runs.

build/layers/<name>/python holds what requirements/lambda-<name>.lock names, hash-checked, for this machine and its
Python: the local runtime runs functions with that. `--for-aws` fills build/layers-aws with the wheels for Lambda's
Python and this machine's architecture, which `cdk deploy` ships.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

from shared.contracts.card import PYTHON

ROOT = Path(__file__).parents[1]
NAMES = ("base", "pictures")
# Amazon Linux 2023 has glibc 2.34; these are the tags of wheels that need no more.
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")


def main() -> int:
    """Build what is missing or out of date. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.layers", description="Builds the Lambda layers.")
    parser.add_argument(
        "--for-aws", action="store_true", help=f"build them for Lambda's Python {PYTHON}, before `cdk deploy`"
    )
    for_aws = parser.parse_args().for_aws
    for name in NAMES:
        try:
            build(name, for_aws=for_aws)
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["pip did not say why"])[-1]
            print(f"The layer '{name}' could not be built: {reason}", file=sys.stderr)
            return 1
    return 0


def build(name: str, *, for_aws: bool) -> None:
    """Build one layer beside the old one, then put it in its place; nothing when it is up to date."""
    lock = ROOT / "requirements" / f"lambda-{name}.lock"
    folder = ROOT / "build" / ("layers-aws" if for_aws else "layers")
    target, stamp = folder / name, folder / f"{name}.stamp"
    wanted = _fingerprint(lock, for_aws)
    if target.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return
    fresh = folder / f"{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    _install(lock, fresh / "python", for_aws=for_aws)
    _tidy(fresh / "python", compiles=not for_aws or sys.version.startswith(f"{PYTHON}."))
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    stamp.write_text(wanted)


def _fingerprint(lock: Path, for_aws: bool) -> str:
    """Of everything that a layer is made from: the lock, this builder, the Python, the machine."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (lock, Path(__file__))]
    return "\n".join([*digests, sys.version, PYTHON if for_aws else "", platform.machine()])


def _install(lock: Path, folder: Path, *, for_aws: bool) -> None:
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(folder)),
        *(_lambda_tags() if for_aws else ()),
        *("--requirement", str(lock)),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _lambda_tags() -> list[str]:
    machine = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    tags = [argument for tag in _PLATFORMS for argument in ("--platform", f"{tag}_{machine}")]
    return [*tags, "--implementation", "cp", "--python-version", PYTHON]


def _tidy(folder: Path, *, compiles: bool) -> None:
    """Ship bytecode, which saves most of the import time (by hash: a zip's file times mean nothing), and no scripts."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    if compiles:
        mode = PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=2, stripdir=str(folder), invalidation_mode=mode)


if __name__ == "__main__":
    sys.exit(main())
