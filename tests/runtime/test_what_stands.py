"""What stands after a local deployment is what the templates asked for, and the check would notice if not."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy import assets
from deploy import changed as deploy_changed
from deploy.assembly import stacks_of
from deploy.place import DeploymentFailed, Place
from deploy.standing.examination import Findings, examine
from local.aws import deployment, limits
from local.runtime import CHECKOUT, Running
from ops.mend.rollback import versions_of
from ops.reach.target import of_runtime
from services import cards
from tests.runtime import assemblies
from tests.runtime.conftest import Client, launched, until

PLACE = Place("000000000000", "us-east-1")


def examined(stack: str, template: dict[str, Any], client: Client) -> Findings:
    return examine(stack, template, client, PLACE, limits.PROPERTIES)


def stacks(assembly: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    manifest = json.loads((assembly / "manifest.json").read_text())
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            properties = artifact["properties"]
            yield properties.get("stackName", name), json.loads((assembly / properties["templateFile"]).read_text())


def test_everything_stands_as_asked_and_every_property_is_compared_or_a_listed_limit(
    assembly: Path, client: Client
) -> None:
    differences: list[str] = []
    unchecked: set[str] = set()
    for name, template in stacks(assembly):
        findings = examined(name, template, client)
        differences += findings.differences
        unchecked |= findings.unchecked
    assert differences == []
    assert unchecked == set()


def test_a_stack_tells_which_version_of_each_function_it_was_deployed_with(embedded: Running) -> None:
    for card in cards():
        for found in versions_of(of_runtime(embedded), card.name):
            assert (found.live, found.deployed, found.arriving) == (1, 1, None)


def changed(value: Any) -> Any:
    """Another value of the same shape: its first leaf differs."""
    if isinstance(value, dict):
        if not value or next(iter(value)).startswith(("Fn::", "Ref")):
            return "something-else"
        first = next(iter(value))
        return {**value, first: changed(value[first])}
    if isinstance(value, list):
        return [changed(value[0]), *value[1:]] if value else ["something-else"]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return {"true": "false", "Enabled": "Suspended"}.get(value, f"{value}-else")


def rounds(template: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """The template with one property of each resource changed, until each had its turn; and which (by logical id)."""
    compared = {
        logical_id: [
            name
            for name in resource.get("Properties", {})
            if name != "Tags" and not {resource["Type"], f"{resource['Type']}.{name}"} & limits.PROPERTIES
        ]
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] != "AWS::CDK::Metadata"
    }
    for turn in range(max(map(len, compared.values()))):
        asked = copy.deepcopy(template)
        names = {logical_id: turn_of[turn] for logical_id, turn_of in compared.items() if turn < len(turn_of)}
        for logical_id, name in names.items():
            properties = asked["Resources"][logical_id]["Properties"]
            properties[name] = changed(properties[name])
        yield asked, names


def test_a_change_of_any_property_of_any_resource_is_noticed(assembly: Path, client: Client) -> None:
    overlooked = set()
    for stack, template in stacks(assembly):
        for asked, names in rounds(template):
            findings = examined(stack, asked, client)
            noticed = {difference.resource.logical_id for difference in findings.differences}
            overlooked |= {
                f"{template['Resources'][logical_id]['Type']}.{name}"
                for logical_id, name in names.items()
                if logical_id not in noticed
            }
    assert overlooked == set()


def test_a_resource_that_does_not_stand_is_missed(assembly: Path, client: Client) -> None:
    stack, template = next(stacks(assembly))
    asked = copy.deepcopy(template)
    asked["Resources"]["Another"] = {"Type": "AWS::SQS::Queue", "Properties": {}}
    assert [str(each) for each in examined(stack, asked, client).differences] == [
        "Another (AWS::SQS::Queue) is missing."
    ]


def test_deploying_again_changes_nothing(assembly: Path, embedded: Running, client: Client) -> None:
    def deployed() -> dict[str, Any]:
        return {stack["StackName"]: stack.get("LastUpdatedTime") for stack in _described(client)}

    before = deployed()
    names = deployment.deploy(assembly, embedded.client)
    assert set(names) == set(before)
    assert deployed() == before


def test_of_what_stands_only_the_changed_is_told(assembly: Path, client: Client) -> None:
    asked = list(stacks_of(assembly))
    assert list(deploy_changed.changed(asked, client("cloudformation"))) == []
    last = asked[-1]
    grown = {**last.template, "Resources": {**last.template["Resources"], "More": {"Type": "AWS::SQS::Queue"}}}
    told = deploy_changed.changed([*asked[:-1], last._replace(template=grown)], client("cloudformation"))
    assert [each.stack for each in told] == [last.name]


def _described(client: Client) -> list[dict[str, Any]]:
    return [
        stack
        for stack in client("cloudformation").describe_stacks()["Stacks"]
        if stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    ]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with launched(tmp_path_factory.mktemp("empty")) as running:
        yield running


def test_what_ministack_lacks_is_created_updated_and_deleted(empty: Running, tmp_path: Path) -> None:
    def deploy(*settings: Any) -> list[str]:
        template = assemblies.with_what_ministack_lacks(*settings)
        deployment.deploy(assemblies.write(tmp_path, template, "lacking"), empty.client, verify=False)
        return examined("lacking", template, empty.client).differences

    assert deploy(7, "expires", 5) == []
    empty.client("s3").delete_object(Bucket="cdk-handmade-assets-000000000000-us-east-1", Key="lacking.json")
    assert deploy(30, "gone_at", 6) == []
    (firewall,) = empty.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
    before = empty.client("wafv2").list_resources_for_web_acl(WebACLArn=firewall["ARN"])["ResourceArns"]
    assert before == ["arn:aws:apigateway:us-east-1::/restapis/api/stages/stage6"]

    empty.client("cloudformation").delete_stack(StackName="lacking")
    until(lambda: not empty.client("cloudwatch").describe_alarms()["MetricAlarms"])
    assert empty.client("events").list_archives()["Archives"] == []
    assert empty.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []
    assert empty.client("dynamodb").list_tables()["TableNames"] == []
    assert empty.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"] == []


def test_a_routes_own_throttle_holds(empty: Running, tmp_path: Path) -> None:
    # Mutation: the path with ~1 for its slashes, as the template has it. Nothing was throttled.
    for burst in (2, 3):
        template, stack = assemblies.with_throttled_routes(burst), "throttled"
        deployment.deploy(assemblies.write(tmp_path, template, stack), empty.client, verify=False)
        empty.client("s3").delete_object(Bucket="cdk-handmade-assets-000000000000-us-east-1", Key=f"{stack}.json")
        assert examined("throttled", template, empty.client).differences == []
    (api,) = empty.client("apigateway").get_rest_apis()["items"]
    host = {"Host": f"{api['id']}.execute-api.127.0.0.1:{empty.ports.aws}"}

    def asked(path: str) -> int:
        return httpx.get(f"{empty.aws_url}/live/{path}", headers=host, trust_env=False).status_code

    assert [asked(f"a/{number}") for number in range(5)] == [200, 200, 200, 429, 429]
    assert [asked("b") for _ in range(5)] == [200] * 5


def test_a_template_that_cannot_be_deployed_is_refused_with_its_reason(empty: Running, tmp_path: Path) -> None:
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere", "maxReceiveCount": "many"}
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "RedrivePolicy": policy}}
    with pytest.raises(DeploymentFailed, match=r"Stack broken .*maxReceiveCount"):
        deployment.deploy(assemblies.write(tmp_path, {"Resources": {"Q": queue}}, "broken"), empty.client)


def test_an_event_for_a_queue_that_is_gone_goes_to_the_dead_letter_queue_of_the_rule(empty: Running) -> None:
    sqs, events = empty.client("sqs"), empty.client("events")
    grave = sqs.create_queue(QueueName="grave")["QueueUrl"]
    target = {
        "Id": "gone",
        "Arn": "arn:aws:sqs:us-east-1:000000000000:gone",
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:grave"},
    }
    rule = events.put_rule(Name="to-gone", EventPattern=json.dumps({"source": ["test"]}))["RuleArn"]
    events.put_targets(Rule="to-gone", Targets=[target])
    events.put_events(Entries=[{"Source": "test", "DetailType": "Happened", "Detail": '{"n": 1}'}])

    [message] = until(
        lambda: sqs.receive_message(QueueUrl=grave, MessageAttributeNames=["All"]).get("Messages"), seconds=5
    )
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert message["MessageAttributes"]["RULE_ARN"]["StringValue"] == rule


def test_assets_are_zipped_the_same_whenever_they_were_written(tmp_path: Path) -> None:
    zips = []
    for time_stamp in (1_000_000_000, 1_700_000_000):
        folder = tmp_path / str(time_stamp)
        (folder / "package").mkdir(parents=True)
        for name in ("b.py", "a.py", "package/c.py"):
            (folder / name).write_text(f"# {name}")
        for file in folder.rglob("*.py"):
            os.utime(file, (time_stamp, time_stamp))
        zips.append(assets.zipped(folder))
    assert zips[0] == zips[1]


def test_the_documents_list_what_is_not_emulated() -> None:
    for page in ("docs/local-runtime.md", "README.md"):
        assert limits.as_markdown() in (CHECKOUT / page).read_text()
