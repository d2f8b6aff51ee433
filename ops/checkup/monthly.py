"""Each month: what the next race needs, what fills up, and who may do what."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime

from ops.look.races import ListedRace, listed
from ops.reach.cards import in_order
from ops.reach.target import Target
from ops.verify.check import Check
from ops.verify.quotas import Quota, applied_quotas, increase
from shared.contracts import naming, quotas

PHOTOS_A_RUNNER = 7
"""Of a large race: 200,000 photos of 30,000 runners (requirements, "The product in one paragraph")."""
HOURS = 2
"""Within which all of them shall be found: docs/capacity.md asks for quotas by the same."""

_FULL = 0.7
"""Of the room that Lambda gives to code; what is above it leaves too little for some months of deployments."""


def next_races(target: Target) -> Iterator[Check]:
    """Whether Rekognition may be called often enough for each race to come that has a roster."""
    to_come = [race for race in listed(target) if race.runners and _is_to_come(race)]
    if not to_come:
        yield Check(name="next race", ok=True, seen="no race with a roster is to come")
        return
    if target.local:
        yield Check(name="next race", ok=True, seen=f"{len(to_come)} to come; this machine has no quotas to ask for")
        return
    applied = applied_quotas(target.client("service-quotas"))
    for race in to_come:
        photos = PHOTOS_A_RUNNER * (race.runners or 0)
        for operation, calls in quotas.calls_a_photo(in_order()).items():
            quota = applied.get(operation)
            a_second = quota.value if quota else quotas.calls_a_second(operation, target.region, {})
            hours = calls * photos / a_second / 3600
            yield Check(
                name=f"next race: {race.event_id}, {operation}",
                ok=hours <= HOURS,
                seen=f"about {photos:,} photos take {hours:.1f} h at {a_second:g} calls a second",
                expected=f"{HOURS} h or less" if hours > HOURS else "",
                advice=_asking(quota, calls * photos / HOURS / 3600) if hours > HOURS else "",
            )


def _asking(quota: Quota | None, calls_a_second: float) -> str:
    return increase("rekognition", quota.code if quota else "QUOTA_CODE", math.ceil(calls_a_second))


def _is_to_come(race: ListedRace) -> bool:
    return date.fromisoformat(race.date) >= datetime.now(UTC).date()


def code_storage(target: Target) -> Iterator[Check]:
    """Whether old versions of functions and layers fill the room that Lambda has for an account's code."""
    settings = target.client("lambda").get_account_settings()
    used, room = settings["AccountUsage"]["TotalCodeSize"], settings["AccountLimit"]["TotalCodeSize"]
    full = used > _FULL * room
    yield Check(
        name="versions and layers",
        ok=not full,
        seen=f"{used / 1e9:.2f} of {room / 1e9:.0f} GB",
        expected=f"less than {_FULL:.0%}" if full else "",
        advice="read docs/runbooks/rollback.md, which says how old versions are deleted" if full else "",
    )


def access(target: Target) -> Iterator[Check]:
    """Who has the policies of the people's stack: users have keys that last; roles are for people to judge."""
    iam = target.client("iam")
    ours = (naming.stack(target.env, ""), f"-{target.region}")
    made = (each for page in iam.get_paginator("list_policies").paginate(Scope="Local") for each in page["Policies"])
    for policy in (
        each["Arn"] for each in made if each["PolicyName"].startswith(ours[0]) and each["PolicyName"].endswith(ours[1])
    ):
        pages = list(iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy))
        users = [each["UserName"] for page in pages for each in page["PolicyUsers"]]
        others = [each["RoleName"] for page in pages for each in page["PolicyRoles"]]
        others += [each["GroupName"] for page in pages for each in page["PolicyGroups"]]
        name = policy.rsplit("/", 1)[-1]
        for user in users:
            yield Check(
                name=f"access: {name}",
                ok=False,
                seen=f"the IAM user {user} has it",
                expected="roles alone, whose credentials expire",
                advice=f"aws iam detach-user-policy --user-name {user} --policy-arn {policy}",
            )
        if not users:
            held = ", ".join(sorted(others)) or "nobody"
            yield Check(name=f"access: {name}", ok=True, seen=f"{held} has it")
