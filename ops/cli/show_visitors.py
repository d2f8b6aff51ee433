"""What commands about visitors show."""

from __future__ import annotations

from ops.cli.screen import console, facts
from ops.reach.words import to_json
from ops.traffic.send import Sent


def show_sent(sent: Sent, *, as_json: bool) -> None:
    """What demo visitors did."""
    if as_json:
        print(to_json(sent))
        return
    came = [(f"{sent.visitors:,}", "visitors"), (f"{sent.robots:,}", "robots")]
    did = [(f"{number:,}", kind.replace("_", " ")) for kind, number in sent.events.most_common()]
    took = [(f"{sent.robot_events:,}", "events of robots"), (f"{sent.requests:,}", f"requests in {sent.seconds:.0f} s")]
    console.print(facts("What was sent", came, did, took))
