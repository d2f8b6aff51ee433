"""What stands before an API: how much one client, one address and everybody may ask, and what is refused how."""

import json
import re
from typing import Any

import pytest

from services import cards
from shared.contracts.api import MAX_BODY, Route
from shared.contracts.card import Stage
from tests.templates.templates import Template

SERVING = [card for card in cards() if card.serving]
ROUTES = [(card, route) for card in SERVING for function in card.serving for route in function.routes]
each_api = pytest.mark.parametrize("card", SERVING, ids=lambda card: card.name)
each_throttled = pytest.mark.parametrize(
    ("card", "route"), [(card, route) for card, route in ROUTES if route.throttle], ids=lambda each: each.name
)


def _firewall(template: Template) -> dict[str, Any]:
    (firewall,) = template.of_type("AWS::WAFv2::WebACL").values()
    return firewall


def _rules(template: Template) -> dict[str, dict[str, Any]]:
    return {rule["Name"]: rule for rule in _firewall(template)["Rules"]}


def _bound(rule: dict[str, Any]) -> dict[str, Any]:
    """What a rule counts, which is looked at by the minute."""
    counted: dict[str, Any] = rule["Statement"]["RateBasedStatement"]
    assert counted["EvaluationWindowSec"] == 60
    return counted


@each_api
def test_a_firewall_stands_before_every_api(prod: dict[str, Template], card: Stage) -> None:
    template = prod[card.name]
    ((firewall, _),) = template.of_type("AWS::WAFv2::WebACL").items()
    (before,) = template.of_type("AWS::WAFv2::WebACLAssociation").values()
    assert before["WebACLArn"] == {"Fn::GetAtt": [firewall, "Arn"]}
    (stage,) = template.of_type("AWS::ApiGateway::Stage")
    assert {"Ref": stage} in before["ResourceArn"]["Fn::Join"][1]


@each_api
def test_a_client_may_ask_a_thousand_times_a_minute_and_a_crowd_behind_one_address_far_more(
    prod: dict[str, Template], card: Stage
) -> None:
    rules = _rules(prod[card.name])
    client, address = _bound(rules["a-client"]), _bound(rules["an-address"])
    assert client["Limit"] == 1_000, "as required"
    assert [next(iter(key)) for key in client["CustomKeys"]] == ["IP", "Header"], "the crowd's programs are told apart"
    assert (address["AggregateKeyType"], address["Limit"]) == ("IP", 10_000)


def _costs(card: Stage, route: Route) -> bool:
    """Whether anybody can make the route call what is paid for by the call."""
    served = next(function for function in card.serving if route in function.routes)
    paid = any(action.startswith("rekognition:") for call in served.calls for action in call.actions)
    return paid and route.who == "anybody" and route.method == "POST"


def test_what_costs_by_the_call_is_bounded_by_its_route(prod: dict[str, Template]) -> None:
    costly = [(card, route) for card, route in ROUTES if _costs(card, route)]
    assert costly
    for card, route in costly:
        assert route.throttle is not None and route.throttle.rate <= 50, route.name
        (served,) = (function for function in card.serving if route in function.routes)
        assert served.reserved_concurrency, "in prod it can neither starve the pipeline nor be starved"


@each_throttled
def test_a_route_is_throttled_as_its_card_says(prod: dict[str, Template], card: Stage, route: Route) -> None:
    (stage,) = prod[card.name].of_type("AWS::ApiGateway::Stage").values()
    settings = [each for each in stage["MethodSettings"] if each["ResourcePath"] == f"/{route.path.replace('/', '~1')}"]
    assert route.throttle is not None
    assert sorted(each["HttpMethod"] for each in settings) == sorted(route.methods)
    assert {(each["ThrottlingRateLimit"], each["ThrottlingBurstLimit"]) for each in settings} == {
        (route.throttle.rate, route.throttle.burst)
    }
    bound = _bound(_rules(prod[card.name])[f"a-client-{route.name}"])
    assert bound["Limit"] == route.throttle.each_client < 1_000
    path, method = (
        re.compile(each["RegexMatchStatement"]["RegexString"])
        for each in bound["ScopeDownStatement"]["AndStatement"]["Statements"]
    )
    assert path.search(f"/live{route.path}") and not path.search(f"/live{route.path}er")
    asked = [each for each in ("GET", "HEAD", "POST", "OPTIONS", "DELETE") if method.search(each)]
    assert sorted(asked) == sorted(route.methods)


