"""Runs a Python program that ends when the process that started it ends, however that one ended.

    python -m local.tether vision --port 4567      # a module
    python -m local.tether app.py                  # a script

Standard input is the tether: the starter holds the other end of that pipe, and the kernel closes it when the
starter dies, also by kill -9. The program and everything it started then get SIGTERM, and SIGKILL after
GRACE_SECONDS. They are one process group, so that a terminal's Ctrl-C reaches the starter only.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

GRACE_SECONDS = 5.0


def _watch(tether: int) -> None:
    while os.read(tether, 1024):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Tie this process to its starter, then become the program named in the arguments."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    tether = os.dup(0)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)  # what the program starts must not read from the tether
    threading.Thread(target=_watch, args=(tether,), daemon=True, name="tether").start()

    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    if program.endswith(".py"):
        sys.path[0] = str(Path(program).resolve().parent)
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
