"""The whole product on one machine: starts, supervises and stops the embedded AWS, the vision server and the door.

    with runtime.start(home, Ports(), report, keep=False) as runtime:
        print(runtime.running.front_door)
        runtime.wait()                   # until Ctrl-C, SIGTERM, or a part dies

`start` raises RuntimeProblem, whose text is one sentence for a person. On every way out — the end of the `with`
block, a failure half-way, Ctrl-C, SIGTERM and SIGHUP (both raise KeyboardInterrupt(number) from then on) — what was
started is stopped. When the process that called `start` is killed with -9, its children notice and end too.

    start_detached(home, ports, report, keep=True)   # returns when ready and leaves it running
    find(home)                                       # what runs in this home, or None
    restart("vision", home)                          # ends a part, also one that hangs; it is started anew
    stop(home)                                       # ends that and waits for it; None when nothing ran

`home` is a folder (default HOME): runtime.json says what runs, logs/ has a log of each part, data/ the state.
"""

from __future__ import annotations

from local.runtime.description import CHECKOUT, ENVIRONMENT, HOME, Ports, Running, RuntimeProblem, require_port
from local.runtime.detached import start_detached
from local.runtime.lifecycle import RESTARTABLE, Runtime, find, restart, start, stop

__all__ = [
    "CHECKOUT",
    "ENVIRONMENT",
    "HOME",
    "RESTARTABLE",
    "Ports",
    "Running",
    "Runtime",
    "RuntimeProblem",
    "find",
    "require_port",
    "restart",
    "start",
    "start_detached",
    "stop",
]
