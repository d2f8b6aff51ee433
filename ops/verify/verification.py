"""All that is verified of a deployment, a row for each subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from botocore.exceptions import ClientError

from ops.reach.errors import Failed, explain
from ops.reach.target import Target
from ops.verify import alarms, apis, certificates, queues, quotas, stacks
from ops.verify.check import Check, Verdict
from ops.verify.deployed import Deployed, looked_at
from ops.verify.standing import OTHERS, SERVICES, standing

Looks = Callable[[Deployed], Iterator[Check]]


class Subject(NamedTuple):
    """What `--only` names: checks beyond what its resources' templates ask for."""

    name: str
    also: tuple[Looks, ...] = ()


_ALSO: dict[str, tuple[Looks, ...]] = {
    "stacks": (stacks.stacks,),
    "queues": (lambda deployed: queues.letters(deployed.target),),
    "alarms": (alarms.states,),
    "topics": (alarms.subscriptions,),
    "apis": (apis.routes,),
    "certificates": (certificates.certificates,),
    "quotas": (quotas.concurrency, quotas.rekognition),
}

SUBJECTS: tuple[Subject, ...] = tuple(Subject(name, _ALSO.get(name, ())) for name in (*SERVICES, OTHERS, "quotas"))

_PROBE = "probe"


def verify(
    target: Target,
    *,
    only: str | None = None,
    probe_s: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Verify what stands, or one subject of it; with `probe_s`, then let a probe run that has so long (s).

    `tell` hears what is done. Raises Failed for an unknown subject.
    """
    names = [*(subject.name for subject in SUBJECTS), _PROBE]
    if only is not None and only not in names:
        raise Failed(f"There is no subject '{only}'. There are: {', '.join(names)}.")
    checks: list[Check] = []
    if only != _PROBE:
        tell("Comparing what stands with its templates")
        with looked_at(target) as deployed:
            tell("Asking what no template says")
            for subject in SUBJECTS:
                if only in (None, subject.name):
                    checks += _of(deployed, subject)
    if probe_s is not None and only in (None, _PROBE):
        from ops.verify.probe import probe  # which draws: that takes a while to import

        checks += probe(target, timeout_s=probe_s, tell=tell)
    return Verdict.of(tuple(checks))


def _of(deployed: Deployed, subject: Subject) -> list[Check]:
    checks = list(standing(deployed, subject.name))
    for look in subject.also:
        checks += _looking(deployed, subject.name, look)
    return checks or [Check(name=subject.name, ok=True, seen="nothing is asked for")]


def _looking(deployed: Deployed, name: str, look: Looks) -> Iterator[Check]:
    """What a subject's own checks find; that they cannot be made is a finding, too."""
    try:
        yield from look(deployed)
    except ClientError as error:
        yield Check(
            name=name, ok=False, seen=explain(error), expected="it can be read", advice="snaprace verify --json"
        )
