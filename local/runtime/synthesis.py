"""The cloud assembly of this checkout: app.py is synthesized when something that it is made of has changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from local.runtime.description import CHECKOUT, ENVIRONMENT, RuntimeProblem
from local.runtime.folder import Folder
from local.runtime.processes import Part, signals_ignored, stop_parts
from shared.contracts import quotas

_SECONDS = 180.0

_CONTEXT = "CDK_CONTEXT_JSON"
"""The variable in which the CDK's command line hands its context to an app."""

_NOT_SOURCES = frozenset({"tests", "docs", "bench", "vision", "local", "ops", "catalogue", "cdk.out", "__pycache__"})
"""Folders that no template or package is made of. Hidden ones and build/ are left out, too, but for the layers."""


def synthesized(folder: Folder, environment: Mapping[str, str], check: Callable[[], None]) -> Path:
    """The assembly, made anew as `cdk synth` would, without the CLI, or as it was. Raises RuntimeProblem."""
    digest = _digest(environment.get(_CONTEXT, ""))
    if folder.assembly_digest.exists() and folder.assembly_digest.read_text() == digest:
        return folder.assembly
    folder.assembly_digest.unlink(missing_ok=True)
    shutil.rmtree(folder.assembly, ignore_errors=True)
    environment = {**environment, "CDK_OUTDIR": str(folder.assembly)}
    synthesis = Part("Synthesizing app.py", ["app.py"], environment, folder.logs / "synth.log")
    try:
        if synthesis.wait(_SECONDS) != 0:
            raise RuntimeProblem(f"app.py could not be synthesized: {synthesis.last_line()}")
    finally:
        with signals_ignored():
            stop_parts([synthesis])
    check()
    folder.assembly_digest.write_text(digest)
    return folder.assembly


def with_quotas_of(region: str) -> dict[str, str]:
    """The variable by which templates are made for Rekognition's default quotas in a region; none for ""."""
    rates = {operation: quotas.calls_a_second(operation, region, {}) for operation in sorted(quotas.OPERATIONS)}
    return {_CONTEXT: json.dumps({"quotas": {ENVIRONMENT: rates}})} if region else {}


def _digest(context: str) -> str:
    """Of the sources' paths and contents, of the Python that reads them, and of the context."""
    digest = hashlib.sha256(f"{sys.version}\0{context}\0".encode())
    for file in sorted(_sources()):
        digest.update(f"{file.relative_to(CHECKOUT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield from (CHECKOUT / "build" / "layers").glob("*.stamp")
    for place, folders, files in os.walk(CHECKOUT):
        at_top = Path(place) == CHECKOUT
        left_out = _NOT_SOURCES | {"build"} if at_top else {"__pycache__"}
        folders[:] = [name for name in folders if name not in left_out and not name.startswith(".")]
        yield from (Path(place) / name for name in files if not name.startswith(".") and not name.endswith(".pyc"))
