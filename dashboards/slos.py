"""What we promise, as service level objectives, and alarms on how fast their error budgets burn.

A burn of 1 uses up the budget of 30 days in 30 days. Two windows each: the long one says that it matters, the short one
that it goes on. Source: Google, The Site Reliability Workbook, "Alerting on SLOs", multiwindow, multi-burn-rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.alarms import AlarmPlan, Severity, described
from dashboards.metrics import MINUTE, Metric, Resource, formula
from dashboards.resources import PIPELINE, api_of
from shared.contracts import naming
from shared.contracts.card import Stage
from shared.contracts.metrics import LATE, PROMISED_S, SEARCHABLE, of_environment

HOUR = 60 * MINUTE
DAY = 24 * HOUR

RUNBOOK = "slo-burn"


class Burn(NamedTuple):
    """How fast a budget burns, in which windows (s), the longest first, and how urgent that is."""

    rate: float
    windows: tuple[int, ...]
    severity: Severity


# An alarm's period may be any number of minutes, and with one hour or more its window up to seven days. Source:
# CloudWatch API Reference, PutMetricAlarm, Period.
BURNS = (
    Burn(14.4, (HOUR, 5 * MINUTE), "P1"),
    Burn(6, (6 * HOUR, 30 * MINUTE), "P1"),
    Burn(1, (3 * DAY,), "P2"),
)


class Slo(NamedTuple):
    """An objective: `percent` of the cases are good in 30 days.

    `bad` is an expression over `metrics` for how many cases were bad, and `every` for how many there were. In a window
    with fewer than `at_least` cases nothing burns.
    """

    name: str
    service: str
    promise: str
    percent: float
    bad: str
    every: str
    metrics: Mapping[str, Metric]
    resource: Resource
    at_least: int

    @property
    def budget(self) -> float:
        """Percent that may be bad."""
        return round(100 - self.percent, 6)

    def burns(self) -> Iterator[Burn]:
        """Those that can be: of a budget of ten percent ten times as much is everything."""
        return (burn for burn in BURNS if burn.rate * self.budget < 100)

    def burn_rate(self, seconds: int, label: str = "burn rate", suffix: str = "") -> cloudwatch.MathExpression:
        """How fast the budget burnt in the last so many seconds."""
        share = f"100 * ({self.bad}) / ({self.every}) / {self.budget:g}"
        return self._over(seconds, label, f"IF(({self.every}) >= {self.at_least}, {share}, 0)", suffix)

    def attained(self, seconds: int, suffix: str = "") -> cloudwatch.MathExpression:
        """Percent that was good; 100 where nothing was asked for."""
        good = f"100 - 100 * ({self.bad}) / ({self.every})"
        return self._over(seconds, self.promise, f"IF(({self.every}) > 0, {good}, 100)", suffix)

    def budget_left(self, seconds: int) -> cloudwatch.MathExpression:
        """Percent of the budget that is left of that time."""
        left = f"100 - 100 * (100 * ({self.bad}) / ({self.every})) / {self.budget:g}"
        return self._over(seconds, f"{self.name}: budget left, %", f"IF(({self.every}) > 0, {left}, 100)")

    def _over(self, seconds: int, label: str, expression: str, suffix: str = "") -> cloudwatch.MathExpression:
        made = {name: each._replace(seconds=seconds).metric(self.resource) for name, each in self.metrics.items()}
        return formula(label, expression, made, suffix)


def slos(env: str, cards: Sequence[Stage]) -> Iterator[Slo]:
    """All objectives of an environment: of each API, and of photos."""
    for card in cards:
        if card.serving:
            yield from _of_api(card.name, naming.stack(env, card.name))
    yield Slo(
        name="searchable",
        service=PIPELINE,
        promise=f"95% of the photos can be found within {PROMISED_S // 60} minutes",
        percent=95,
        bad="FILL(late, 0)",
        every="FILL(every, 0)",
        metrics={"late": Metric("ours", LATE.name, "Sum"), "every": Metric("ours", SEARCHABLE.name, "Sum")},
        resource=of_environment(env),
        at_least=20,
    )


def _of_api(stage: str, api: str) -> Iterator[Slo]:
    every = Metric("api", "Count", "Sum")
    yield Slo(
        name=f"{stage}-available",
        service=api_of(stage),
        promise=f"99.9% of the requests to the {stage} API are answered",
        percent=99.9,
        bad="FILL(failed, 0)",
        every="FILL(every, 0)",
        metrics={"failed": Metric("api", "5XXError", "Sum"), "every": every},
        resource=api,
        at_least=100,
    )
    # Selfies, which wait for the vision API, are among the requests: they are few, and the objective leaves them room.
    # PR is how many percent of the values are within these. Source: CloudWatch User Guide, "Statistics definitions".
    yield Slo(
        name=f"{stage}-fast",
        service=api_of(stage),
        promise=f"90% of the answers of the {stage} API take less than 200 ms",
        percent=90,
        bad="FILL(every, 0) * (100 - FILL(fast, 100)) / 100",
        every="FILL(every, 0)",
        metrics={"fast": Metric("api", "Latency", "PR(0:200)"), "every": every},
        resource=api,
        at_least=100,
    )


class BurnPlan(NamedTuple):
    """The alarms on a burn, one for each window: it is one when all of them ring."""

    slo: Slo
    burn: Burn
    alarms: tuple[AlarmPlan, ...]


def plan(env: str, cards: Sequence[Stage]) -> Iterator[BurnPlan]:
    """What rings when a budget burns."""
    for slo in slos(env, cards):
        for burn in slo.burns():
            yield BurnPlan(slo, burn, tuple(_alarm(slo, burn, window) for window in burn.windows))


def _alarm(slo: Slo, burn: Burn, window: int) -> AlarmPlan:
    lasts = f"{window // DAY}d" if window >= DAY else f"{window // HOUR}h" if window >= HOUR else f"{window // MINUTE}m"
    meaning = f"The error budget of '{slo.promise}' burns {burn.rate:g} times as fast as it may, over {lasts}."
    return AlarmPlan(
        service=slo.service,
        severity=burn.severity,
        kind=RUNBOOK,
        name=f"{burn.severity}-{RUNBOOK}-{slo.name}-{burn.rate:g}x-{lasts}".replace(".", "_"),
        description=described(burn.severity, meaning, RUNBOOK),
        metric=slo.burn_rate(window),
        compares=">",
        threshold=burn.rate,
    )
