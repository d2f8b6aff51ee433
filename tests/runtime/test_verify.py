"""`snaprace verify` finds each fault that is planted in a deployment, nothing else, and says what mends it.

Its probe goes through, and leaves no trace however it ends.

All faults are planted at once, each in a resource of its own, so that one look must tell them apart. The advice is
carried out as it stands, by boto3 as the AWS CLI would; then nothing is wrong any more.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel

from deploy.standing.differences import Differs
from deploy.standing.examination import Difference, Resource
from local.aws import deployment
from local.runtime import Running
from ops.checkup.routine import ROUTINE, checkup
from ops.look.status import RaceStatus
from ops.race import erase
from ops.reach.errors import Failed
from ops.reach.target import Target, of_runtime
from ops.verify import probe
from ops.verify.advice import advice
from ops.verify.check import Check
from ops.verify.deployed import expected_stacks, looked_at
from ops.verify.material import Drawn
from ops.verify.standing import called
from ops.verify.verification import verify
from services import cards
from shared.contracts import naming
from shared.contracts.events import Box
from shared.contracts.keys import PROBE, RaceRef, photo_id
from stacks.people import INSPECTED, READING
from tests.kit import aws_cli, pictures
from tests.kit.fake_aws import FakeRekognition, Seen
from tests.runtime.conftest import launched, serving
from tests.runtime.rekognition import answering

Client = Callable[[str], Any]


HER, OTHER = "11", "22"
"""Bibs, and whose faces they are."""


class Rekognition(FakeRekognition):
    """Knows the probe's pictures by their content, in whichever race they are; a picture that is sent is her selfie."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, tuple[str, str]] = {}

    def detect_text(self, Image: Any, Filters: Any) -> Any:
        self._recognize(Image["S3Object"]["Name"])
        return super().detect_text(Image=Image, Filters=Filters)

    def index_faces(self, CollectionId: str, Image: Any, ExternalImageId: str, **more: Any) -> Any:
        self._recognize(Image["S3Object"]["Name"])
        return super().index_faces(CollectionId, Image, ExternalImageId, **more)

    def detect_faces(self, Image: Any, **_: Any) -> Any:
        return {"FaceDetails": [{"BoundingBox": dict.fromkeys(("Left", "Top", "Width", "Height"), 0.3)}]}

    def search_faces_by_image(self, CollectionId: str, Image: Any, FaceMatchThreshold: float, MaxFaces: int) -> Any:
        return self._matching(CollectionId, HER, FaceMatchThreshold, MaxFaces)

    def _recognize(self, key: str) -> None:
        organizer, event, *_ = key.split("/")
        for content, (person, bib) in self.known.items():
            name = photo_id(RaceRef(organizer, event), content)
            self.faces_in[name] = [Seen(person, Box(left=0.3, top=0.2, width=0.06, height=0.09))]
            self.words_in[name] = [(bib, 99.0, Box(left=0.305, top=0.42, width=0.05, height=0.03))] if bib else []


@pytest.fixture(scope="module")
def rekognition() -> Rekognition:
    return Rekognition()


