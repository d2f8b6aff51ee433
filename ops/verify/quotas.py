"""The account's quotas allow what is deployed: as many functions at once, and as many calls of Rekognition a second."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deploy.standing.examination import Resource
from ops.reach.cards import in_order
from ops.verify.advice import aws
from ops.verify.check import Check
from ops.verify.deployed import Deployed
from shared.contracts import naming, quotas
from shared.contracts.card import Function

# Source: Service Quotas, Lambda, "Concurrent executions".
_CONCURRENCY = "L-B99A9384"


class Quota(NamedTuple):
    """A quota of a service as it is applied to the account: its code, and its value."""

    code: str
    value: float


def concurrency(deployed: Deployed) -> Iterator[Check]:
    """Whether all batches that mappings may work on at once fit into the account, beside what is reserved."""
    limits = deployed.client("lambda").get_account_settings()["AccountLimit"]
    there = int(limits["ConcurrentExecutions"])
    mapped = sum(map(_at_once, deployed.resources("AWS::Lambda::EventSourceMapping")))
    reserved = sum(
        int(each.asked.get("ReservedConcurrentExecutions") or 0) for each in deployed.resources("AWS::Lambda::Function")
    )
    wanted = max(mapped, quotas.UNRESERVED) + reserved
    if there >= wanted:
        yield Check(
            name="quotas: concurrent executions",
            ok=True,
            seen=f"{there:,}, of which the mappings take {mapped:,} and {reserved:,} are reserved",
        )
        return
    yield Check(
        name="quotas: concurrent executions",
        ok=not deployed.is_kept,
        seen=f"{there:,}",
        expected=f"{wanted:,} or more: the mappings take {mapped:,}, and {reserved:,} are reserved",
        advice=increase("lambda", _CONCURRENCY, max(1000, wanted)),
    )


def _at_once(mapping: Resource) -> int:
    """How many batches of a mapping are worked on at once; of a stream, of each of its shards."""
    bound = mapping.asked.get("ScalingConfig", {}).get("MaximumConcurrency")
    return int(bound or mapping.asked.get("ParallelizationFactor", 1))


def rekognition(deployed: Deployed) -> Iterator[Check]:
    """Whether functions work on as many batches at once as the account's quotas let them: not more, and not fewer."""
    if deployed.target.local:
        yield Check(
            name="quotas: Rekognition", ok=True, seen="the vision server has those that the runtime was started with"
        )
        return
    applied = applied_quotas(deployed.client("service-quotas"))
    for card in in_order():
        for function in card.functions:
            if function.metered and (deployed_at_once := _deployed_at_once(deployed, card.name, function.name)):
                yield _metered(deployed, function, deployed_at_once, applied.get(function.metered.operation))


def applied_quotas(client: Any) -> dict[str, Quota]:
    """Of Rekognition's operations that functions call, calls a second, as Service Quotas has them by their names."""
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="rekognition")
    found = {each["QuotaName"]: Quota(each["QuotaCode"], each["Value"]) for page in pages for each in page["Quotas"]}
    return {
        operation: quota
        for operation in quotas.OPERATIONS
        for name, quota in found.items()
        if "per second" in name.lower() and re.search(rf"\b{operation}\b", name)
    }


def _deployed_at_once(deployed: Deployed, stage: str, function: str) -> int | None:
    name = naming.function(deployed.target.env, stage, function)
    for mapping in deployed.resources("AWS::Lambda::EventSourceMapping"):
        if name in str(mapping.asked["FunctionName"]).split(":"):
            return _at_once(mapping)
    return None


def _metered(deployed: Deployed, function: Function, at_once: int, applied: Quota | None) -> Check:
    assert function.metered  # noqa: S101 - the caller looks
    operation, env = function.metered.operation, deployed.target.env
    name = f"quotas: {operation}"
    if applied is None:
        return Check(
            name=name, ok=True, seen="Service Quotas tells none", advice="look for it in AWS General Reference"
        )
    allowed = quotas.concurrency(function, deployed.target.region, {operation: applied.value})
    seen = f"{applied.value:g} calls a second, with {at_once} batches at once"
    if at_once <= allowed:
        more = f'they allow {allowed}: say {{"quotas": {{"{env}": {{"{operation}": {applied.value:g}}}}}}} in cdk.json'
        return Check(name=name, ok=True, seen=seen, advice=more if at_once < allowed else "")
    wanted = at_once * function.metered.a_message / function.metered.message_s
    return Check(
        name=name,
        ok=False,
        seen=seen,
        expected=f"{wanted:g} calls a second or more, or {allowed} batches at once",
        advice=increase("rekognition", applied.code, wanted),
    )


def increase(service: str, code: str, value: float) -> str:
    """Ask AWS for more of a quota."""
    return aws(
        "service-quotas request-service-quota-increase",
        service_code=service,
        quota_code=code,
        desired_value=float(value),
    )
