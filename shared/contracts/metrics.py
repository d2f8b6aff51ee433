"""What our own metrics are called, for the functions that write them and the dashboards and alarms that read them."""

from __future__ import annotations

NAMESPACE = "SnapRace"
HANDLED = "MessagesHandled"
FAILED = "MessagesFailed"
THROTTLED = "MessagesThrottled"


def dimensions(env: str, stage: str, function: str) -> dict[str, str]:
    """Which function of which environment a metric is of: two environments in one account have one namespace."""
    return {"Environment": env, "Stage": stage, "Function": function}
