"""Builds the Lambda layers: `python -m ops.layers`, which `make setup` runs.

build/layers/<name>/python holds what requirements/lambda-<name>.lock names, hash-checked, for the Python version and
the architecture of this machine: what runs here is what runs on AWS. On Linux the wheels are those for Amazon Linux; on
macOS they are the machine's own, and `--for-aws` fetches Lambda's for a deployment.
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

ROOT = Path(__file__).parents[1]
LAYERS = ("base", "pictures")
# Lambda's Amazon Linux 2023 has glibc 2.34; these tags are what its wheels may ask for.
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


def main() -> int:
    """Build what is missing or out of date. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops.layers", description="Builds the Lambda layers.")
    parser.add_argument("--for-aws", action="store_true", help="fetch Lambda's wheels also where this is no Linux")
    for_lambda = parser.parse_args().for_aws or sys.platform == "linux"
    for name in LAYERS:
        try:
            build(name, for_lambda=for_lambda)
        except subprocess.CalledProcessError as error:
            print(f"The layer '{name}' could not be built: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return 1
    return 0


def build(name: str, *, for_lambda: bool) -> None:
    """Build one layer beside the old one, then put it in its place; nothing when it is up to date."""
    lock = ROOT / "requirements" / f"lambda-{name}.lock"
    target, stamp = ROOT / "build" / "layers" / name, ROOT / "build" / "layers" / f"{name}.stamp"
    wanted = _fingerprint(lock, for_lambda)
    if target.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return
    fresh = target.with_name(f"{name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _install(lock, fresh / "python", for_lambda=for_lambda)
    _tidy(fresh / "python")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    stamp.write_text(wanted)


def _fingerprint(lock: Path, for_lambda: bool) -> str:
    parts = [hashlib.sha256(lock.read_bytes()).hexdigest(), sys.version, platform.machine(), str(for_lambda)]
    return "\n".join(parts)


def _install(lock: Path, folder: Path, *, for_lambda: bool) -> None:
    machine = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    tags = [argument for tag in _PLATFORMS for argument in ("--platform", f"{tag}_{machine}")] if for_lambda else []
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(folder)),
        *(*tags, "--requirement", str(lock)),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _tidy(folder: Path) -> None:
    """Ship bytecode, which saves most of the import time (by hash: a zip's file times mean nothing), and no scripts."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    compileall.compile_dir(folder, quiet=2, stripdir=str(folder), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    sys.exit(main())
