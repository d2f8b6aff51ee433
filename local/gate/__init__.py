"""Who may speak to the local runtime: this machine's programs, and the pages of its own front door.

Any web page that is open beside the runtime can send requests to 127.0.0.1, and nothing here asks for a password. Each
port therefore refuses what only a stranger's page sends: see docs/decisions/who-may-speak.md.

paths.py      raw paths that lead elsewhere than they seem
asked.py      a request as the rules see it, and the refusal that they raise
callers.py    the rules of the front door and of the embedded AWS: hosts, browsers, what of the emulator is open
gate.py       the ASGI application that puts the rules before another
"""

from __future__ import annotations

from local.gate.callers import embedded_aws, front_door, origins
from local.gate.gate import Application, Gate

__all__ = ["Application", "Gate", "embedded_aws", "front_door", "origins"]