@each_api
def test_the_common_rules_only_count_large_bodies_since_every_selfie_is_one(
    prod: dict[str, Template], card: Stage
) -> None:
    managed = _rules(prod[card.name])["common-attacks"]["Statement"]["ManagedRuleGroupStatement"]
    assert managed["Name"] == "AWSManagedRulesCommonRuleSet"
    assert managed["RuleActionOverrides"] == [{"ActionToUse": {"Count": {}}, "Name": "SizeRestrictions_BODY"}]


@each_api
@pytest.mark.parametrize("length", [0, 9, MAX_BODY - 1, MAX_BODY])
def test_what_lambda_takes_is_let_through(prod: dict[str, Template], card: Stage, length: int) -> None:
    assert not _too_long(prod[card.name]).search(str(length))


@each_api
@pytest.mark.parametrize("length", [MAX_BODY + 1, MAX_BODY + 10, 5_999_999, 6_000_000, 10**7, 10**12])
def test_what_lambda_would_refuse_is_refused_before_it_in_our_words(
    prod: dict[str, Template], card: Stage, length: int
) -> None:
    assert _too_long(prod[card.name]).search(str(length))
    refused = _refusal(prod[card.name], "too-large")
    assert refused[:2] == (413, "too_large")


def _too_long(template: Template) -> "re.Pattern[str]":
    statement = _rules(template)["too-large"]["Statement"]["RegexMatchStatement"]
    assert statement["FieldToMatch"] == {"SingleHeader": {"Name": "content-length"}}
    return re.compile(statement["RegexString"])


def _refusal(template: Template, rule: str) -> tuple[int, str, str]:
    """Status, code and sentence with which a rule refuses; every page may read it."""
    response = _rules(template)[rule]["Action"]["Block"]["CustomResponse"]
    assert {"Name": "Access-Control-Allow-Origin", "Value": "*"} in response["ResponseHeaders"]
    body = _firewall(template)["CustomResponseBodies"][response["CustomResponseBodyKey"]]
    assert body["ContentType"] == "APPLICATION_JSON"
    error = json.loads(body["Content"])["error"]
    return response["ResponseCode"], error["code"], error["message"]


@each_api
def test_who_asks_too_much_is_told_to_wait(prod: dict[str, Template], card: Stage) -> None:
    bounds = [name for name, rule in _rules(prod[card.name]).items() if "RateBasedStatement" in rule["Statement"]]
    assert len(bounds) >= 2
    for name in bounds:
        status, code, message = _refusal(prod[card.name], name)
        assert (status, code) == (429, "too_many_requests")
        assert "Wait" in message


@each_api
def test_the_firewall_keeps_nobodys_address(prod: dict[str, Template], card: Stage) -> None:
    firewall = _firewall(prod[card.name])
    for each in (firewall, *firewall["Rules"]):
        assert each["VisibilityConfig"]["SampledRequestsEnabled"] is False


# --- what API Gateway itself refuses ----------------------------------------------------------------------


@each_api
def test_api_gateways_refusals_have_the_shape_of_all_others(prod: dict[str, Template], card: Stage) -> None:
    refused = {}
    for response in prod[card.name].of_type("AWS::ApiGateway::GatewayResponse").values():
        error = json.loads(response["ResponseTemplates"]["application/json"])["error"]
        assert error["message"].endswith(".")
        assert response["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        refused[response["ResponseType"]] = (response.get("StatusCode"), error["code"])
    assert refused == {
        "DEFAULT_4XX": (None, "refused"),
        "DEFAULT_5XX": (None, "busy"),
        "REQUEST_TOO_LARGE": ("413", "too_large"),
        "THROTTLED": ("429", "too_many_requests"),
        "WAF_FILTERED": ("403", "not_let_through"),
    }


@each_api
def test_answers_are_compressed(prod: dict[str, Template], card: Stage) -> None:
    (api,) = prod[card.name].of_type("AWS::ApiGateway::RestApi").values()
    assert api["MinimumCompressionSize"] == 1024


@each_api
def test_dev_reserves_nothing_of_an_account_that_may_have_next_to_nothing(
    dev: dict[str, Template], prod: dict[str, Template], card: Stage
) -> None:
    for function in card.serving:
        reserved = {
            env: [
                made.get("ReservedConcurrentExecutions")
                for made in templates[card.name].of_type("AWS::Lambda::Function").values()
                if made["Handler"].endswith(f".{function.name}.handler")
            ]
            for env, templates in (("dev", dev), ("prod", prod))
        }
        assert reserved == {"dev": [None], "prod": [function.reserved_concurrency]}