@pytest.fixture(scope="module")
def running(hurried: Path, rekognition: Rekognition, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The product's stacks with the front door, for this module alone: faults are planted here."""
    with launched(tmp_path_factory.mktemp("faulty")) as started, answering(started.ports.vision, rekognition):
        deployment.deploy(hurried, started.client, verify=False)
        door = {"Name": naming.front_door_parameter("dev"), "Value": started.front_door, "Type": "String"}
        started.client("ssm").put_parameter(**door)
        command = ["local.door", "--port", str(started.ports.web), "--aws", started.aws_url]
        with serving(command, started.environment(), f"{started.front_door}/health"):
            yield started


@pytest.fixture(scope="module")
def requests() -> set[str]:
    """What `target` asked of AWS, as "service:Operation" with the service's prefix in IAM."""
    return set()


@pytest.fixture(scope="module")
def target(running: Running, requests: set[str]) -> Target:
    made = of_runtime(running)

    def note(model: OperationModel, **_: Any) -> None:
        service = model.service_model
        requests.add(f"{_IN_IAM.get(service.service_name, service.signing_name)}:{model.name}")

    made.session.events.register("before-call", note)
    return made


_IN_IAM = {"cloudwatch": "cloudwatch"}  # which signs as monitoring


@dataclass
class Planted:
    """A fault: under which name it is found, what is seen; `undo` where no single command mends it here."""

    name: str
    seen: str
    undo: Callable[[], object] | None = None


class Faults:
    """Plants faults, each in a resource of its own."""

    def __init__(self, client: Client, resources: list[Resource]) -> None:
        self._client = client
        self._resources = resources
        self.planted: dict[str, Planted] = {}

    def take(self, kind: str, fits: Callable[[Resource], bool] = lambda _: True) -> Resource:
        """A resource that has no fault yet."""
        for resource in self._resources:
            if resource.kind == kind and fits(resource):
                self._resources.remove(resource)
                return resource
        raise AssertionError(f"no {kind} is left")

    def note(self, fault: str, subject: str, resource: Resource | str, seen: str, undo: Any = None) -> None:
        name = resource if isinstance(resource, str) else called(resource)
        self.planted[fault] = Planted(f"{subject}: {name}", seen, undo)

    # --- events ---------------------------------------------------------------------------------------------

    def rules(self) -> None:
        events = self._client("events")

        def rule(**asked: bool) -> tuple[Resource, dict[str, str]]:
            found = self.take("AWS::Events::Rule", lambda each: "EventPattern" in each.asked)
            bus = {"EventBusName": found.asked["EventBusName"]} if "EventBusName" in found.asked else {}
            return found, {"Name": found.name.rsplit("|", 1)[-1], **bus}

        resource, named = rule()
        events.disable_rule(**named)
        self.note("a rule that is disabled", "rules", resource, 'State is "DISABLED"')

        resource, named = rule()
        ids = [each["Id"] for each in resource.asked["Targets"]]
        events.remove_targets(Rule=named.pop("Name"), **named, Ids=ids)
        self.note("a rule without its target", "rules", resource, "Targets is []")

        resource, named = rule()
        narrowed = {**resource.asked["EventPattern"], "account": ["111122223333"]}
        events.put_rule(**named, EventPattern=json.dumps(narrowed), State="ENABLED")
        self.note("a rule that hears less", "rules", resource, 'EventPattern.account is ["111122223333"]')

        resource, named = rule()
        target = events.list_targets_by_rule(Rule=named["Name"], **dict([*named.items()][1:]))["Targets"][0]
        target["DeadLetterConfig"] = {"Arn": "arn:aws:sqs:us-east-1:000000000000:elsewhere"}
        events.put_targets(Rule=named.pop("Name"), **named, Targets=[target])
        self.note("a rule's target with another dead-letter queue", "rules", resource, "elsewhere")

    def archives(self) -> None:
        events = self._client("events")
        archive = self.take("AWS::Events::Archive")
        events.update_archive(ArchiveName=archive.name, RetentionDays=1)
        self.note("an archive that forgets early", "archives", archive, "RetentionDays is 1")
        archive = self.take("AWS::Events::Archive")
        pattern = {**archive.asked["EventPattern"], "source": ["nobody"]}
        events.update_archive(ArchiveName=archive.name, EventPattern=json.dumps(pattern))
        self.note("an archive that keeps others", "archives", archive, "EventPattern.source")

    # --- functions ------------------------------------------------------------------------------------------

    def functions(self) -> None:
        client = self._client("lambda")

        serving = {naming.function("dev", card.name, each.name) for card in cards() for each in card.serving}

        def function(**changed: Any) -> Resource:
            """One that no API needs: its routes would not be answered, which is found as well."""
            found = self.take("AWS::Lambda::Function", lambda each: each.name not in serving)
            if changed:
                client.update_function_configuration(FunctionName=found.name, **changed)
            return found

        resource = self.take("AWS::Lambda::Function", lambda each: each.asked["RecursiveLoop"] == "Allow")
        client.put_function_recursion_config(FunctionName=resource.name, RecursiveLoop="Terminate")
        self.note("a loop that Lambda would cut off", "functions", resource, 'RecursiveLoop is "Terminate"')
        self.note("a function with another timeout", "functions", function(Timeout=3), "Timeout is 3")
        self.note("a function with less memory", "functions", function(MemorySize=128), "MemorySize is 128")
        self.note("a function without its layers", "functions", function(Layers=[]), "Layers is []")
        resource = function()
        variables = {**resource.asked["Environment"]["Variables"], "BUS_NAME": "elsewhere"}
        client.update_function_configuration(FunctionName=resource.name, Environment={"Variables": variables})
        self.note("a changed variable", "functions", resource, 'Environment.Variables.BUS_NAME is "elsewhere"')
        resource = function()
        variables = {**resource.asked["Environment"]["Variables"], "AWS_ENDPOINT_URL_SQS": "https://elsewhere"}
        client.update_function_configuration(FunctionName=resource.name, Environment={"Variables": variables})
        self.note("a variable too many", "functions", resource, "AWS_ENDPOINT_URL_SQS")
        resource = function()
        client.put_function_concurrency(FunctionName=resource.name, ReservedConcurrentExecutions=0)
        self.note("a function that was stopped", "functions", resource, "ReservedConcurrentExecutions is 0")

    def aliases(self) -> None:
        alias = self.take("AWS::Lambda::Alias")
        moved = {"FunctionName": alias.asked["FunctionName"], "Name": alias.asked["Name"], "FunctionVersion": "$LATEST"}
        self._client("lambda").update_alias(**moved)
        self.note("an alias that was moved", "functions", alias, 'FunctionVersion is "$LATEST"')

    def mappings(self) -> None:
        client = self._client("lambda")
        kind = "AWS::Lambda::EventSourceMapping"
        mapping = self.take(kind)
        client.update_event_source_mapping(UUID=mapping.name, Enabled=False)
        self.note("a mapping that is disabled", "mappings", mapping, "Enabled is false")
        mapping = self.take(kind)
        client.update_event_source_mapping(UUID=mapping.name, BatchSize=1)
        self.note("a mapping with another batch", "mappings", mapping, "BatchSize is 1")
        mapping = self.take(kind, lambda each: "ScalingConfig" in each.asked)
        client.update_event_source_mapping(UUID=mapping.name, ScalingConfig={"MaximumConcurrency": 999})
        self.note("a mapping with too much at once", "mappings", mapping, "MaximumConcurrency is 999")
        mapping = self.take(kind, lambda each: "ScalingConfig" in each.asked)
        client.update_event_source_mapping(UUID=mapping.name, FunctionResponseTypes=[])
        self.note("a mapping without partial responses", "mappings", mapping, "FunctionResponseTypes is []")

    # --- data -----------------------------------------------------------------------------------------------

    def tables(self) -> None:
        client = self._client("dynamodb")
        kind = "AWS::DynamoDB::GlobalTable"
        table = self.take(kind, lambda each: bool(each.asked["GlobalSecondaryIndexes"]))
        index = table.asked["GlobalSecondaryIndexes"][0]
        deleted = [{"Delete": {"IndexName": index["IndexName"]}}]
        client.update_table(TableName=table.name, GlobalSecondaryIndexUpdates=deleted)

        again = functools.partial(
            client.update_table,
            TableName=table.name,
            AttributeDefinitions=table.asked["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[
                {"Create": {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}}
            ],
        )
        self.note("a table without an index", "tables", table, "GlobalSecondaryIndexes is", again)
        table = self.take(kind, lambda each: each.asked["TimeToLiveSpecification"]["Enabled"] is True)
        attribute = table.asked["TimeToLiveSpecification"]["AttributeName"]
        client.update_time_to_live(
            TableName=table.name, TimeToLiveSpecification={"AttributeName": attribute, "Enabled": False}
        )
        self.note("a table that forgets nothing", "tables", table, "TimeToLiveSpecification")
        table = self.take(kind, lambda each: "PointInTime" in str(each.asked["Replicas"]))
        off = {"PointInTimeRecoveryEnabled": False}
        client.update_continuous_backups(TableName=table.name, PointInTimeRecoverySpecification=off)
        self.note("a table without recovery", "tables", table, "PointInTimeRecoveryEnabled is false")

    def queues(self) -> None:
        client = self._client("sqs")
        queue = self.take("AWS::SQS::Queue", lambda each: "RedrivePolicy" in each.asked)
        client.set_queue_attributes(QueueUrl=queue.name, Attributes={"VisibilityTimeout": "1"})
        self.note("a queue that shows messages again too soon", "queues", queue, 'VisibilityTimeout is "1"')
        queue = self.take("AWS::SQS::Queue", lambda each: "RedrivePolicy" in each.asked)
        redrive = json.dumps({**queue.asked["RedrivePolicy"], "maxReceiveCount": 1})
        client.set_queue_attributes(QueueUrl=queue.name, Attributes={"RedrivePolicy": redrive})
        self.note("a queue that gives up at once", "queues", queue, "RedrivePolicy.maxReceiveCount is 1")
        queue = self.take("AWS::SQS::Queue", lambda each: each.name.endswith("-ocr-read-dlq"))
        client.send_message(QueueUrl=queue.name, MessageBody="{}")
        name = queue.name.rsplit("/", 1)[-1]
        empty = functools.partial(client.purge_queue, QueueUrl=queue.name)
        self.note("a dead letter", "dead letters", name, "1 letter", empty)

    def streams(self) -> None:
        stream = self.take("AWS::Kinesis::Stream")
        client = self._client("kinesis")
        client.increase_stream_retention_period(StreamName=stream.name, RetentionPeriodHours=48)
        self.note("a stream that keeps longer", "streams", stream, "RetentionPeriodHours is 48")

    def buckets(self) -> None:
        s3 = self._client("s3")
        bucket = self.take("AWS::S3::Bucket", lambda each: "NotificationConfiguration" in each.asked)
        s3.put_bucket_notification_configuration(Bucket=bucket.name, NotificationConfiguration={})
        self.note("uploads that nobody hears of", "buckets", bucket, "EventBridgeEnabled is false")
        bucket = self.take("AWS::S3::Bucket")
        s3.delete_public_access_block(Bucket=bucket.name)
        self.note("a bucket that may be public", "buckets", bucket, "PublicAccessBlockConfiguration is null")

    # --- what is seen ---------------------------------------------------------------------------------------

    def alarms(self) -> None:
        client = self._client("cloudwatch")
        kind = "AWS::CloudWatch::Alarm"
        alarm = self.take("AWS::CloudWatch::CompositeAlarm", lambda each: bool(each.asked["AlarmActions"]))
        client.put_composite_alarm(**{**alarm.asked, "AlarmActions": []})
        self.note("an alarm that tells nobody", "alarms", alarm, "AlarmActions is []")
        alarm = self.take(kind)
        client.delete_alarms(AlarmNames=[alarm.name])
        self.note("an alarm that is gone", "alarms", alarm, "it is missing")
        alarm = self.take(kind)
        client.disable_alarm_actions(AlarmNames=[alarm.name])
        self.note("an alarm that was silenced", "alarms", alarm, "ActionsEnabled is false")
        alarm = self.take(kind, lambda each: "Metrics" not in each.asked)
        client.put_metric_alarm(**{**alarm.asked, "Threshold": 1e9})
        self.note("an alarm that never rings", "alarms", alarm, "Threshold is 1000000000.0")

    def dashboards(self) -> None:
        dashboard = self.take("AWS::CloudWatch::Dashboard")
        self._client("cloudwatch").delete_dashboards(DashboardNames=[dashboard.name])
        self.note("a dashboard that is gone", "dashboards", dashboard, "it cannot be read")

    def logs(self) -> None:
        group = self.take("AWS::Logs::LogGroup")
        self._client("logs").put_retention_policy(logGroupName=group.name, retentionInDays=3653)
        self.note("a log that is kept for ten years", "logs", group, "RetentionInDays is 3653")

    # --- doors and rights -----------------------------------------------------------------------------------

    def apis(self) -> None:
        client = self._client("apigateway")
        stage = self.take("AWS::ApiGateway::Stage")
        off = {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "999999"}
        client.update_stage(restApiId=stage.asked["RestApiId"], stageName=stage.name, patchOperations=[off])
        self.note("an API that lets all through", "apis", stage, "MethodSettings")

    def permissions(self) -> None:
        iam = self._client("iam")
        policy = self.take("AWS::IAM::Policy")
        (role,) = policy.asked["Roles"]
        document = json.loads(json.dumps(policy.asked["PolicyDocument"]))
        document["Statement"][0]["Resource"] = "*"
        named = {"RoleName": role, "PolicyName": policy.asked["PolicyName"]}
        iam.put_role_policy(**named, PolicyDocument=json.dumps(document))
        narrow = functools.partial(
            iam.put_role_policy, **named, PolicyDocument=json.dumps(policy.asked["PolicyDocument"])
        )
        self.note("a role that may do more", "permissions", policy, "PolicyDocument.Statement", narrow)
        role = self.take("AWS::IAM::Role").name
        admin = {"RoleName": role, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        iam.attach_role_policy(**admin)
        undo = functools.partial(iam.detach_role_policy, **admin)
        self.note("a role that may do everything", "permissions", role, "AdministratorAccess", undo)

    def keys(self) -> None:
        key = self.take("AWS::KMS::Key")
        self._client("kms").disable_key_rotation(KeyId=key.name)
        self.note("a key that grows old", "others", key, "EnableKeyRotation is false")


PLANTING = [name for name, each in vars(Faults).items() if callable(each) and name not in ("__init__", "take", "note")]


def failed(target: Target) -> dict[str, Check]:
    return {check.name: check for check in verify(target).checks if not check.ok}


def test_every_fault_is_found_alone_and_its_advice_mends_it(target: Target, running: Running) -> None:
    assert failed(target) == {}
    with looked_at(target) as deployed:
        assert {stack.name for stack in deployed.stacks} == set(expected_stacks("dev"))
        resources = [each for stack in deployed.stacks for each in stack.findings.resources]
    faults = Faults(running.client, resources)
    for plant in PLANTING:
        getattr(faults, plant)()
    assert len(faults.planted) >= 20

    found = failed(target)
    assert set(found) == {fault.name for fault in faults.planted.values()}
    for what, fault in faults.planted.items():
        check = found[fault.name]
        assert fault.seen in check.seen, (what, check)
        assert check.expected, what
        mend(check, fault, running.client)
    assert failed(target) == {}


def mend(check: Check, fault: Planted, client: Client) -> None:
    """Do what a finding advises; all of its commands must be there."""
    for words in aws_cli.commands(check.advice):
        if words[0] == "aws":
            called = aws_cli.read(words)
            if fault.undo is None:
                called.make(client)
    if fault.undo is not None:
        fault.undo()


def test_whatever_differs_there_is_a_command_to_type(target: Target) -> None:
    """On this machine and on AWS: the commands of the AWS CLI and ours exist, with these options and values."""
    with looked_at(target) as deployed:
        resources = [each for stack in deployed.stacks for each in stack.findings.resources]
        for where in (deployed, replace(deployed, target=replace(target, local=None))):
            for resource in resources:
                differences = [Difference(resource, problem="is missing")]
                differences += [
                    Difference(resource, Differs(name, asked, None)) for name, asked in resource.asked.items()
                ]
                for told in {advice(where, difference) for difference in differences}:
                    for words in aws_cli.commands(told):
                        aws_cli.read(words) if words[0] == "aws" else aws_cli.ours(words)


def test_only_an_unknown_subject_is_refused_with_all_that_there_are(target: Target) -> None:
    with pytest.raises(Failed, match=r"no subject 'tabels'\. There are: stacks, .*tables, .*probe"):
        verify(target, only="tabels")


# --- permissions --------------------------------------------------------------------------------------------

# Actions by the operations that are called otherwise. Source: Service Authorization Reference.
ACTIONS = {
    "lambda:GetLayerVersionByArn": "lambda:GetLayerVersion",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:ListBucketIntelligentTieringConfigurations": "s3:GetIntelligentTieringConfiguration",
    "s3:ListBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
    "s3:ListObjectsV2": "s3:ListBucket",
}
# What only AWS has: certificates and quotas, bills, releases step by step, protected tables, policies of functions, and
# confirmed subscriptions.
ON_AWS_ALONE = {
    "acm:DescribeCertificate",
    "backup:ListProtectedResources",
    "ce:GetCostAndUsage",
    "codedeploy:GetApplication",
    "codedeploy:GetDeploymentGroup",
    "lambda:GetPolicy",
    "servicequotas:ListServiceQuotas",
    "sns:GetSubscriptionAttributes",
}


def test_the_inspectors_policy_allows_what_is_called_and_nothing_else(target: Target, requests: set[str]) -> None:
    requests.clear()
    verify(target)
    for period in ROUTINE:
        checkup(target, period)
    actions = {ACTIONS.get(each, each) for each in requests}
    actions = {"apigateway:GET" if each.startswith("apigateway:Get") else each for each in actions}
    inspected = {f"{service}:{action}" for service, those in INSPECTED for action in those}
    of_operators = {"sqs:ListQueues", "sqs:GetQueueAttributes", "ssm:GetParameter", "s3:ListBucket", "s3:GetObject"}
    actions -= {"sts:GetCallerIdentity"}  # which nobody needs to be allowed
    assert actions - inspected - of_operators <= set(READING)
    assert inspected - actions == ON_AWS_ALONE


# --- the probe ----------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, rekognition: Rekognition, tmp_path: Path) -> None:
    """Pictures that are quickly made, for the drawn ones; and less patience than on AWS."""

    def draw(_folder: Path) -> Drawn:
        def made(number: int, person: str, bib: str) -> Path:
            picture = pictures.jpeg(number, (96, 80))
            rekognition.known[hashlib.sha256(picture).hexdigest()] = (person, bib)
            (tmp_path / f"{number}.jpg").write_bytes(picture)
            return tmp_path / f"{number}.jpg"

        settings = b'{"name": "Probe", "date": "2026-10-25", "faces": true, "bib_rules": {"min_digits": 2}}'
        return Drawn(
            settings=settings,
            roster=f"bib,name\n{HER},Her\n{OTHER},Other\n".encode(),
            bib=HER,
            seen=(made(1, HER, HER), made(2, HER, HER)),
            hidden=(made(3, HER, ""),),
            other=made(4, OTHER, OTHER),
            selfie=made(5, HER, ""),
        )

    monkeypatch.setattr(probe, "draw", draw)
    monkeypatch.setattr(probe, "_POLL_S", 0.3)
    monkeypatch.setattr(probe, "_STILL_S", 3.0)


def races_of_the_probe(target: Target) -> set[str]:
    """All that there is of it, in any bucket or table."""
    objects = {
        each["Key"]
        for bucket in (target.photo_bucket, target.derived_bucket)
        for each in erase.versions(target, bucket, f"{PROBE}/")
    }
    scanned = (
        item["PK"]["S"]
        for table in target.client("dynamodb").list_tables()["TableNames"]
        for item in target.client("dynamodb").scan(TableName=table, ProjectionExpression="PK")["Items"]
    )
    return objects | {partition for partition in scanned if PROBE in partition}


@pytest.mark.usefixtures("drawn")
def test_the_probe_goes_through_and_leaves_no_trace_also_not_of_an_earlier_run(target: Target) -> None:
    left = RaceRef(PROBE, "probe-20200101T000000-abcdef")
    target.client("s3").put_object(Bucket=target.derived_bucket, Key=f"{left.prefix}made.jpg", Body=b"{}")
    said: list[str] = []
    verdict = verify(target, only="probe", probe_s=600, tell=said.append)
    assert verdict.ok, verdict
    assert [check.name for check in verdict.checks] == [
        "probe: uploads",
        "probe: found by bib",
        "probe: found by selfie",
        "probe: erased",
    ]
    assert any(str(left) in sentence for sentence in said)
    assert races_of_the_probe(target) == set()


@pytest.mark.usefixtures("drawn")
def test_a_probe_that_is_interrupted_is_erased(target: Target) -> None:
    def interrupt(text: str) -> None:
        if text.startswith("Waiting until its photos"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(target, only="probe", probe_s=600, tell=interrupt)
    assert races_of_the_probe(target) == set()


@pytest.fixture
def out_of_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time is up as soon as all four photos wait for their bibs to be read."""
    what_is_left, monotonic = probe._what_is_left, time.monotonic
    passed = [0.0]

    def left(now: RaceStatus) -> str:
        told = what_is_left(now)
        if "4 with bibs not read yet (ocr)" in told:
            passed[0] = 1_000_000.0
        return told

    monkeypatch.setattr(probe, "_what_is_left", left)
    monkeypatch.setattr(probe.time, "monotonic", lambda: monotonic() + passed[0])
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("drawn", "out_of_time")
def test_a_probe_that_gets_stuck_says_where_and_is_erased(target: Target) -> None:
    client = target.client("lambda")
    name = naming.function("dev", "ocr", "read")
    (mapping,) = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    verdict = verify(target, only="probe", probe_s=100_000)
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    stuck, erased = verdict.checks
    assert not verdict.ok
    assert stuck.seen == "after 100000 s of 4 photos there are 4 with bibs not read yet (ocr)"
    assert "--timeout" in stuck.expected
    assert stuck.advice.startswith("snaprace dlq --stage ocr; aws logs tail /aws/lambda/snaprace-dev-ocr-read")
    assert erased.ok
    assert "in work" in erased.seen  # the messages that ocr will still get


# --- at the end, as it is not undone ------------------------------------------------------------------------


def test_a_route_that_is_gone_is_not_answered(target: Target) -> None:
    with looked_at(target) as deployed:
        gone = next(
            each for each in deployed.resources("AWS::ApiGateway::Method") if each.asked["HttpMethod"] == "POST"
        )
    which = {"restApiId": gone.asked["RestApiId"], "resourceId": gone.asked["ResourceId"], "httpMethod": "POST"}
    target.client("apigateway").delete_method(**which)
    found = failed(target)
    assert {name.split(":")[0] for name in found} == {"apis"}
    assert any("cannot be read" in check.seen for check in found.values())
    assert any(check.seen.startswith("POST /") for check in found.values())
