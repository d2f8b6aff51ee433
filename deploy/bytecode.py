"""Bytecode for what is shipped to Lambda, the same bytes wherever and whenever it is made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.contracts.card import PYTHON


class PythonMissing(Exception):
    """There is no Python of the version that Lambda runs; the text says what to do."""


def lambdas_python(found: Sequence[str | None] = (sys.executable, shutil.which(f"python{PYTHON}"))) -> str:
    """The path of a Python of the version that Lambda runs, which makes its bytecode. Raises PythonMissing."""
    for python in (path for path in found if path and Path(path).exists()):
        asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == PYTHON:
            return python
    raise PythonMissing(
        f"Bytecode for Lambda is made by Python {PYTHON}, which is not here: install it as python{PYTHON}."
    )


def compile_all(folder: Path, python: str, *, shown_as: str) -> None:
    """Put bytecode beside the modules of a folder; it saves most of the time of their first import.

    By hash, since a package's file times mean nothing. A process of its own, with a fixed hash seed, writes the same
    bytes each time. Raises CalledProcessError.
    """
    command = [python, "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(
        [*command, "-s", str(folder), "-p", shown_as, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        env=environment | {"PYTHONHASHSEED": "0"},
    )
