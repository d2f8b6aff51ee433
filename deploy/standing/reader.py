"""What a reader is: it gives a resource's properties as its service describes them, in CloudFormation's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deploy.place import Client

Properties = dict[str, Any]
Reader = Callable[[Client, str, Properties], Properties]
"""(client, physical id, properties asked for with all references resolved) → properties found."""
