"""`python -m ops.layers`: builds what the functions ship, build/layers/<name>/python, from the lock files.

A layer is rebuilt only when its lock, this Python, the platform or this file changed; `stamp` in the layer's
folder says from what it was built, and is the layer's asset hash when the stacks are synthesized.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("base", "pictures")
BUILD = ROOT / "build" / "layers"

# What pip leaves that no function needs: its own records, programs, tests and C sources.
_BLOAT = ("*.dist-info", "bin", "tests", "test", "__pycache__", "*.pyx", "*.pxd", "*.pyi", "*.c", "*.h")


class LayerFailed(Exception):
    """A layer could not be built; the message says why in one sentence."""


def main() -> int:
    """Build what is not up to date; say what was done only when something was."""
    parser = argparse.ArgumentParser(prog="python -m ops.layers", description="Build the Lambda layers.")
    parser.add_argument(
        "--for-aws", action="store_true", help="on a Mac: build for Lambda's Linux instead of for this machine"
    )
    for_linux = parser.parse_args().for_aws or sys.platform == "linux"
    try:
        for name in LAYERS:
            if build(name, for_linux=for_linux):
                print(f"Built the layer '{name}'.")
    except LayerFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build(name: str, *, for_linux: bool) -> bool:
    """Build one layer if it is not up to date; whether it was built. Raises LayerFailed.

    The new layer is made aside and moved into place, so that nobody ever finds half of one.
    """
    lock = ROOT / "requirements" / f"lambda-{name}.lock"
    wanted = _stamp(lock, for_linux)
    target = BUILD / name
    if _read(target / "stamp") == wanted:
        return False
    BUILD.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=BUILD))
    try:
        new, old = aside / "new", aside / "old"
        _install(lock, new / "python", for_linux)
        _strip(new / "python")
        _compile(new / "python")
        (new / "stamp").write_text(wanted)
        if target.exists():
            target.rename(old)
        new.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def _stamp(lock: Path, for_linux: bool) -> str:
    """A digest of all that decides what is in the layer."""
    digest = hashlib.sha256()
    for part in (lock.read_bytes(), Path(__file__).read_bytes()):
        digest.update(hashlib.sha256(part).digest())
    system = "linux" if for_linux else sys.platform
    digest.update(f"{sys.version_info[:2]} {system} {platform.machine()}".encode())
    return digest.hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _install(lock: Path, into: Path, for_linux: bool) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--target", str(into), "--requirement", str(lock)]
    if for_linux:
        command += ["--implementation", "cp", "--python-version", f"{sys.version_info[0]}.{sys.version_info[1]}"]
        for tag in _lambda_platforms():
            command += ["--platform", tag]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LayerFailed(
            f"pip could not install {lock.relative_to(ROOT)} for the Lambda layers:\n{done.stderr.strip()}"
        )


def _lambda_platforms() -> Iterator[str]:
    """Wheel tags that Lambda's Linux can load, best first.

    Python 3.11 runs on Amazon Linux 2 (glibc 2.26), later ones on Amazon Linux 2023 (glibc 2.34):
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
    """
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    newest = 26 if sys.version_info < (3, 12) else 34
    for minor in range(newest, 16, -1):
        yield f"manylinux_2_{minor}_{machine}"
    yield f"manylinux2014_{machine}"


def _strip(folder: Path) -> None:
    """Remove what only weighs: a layer and its functions may have 250 MB together, and each MB is cold start."""
    for pattern in _BLOAT:
        for path in list(folder.rglob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()


def _compile(folder: Path) -> None:
    """Ship bytecode that Lambda trusts as it stands: zip files lose the times that Python compares by default."""
    # -s strips this machine's path, so that the same lock gives the same bytes everywhere.
    command = [sys.executable, "-m", "compileall", "-q", "-j", str(min(2, os.cpu_count() or 1))]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(folder), str(folder)]
    if subprocess.run(command, check=False).returncode:
        raise LayerFailed(f"Some files of the layer {folder.parent.name} could not be compiled; see above.")


if __name__ == "__main__":
    sys.exit(main())
