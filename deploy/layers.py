"""Builds the Lambda layers: `python -m deploy.layers`, which `make setup` runs.

build/layers/<name>/python holds what requirements/lambda-<name>.lock names, hash-checked, for this machine and its
Python: the local runtime runs functions with that. `--for-aws` fills build/layers-aws with the wheels for Lambda's
Python on arm64, which `cdk deploy` ships; they are the same wherever they are built. Bytecode must be of Lambda's own
Python, so a Python of that version must be there.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.bytecode import PythonMissing, compile_all, lambdas_python
from shared.contracts.card import PYTHON

ROOT = Path(__file__).parents[1]
NAMES = ("base", "pictures")
_AWS_MACHINE = "aarch64"  # Graviton: a fifth cheaper than x86_64 (source: AWS Lambda's price list)
_LAYER = "/opt/python"
_PIPS_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""RECORD hashes the path of the building interpreter, in scripts that are not shipped."""

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
        except (subprocess.CalledProcessError, PythonMissing) as error:
            said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
            reason = (said.strip().splitlines() or ["pip did not say why"])[-1]
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
    python = lambdas_python() if for_aws else sys.executable
    fresh = folder / f"{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    _install(lock, fresh / "python", for_aws=for_aws)
    tidy(fresh / "python", python)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    stamp.write_text(wanted)


def _fingerprint(lock: Path, for_aws: bool) -> str:
    """Of everything that a layer is made from: the lock, this builder, the Python, the machine."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (lock, Path(__file__))]
    return "\n".join([*digests, *((PYTHON, _AWS_MACHINE) if for_aws else (sys.version, platform.machine()))])


def _install(lock: Path, folder: Path, *, for_aws: bool) -> None:
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(folder)),
        *(_lambda_tags() if for_aws else ()),
        *("--requirement", str(lock)),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _lambda_tags() -> list[str]:
    tags = [argument for tag in _PLATFORMS for argument in ("--platform", f"{tag}_{_AWS_MACHINE}")]
    return [*tags, "--implementation", "cp", "--python-version", PYTHON]


def tidy(folder: Path, python: str) -> None:
    """Leave out scripts and what pip notes about this machine; put in the bytecode of `python`."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for name in _PIPS_NOTES:
        for note in folder.glob(f"*.dist-info/{name}"):
            note.unlink()
    compile_all(folder, python, shown_as=_LAYER)


if __name__ == "__main__":
    sys.exit(main())
