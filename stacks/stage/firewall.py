"""The web application firewall before a stage's API: bounds what one client may ask, and knows common attacks.

A client is an address together with the program it uses (User-Agent), since a race's crowd shares one address; the
address alone is bounded well above that. Without a User-Agent nobody comes in: the managed rules refuse that.
"""

from __future__ import annotations

import re
from typing import Any

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as waf

from shared.contracts import naming
from shared.contracts.api import MAX_BODY, Refusal, Route, TooLarge, TooManyRequests, as_error
from shared.contracts.card import Stage
from stacks.environment import EnvironmentStack

# Requests a minute that are let through.
A_CLIENT, AN_ADDRESS = 1_000, 10_000

_WINDOW_S = 60  # the shortest that WAF counts over; it looks again every ten seconds or so

# These refuse with our words; the managed rules refuse with API Gateway's response WAF_FILTERED.
_REFUSALS: dict[str, Refusal] = {refusal.CODE: refusal for refusal in (TooManyRequests(), TooLarge())}

Acl = waf.CfnWebACL


def add_firewall(stack: EnvironmentStack, card: Stage, api: apigateway.RestApi, env: str) -> None:
    """The firewall, before the API's deployed stage."""
    name = naming.stack(env, card.name)
    rules = [("too-large", _longer_than(MAX_BODY), _refuses(TooLarge()))]
    rules += [(what, statement, _refuses(TooManyRequests())) for what, statement in _bounds(card)]
    firewall = Acl(
        stack,
        "Firewall",
        name=name,
        description=f"Before the {card.name} API",
        scope="REGIONAL",
        default_action=Acl.DefaultActionProperty(allow=Acl.AllowActionProperty()),
        custom_response_bodies={
            code: Acl.CustomResponseBodyProperty(content_type="APPLICATION_JSON", content=as_error(refusal).decode())
            for code, refusal in _REFUSALS.items()
        },
        rules=[
            *(
                Acl.RuleProperty(
                    name=what, priority=place, statement=statement, action=action, visibility_config=_seen_as(what)
                )
                for place, (what, statement, action) in enumerate(rules)
            ),
            _common_attacks(place=len(rules)),
        ],
        visibility_config=_seen_as(name),
    )
    waf.CfnWebACLAssociation(
        stack, "FirewallBeforeApi", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=firewall.attr_arn
    )


def _bounds(card: Stage) -> list[tuple[str, Acl.StatementProperty]]:
    """What a client and an address may ask in a minute, and a client of a route that the card bounds."""
    throttled = [route for function in card.serving for route in function.routes if route.throttle]
    return [
        ("an-address", _rate(AN_ADDRESS, aggregate_key_type="IP")),
        ("a-client", _rate_of_a_client(A_CLIENT)),
        *(
            (f"a-client-{route.name.replace('_', '-')}", _rate_of_a_client(route.throttle.each_client, route))
            for route in throttled
            if route.throttle
        ),
    ]


def _rate(limit: int, **settings: Any) -> Acl.StatementProperty:
    bounded = Acl.RateBasedStatementProperty(limit=limit, evaluation_window_sec=_WINDOW_S, **settings)
    return Acl.StatementProperty(rate_based_statement=bounded)


def _rate_of_a_client(limit: int, route: Route | None = None) -> Acl.StatementProperty:
    program = Acl.RateLimitHeaderProperty(name="user-agent", text_transformations=_AS_IT_IS)
    keys = [
        Acl.RateBasedStatementCustomKeyProperty(ip={}),
        Acl.RateBasedStatementCustomKeyProperty(header=program),
    ]
    return _rate(
        limit,
        aggregate_key_type="CUSTOM_KEYS",
        custom_keys=keys,
        scope_down_statement=_of_route(route) if route else None,
    )


_AS_IT_IS = [Acl.TextTransformationProperty(priority=0, type="NONE")]


def _of_route(route: Route) -> Acl.StatementProperty:
    """Requests of a route; before its path the address has the API's stage."""
    path = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in route.path.split("/"))
    both = [
        _matches(f"{path}/?$", Acl.FieldToMatchProperty(uri_path={})),
        _matches(f"^({'|'.join(route.methods)})$", Acl.FieldToMatchProperty(method={})),
    ]
    return Acl.StatementProperty(and_statement=Acl.AndStatementProperty(statements=both))


def _longer_than(limit: int) -> Acl.StatementProperty:
    """Requests whose Content-Length is above a limit of so many bytes.

    WAF itself looks at no more than a body's first 64 KB. A regular expression compares the numbers: as many digits
    as the limit has, of which the first that differs is greater, or more digits.
    """
    digits = str(limit)
    greater = [
        f"{digits[:place]}[{int(digit) + 1}-9]\\d{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    pattern = f"^({'|'.join(greater)}|\\d{{{len(digits) + 1},}})$"
    return _matches(pattern, Acl.FieldToMatchProperty(single_header={"Name": "content-length"}))


def _matches(pattern: str, where: Acl.FieldToMatchProperty) -> Acl.StatementProperty:
    return Acl.StatementProperty(
        regex_match_statement=Acl.RegexMatchStatementProperty(
            regex_string=pattern, field_to_match=where, text_transformations=_AS_IT_IS
        )
    )


def _refuses(refusal: Refusal) -> Acl.RuleActionProperty:
    headers = {"Access-Control-Allow-Origin": "*", **refusal.HEADERS}
    return Acl.RuleActionProperty(
        block=Acl.BlockActionProperty(
            custom_response=Acl.CustomResponseProperty(
                response_code=refusal.STATUS,
                custom_response_body_key=refusal.CODE,
                response_headers=[
                    Acl.CustomHTTPHeaderProperty(name=name, value=value) for name, value in headers.items()
                ],
            )
        )
    )


def _common_attacks(place: int) -> Acl.RuleProperty:
    """AWS's core rules. They only count bodies above 8 KB, which they would refuse: every selfie is larger."""
    counted = Acl.RuleActionOverrideProperty(
        name="SizeRestrictions_BODY", action_to_use=Acl.RuleActionProperty(count=Acl.CountActionProperty())
    )
    managed = Acl.ManagedRuleGroupStatementProperty(
        vendor_name="AWS", name="AWSManagedRulesCommonRuleSet", rule_action_overrides=[counted]
    )
    return Acl.RuleProperty(
        name="common-attacks",
        priority=place,
        statement=Acl.StatementProperty(managed_rule_group_statement=managed),
        override_action=Acl.OverrideActionProperty(none={}),
        visibility_config=_seen_as("common-attacks"),
    )


def _seen_as(metric: str) -> Acl.VisibilityConfigProperty:
    """Counted, but no requests are kept as samples: they would hold people's addresses."""
    return Acl.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=False
    )
