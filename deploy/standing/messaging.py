"""Reads messaging as it stands: queues, topics, buses, rules, archives."""

from __future__ import annotations

from deploy.place import Client
from deploy.standing.differences import least_alike
from deploy.standing.reader import Properties, Reader


def _queue(client: Client, url: str, _asked: Properties) -> Properties:
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {"QueueName": url.rsplit("/", 1)[-1], **attributes}


def _queue_policy(client: Client, _id: str, asked: Properties) -> Properties:
    policies = [
        client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy")
        for url in asked["Queues"]
    ]
    return {"Queues": asked["Queues"], "PolicyDocument": least_alike(policies, asked["PolicyDocument"])}


def _topic(client: Client, arn: str, _asked: Properties) -> Properties:
    return {"TopicName": arn.rsplit(":", 1)[-1], **client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]}


def _topic_policy(client: Client, _id: str, asked: Properties) -> Properties:
    policies = [client("sns").get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy") for arn in asked["Topics"]]
    return {"Topics": asked["Topics"], "PolicyDocument": least_alike(policies, asked["PolicyDocument"])}


def _event_bus(client: Client, name: str, _asked: Properties) -> Properties:
    return dict(client("events").describe_event_bus(Name=name))


def _rule(client: Client, physical_id: str, asked: Properties) -> Properties:
    of_rule = {"EventBusName": asked.get("EventBusName", "default")}
    name = physical_id.rsplit("|", 1)[-1]
    rule = client("events").describe_rule(Name=name, **of_rule)
    targets = client("events").list_targets_by_rule(Rule=name, **of_rule)["Targets"]
    return {**rule, **of_rule, "Targets": targets}


def _archive(client: Client, name: str, _asked: Properties) -> Properties:
    archive = client("events").describe_archive(ArchiveName=name)
    return {"KmsKeyIdentifier": "", **archive, "SourceArn": archive["EventSourceArn"]}


READERS: dict[str, Reader] = {
    "AWS::Events::Archive": _archive,
    "AWS::Events::EventBus": _event_bus,
    "AWS::Events::Rule": _rule,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
}
