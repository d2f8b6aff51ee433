"""The supervisor of a detached runtime."""

from __future__ import annotations

import sys

import msgspec

from local.runtime.detached import Order, supervise

if __name__ == "__main__":
    sys.exit(supervise(msgspec.json.decode(sys.argv[1], type=Order)))
