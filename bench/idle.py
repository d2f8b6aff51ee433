"""What an environment costs a month while nothing happens: snaprace bench idle.

It follows from the templates: what stands there is paid for by the month, whoever uses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from shared.contracts.prices import PRICES

REGION = "us-east-1"
HOURS = 730
"""Of a month, as AWS reckons."""

Resource = dict[str, Any]


class Line(NamedTuple):
    """So many of something, at a price for each and month."""

    what: str
    number: float
    each: float

    @property
    def dollars(self) -> float:
        """A month."""
        return self.number * self.each


def run(assembly: Path) -> dict[str, Any]:
    """Price the templates of a cloud assembly. Raises ValueError where there are none."""
    templates = [json.loads(file.read_text()) for file in sorted(assembly.glob("*.template.json"))]
    if not templates:
        raise ValueError(f"There are no templates in {assembly}. Make them with: make cdk ARGS='synth --quiet'")
    resources = [each for template in templates for each in template["Resources"].values()]
    lines = [line for line in _lines(resources) if line.number]
    return {
        "region": REGION,
        "prices_of": PRICES[REGION].looked_up,
        "dollars_a_month": round(sum(line.dollars for line in lines), 2),
        "lines": [{**line._asdict(), "dollars": round(line.dollars, 2)} for line in lines],
        "left_out": [
            "free tiers",
            "what is paid by use: requests, pictures, storage, metrics of our own while nothing is measured",
            "backups, which grow with the tables",
        ],
    }


def _lines(resources: list[Resource]) -> Iterator[Line]:
    prices = PRICES[REGION]

    def of(kind: str) -> list[Mapping[str, Any]]:
        return [each.get("Properties", {}) for each in resources if each["Type"] == kind]

    alarms = of("AWS::CloudWatch::Alarm")
    yield Line("metrics that alarms look at", sum(map(_metrics, alarms)), prices.alarm_metric_month)
    yield Line("composite alarms", len(of("AWS::CloudWatch::CompositeAlarm")), prices.composite_alarm_month)
    yield Line("dashboards", len(of("AWS::CloudWatch::Dashboard")), prices.dashboard_month)
    yield Line("encryption keys", len(of("AWS::KMS::Key")), prices.key_month)
    firewalls = of("AWS::WAFv2::WebACL")
    yield Line("firewalls", len(firewalls), prices.firewall_month)
    yield Line("rules of firewalls", sum(len(each["Rules"]) for each in firewalls), prices.firewall_rule_month)
    streams = of("AWS::Kinesis::Stream")
    on_demand = [each for each in streams if each.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND"]
    shards = sum(int(each.get("ShardCount", 1)) for each in streams if each not in on_demand)
    yield Line("streams on demand", len(on_demand), HOURS * prices.kinesis_stream_hour)
    yield Line("shards of streams", shards, HOURS * prices.kinesis_shard_hour)


def _metrics(alarm: Mapping[str, Any]) -> int:
    """An alarm on an expression is charged for each metric in it. Source: CloudWatch pricing, alarms."""
    return sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1
