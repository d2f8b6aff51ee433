"""What the embedded AWS was given is there again after kill -9, and nothing is answered that would not be."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from local.aws import clients, deployment
from local.aws.kept.journal import Journal
from local.runtime import CHECKOUT, Ports, Running
from tests.runtime import assemblies
from tests.runtime.conftest import answers, until

THINGS = "things"


class Embedded:
    """An embedded AWS that keeps, and that can be killed and started again."""

    def __init__(self, data: Path, assembly: Path) -> None:
        self.data = data
        self.assembly = assembly
        self.running = Running(pid=0, ports=Ports.free(), started="now", keep=True)
        self.client = cache(lambda service: clients.client(self.running.aws_url, service))

    def start(self, *, deploy: bool = True) -> None:
        self.log = (self.data.parent / "log").open("ab")
        command = ["-m", "local.tether", "local.aws", "--port", str(self.running.ports.aws), "--data", str(self.data)]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--keep", "--deploying"],
            cwd=CHECKOUT,
            env=os.environ | self.running.environment(),
            stdin=subprocess.PIPE,
            stderr=self.log,
            process_group=0,
        )
        until(lambda: self.process.poll() is not None or answers(f"{self.running.aws_url}/_ministack/health"))
        if deploy:
            self.deploy()

    def deploy(self) -> None:
        url = self.running.aws_url
        deployment.deploy(self.assembly, lambda service: clients.deploying_client(url, service), verify=False)
        assert httpx.post(f"{url}/_snaprace/open", trust_env=False).status_code == 204

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def queue(self, name: str) -> str:
        return f"{self.running.aws_url}/000000000000/{name}"

    def waiting(self, name: str) -> dict[str, str]:
        asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.queue(name), AttributeNames=asked)
        return dict(found["Attributes"])

    def records_read(self) -> int:
        """How far the function has read its stream, by what is kept."""
        return int(self.kept("places") or 0)

    def kept(self, store: str) -> str | None:
        """The only value that is kept in a store, or None."""
        with closing(sqlite3.connect(self.data / "journal.sqlite")) as database:
            found = database.execute("SELECT value FROM kept WHERE store = ?", (store,)).fetchone()
        return str(found[0]) if found else None

    def item(self, sort: str) -> Any:
        key = {"PK": {"S": "read"}, "SK": {"S": sort}}
        return self.client("dynamodb").get_item(TableName=THINGS, Key=key).get("Item")


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemblies.write(tmp_path_factory.mktemp("kept"), assemblies.with_all_that_is_kept())


@pytest.fixture
def embedded(tmp_path: Path, assembly: Path) -> Iterator[Embedded]:
    made = Embedded(tmp_path / "data", assembly)
    made.data.mkdir()
    made.start()
    yield made
    made.kill()


def test_all_that_was_answered_is_there_after_kill_9(embedded: Embedded) -> None:
    tables, s3, sqs = embedded.client("dynamodb"), embedded.client("s3"), embedded.client("sqs")
    for color in ("red", "green", "blue"):
        item = {
            "PK": {"S": "사진"},
            "SK": {"S": color},
            "color": {"S": color},
            "n": {"N": "1.5"},
            "raw": {"B": b"\0\1"},
        }
        tables.put_item(TableName=THINGS, Item=item)
    tables.delete_item(TableName=THINGS, Key={"PK": {"S": "사진"}, "SK": {"S": "green"}})
    first = s3.put_object(Bucket="photos", Key="a/사진 +1%.jpg", Body=b"first", Metadata={"photographer": "kim"})
    s3.put_object(Bucket="photos", Key="a/사진 +1%.jpg", Body=b"second")
    s3.put_object(Bucket="photos", Key="gone", Body=b"gone")
    s3.delete_object(Bucket="photos", Key="gone")
    for body in ("deleted", "received", "untouched"):
        sqs.send_message(QueueUrl=embedded.queue("plain"), MessageBody=body)
    [message] = sqs.receive_message(QueueUrl=embedded.queue("plain"))["Messages"]
    sqs.delete_message(QueueUrl=embedded.queue("plain"), ReceiptHandle=message["ReceiptHandle"])
    [received] = sqs.receive_message(QueueUrl=embedded.queue("plain"), VisibilityTimeout=600)["Messages"]
    embedded.client("kinesis").put_record(StreamName="stream", PartitionKey="one", Data=b"{}")
    until(lambda: embedded.records_read() == 1)

    embedded.restart()

    found = tables.query(
        TableName=THINGS,
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": "사진"}},
    )["Items"]
    assert [(item["SK"]["S"], item["n"]["N"], item["raw"]["B"]) for item in found] == [
        ("blue", "1.5", b"\0\1"),
        ("red", "1.5", b"\0\1"),
    ]
    by_color = {"IndexName": "by-color", "KeyConditionExpression": "color = :c"}
    assert tables.query(TableName=THINGS, **by_color, ExpressionAttributeValues={":c": {"S": "red"}})["Count"] == 1

    current = s3.get_object(Bucket="photos", Key="a/사진 +1%.jpg")
    assert current["Body"].read() == b"second"
    before = s3.get_object(Bucket="photos", Key="a/사진 +1%.jpg", VersionId=first["VersionId"])
    assert (before["Body"].read(), before["Metadata"]) == (b"first", {"photographer": "kim"})
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="photos", Key="gone")

    assert embedded.waiting("plain") == {
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesNotVisible": "1",
    }
    receipt = {"QueueUrl": embedded.queue("plain"), "ReceiptHandle": received["ReceiptHandle"]}
    sqs.change_message_visibility(**receipt, VisibilityTimeout=0)  # the receipt is still good
    again = sqs.receive_message(QueueUrl=embedded.queue("plain"), MaxNumberOfMessages=10, AttributeNames=["All"])
    counts = {one["Body"]: one["Attributes"]["ApproximateReceiveCount"] for one in again["Messages"]}
    assert counts == {"received": "2", "untouched": "1"}

    assert embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "4"
    [archive] = embedded.client("events").list_archives()["Archives"]
    assert archive["EventCount"] == 4
    embedded.client("kinesis").put_record(StreamName="stream", PartitionKey="two", Data=b"{}")
    until(lambda: embedded.item("two") is not None)
    assert [embedded.item(key)["times"] for key in ("one", "two")] == [{"N": "1"}, {"N": "1"}]  # none read twice
    pages = embedded.client("logs").filter_log_events(logGroupName="/aws/lambda/reader", filterPattern='"read one"')
    assert len(pages["events"]) == 1


def test_an_empty_one_can_be_started_again_and_again(embedded: Embedded) -> None:
    for _ in range(2):
        embedded.restart()
    assert embedded.client("s3").list_objects_v2(Bucket="photos")["KeyCount"] == 0


def test_nobody_is_served_before_all_stands_again(embedded: Embedded) -> None:
    embedded.kill()
    embedded.start(deploy=False)
    early = httpx.put(f"{embedded.running.aws_url}/photos/early.jpg", content=b"early", trust_env=False)
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    target = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    early = httpx.post(embedded.running.aws_url, headers=target, content=b"{}", trust_env=False)
    assert (early.status_code, early.json()["__type"]) == (503, "ServiceUnavailable")
    embedded.deploy()
    embedded.client("s3").put_object(Bucket="photos", Key="late.jpg", Body=b"late")
    assert embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "1"


def test_a_full_disk_refuses_and_loses_nothing(embedded: Embedded) -> None:
    def put_item(sort: str) -> None:
        embedded.client("dynamodb").put_item(TableName=THINGS, Item={"PK": {"S": "read"}, "SK": {"S": sort}})

    impatient = clients.client(embedded.running.aws_url, "s3")
    embedded.client("s3").put_object(Bucket="photos", Key="before.jpg", Body=b"before")
    put_item("before")
    # A process whose files must not grow stands before the same errors as on a full disk.
    _, hard = resource.prlimit(embedded.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(embedded.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    url = embedded.running.aws_url
    refused = httpx.put(f"{url}/photos/during.jpg", content=b"during", trust_env=False)
    assert refused.status_code == 503
    assert "Make room" in refused.text
    target = {"x-amz-target": "DynamoDB_20120810.PutItem", "content-type": "application/x-amz-json-1.0"}
    item = {"TableName": THINGS, "Item": {"PK": {"S": "read"}, "SK": {"S": "during"}}}
    refused = httpx.post(url, headers=target, content=json.dumps(item).encode(), trust_env=False)
    assert refused.status_code == 503
    assert "Make room" in refused.json()["message"]
    assert embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "1"  # what is not there is not announced
    with pytest.raises(ClientError, match="404"):
        impatient.head_object(Bucket="photos", Key="during.jpg")

    resource.prlimit(embedded.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    embedded.client("s3").put_object(Bucket="photos", Key="after.jpg", Body=b"after")
    embedded.restart()
    keys = [found["Key"] for found in embedded.client("s3").list_objects_v2(Bucket="photos")["Contents"]]
    assert keys == ["after.jpg", "before.jpg"]
    assert embedded.item("before")
    assert embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "2"


def test_a_replay_that_is_cut_off_goes_on(embedded: Embedded) -> None:
    for number in range(3):
        embedded.client("s3").put_object(Bucket="photos", Key=f"{number}.jpg", Body=b"x")
    [archive] = embedded.client("events").list_archives()["Archives"]
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    embedded.client("events").start_replay(
        ReplayName="again", EventSourceArn=f"{bus[:-len('event-bus/default')]}archive/all", EventStartTime=0,
        EventEndTime=time.time() + 60, Destination={"Arn": bus},
    )  # fmt: skip
    until(lambda: embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "6")
    until(lambda: json.loads(embedded.kept("replays") or "{}").get("State") == "COMPLETED")  # shortly after its end
    assert embedded.client("events").describe_replay(ReplayName="again")["State"] == "COMPLETED"
    embedded.kill()
    journal = Journal(embedded.data / "journal.sqlite")
    [(name, replay)] = list(journal.rows("replays", ""))
    journal.put("replays", "", name, {**replay, "State": "RUNNING"})  # as if it had been killed before its end
    journal.close()
    embedded.start()
    until(lambda: embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "9")
    assert embedded.client("events").describe_replay(ReplayName="again")["State"] == "COMPLETED"
    assert archive["EventCount"] == 3


@pytest.mark.parametrize("renamed", [True, False], ids=["object renamed, sidecar not", "nothing renamed"])
def test_an_upload_that_is_cut_off_is_there_whole_and_announced_or_not_at_all(
    embedded: Embedded, *, renamed: bool
) -> None:
    embedded.client("s3").put_object(Bucket="photos", Key="a.jpg", Body=b"old", Metadata={"is": "old"})
    embedded.kill()
    file = embedded.data / "s3" / "000000000000" / "photos" / "a.jpg"
    sidecar = file.with_name("a.jpg.meta.json")
    new = json.loads(sidecar.read_text()) | {"metadata": {"x-amz-meta-is": "new"}, "checksums": {}}
    file.with_name("a.jpg.meta.json.tmp").write_text(json.dumps(new))
    (file if renamed else file.with_name("a.jpg.tmp")).write_bytes(b"new")
    journal = Journal(embedded.data / "journal.sqlite")
    write = {"account": "000000000000", "bucket": "photos", "key": "a.jpg", "file": "000000000000/photos/a.jpg"}
    journal.put("writes", "", "row", write)
    journal.close()

    embedded.start()
    found = embedded.client("s3").get_object(Bucket="photos", Key="a.jpg")
    expected = "new" if renamed else "old"
    assert (found["Body"].read().decode(), found["Metadata"]) == (expected, {"is": expected})
    assert sorted(one.name for one in file.parent.iterdir()) == ["a.jpg", "a.jpg.meta.json"]
    assert embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "2"
    embedded.restart()
    assert embedded.waiting("uploads")["ApproximateNumberOfMessages"] == "2"  # announced once
