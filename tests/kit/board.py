"""A CloudWatch that holds dashboards, alarms and metrics in memory, and the server of dashboards before it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import uvicorn

from local.aws.cloudwatch.clock import Clock
from local.aws.cloudwatch.requests import Requests
from local.aws.cloudwatch.store import Metric, Store
from local.runtime import Ports
from ops.board.server import gated
from ops.reach.target import Target

ENV = "dev"


class _Pages:
    """boto3's paginator, of one page."""

    def __init__(self, answer: Any) -> None:
        self.paginate = lambda **asked: [answer(asked)]


class MemoryCloudWatch:
    """The operations that the dashboards ask for, answered as boto3 does."""

    def __init__(self) -> None:
        self.dashboards: dict[str, Any] = {}
        self.metric_alarms: list[Any] = []
        self.composite_alarms: list[Any] = []
        self.store = Store()
        requests = Requests(Clock(), lambda: self.store)
        self._answers = {
            "list_dashboards": lambda asked: self._listed(asked["DashboardNamePrefix"]),
            "describe_alarms": lambda _: {
                "MetricAlarms": self.metric_alarms,
                "CompositeAlarms": self.composite_alarms,
            },
            "get_metric_data": requests.get_metric_data,
        }

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self._answers[operation])

    def get_dashboard(self, DashboardName: str) -> Any:
        return {"DashboardBody": json.dumps({"widgets": self.dashboards[DashboardName]})}

    def _listed(self, prefix: str) -> Any:
        names = (name for name in sorted(self.dashboards) if name.startswith(prefix))
        return {"DashboardEntries": [{"DashboardName": name} for name in names]}

    def tell(self, name: str, values: Mapping[float, float], **dimensions: str) -> None:
        """Values of a metric of ours, by how many minutes ago they were told."""
        now = datetime.now(UTC).timestamp()
        for minutes, value in values.items():
            self.store.add(Metric.of("SnapRace", name, dimensions), value, now - 60 * minutes)


@contextmanager
def serving(cloudwatch: MemoryCloudWatch) -> Iterator[str]:
    """The address at which the dashboards stand, without a slash at the end."""
    target = Target(ENV, "123456789012", "a test", boto3.Session(region_name="us-east-1"))
    target._clients["cloudwatch"] = cloudwatch
    port = Ports.free().web
    config = uvicorn.Config(gated(target, port), host="127.0.0.1", port=port, http="h11", log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the server did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
