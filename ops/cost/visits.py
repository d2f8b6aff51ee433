"""What a million events of visitors cost: by what is measured of one, times the list prices.

How many events a request brings is the page's: it gathers what happens in two seconds. Write units are those that
`snaprace bench insight` counts where the stream's batches are full; while few visitors come, each takes more. Lambda's
time is that of the collector and the aggregator in their logs, where there is any; the aggregator's includes photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ops.cost.usage import FunctionUsage
from ops.reach.words import some_of
from shared.contracts.prices import MILLION, Prices

EVENTS_A_REQUEST = 2.0
"""A page view with the search that follows, a photo with its download: see services/search/page/visits.js."""
RECORD_KB = 1
"""Of a request's record in the stream: on demand is charged by whole KB of each."""
WRITE_UNITS = 0.05
"""Of an event in full batches, rounded up: `snaprace bench insight` prints what it counts, tests hold it to this."""
COLLECT, AGGREGATE = "insight-collect", "insight-aggregate"
HOURS_A_MONTH = 730


class VisitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `number` of what for a million events, or for a month where nobody comes, in dollars."""

    service: str
    what: str
    number: float
    dollars: float
    monthly: bool = False
    only_in: str = ""


class VisitBill(msgspec.Struct, frozen=True, kw_only=True):
    """What a million events cost, by environment: dev has one shard, prod a stream on demand."""

    lines: tuple[VisitLine, ...]
    timed: bool

    def dollars(self, env: str, *, monthly: bool = False) -> float:
        """Dollars of a million events in an environment, or of a month."""
        return sum(line.dollars for line in self.lines if line.monthly == monthly and line.only_in in ("", env))


def visit_bill(functions: Iterable[FunctionUsage], prices: Prices) -> VisitBill:
    """Price a million events."""
    by_name = {usage.function: usage for usage in functions}
    requests = MILLION / EVENTS_A_REQUEST
    collected, aggregated = by_name.get(COLLECT), by_name.get(AGGREGATE)
    lines = [
        _line("API Gateway", "requests", requests, prices.rest_request),
        _line("Firewall", "requests looked at", requests, prices.firewall_request),
        _line("Lambda", "invocations of the collector", requests, prices.lambda_request),
        _line("Kinesis", "PUT payload units", requests, prices.kinesis_put_unit, only_in="dev"),
        _line("Kinesis", "GB in", requests * RECORD_KB * 1024 / 2**30, prices.kinesis_gb_in, only_in="prod"),
        _line("Kinesis", "GB out", requests * RECORD_KB * 1024 / 2**30, prices.kinesis_gb_out, only_in="prod"),
        _line("DynamoDB", "write units", MILLION * WRITE_UNITS, prices.dynamodb_write_unit),
    ]
    seconds = [_gb_seconds(collected, requests, by="invocations"), _gb_seconds(aggregated, requests, by="messages")]
    for what, number in zip(("the collector", "the aggregator"), seconds, strict=True):
        if number is not None:
            lines.append(_line("Lambda", f"GB-seconds of {what}", number, prices.lambda_gb_second))
    lines += [
        _line("Kinesis", "shard hours", HOURS_A_MONTH, prices.kinesis_shard_hour, monthly=True, only_in="dev"),
        _line("Kinesis", "stream hours", HOURS_A_MONTH, prices.kinesis_stream_hour, monthly=True, only_in="prod"),
    ]
    return VisitBill(lines=tuple(lines), timed=None not in seconds)


def _gb_seconds(usage: FunctionUsage | None, requests: float, *, by: str) -> float | None:
    """Lambda's time for so many requests, by what the function took so far; None where its log does not tell."""
    if usage is None or usage.gb_seconds is None or not (handled := getattr(usage, by)):
        return None
    return requests * usage.gb_seconds / int(handled)


def _line(
    service: str, what: str, number: float, price: float, *, monthly: bool = False, only_in: str = ""
) -> VisitLine:
    return VisitLine(
        service=service, what=what, number=number, dollars=number * price, monthly=monthly, only_in=only_in
    )


def visits_as_dict(bill: VisitBill) -> dict[str, Any]:
    """The bill for programs."""
    envs: Sequence[str] = ("dev", "prod")
    return {
        "dollars_per_million_events": {env: round(bill.dollars(env), 4) for env in envs},
        "dollars_a_month": {env: round(bill.dollars(env, monthly=True), 2) for env in envs},
        "events_a_request": EVENTS_A_REQUEST,
        "write_units_an_event": WRITE_UNITS,
        "lines": [some_of(line, "service", "what", "number", "dollars", "monthly", "only_in") for line in bill.lines],
        "left_out": [] if bill.timed else ["Lambda's time: nobody has visited yet"],
    }
