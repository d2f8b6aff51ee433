"""Who is woken, and when not: alarms of a service put together to one page, which waits for what is left of it.

A service is a stage, an API, a dependency, or the pipeline as a whole. When something left of it is not well, neither
can it be, and its own page would only be noise; while a deployment is under way, so would be all but the worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dashboards.alarms import PAGES, AlarmPlan, Severity, described
from dashboards.metrics import Metric
from dashboards.resources import depends_on
from dashboards.slos import BurnPlan
from shared.contracts.card import Stage
from shared.contracts.metrics import DEPLOYING, of_environment

RUNBOOK = "service"

WAIT_S = {"P0": 60, "P1": 180}
"""So long a page waits for what is left of it to turn red too: alarms see the same trouble minutes apart."""
EXTENSION_S = 300
"""So long it stays silent when that is well again: what piled up meanwhile is worked off."""

LASTS_MINUTES = 15
"""A deployment is under way for so long after it was announced."""

AllOf = tuple[str, ...]
"""Names of alarms: all of them must be red."""


class Page(NamedTuple):
    """A page: it is sent when one of `any_of` is red, unless one of `quiet_when` (names of alarms and pages) is."""

    service: str
    severity: Severity
    any_of: tuple[AllOf, ...]
    quiet_when: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name after the environment's prefix."""
        return _name(self.service, self.severity)

    @property
    def quiet_name(self) -> str:
        """That of the alarm which silences it."""
        return f"quiet-{self.severity}-{self.service}"

    @property
    def description(self) -> str:
        """What the pager shows."""
        meaning = f"{self.service} is not well. `snaprace alarms` tells which of its alarms are red."
        return described(self.severity, meaning, RUNBOOK)


def _name(service: str, severity: Severity) -> str:
    return f"{severity}-service-{service}"


def deploying(env: str) -> AlarmPlan:
    """The alarm that is red while a deployment is under way. It tells nobody."""
    return AlarmPlan(
        service="",
        severity="P3",
        kind="deployment",
        name="deploying",
        description=described("P3", "A deployment is under way; pages of P1 wait for its end.", "deployment"),
        metric=Metric("ours", DEPLOYING.name, "Sum").metric(of_environment(env)),
        compares=">=",
        threshold=1,
        periods=1,
        of=LASTS_MINUTES,
    )


def plan(alarms: Sequence[AlarmPlan], burns: Sequence[BurnPlan], cards: Sequence[Stage]) -> list[Page]:
    """All pages, what silences others before them."""
    services = dict.fromkeys(each.service for each in alarms)
    together = {
        (service, severity): any_of
        for service in services
        for severity in PAGES
        if (any_of := tuple(_red(service, severity, alarms, burns)))
    }
    pages = [
        Page(service, severity, any_of, tuple(_silencers(service, severity, together, cards)))
        for (service, severity), any_of in together.items()
    ]
    return sorted(pages, key=lambda page: (len(depends_on(page.service, cards)), page.severity))


def _red(service: str, severity: Severity, alarms: Sequence[AlarmPlan], burns: Sequence[BurnPlan]) -> Iterator[AllOf]:
    for alarm in alarms:
        if (alarm.service, alarm.severity) == (service, severity):
            yield (alarm.name,)
    for burning in burns:
        if (burning.slo.service, burning.burn.severity) == (service, severity):
            yield tuple(alarm.name for alarm in burning.alarms)


def _silencers(
    service: str, severity: Severity, together: dict[tuple[str, Severity], tuple[AllOf, ...]], cards: Sequence[Stage]
) -> Iterator[str]:
    """What has been told already: all that is left of it and as urgent, its own worse page, and a deployment.

    What a deployment takes down altogether (P0) is to be heard by whoever deploys.
    """
    left = depends_on(service, cards)
    yield from (_name(*each) for each in together if each[0] in left and each[1] <= severity)
    if severity != "P0":
        yield "deploying"
        yield from (_name(*each) for each in together if each == (service, "P0"))
